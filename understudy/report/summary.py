"""`summary.md`: a run record as Markdown for a step summary or a comment. The worst first; no logic, only form."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator, Sequence

from understudy.errors import TestsFailedError
from understudy.report.alike import grouped
from understudy.report.markdown import COMMENT_LIMIT, code, escaped, folded, marker, preformatted, within
from understudy.report.record import RunRecord
from understudy.report.records import CauseRecord, ChangeRecord
from understudy.report.suite_records import CaseRecord, SuiteRecord
from understudy.report.visible import plural
from understudy.suites.results import BAD, Outcome

__all__ = ["STEP_LIMIT", "is_up", "place", "removals", "summary", "summary_marker", "verdict"]

STEP_LIMIT = 1_048_576
"""Bytes that GitHub takes of one step's summary: 1 MiB ("Workflow commands for GitHub Actions", step isolation and
limits)."""

_VERDICTS = {
    0: "passed",
    1: "tests failed",
    2: "could not begin",
    3: "provisioning failed",
    4: "something was left behind, or nobody could look",
    6: "evidence could not be written",
    7: "not run",
    130: "interrupted",
}
_REST = "`report.html` and `run.json` in the run folder have everything."
_ROWS = 40
_SHOWN = 50
_OPEN = 3
_SLOWEST = 5


def verdict(record: RunRecord) -> str:
    """How the run ended, in a few words that follow from its exit code; `not finished` where it did not end."""
    if record.ended is None:
        return "not finished"
    cause = _cause(record)
    if cause is not None and cause.kind == "EnvironmentFailedError":
        return "the environment failed while tests ran"
    if cause is not None and cause.kind == "SupersededError":
        return "superseded by a newer commit"
    return _VERDICTS.get(record.exit_code, f"exit code {record.exit_code}")


def _cause(record: RunRecord) -> CauseRecord | None:
    """The cause that gave the exit code."""
    return next((each for each in record.causes if each.code == record.exit_code), None)


def summary_marker(record: RunRecord) -> str:
    """The HTML comment by which what was said of the same topology and profile is found again, whatever the commit."""
    return marker("run", f"{record.project}:{record.topology}:{record.profile}")


def place(suite: SuiteRecord, case: CaseRecord) -> str:
    """The file of a test, from the repository's root; empty where it is not known or leads out of there."""
    path = posixpath.normpath(posixpath.join(suite.folder, case.file)) if case.file else ""
    return "" if path.startswith(("/", "../")) or path in {".", ".."} else path


def summary(record: RunRecord, *, limit: int = COMMENT_LIMIT) -> str:
    """A page of at most `limit` characters: verdict and reason, bad tests, URLs, differences, durations, receipt."""
    head = [summary_marker(record), f"### Understudy: {verdict(record)}", *_reason(record), _facts(record)]
    blocks = (
        *_bad_tests(record, BAD, "failed"),
        *_bad_tests(record, frozenset({Outcome.ENVIRONMENT}), "ran while the environment failed"),
        *_bad_tests(record, frozenset({Outcome.FLAKY}), "passed only when tried again"),
        *_suites(record),
        *_addresses(record),
        *_receipt(record),
        *_sinks(record),
        *_commands(record),
        *_causes(record),
        *_changes(record),
        *_durations(record),
        *(f"> {escaped(warning)}" for warning in record.warnings),
    )
    return within("\n\n".join(head), blocks, limit, _REST)


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 60 else f"{value // 60:.0f} min {value % 60:.0f} s"  # noqa: PLR2004 - a minute


def _reason(record: RunRecord) -> Iterator[str]:
    """The first line of the cause that gave the exit code."""
    cause = _cause(record)
    if cause is not None and cause.kind == TestsFailedError.__name__:
        yield from filter(None, [escaped(record.stopped_by, 1000)])  # the facts below have the counts
    elif cause is not None:
        yield escaped(cause.message.partition("\n")[0], 1000)
    elif record.ended is None:
        yield "The run was still under way when this was written, or was killed."


def _facts(record: RunRecord) -> str:
    counts: dict[str, int] = {}
    for suite in record.suites:
        for outcome, number in suite.counts.items():
            counts[outcome] = counts.get(outcome, 0) + number
    tests = ", ".join(f"{number} {escaped(outcome)}" for outcome, number in counts.items() if number)
    commit = f"commit {code(record.commit[:12])}" + (" with changes in the working folder" if record.dirty else "")
    branch = f"branch {code(record.branch, 120)}" if record.branch else ""
    shard = f"part {escaped(record.shard)}" if record.shard else ""
    environment = f"environment {code(record.environment)}" if record.environment else ""
    cost = escaped(record.cost.text) if record.cost else ""
    facts = (shard, tests, commit, branch, environment, _seconds(record.seconds), cost)
    return " \u00b7 ".join(filter(None, facts))


def _bad_tests(record: RunRecord, outcomes: frozenset[Outcome], words: str) -> Iterator[str]:
    """A block for each such test; the first ones are unfolded."""
    found = [(suite, case) for suite in record.suites for case in suite.tests if case.outcome in outcomes]
    if not found:
        return
    yield f"#### {plural(len(found), 'test')} {words}"
    for number, (suite, case) in enumerate(found[:_SHOWN]):
        yield _bad_test(suite, case, unfolded=number < _OPEN)
    if len(found) > _SHOWN:
        yield f"and {len(found) - _SHOWN} more. {_REST}"


def _bad_test(suite: SuiteRecord, case: CaseRecord, *, unfolded: bool) -> str:
    """One test: where it is, why, and the end of what it said; a flaky one tells of its last failed attempt."""
    failed = case.earlier[-1] if case.outcome is Outcome.FLAKY and case.earlier else case
    file = place(suite, case)
    where = f" in {code(file + (f':{case.line}' if case.line else ''), 240)}" if file else ""
    lines = [f"{escaped(failed.message, 1000) or 'No message.'}{where}, {_seconds(case.seconds)}"]
    if failed.detail.strip():
        lines += ["", preformatted(failed.detail, lines=25)]
    return folded(f"{code(suite.name, 80)} {code(case.id, 240)}", lines, unfolded=unfolded)


def _table(heads: Sequence[str], rows: Sequence[str]) -> Iterator[str]:
    """Tables of at most so many rows each: a long one is cut and not lost."""
    for start in range(0, len(rows), _ROWS):
        line = "|".join(["", *heads, ""])
        yield "\n".join([line, "|" + "---|" * len(heads), *rows[start : start + _ROWS]])


def _suites(record: RunRecord) -> Iterator[str]:
    rows = []
    for suite in record.suites:
        counts = ", ".join(f"{number} {escaped(outcome)}" for outcome, number in suite.counts.items() if number)
        ended = suite.status.value + (f": {escaped(suite.reason)}" if suite.reason else "")
        rows.append(f"| {code(suite.name, 80)} | {ended} | {counts} | {_seconds(suite.seconds)} |")
    yield from _table(("suite", "how it ended", "tests", "time"), rows)


def is_up(record: RunRecord) -> bool:
    """Whether the environment is there still: it was kept, or the run was one of `understudy test`, which ends none."""
    return record.kept is not None or (record.receipt is None and record.ended is not None)


def _addresses(record: RunRecord) -> Iterator[str]:
    """Where an environment that is still there answers, and until when it is kept."""
    if not is_up(record):
        return
    if record.kept is not None:
        until = f"until {escaped(record.kept.expires)}, and never beyond {escaped(record.kept.not_after)}"
        yield f"The environment is **kept** {until}."
    rows = [f"| {code(f'{each.service}:{each.port}')} | {code(each.url)} |" for each in record.endpoints]
    yield from _table(("endpoint", "URL"), rows)


def _receipt(record: RunRecord) -> Iterator[str]:
    receipt = record.receipt
    if receipt is None:
        return
    looked = ", ".join(escaped(plural(number, kind), 40) for kind, number in receipt.looked.items())
    if receipt.outcome == "CLEAN":
        yield f"Receipt: **CLEAN**. The environment is gone; looked through {looked or 'nothing'}."
        return
    remains = ", ".join(f"{escaped(each.kind, 40)} {code(each.name, 120)}" for each in receipt.leftovers[:_ROWS])
    told = ". ".join(part for part in (escaped(receipt.reason), remains) if part)
    yield f"Receipt: **{escaped(receipt.outcome)}**. {told}"


def _sinks(record: RunRecord) -> Iterator[str]:
    """Where the evidence should have gone and did not."""
    for sink in record.sinks:
        if not sink.ok:
            tries = "1 try" if sink.attempts == 1 else f"{sink.attempts} tries"
            yield f"Not sent to {code(sink.sink, 120)} in {tries}: {escaped(sink.message)}"


def _commands(record: RunRecord) -> Iterator[str]:
    """How to run it again, and how to remove what is or may be still there."""
    again = ["understudy", "run", *(["--dirty"] if record.dirty else ["--commit", record.commit])]
    folder = posixpath.dirname(record.topology)
    for path in record.documents or filter(None, (record.topology,)):
        again += ["--file", posixpath.relpath(path, folder or ".")]
    again += ["--profile", record.profile] if record.profile not in {"", "default"} else []
    again += ["--target", "aws"] if record.target.startswith("aws:") else []
    where = f" in {code(folder)}" if folder else ""
    said = [f"Run it again{where}: {code(shlex.join(again))}"]
    if record.kept is not None:
        said += [code(command) for command in record.kept.commands]
    said += [f"Remove the environment: {code(command)}" for command in removals(record)]
    yield "<br>\n".join(said)


def removals(record: RunRecord) -> tuple[str, ...]:
    """The commands that remove what is or may be still there of a run, or of its parts; none where it was kept."""
    if record.kept is not None:
        return ()
    own = (record.environment, record.receipt.outcome if record.receipt else "")
    ends = [(part.environment, part.receipt) for part in record.parts] or [own]
    return tuple(shlex.join(("understudy", "down", name)) for name, end in ends if end != "CLEAN")


def _causes(record: RunRecord) -> Iterator[str]:
    """Everything that went wrong, where one line of the first cause is not all of it."""
    causes = record.causes
    if len(causes) > 1 or (causes and "\n" in causes[0].message):
        lines = [
            f"{escaped(each.phase)} (exit code {each.code})\n\n{preformatted(each.message, lines=30)}"
            for each in causes
        ]
        yield folded(f"What went wrong: {plural(len(causes), 'cause')}", ["\n\n".join(lines)])


def _changes(record: RunRecord) -> Iterator[str]:
    """What differs from production, what is alike in several places once."""
    changes = [each for each in record.changes if each.fidelity != "faithful"]
    if not changes:
        return
    alike = grouped(
        changes, subject=_subject, same=lambda each: (_property(each), each.production, each.clone, each.reason)
    )
    rows = [
        f"| {escaped(', '.join(subjects), 200)} | {escaped(_property(each))} | {_value(each.production)} | "
        f"{_value(each.clone)} | {escaped(each.fidelity)} | {escaped(each.reason)} |"
        for subjects, shared in alike.items()
        for each in shared
    ]
    counts = ", ".join(f"{number} {escaped(kind)}" for kind, number in record.fidelity.items() if kind != "faithful")
    for number, table in enumerate(_table(("where", "property", "production", "clone", "fidelity", "why"), rows)):
        title = f"What differs from production: {counts or plural(len(changes), 'change')}" + " (continued)" * bool(
            number
        )
        yield folded(title, [table])


def _subject(change: ChangeRecord) -> str:
    return ".".join(change.path.split(".")[:2])


def _property(change: ChangeRecord) -> str:
    return ".".join(change.path.split(".")[2:]) or "(the whole)"


def _value(text: str | None) -> str:
    return "-" if text is None else code(text, 120)


def _durations(record: RunRecord) -> Iterator[str]:
    rows = [f"| {escaped(record.named(each.name, each.part))} | {_seconds(each.seconds)} |" for each in record.phases]
    slowest = sorted(
        ((case.seconds, suite.name, case.id) for suite in record.suites for case in suite.tests), reverse=True
    )[:_SLOWEST]
    rows += [f"| {code(suite, 80)} {code(case, 160)} | {_seconds(taken)} |" for taken, suite, case in slowest if taken]
    if record.stop_seconds is not None:
        rows.append(f"| from the first failure to no test process left | {_seconds(record.stop_seconds)} |")
    for table in _table(("phase, or slow test", "time"), rows):
        yield folded(f"Durations: {_seconds(record.seconds)} in all", [table])
