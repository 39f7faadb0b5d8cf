"""Suites that are another command than pytest: what their exit code, their JUnit file and other files count for."""

from __future__ import annotations

import pytest

from understudy.redact import Redactor
from understudy.stacks.topology import Suite
from understudy.suites.results import SuiteStatus

from .suite_stages import VALUE, Stage, outcomes


def test_secrets_are_taken_out_of_files_in_folders_and_one_bad_file_ends_nothing(stage: Stage) -> None:
    short = "sesame"
    code = f"""
        import os, pathlib
        base = pathlib.Path(os.environ["UNDERSTUDY_JUNIT"]).parent
        (base / "a" / "b").mkdir(parents=True)
        (base / "a" / "b" / "dump.txt").write_text("it is {VALUE}")
        (base / "z.txt").write_text("it is {VALUE}")
        (base / ("{short}" + 249 * "x")).write_text("it is {VALUE}")  # its name without the secret is too long
    """

    result = stage.run(stage.command("dumps", code), redactor=Redactor([VALUE, short]))

    (suite,) = result.suites
    assert suite.files == tuple(f"suites/dumps/{name}" for name in ("a/b/dump.txt", "junit.xml", "output.log", "z.txt"))
    for name in ("a/b/dump.txt", "z.txt"):
        assert (stage.folder / "suites" / "dumps" / name).read_text() == "it is [secret]"
    (failure,) = result.failures
    assert "suite dumps could not be written" in failure


JUNIT = """
    import os, sys
    open(os.environ["UNDERSTUDY_JUNIT"], "w").write({xml!r})
    sys.exit({code})
"""


@pytest.mark.parametrize(
    ("xml", "code", "status", "expected"),
    [
        ('<testsuite><testcase name="a"/></testsuite>', 0, SuiteStatus.PASSED, {"a": "passed"}),
        ('<testsuite><testcase name="a"><failure/></testcase></testsuite>', 1, SuiteStatus.FAILED, {"a": "failed"}),
        ('<testsuite><testcase name="a"><error/></testcase></testsuite>', 0, SuiteStatus.FAILED, {"a": "error"}),
        ('<testsuite><testcase name="a"/></testsuite>', 2, SuiteStatus.FAILED, {"a": "passed", "(suite)": "error"}),
        ("<testsuite>", 0, SuiteStatus.PASSED, {"(suite)": "passed"}),
        ('<!DOCTYPE a [<!ENTITY b "c">]><testsuite/>', 1, SuiteStatus.FAILED, {"(suite)": "error"}),
    ],
)
def test_another_command_counts_by_exit_code_and_junit(
    stage: Stage, xml: str, code: int, status: SuiteStatus, expected: dict[str, str]
) -> None:
    result = stage.one(stage.command("other", JUNIT.format(xml=xml, code=code)))

    assert result.status is status
    assert outcomes(result) == expected
    assert bool(result.notices) == (not xml.endswith("</testsuite>"))


def test_another_command_without_junit_counts_by_exit_code(stage: Stage) -> None:
    good = stage.command("good", "import os; assert os.environ['UNDERSTUDY_DB_5432_PORT'] == '32001'")
    bad = stage.command("bad", f"print('last words {VALUE}'); raise SystemExit(7)")

    good_result, bad_result = stage.run(good, bad, stop_after=None).suites

    assert outcomes(good_result) == {"(suite)": "passed"}
    assert (bad_result.status, bad_result.reason, bad_result.exit_code) == (SuiteStatus.FAILED, "exit code 7", 7)
    assert bad_result.cases[0].detail == "last words [secret]\n"


def test_a_command_that_cannot_be_executed_is_a_result(stage: Stage) -> None:
    suite = stage.command("odd", "")
    program = stage.project / "odd" / "program"
    program.write_bytes(b"\x7fELF no program at all")
    program.chmod(0o755)

    result = stage.one(Suite("odd", ("./program",), folder=suite.folder))

    assert result.status is SuiteStatus.ERROR
    assert "could not be started" in result.reason
