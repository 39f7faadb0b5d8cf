"""The test stage with real processes: what pytest and xdist get, and what is told of their tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from understudy.progress import Progress, State, silent
from understudy.suites.results import Outcome, SuiteStatus

from .suite_stages import VALUE, WAIT, Stage, junit, message, outcomes


def test_a_suite_gets_the_contract_and_no_credential(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_ACCESS_TOKEN", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, "canary")
    suite = stage.suite(
        "api",
        f"""
        import json, os, pathlib, subprocess
        def test_contract():
            assert os.environ["UNDERSTUDY_DB_5432_URL"] == "tcp://127.0.0.1:32001"
            assert os.environ["UNDERSTUDY_SECRET_DB_PASSWORD"] == "{VALUE}"
            assert os.environ["OWN"] == "1"
            document = json.loads(pathlib.Path(os.environ["UNDERSTUDY_CONTRACT"]).read_text())
            assert document["endpoints"]["db:5432"]["host_port"] == 32001
        def test_canaries():
            whole = pathlib.Path("/proc/self/environ").read_text() + repr(dict(os.environ))
            assert "canary" not in whole
            assert "canary" not in subprocess.run(["env"], capture_output=True, text=True, check=True).stdout
        """,
        environment={"OWN": "1"},
    )

    result = stage.run(suite)

    assert result.passed, result.suites[0].cases
    assert result.summary() == "2 passed"
    assert result.suites[0].files == ("suites/api/junit.xml", "suites/api/output.log", "suites/api/results.jsonl")
    root = junit(stage.folder / "junit.xml")
    assert (root.get("tests"), root.get("failures")) == ("2", "0")
    assert "2 passed" in (stage.folder / "suites/api/output.log").read_text()
    states = [event.state for event in stage.events if event.state is not State.INFO]
    assert states == [State.STARTED, State.DONE]


def test_workers_share_the_tests_and_each_is_reported_once(stage: Stage) -> None:
    tests = "import pytest\n@pytest.mark.parametrize('n', range(8))\ndef test_n(n):\n    assert n != 6\n"

    result = stage.one(stage.suite("api", tests), workers=2, stop_after=None)

    assert result.counts() | {"passed": 7, "failed": 1} == result.counts()
    assert len(result.cases) == 8
    assert {case.worker for case in result.cases} == {"gw0", "gw1"}
    assert result.workers == 2


def test_files_that_cannot_be_collected_are_cases(stage: Stage) -> None:
    skipped = "import pytest\npytest.skip('whole file', allow_module_level=True)\n"
    suite = stage.suite("api", "def test_a(): pass\n", "import a_module_that_is_not_there\n", skipped)

    result = stage.one(suite, stop_after=None)

    assert outcomes(result)["test_1.py"] == "error"
    assert outcomes(result)["test_2.py"] == "skipped"
    assert "a_module_that_is_not_there" in message(result, "test_1.py")
    assert (result.status, result.exit_code) == (SuiteStatus.FAILED, 2)


def test_every_outcome_is_told_with_reason_and_output(stage: Stage) -> None:
    result = stage.one(
        stage.suite(
            "api",
            """
            import pytest
            @pytest.fixture
            def broken():
                raise RuntimeError("no fixture")
            @pytest.fixture
            def leaky():
                yield
                raise RuntimeError("no teardown")
            def test_passes(): pass
            def test_fails(): print("captured words"); assert 1 == 2
            def test_setup(broken): pass
            def test_teardown(leaky): pass
            def test_skips(): pytest.skip("not today")
            @pytest.mark.xfail(reason="known bug")
            def test_xfails(): assert False
            @pytest.mark.xfail
            def test_xpasses(): pass
            @pytest.mark.xfail(strict=True)
            def test_strict(): pass
            """,
        ),
        stop_after=None,
    )

    assert outcomes(result) == {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_setup": "error",
        "test_teardown": "error",
        "test_skips": "skipped",
        "test_xfails": "xfailed",
        "test_xpasses": "xpassed",
        "test_strict": "failed",
    }
    failed = next(case for case in result.cases if case.id.endswith("test_fails"))
    assert failed.message == "assert 1 == 2"
    assert "def test_fails" in failed.detail
    assert ("Captured stdout call", "captured words\n") in failed.sections
    assert message(result, "test_skips") == "Skipped: not today"
    assert message(result, "test_xfails") == "known bug"
    assert result.exit_code == 1


def test_without_fail_fast_everything_runs(stage: Stage) -> None:
    first = stage.suite("first", "def test_a(): assert False\ndef test_b(): pass\n")
    second = stage.suite("second", "def test_c(): pass\n")

    result = stage.run(first, second, stop_after=None)

    assert [suite.status for suite in result.suites] == [SuiteStatus.FAILED, SuiteStatus.PASSED]
    assert outcomes(result.suites[0]) == {"test_a": "failed", "test_b": "passed"}
    assert result.stopped_by == ""
    assert result.stop_seconds is None


def test_a_listener_that_fails_loses_nothing(stage: Stage) -> None:
    def listener(_event: Progress) -> None:
        raise RuntimeError("the console is gone")

    result = stage.run(stage.suite("good", "def test_a(): pass\n"), listener=listener)

    assert [suite.status for suite in result.suites] == [SuiteStatus.PASSED]
    assert result.failures == ("progress could not be shown: RuntimeError: the console is gone",)
    assert junit(stage.folder / "junit.xml").find(".//testcase") is not None


@pytest.mark.parametrize("workers", [1, 2])
def test_a_test_that_kills_its_process_is_an_error(stage: Stage, workers: int) -> None:
    suite = stage.suite("api", "import os\ndef test_a(): pass\ndef test_dies(): os._exit(3)\n")

    result = stage.one(suite, workers=workers, stop_after=None)

    assert result.status is SuiteStatus.FAILED
    assert outcomes(result) == {"test_a": "passed", "test_dies": "error"}
    assert ("crashed" if workers == 2 else "exit code 3") in message(result, "test_dies")


def test_a_suite_without_tests_does_not_pass(stage: Stage) -> None:
    result = stage.one(stage.suite("empty", "x = 1\n"))

    assert (result.status, result.exit_code) == (SuiteStatus.ERROR, 5)
    assert [case.outcome for case in result.cases] == [Outcome.ERROR]


def test_hostile_output_is_evidence_and_nothing_more(stage: Stage) -> None:
    result = stage.one(
        stage.suite(
            "api",
            f"""
            import os, sys
            import pytest
            HOSTILE = "\\x1b[31mred\\x1b[0m \\x00 ]]> <b> \\udc80 {VALUE}"
            @pytest.mark.parametrize("text", [HOSTILE], ids=["<x>]]>"])
            def test_hostile(text):
                os.write(1, b"\\xff\\xfe" + b"y" * 3_000_000)
                print("z" * 100_000 + " end of output")
                assert text == "", text
            def test_forges(pytestconfig):
                with open(os.environ["UNDERSTUDY_RESULTS"], "ab") as out:
                    out.write(b'\\xff no line of ours\\n{{"event": "report"}}\\n')
            """,
        ),
        stop_after=None,
    )

    assert list(outcomes(result).values()) == ["failed", "passed"]
    assert result.notices == ("2 lines of results could not be read",)
    (failed, _forged) = result.cases
    assert len(failed.detail) < 100_000
    assert all(len(text) < 20_000 for _title, text in failed.sections)
    assert "end of output" in failed.sections[0][1]
    for path in stage.folder.rglob("*"):
        assert not path.is_file() or VALUE.encode() not in path.read_bytes(), path
    root = junit(stage.folder / "junit.xml")
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    for line in (stage.folder / "suites/api/results.jsonl").read_bytes().splitlines()[:3]:
        json.loads(line)


def test_without_xdist_there_is_one_worker_and_a_notice(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import sys\nsys.modules['xdist'] = None\n")
    environment = {"PYTHONPATH": str(tmp_path / "site"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    suite = stage.suite("api", "def test_a(): pass\ndef test_b(): pass\n", environment=environment, workers=2)

    result = stage.one(suite, workers=4, listener=silent)

    assert result.status is SuiteStatus.PASSED
    assert result.workers == 1
    assert "no pytest-xdist" in result.notices[0]


def test_how_far_a_suite_is_is_said_only_where_it_has_changed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.suites.stage._SAY_EVERY", 0.0)
    stage.run(stage.suite("api", "import time\ndef test_one(): time.sleep(0.3)\ndef test_two(): time.sleep(0.3)"))
    said = [event.detail for event in stage.events if event.state is State.INFO and event.detail.endswith(" tests")]
    assert "1 of 2 tests" in said
    assert len(said) == len(set(said))


def test_a_suite_that_passed_is_told_before_the_others_are_over(stage: Stage) -> None:
    quick = stage.suite("quick", "def test_one(): pass")
    later = stage.suite("later", WAIT + "    def test_two(): wait_for('told')\n")

    def listener(event: Progress) -> None:
        if event.subject == "quick" and event.state is State.DONE:
            (stage.project / "later" / "told").touch()
        stage.events.append(event)

    assert stage.run(quick, later, listener=listener).passed
    done = [event.subject for event in stage.events if event.state is State.DONE]
    assert done == ["quick", "later"]
