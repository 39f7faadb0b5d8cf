"""JUnit XML: written from results so that the counts add up, and read from suites without trusting them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.parsers import expat

from understudy.files import open_regular
from understudy.stacks.identity import format_time
from understudy.suites.results import Attempt, Case, Outcome, SuiteResult

__all__ = ["LARGEST", "JUnitError", "read_junit", "render_junit"]

LARGEST = 64 << 20
"""Bytes of a JUnit file above which it is refused."""

_DEEPEST = 64
_MOST = 500_000
"""Elements above which a file is refused: each takes some hundred bytes of memory, and of a file only four."""

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What is no Char of XML 1.0, section 2.2."""

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
"""Colours and titles for a terminal (ECMA-48), which say nothing in a report."""

_ERRORS = frozenset({Outcome.ERROR, Outcome.ENVIRONMENT})
_SKIPPED = frozenset({Outcome.SKIPPED, Outcome.XFAILED, Outcome.INTERRUPTED, Outcome.NOT_RUN, Outcome.REUSED})


_RETRIED = {
    "flakyFailure": Outcome.FAILED,
    "flakyError": Outcome.ERROR,
    "rerunFailure": Outcome.FAILED,
    "rerunError": Outcome.ERROR,
}
"""The elements of attempts that were tried again (Maven Surefire, rerunFailingTestsCount)."""


class JUnitError(ValueError):
    """A file that is no JUnit XML that can be trusted; the message says why."""


def render_junit(suites: Iterable[SuiteResult]) -> bytes:
    """The JUnit document of some suites: every case once, as passed, failure, error or skipped with the cause.

    Failed attempts that were tried again are named as Maven Surefire names them: `flakyFailure` or `flakyError` before
    a pass, which counts among `flakes`, else `rerunFailure` or `rerunError` beside the failure of the last attempt.
    """
    root = ET.Element("testsuites", name="understudy")
    totals = dict.fromkeys(_counts(()), 0)
    seconds = 0.0
    for suite in suites:
        counts = _counts(suite.cases)
        element = ET.SubElement(root, "testsuite", {"name": _clean(suite.name)})
        for key, value in counts.items():
            element.set(key, str(value))
        element.set("time", f"{suite.seconds:.3f}")
        if suite.started is not None:
            element.set("timestamp", _timestamp(suite.started))
        for case in suite.cases:
            element.append(_testcase(case, suite.name))
        totals = {key: totals[key] + counts[key] for key in totals}
        seconds += suite.seconds
    for key, value in totals.items():
        root.set(key, str(value))
    root.set("time", f"{seconds:.3f}")
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _counts(cases: Sequence[Case]) -> dict[str, int]:
    return {
        "tests": len(cases),
        "failures": sum(case.outcome is Outcome.FAILED for case in cases),
        "errors": sum(case.outcome in _ERRORS for case in cases),
        "skipped": sum(case.outcome in _SKIPPED for case in cases),
        "flakes": sum(case.outcome is Outcome.FLAKY for case in cases),
    }


def _testcase(case: Case, suite: str) -> ET.Element:
    classname, name = _split(case.id, suite)
    element = ET.Element("testcase", classname=_clean(classname), name=_clean(name), time=f"{case.seconds:.3f}")
    if case.file:
        element.set("file", _clean(case.file))
    if case.line is not None:
        element.set("line", str(case.line))
    if case.outcome in _SKIPPED:
        kind = "pytest.xfail" if case.outcome is Outcome.XFAILED else case.outcome.value
        ET.SubElement(element, "skipped", type=kind, message=_clean(case.message))
    elif case.outcome in _ERRORS or case.outcome is Outcome.FAILED:
        element.append(_failure(Attempt(case.outcome, message=case.message, detail=case.detail), ""))
    for attempt in case.earlier:
        element.append(_failure(attempt, "flaky" if case.outcome is Outcome.FLAKY else "rerun"))
    if case.sections:
        text = "\n".join(f"--- {title} ---\n{content}" for title, content in case.sections)
        ET.SubElement(element, "system-out").text = _clean(text)
    return element


def _failure(attempt: Attempt, prefix: str) -> ET.Element:
    """A failed attempt as an element; with a prefix it is one that was tried again, in Surefire's form."""
    kind = "failure" if attempt.outcome is Outcome.FAILED else "error"
    element = ET.Element(prefix + kind.capitalize() if prefix else kind, message=_clean(attempt.message))
    if attempt.outcome is Outcome.ENVIRONMENT:
        element.set("type", attempt.outcome.value)
    detail = _clean(attempt.detail or attempt.message)
    if prefix:
        ET.SubElement(element, "stackTrace").text = detail
    else:
        element.text = detail
    return element


def _split(identity: str, suite: str) -> tuple[str, str]:
    """A node id as class and name, as pytest's own JUnit writer names them.

    >>> _split("tests/test_a.py::TestB::test_c[x::y]", "s")
    ('tests.test_a.TestB', 'test_c[x::y]')
    """
    path, bracket, parameters = identity.partition("[")
    head, separator, name = path.rpartition("::")
    if not separator:
        return suite, identity
    file, *classes = head.split("::")
    return ".".join([file.removesuffix(".py").replace("/", "."), *classes]), name + bracket + parameters


def _clean(text: str) -> str:
    """Text that XML can hold: terminal colours left out, other forbidden characters as their escapes."""
    return _FORBIDDEN.sub(lambda match: _escape(match.group()), _ANSI.sub("", text))


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"  # noqa: PLR2004 - one byte


def _timestamp(seconds: float) -> str:
    return format_time(datetime.fromtimestamp(seconds, UTC))


def read_junit(path: Path) -> tuple[Case, ...]:
    """The cases of a JUnit file that a suite wrote.

    Raises:
        JUnitError: no regular file, too large, too many elements, a document type
            (entities could expand without end), no XML,
            or no `testsuite`.
    """
    try:
        with open_regular(path) as source:
            data = source.read(LARGEST + 1)
    except OSError as error:
        raise JUnitError(f"{path.name} cannot be read: {error}") from error
    if len(data) > LARGEST:
        raise JUnitError(f"{path.name} is larger than {LARGEST >> 20} MiB")
    root = _SafeParser(path.name).parse(data)
    if root.tag not in ("testsuites", "testsuite"):
        raise JUnitError(f"{path.name} begins with <{root.tag[:40]}>, not with <testsuites> or <testsuite>")
    return tuple(_read_case(element, number) for number, element in enumerate(root.iter("testcase"), 1))


class _SafeParser:
    """Expat without document types, hence without entities of the document's own, and with a limit on depth."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._depth = 0
        self._count = 0
        self._builder = ET.TreeBuilder()
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._builder.data

    def parse(self, data: bytes) -> ET.Element:
        try:
            self._parser.Parse(data, True)
            return self._builder.close()
        except (expat.ExpatError, LookupError, ValueError, AssertionError) as error:
            if isinstance(error, JUnitError):
                raise
            raise JUnitError(f"{self._name} is no well-formed XML: {error}") from error

    def _doctype(self, *_declaration: object) -> None:
        raise JUnitError(f"{self._name} has a document type, which no JUnit file needs; entities are not expanded")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise JUnitError(f"{self._name} is nested deeper than {_DEEPEST} elements")
        self._count += 1
        if self._count > _MOST:
            raise JUnitError(f"{self._name} has more than {_MOST} elements")
        self._builder.start(tag, attributes)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        self._builder.end(tag)


def _read_case(element: ET.Element, number: int) -> Case:
    outcome, message, detail = Outcome.PASSED, "", ""
    for tag, found in (("skipped", Outcome.SKIPPED), ("failure", Outcome.FAILED), ("error", Outcome.ERROR)):
        child = element.find(tag)
        if child is not None:
            detail = child.text or ""
            outcome, message = found, child.get("message") or detail.strip().partition("\n")[0]
    earlier = tuple(_read_attempt(each) for each in element if each.tag in _RETRIED)
    if outcome is Outcome.PASSED and earlier:
        outcome = Outcome.FLAKY
    classname, name = element.get("classname", ""), element.get("name") or f"(case {number})"
    line = element.get("line", "")
    return Case(
        id=f"{classname}::{name}" if classname else name,
        outcome=outcome,
        seconds=_seconds(element.get("time", "")),
        message=message,
        detail=detail,
        file=element.get("file", ""),
        line=int(line) if re.fullmatch(r"\d{1,9}", line, re.ASCII) else None,
        earlier=earlier,
    )


def _read_attempt(element: ET.Element) -> Attempt:
    """A failed attempt that the suite's own tool tried again."""
    detail = element.findtext("stackTrace") or element.text or ""
    message = element.get("message") or detail.strip().partition("\n")[0]
    return Attempt(_RETRIED[element.tag], message=message, detail=detail)


def _seconds(text: str) -> float:
    """A duration as JUnit files write it, thousands separated by commas in some; what is none counts as 0."""
    plain = text.replace(",", "")
    return float(plain) if re.fullmatch(r"\d{1,9}(\.\d+)?", plain, re.ASCII) else 0.0
