"""What a run came to, in one word and one sentence: only what the record says, put first. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from understudy.errors import EnvironmentFailedError, SupersededError
from understudy.report import RunRecord
from understudy.suites.results import BAD, Outcome

__all__ = ["Verdict", "counted", "verdict_of"]

_WORDS = {
    0: ("passed", "Passed"),
    1: ("failed", "Tests failed"),
    2: ("broken", "Not usable"),
    3: ("broken", "Not provisioned"),
    4: ("broken", "Left something behind"),
    5: ("broken", "Kept in doubt"),
    6: ("broken", "Evidence is missing"),
    7: ("broken", "Not tested"),
    130: ("interrupted", "Interrupted"),
}
"""Exit code (docs/run-record.md) -> class and word."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`kind` is `passed`, `failed`, `broken`, `interrupted` or `unfinished`; `word` and `reason` are for people."""

    kind: str
    word: str
    reason: str


def counted(record: RunRecord) -> dict[Outcome, int]:
    """Outcome -> number of tests, of all suites; outcomes without any are left out."""
    found = Counter(case.outcome for suite in record.suites for case in suite.tests)
    return {outcome: found[outcome] for outcome in Outcome if found[outcome]}


def verdict_of(record: RunRecord) -> Verdict:
    """The verdict; a record that was never closed is of a run that was killed, or is still at work."""
    if record.ended is None:
        where = ", ".join(record.running) or (
            f"after {record.phases[-1].name}" if record.phases else "at its beginning"
        )
        reason = f"The record was never closed: the run was killed, or is still at work. Last known: {where}."
        return Verdict("unfinished", "Did not finish", " ".join(filter(None, (reason, _tests(record)))))
    kind, word = _WORDS.get(record.exit_code, ("broken", f"Exit code {record.exit_code}"))
    if record.exit_code in {0, 1}:
        return Verdict(kind, word, _tests(record) or "No tests were run.")
    cause = next((each for each in record.causes if each.code == record.exit_code), None)
    if cause and cause.kind == EnvironmentFailedError.__name__:
        word = "The environment failed"
    if cause and cause.kind == SupersededError.__name__:
        kind, word = "interrupted", "Superseded"
    said = cause.message.partition("\n")[0] if cause else ""
    return Verdict(kind, word, said or _tests(record))


def _tests(record: RunRecord) -> str:
    """How the tests ended, in a sentence; empty: there are none."""
    counts = counted(record)
    total = sum(counts.values())
    if not total:
        return ""
    bad = sum(counts.get(outcome, 0) for outcome in BAD)
    tests = "test" if total == 1 else "tests"
    if not bad and set(counts) == {Outcome.PASSED}:
        return f"All {total} {tests} passed." if total > 1 else "The one test passed."
    others = ", ".join(f"{count} {outcome.value}" for outcome, count in counts.items() if outcome not in BAD)
    said = f"{bad} of {total} {tests} failed" if bad else f"{total} {tests}"
    return f"{said}; {others}." if others and bad else f"{said}: {others}." if others else f"{said}."
