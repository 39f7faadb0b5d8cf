"""Which suites of a run need not run: their keys are looked up before it, and those that pass are kept by theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from understudy.arranging import shard_of
from understudy.blueprint import Blueprint
from understudy.build.keys import Origin
from understudy.build.tree import CommitTree
from understudy.errors import UnderstudyError
from understudy.history.access import passes
from understudy.history.past import Pass
from understudy.history.place import history_place
from understudy.progress import Phase, Progress, State
from understudy.report import utc
from understudy.reuse.gather import gather, surroundings
from understudy.reuse.key import key_of, not_kept, refusal
from understudy.session import Session
from understudy.stacks.topology import Suite
from understudy.suites.interpreter import PreparedSuite
from understudy.suites.results import Case, Outcome, Reuse, SuiteResult, SuitesResult, SuiteStatus

__all__ = ["LONGEST", "Reused", "look_up", "reused_result"]

LONGEST = timedelta(days=7)
"""How old a result may be: what no key sees, such as a certificate's end, is met after that at the latest."""


@dataclass(frozen=True)
class Reused:
    """What became of it: `results` of suites that do not run, and for each other one its key and why it runs."""

    results: tuple[SuiteResult, ...] = ()
    others: Mapping[str, Reuse] = field(default_factory=dict)
    again: Callable[[Sequence[str]], Mapping[str, Reuse]] = lambda _: {}
    """The keys of suites by name as they are now, or why there are none."""

    def rest(self, suites: Sequence[Suite]) -> tuple[Suite, ...]:
        """The suites that run."""
        known = {result.name for result in self.results}
        return tuple(suite for suite in suites if suite.name not in known)

    def noted(self, result: SuitesResult) -> SuitesResult:
        """What the suites came to, each with the key under which it is kept, or why it is not."""
        if not self.others:
            return result
        passed = [suite.name for suite in result.suites if suite.name in self.others and not not_kept(suite)]
        now = self.again(passed)
        return replace(result, suites=tuple(self._noted(suite, now) for suite in result.suites))

    def _noted(self, suite: SuiteResult, now: Mapping[str, Reuse]) -> SuiteResult:
        before = self.others.get(suite.name)
        if before is None:
            return suite
        lost = not_kept(suite)
        if not lost:
            same = not before.key or not now[suite.name].key or before.key == now[suite.name].key
            lost = now[suite.name].why if same else "what it depends on changed while it ran"
        key = "" if lost else now[suite.name].key
        why = before.why if not lost or lost == before.why else f"{before.why}; not kept: {lost}"
        return replace(suite, reuse=Reuse(key, why))


def look_up(session: Session, blueprint: Blueprint, tree: CommitTree, prepared: Sequence[PreparedSuite]) -> Reused:
    """Which suites need not run, told to the listener; without the option none, and nothing is asked.

    Whatever cannot be found out makes suites run.
    """
    if not session.options.reuse:
        return Reused()
    by_name = {each.suite.name: each for each in prepared}

    def again(names: Sequence[str]) -> Mapping[str, Reuse]:
        return _keys(session, blueprint, tree, [by_name[name] for name in names])

    keys = again(tuple(by_name))
    found, problem = passes(
        history_place(session.options.history),
        repository=blueprint.origin,
        topology=blueprint.file,
        keys={name: reuse.key for name, reuse in keys.items() if reuse.key},
        since=utc((datetime.now(UTC) - LONGEST).timestamp()),
    )
    why = problem or f"no run of the last {LONGEST.days} days passed it with all that it depends on the same"
    others = {name: replace(k, why=k.why or why) for name, k in keys.items() if name not in found}
    for name, earlier in found.items():
        session.listener(Progress(Phase.TEST, State.INFO, name, f"reused from run {earlier.run}"))
    for name, reuse in others.items():
        session.listener(Progress(Phase.TEST, State.INFO, name, f"not reused: {reuse.why}"))
    results = tuple(reused_result(by_name[name].suite, keys[name].key, earlier) for name, earlier in found.items())
    return Reused(results, others, again)


def reused_result(suite: Suite, key: str, earlier: Pass) -> SuiteResult:
    """The result of a suite that does not run: passed, with every test of the earlier run as `reused`."""
    where = f"run {earlier.run} of commit {earlier.commit[:12]} ({earlier.started})"
    return SuiteResult(
        name=suite.name,
        status=SuiteStatus.PASSED,
        reason=f"reused from {where}",
        command=suite.command,
        exit_code=None,
        started=None,
        seconds=0.0,
        workers=0,
        cases=tuple(
            Case(test, Outcome.REUSED, message=f"not run: {ended} in {where}") for test, ended in earlier.tests.items()
        ),
        attempts=0,
        reuse=Reuse(key, "", earlier.run, earlier.commit, earlier.started),
    )


def _keys(
    session: Session, blueprint: Blueprint, tree: CommitTree, prepared: Sequence[PreparedSuite]
) -> dict[str, Reuse]:
    """Suite -> its key, or why it has none."""
    dirty, shard = blueprint.dirty, shard_of(session.options) is not None
    found = {p.suite.name: Reuse(why=refusal(blueprint.clone, p.suite, dirty=dirty, shard=shard)) for p in prepared}
    able = [each for each in prepared if not found[each.suite.name].why]
    if not able:
        return found
    origin = Origin(tree.repository, tree.treeish, blueprint.folder, tree.pointers)
    try:
        shared = surroundings(blueprint, session.options, origin)
    except UnderstudyError as error:
        return {**found, **{each.suite.name: Reuse(why=_one_line(error)) for each in able}}
    for each in able:
        try:
            found[each.suite.name] = Reuse(key_of(gather(each, shared, blueprint, tree, origin)))
        except UnderstudyError as error:
            found[each.suite.name] = Reuse(why=_one_line(error))
    return found


def _one_line(error: UnderstudyError) -> str:
    return " ".join(str(error).split())
