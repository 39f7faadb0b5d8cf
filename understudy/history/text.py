"""The history for a terminal: recent runs, the slowest and the flakiest tests, or one test run by run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from unicodedata import combining, east_asian_width

from understudy.history.questions import RunRow, TestRow

__all__ = ["DEFINITION", "Ends", "render_runs", "render_tests", "shown"]

DEFINITION = (
    "flaky: of the runs in which it passed or failed, those in which it passed only\n"
    "on a retry, or failed although another run of the same commit passed"
)
"""What the flaky rate is, said wherever it is shown."""

Ends = Mapping[tuple[str, str, str], Sequence[tuple[RunRow, str, float]]]

_MOST = 10
_VERDICTS = {0: "passed", 1: "failed", 2: "bad input", 3: "environment", 4: "leftovers", 6: "export failed"}
_INTERRUPTED = 130


def render_runs(runs: Iterable[RunRow], tests: Sequence[TestRow], *, width: int) -> str:
    """Recent runs, newest first, then the slowest tests and the flakiest among `tests`, in lines of `width` columns."""
    rows = list(runs)
    lines = [f"{'WHEN (UTC)':16}  {'COMMIT':11}  {'VERDICT':15}  {'TESTS':>6}  {'TIME':>7}  BRANCH"]
    for run in rows:
        shard = f" ({run.shard})" if run.shard else ""
        head = (
            f"{_when(run.started)}  {_commit(run):11}  {verdict(run.exit_code):15}  "
            f"{run.tests:6}  {_span(run.seconds):>7}  "
        )
        lines.append(head + cut(shown(run.branch) or "-", width - len(head) - len(shard)) + shard)
    slow = sorted(tests, key=lambda test: -test.seconds)[:_MOST]
    flaky = sorted((test for test in tests if test.flaky), key=lambda test: (-test.rate, -test.flaky))[:_MOST]
    if slow:
        lines += ["", "SLOWEST TESTS (mean of these runs)"]
        lines += [_line(f"{_span(test.seconds):>9}  ", test, width) for test in slow]
    if flaky:
        lines += ["", "FLAKIEST TESTS"]
        lines += [_line(f"{test.rate:>5.0%} {f'{test.flaky}/{test.runs}':>7}  ", test, width) for test in flaky]
        lines += ["", DEFINITION]
    return "\n".join(lines)


def render_tests(tests: Sequence[TestRow], ends: Ends, *, width: int) -> str:
    """Each of some tests with its runs, newest first."""
    rates = {(test.topology, test.suite, test.test): test for test in tests}
    lines: list[str] = []
    for key, each in list(ends.items())[:_MOST]:
        lines += [cut(_name(key[1], key[2]), width)]
        if test := rates.get(key):
            counts = f"{test.runs} runs with a verdict, {test.failed} failed"
            lines.append(f"  {counts}, flaky {test.rate:.0%} ({test.flaky}/{test.runs}), mean {_span(test.seconds)}")
        for run, outcome, seconds in each:
            head = f"  {_when(run.started)}  {_commit(run):11}  {outcome:18}  {_span(seconds):>7}  "
            lines.append(head + cut(shown(run.branch) or "-", width - len(head)))
        lines.append("")
    if len(ends) > _MOST:
        lines += [f"{len(ends) - _MOST} more tests match; name one more closely", ""]
    return "\n".join([*lines, DEFINITION])


def verdict(exit_code: int) -> str:
    """An exit code in a word or two."""
    return "interrupted" if exit_code == _INTERRUPTED else _VERDICTS.get(exit_code, f"exit code {exit_code}")


def shown(text: str) -> str:
    r"""Text on one line in which every character that could steer a terminal is an escape.

    >>> print(shown("a\x1b[31mb\n"))
    a\x1b[31mb\n
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def cut(text: str, room: int) -> str:
    """Text within so many columns; of a longer one the end, which tells tests apart. No room is none at all."""
    if columns(text) <= room:
        return text
    kept = ""
    for character in reversed(text):
        if columns(character + kept) >= room:
            break
        kept = character + kept
    return f"\u2026{kept}"


def columns(text: str) -> int:
    """The columns that a terminal gives a text (Unicode Standard Annex 11)."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def _line(head: str, test: TestRow, width: int) -> str:
    return head + cut(_name(test.suite, test.test), width - len(head))


def _name(suite: str, test: str) -> str:
    return f"{shown(suite)}: {shown(test)}"


def _commit(run: RunRow) -> str:
    return shown(run.commit[:10]) + "+" * run.dirty


def _when(started: str) -> str:
    return started[:16].replace("T", " ")


def _span(seconds: float) -> str:
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.2f}s"
    return f"{seconds // 60:.0f}m{seconds % 60:02.0f}s"
