"""Tests and suites that are tried again, with real processes: what is run anew, and what is told of each attempt."""

from __future__ import annotations

import pytest

from understudy.progress import State
from understudy.suites.results import Outcome, SuiteStatus

from .suite_stages import Stage, junit, outcomes

ONCE = """
    import os, pathlib
    def times(name):
        path = pathlib.Path(name)
        count = len(path.read_text()) if path.exists() else 0
        path.write_text("x" * (count + 1))
        return count + 1
"""
FLAKY = (
    ONCE
    + """
    import pytest, unittest

    @pytest.fixture
    def fresh():
        times("set-up")
        yield
        times("torn-down")

    @pytest.fixture(scope="module")
    def shared():
        times("shared")

    @pytest.fixture(scope="module")
    def broken_once():
        assert times("broken") > 1

    def test_flaky(fresh, shared):
        print("attempt", times("flaky"))
        assert len(pathlib.Path("flaky").read_text()) == 3, "not yet"

    def test_setup(broken_once):
        pass

    def test_steady(shared):
        pass

    class TestInstance:
        def test_fresh_self(self):
            assert not hasattr(self, "used")
            self.used = True
            assert times("instance") == 2

    class TestUnit(unittest.TestCase):
        def test_unit(self):
            self.assertEqual(times("unit"), 2)

    def test_torn(request):
        request.addfinalizer(lambda: pytest.fail("once") if times("torn") == 1 else None)

    @pytest.mark.xfail
    def test_known():
        times("known")
        assert 0

    def test_hopeless():
        assert times("hopeless") == 0, "never"
"""
)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failed_test_is_run_again_with_its_fixtures(stage: Stage, workers: int) -> None:
    result = stage.one(stage.suite("api", FLAKY, retries=2), workers=workers, stop_after=None)

    assert outcomes(result) == {
        "test_flaky": "flaky",
        "test_setup": "flaky",
        "test_steady": "passed",
        "test_fresh_self": "flaky",
        "test_unit": "flaky",
        "test_torn": "flaky",
        "test_known": "xfailed",
        "test_hopeless": "failed",
    }
    cases = {case.id.rpartition("::")[2]: case for case in result.cases}
    flaky = cases["test_flaky"]
    assert (flaky.attempts, flaky.message[:39]) == (3, "passed at attempt 3; before: AssertionE")
    assert [attempt.outcome for attempt in flaky.earlier] == [Outcome.FAILED, Outcome.FAILED]
    assert "not yet" in flaky.earlier[0].detail
    assert [dict(attempt.sections)["Captured stdout call"] for attempt in flaky.earlier] == [
        "attempt 1\n",
        "attempt 2\n",
    ]
    assert cases["test_setup"].earlier[0].outcome is Outcome.ERROR
    assert cases["test_torn"].earlier[0].outcome is Outcome.ERROR
    assert (cases["test_hopeless"].attempts, cases["test_steady"].attempts) == (3, 1)
    folder = stage.project / "api"
    assert (folder / "set-up").read_text() == (folder / "torn-down").read_text() == "xxx"
    assert (folder / "known").read_text() == "x", "what was expected to fail did not fail"
    if workers == 1:
        assert (folder / "shared").read_text() == "xx", "a wider fixture is made again only after a failed setup"
    root = junit(stage.folder / "junit.xml")
    assert (root.get("tests"), root.get("failures"), root.get("flakes")) == ("8", "1", "5")
    assert len(root.findall(".//flakyFailure")) == 4
    assert len(root.findall(".//rerunFailure")) == 2
    warned = [event.subject for event in stage.events if event.state is State.WARNING]
    assert "api: test_0.py::test_flaky" in warned


def test_fail_fast_waits_for_the_last_attempt(stage: Stage) -> None:
    tests = (
        ONCE + "    def test_a():\n        assert times('a') == 2\n    def test_b():\n        assert times('b') == 9\n"
    )

    result = stage.run(stage.suite("api", tests, retries=1))

    assert result.stopped_by == "test test_0.py::test_b failed in suite api"
    assert outcomes(result.suites[0]) == {"test_a": "flaky", "test_b": "failed"}
    assert (stage.project / "api" / "b").read_text() == "xx"


CHECK = """
    import os, pathlib, sys
    count = pathlib.Path("count")
    count.write_text(count.read_text() + "x" if count.exists() else "x")
    number = len(count.read_text())
    print("attempt", number)
    bad = '<failure message="not yet"/>' if number < {good} else ""
    pathlib.Path(os.environ["UNDERSTUDY_JUNIT"]).write_text(
        f'<testsuite><testcase name="a">{{bad}}</testcase><testcase name="b"/></testsuite>')
    sys.exit(bool(bad))
"""


def test_another_command_is_run_again_as_a_whole(stage: Stage) -> None:
    result = stage.one(stage.command("check", CHECK.format(good=3), retries=2))

    assert (result.status, result.attempts) == (SuiteStatus.PASSED, 3)
    assert outcomes(result) == {"a": "flaky", "b": "passed"}
    assert [attempt.message for attempt in result.cases[0].earlier] == ["not yet", "not yet"]
    for number, folder in ((1, "attempt-1/"), (2, "attempt-2/"), (3, "")):
        assert (stage.folder / f"suites/check/{folder}output.log").read_text() == f"attempt {number}\n"
        assert f"suites/check/{folder}reported.xml" in result.files


def test_a_command_that_goes_on_failing_fails_with_all_attempts_told(stage: Stage) -> None:
    result = stage.run(stage.command("check", CHECK.format(good=9), retries=1)).suites[0]

    assert (result.status, result.attempts) == (SuiteStatus.FAILED, 2)
    assert (result.cases[0].outcome, len(result.cases[0].earlier)) == (Outcome.FAILED, 1)


def test_a_command_without_junit_is_flaky_as_a_suite(stage: Stage) -> None:
    code = "import pathlib, sys\np = pathlib.Path('n')\nagain = p.exists()\np.touch()\nsys.exit(0 if again else 4)\n"

    result = stage.one(stage.command("check", code, retries=1))

    assert result.status is SuiteStatus.PASSED
    assert outcomes(result) == {"(suite)": "flaky"}
    assert result.cases[0].earlier[0].message == "exit code 4"
