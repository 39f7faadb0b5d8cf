"""The records of all parts of a split run as one record, which says what was lost or ran twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from understudy.errors import HaltedError, TestsFailedError, UsageError
from understudy.report.cost import joined
from understudy.report.graph import worst_of
from understudy.report.moments import utc
from understudy.report.one_clock import epoch_of, of_part
from understudy.report.record import RunRecord
from understudy.report.records import CauseRecord, PartRecord
from understudy.report.suite_records import CaseRecord, SuiteRecord
from understudy.suites.results import BAD, Case, Outcome, SuiteStatus
from understudy.suites.verdict import SUITE_CASE

__all__ = ["Part", "join"]

_WORST = (
    *(SuiteStatus.FAILED, SuiteStatus.ERROR, SuiteStatus.TIMEOUT, SuiteStatus.ENVIRONMENT),
    *(SuiteStatus.INTERRUPTED, SuiteStatus.STOPPED, SuiteStatus.PASSED),
)
"""Of several ends of one suite, the first of these is that of the whole."""

_CUT = frozenset({SuiteStatus.STOPPED, SuiteStatus.INTERRUPTED})

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Part:
    """The record of one part, and where its folder lies in the joined one."""

    record: RunRecord
    folder: str

    @property
    def index(self) -> int:
        """Which part it is, from 1."""
        return int(self.record.shard.partition("/")[0])

    @property
    def of(self) -> int:
        """How many there are."""
        return int(self.record.shard.partition("/")[2])


def join(parts: Sequence[Part], run: str) -> RunRecord:
    """One record of all parts, called `run`. What is missing, lost or doubled is among its causes.

    Raises:
        UsageError: they are not parts of one commit and one split.
    """
    _hold_together(parts)
    began = min(epoch_of(part.record.started) for part in parts)
    parts = [
        replace(part, record=of_part(part.record, part.folder, began))
        for part in sorted(parts, key=lambda part: part.index)
    ]
    records = [part.record for part in parts]
    first = records[0]
    ends = [epoch_of(record.ended) for record in records if record.ended]
    ready = [epoch_of(record.ready_at) for record in records if record.ready_at]
    all_ready = len(ready) == len(parts)
    whole = replace(
        RunRecord(
            run=run,
            environment="",
            target="",
            project=first.project,
            repository=first.repository,
            topology=first.topology,
            commit=first.commit,
            branch=first.branch,
            production_ref=first.production_ref,
            started=utc(began),
        ),
        **{name: getattr(first, name) for name in _SAME},
        ended=utc(max(ends)) if ends else None,
        ready_at=utc(max(ready)) if all_ready else None,
        ready_offset=max(ready) - began if all_ready else None,
        phases=tuple(sorted((p for r in records for p in r.phases), key=lambda p: p.offset + p.seconds)),
        resources=tuple(each for record in records for each in record.resources),
        containers=tuple(each for record in records for each in record.containers),
        usage=tuple(each for record in records for each in record.usage),
        mocks=tuple(each for record in records for each in record.mocks),
        deaths=tuple(sorted((death for record in records for death in record.deaths), key=lambda death: death.at)),
        cost=joined([record.cost for record in records]),
        graph=worst_of([record.graph for record in records]),
        seconds=max(ends, default=began) - began,
        suites=tuple(_suites(parts)),
        stopped_by=next((record.stopped_by for record in records if record.stopped_by), ""),
        stop_seconds=max((s for record in records if (s := record.stop_seconds) is not None), default=None),
        warnings=tuple(dict.fromkeys(warning for record in records for warning in record.warnings)),
        parts=tuple(_part(part) for part in parts),
    )
    for cause in (*_causes(parts), *(_problem(text) for text in _problems(parts))):
        whole = whole.with_cause(cause)
    return whole


_SAME = (
    *("dirty", "version", "profile", "ci", "changes", "fidelity", "properties", "verdicts"),
    *("images", "past", "plan", "documents"),
)
"""What follows from the commit, so that each part says the same of it."""


def _hold_together(parts: Sequence[Part]) -> None:
    if whole := [part.record.run for part in parts if not part.record.shard]:
        raise UsageError(f"Joined parts, and {', '.join(whole)} is none: it ran without --shard.")
    for what in ("repository", "topology", "commit", "dirty", "profile"):
        values = sorted({str(getattr(part.record, what)) for part in parts})
        if len(values) > 1:
            raise UsageError(f"Joined parts, and they are not of one {what}: {', '.join(values)}.")
    totals = sorted({part.of for part in parts})
    if len(totals) > 1:
        raise UsageError(f"Joined parts, and they are not of one number of parts: {', '.join(map(str, totals))}.")
    if len({part.record.plan for part in parts if part.record.plan}) > 1:
        raise UsageError(
            "Joined parts, and they were split by other files of durations, so that tests may be lost or doubled.",
            hint="Give every part the same file: commit understudy-durations.json, or hand one to --durations.",
        )
    counts = Counter(part.index for part in parts)
    if twice := [str(index) for index, count in sorted(counts.items()) if count > 1]:
        raise UsageError(
            f"Joined parts, and of part {', '.join(twice)} there are several runs.", hint="Name one of each."
        )


def _part(part: Part) -> PartRecord:
    r = part.record
    receipt = str(r.receipt.outcome) if r.receipt else ""
    return PartRecord(r.shard, r.run, r.environment, part.folder, r.started, r.seconds, r.exit_code, receipt)


def _causes(parts: Sequence[Part]) -> Iterator[CauseRecord]:
    """Those of all parts; that one was ended because of another comes last, as it follows from the others."""
    found = [(part.record.shard, cause) for part in parts for cause in part.record.causes]
    for shard, cause in sorted(found, key=lambda each: each[1].kind == HaltedError.__name__):
        yield replace(cause, message=f"part {shard}: {cause.message}")


def _problem(text: str) -> CauseRecord:
    return CauseRecord.of(TestsFailedError(f"Joined the parts: {text}."), "join")


def _problems(parts: Sequence[Part]) -> Iterator[str]:
    """What keeps the parts from being the whole."""
    of = parts[0].of
    there = {part.index for part in parts}
    if missing := [f"{index}/{of}" for index in range(1, of + 1) if index not in there]:
        yield f"{'part' if len(missing) == 1 else 'parts'} {', '.join(missing)} missing"
    for part in parts:
        if part.record.ended is None:
            yield f"part {part.record.shard} did not end"
    wholes = {name for part in parts for name in part.record.elsewhere}
    for name in sorted(wholes):
        ran = [part.record.shard for part in parts if any(suite.name == name for suite in part.record.suites)]
        if len(ran) != 1:
            yield f"suite {name} ran in {'parts ' + ', '.join(ran) if ran else 'no part'}"
    for name in sorted({suite.name for part in parts for suite in part.record.suites} - wholes):
        yield from _test_problems(name, parts)


def _test_problems(name: str, parts: Sequence[Part]) -> Iterator[str]:
    """The tests of a suite that was split: each has to be in one part, and everybody has to know the same ones."""
    suites = [(part.record.shard, suite) for part in parts for suite in part.record.suites if suite.name == name]
    ran: dict[str, list[str]] = {}
    collected: set[str] = set()
    for shard, suite in suites:
        collected |= set(suite.elsewhere)
        for test in suite.tests:
            if test.id != SUITE_CASE and not _of_collection(test):
                ran.setdefault(test.id, []).append(shard)
    lost = [] if _unseen([suite for _, suite in suites]) else sorted(collected - ran.keys())
    doubled = sorted(test for test, shards in ran.items() if len(shards) > 1)
    if lost:
        yield f"{len(lost)} tests of suite {name} ran in no part:{_listed(lost)}"
    if doubled:
        yield f"{len(doubled)} tests of suite {name} ran in several parts:{_listed(doubled)}"


def _unseen(ends: Sequence[SuiteRecord]) -> str:
    """Why a part was ended before it had collected the suite's tests, so that only the others know them; else empty."""
    cut = (each for each in ends if each.status in _CUT and all(test.id == SUITE_CASE for test in each.tests))
    return next((each.reason for each in cut), "")


def _listed(names: Sequence[str]) -> str:
    more = "\n  ..." if len(names) > _SHOWN else ""
    return "".join(f"\n  {name}" for name in names[:_SHOWN]) + more


def _of_collection(test: CaseRecord) -> bool:
    """A file that could not be collected or was skipped as a whole: every part says so of it."""
    return test.started is None and test.outcome in (Outcome.ERROR, Outcome.SKIPPED)


def _suites(parts: Sequence[Part]) -> Iterator[SuiteRecord]:
    names = dict.fromkeys(suite.name for part in parts for suite in part.record.suites)
    for name in names:
        yield _suite([(part, suite) for part in parts for suite in part.record.suites if suite.name == name])


def _suite(ends: Sequence[tuple[Part, SuiteRecord]]) -> SuiteRecord:
    tests: dict[tuple[str, str], CaseRecord] = {}
    for part, suite in ends:
        for test in suite.tests:
            once = _of_collection(test)
            tests.setdefault((test.id, "" if once else part.record.shard), test)
    if why := _unseen([suite for _, suite in ends]):
        known = {test for test, _ in tests}
        for lost in sorted({each for _, suite in ends for each in suite.elsewhere} - known):
            tests[lost, ""] = CaseRecord.of(Case(lost, Outcome.NOT_RUN, message=f"not run: {why}"))
    real = [test for test in tests.values() if test.id != SUITE_CASE or test.outcome in BAD] or list(tests.values())[:1]
    counts = Counter(test.outcome for test in real)
    part, worst = min(ends, key=lambda end: _WORST.index(end[1].status))
    started = [suite.started for _, suite in ends if suite.started is not None]
    passed = worst.status is SuiteStatus.PASSED
    return replace(
        worst,
        reason="" if passed else f"part {part.record.shard}: {worst.reason}",
        started=min(started, default=None),
        seconds=max(suite.seconds for _, suite in ends),
        workers=sum(suite.workers for _, suite in ends),
        counts={outcome.value: counts[outcome] for outcome in Outcome},
        tests=tuple(real),
        notices=tuple(f"part {each.record.shard}: {notice}" for each, suite in ends for notice in suite.notices),
        files=tuple(f"{each.folder}/{file}" for each, suite in ends for file in suite.files),
        elsewhere=(),
        offset=min((suite.offset for _, suite in ends if suite.offset is not None), default=None),
        waited=tuple(wait for _, suite in ends for wait in suite.waited),
    )
