"""Annotations of GitHub Actions: bad tests and other causes as workflow commands, escaped, no more than are shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from understudy.report import CaseRecord, RunRecord
from understudy.report.summary import place
from understudy.report.visible import cut
from understudy.suites.results import BAD, Outcome

__all__ = ["MOST", "annotated", "command"]

MOST = 10
"""Annotations of one type that GitHub shows of one step; those after them are lost without a word."""

_LONGEST = 4000
_TITLE = 200
_TESTS = "TestsFailedError"


@dataclass(frozen=True, slots=True)
class _Annotation:
    kind: str
    title: str
    message: str
    file: str = ""
    line: int | None = None

    def __str__(self) -> str:
        properties = {"file": self.file, "line": str(self.line) if self.file and self.line else "", "title": self.title}
        return command(self.kind, self.message, {key: value for key, value in properties.items() if value})


def command(name: str, message: str, properties: dict[str, str] | None = None) -> str:
    r"""A workflow command as one line, escaped as GitHub's toolkit does (@actions/core, `command.ts`).

    >>> command("error", "50% of it\nfailed", {"title": "a: b, c"})
    '::error title=a%3A b%2C c::50%25 of it%0Afailed'
    """
    given = ",".join(f"{key}={_property(value)}" for key, value in (properties or {}).items())
    return f"::{name} {given}::{_data(message)}" if given else f"::{name}::{_data(message)}"


def _data(text: str) -> str:
    """Control and invisible characters but the line feed become a middle dot; then the toolkit's own rules."""
    plain = "".join(c if c == "\n" or c.isprintable() else "\u00b7" for c in text.replace("\r\n", "\n"))
    return plain.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def annotated(record: RunRecord) -> tuple[str, ...]:
    """The lines for a record: an error for each bad test and each other cause, a warning for each flaky test.

    Of each type there are at most `MOST`; where there would be more, the last says how many are not shown.
    """
    errors = [*_tests(record, BAD | {Outcome.ENVIRONMENT}, "error"), *_causes(record)]
    warnings = [*_tests(record, frozenset({Outcome.FLAKY}), "warning")]
    return tuple(str(each) for group in (errors, warnings) for each in _capped(group))


def _capped(group: list[_Annotation]) -> list[_Annotation]:
    if len(group) <= MOST:
        return group
    left = len(group) - MOST + 1
    return [*group[: MOST - 1], _Annotation(group[0].kind, "Understudy", f"{left} more: see the job's summary.")]


def _tests(record: RunRecord, outcomes: frozenset[Outcome], kind: str) -> Iterator[_Annotation]:
    for suite in record.suites:
        for case in suite.tests:
            if case.outcome in outcomes:
                title = cut(f"{suite.name}: {case.id}", _TITLE)
                yield _Annotation(kind, title, _message(case), place(suite, case), case.line)


def _message(case: CaseRecord) -> str:
    """What the test said, and the end of it at length; of a flaky one, of its last failed attempt."""
    flaky = case.outcome is Outcome.FLAKY
    told = case.earlier[-1] if flaky and case.earlier else case
    text = "\n".join(filter(None, (told.message, told.detail.strip()[-_LONGEST:])))
    before = {Outcome.FLAKY: "passed when tried again: ", Outcome.ENVIRONMENT: "environment failed: "}
    return before.get(case.outcome, "") + cut(text or "it says nothing", 2 * _LONGEST)


def _causes(record: RunRecord) -> Iterator[_Annotation]:
    """Everything else that went wrong; that tests failed is told by them."""
    for cause in record.causes:
        if cause.kind != _TESTS or not record.bad_tests:
            yield _Annotation("error", f"Understudy: {cause.phase}", cut(cause.message, _LONGEST))
