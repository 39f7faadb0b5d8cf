"""What a run makes of keys: what is kept, what is not, and what an interpreter is."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from understudy.arranging import hold_options
from understudy.errors import UnderstudyError, UsageError
from understudy.history.past import Pass
from understudy.options import Options
from understudy.report.suite_records import SuiteRecord
from understudy.reuse.lookup import Reused, reused_result
from understudy.stacks.topology import Suite
from understudy.suites.fingerprint import fingerprint
from understudy.suites.junit import read_junit, render_junit
from understudy.suites.results import Case, Outcome, Reuse, SuiteResult, SuitesResult, SuiteStatus
from understudy.suites.runner import only_reused

SUITE = Suite("api", ("pytest",))


def ran(*outcomes: str, status: str = "passed") -> SuitesResult:
    cases = tuple(Case(f"t{number}", Outcome(outcome)) for number, outcome in enumerate(outcomes))
    suite = SuiteResult("api", SuiteStatus(status), "", ("pytest",), 0, 1.0, 2.0, 1, cases)
    return SuitesResult((suite,), 1.0, 2.0)


def noted(before: Reuse, now: Reuse, result: SuitesResult) -> Reuse | None:
    reused = Reused((), {"api": before}, lambda names: dict.fromkeys(names, now))
    return reused.noted(result).suites[0].reuse


def test_a_pass_is_kept_under_its_key() -> None:
    assert noted(Reuse("k", "new"), Reuse("k"), ran("passed")) == Reuse("k", "new")
    unbuilt = Reuse(why="no image is here yet for web")
    assert noted(unbuilt, Reuse("k"), ran("passed")) == Reuse("k", unbuilt.why), (
        "images that the run built are here now"
    )


def test_what_is_not_kept_says_why() -> None:
    assert noted(Reuse("k", "new"), Reuse("k"), ran("flaky")) == Reuse(
        "", "new; not kept: it passed only when tried again, or not all of it ran"
    )
    assert noted(Reuse("k", "new"), Reuse("k"), ran("failed", status="failed")) == Reuse(
        "", "new; not kept: it did not pass"
    )
    changed = noted(Reuse("k", "new"), Reuse("other"), ran("passed"))
    assert changed == Reuse("", "new; not kept: what it depends on changed while it ran")
    assert noted(Reuse(why="dirty"), Reuse(why="dirty"), ran("passed")) == Reuse("", "dirty")


def test_without_the_option_nothing_is_noted() -> None:
    result = ran("passed")
    assert Reused().noted(result) is result
    assert Reused().rest((SUITE,)) == (SUITE,)


def test_what_is_reused_does_not_look_as_if_it_ran(tmp_path: Path) -> None:
    earlier = Pass("run-1", "2026-01-02T03:04:05Z", "c" * 40, {"a.py::t": "passed", "a.py::s": "skipped"})
    result = reused_result(SUITE, "k", earlier)
    record = SuiteRecord.of(result)
    assert (record.status, record.started, record.attempts, record.reused) == ("passed", None, 0, True)
    assert {outcome: count for outcome, count in record.counts.items() if count} == {"reused": 2}
    assert [(case.started, case.attempts) for case in record.tests] == [(None, 0)] * 2
    assert record.tests[1].message == "not run: skipped in run run-1 of commit cccccccccccc (2026-01-02T03:04:05Z)"
    stage = only_reused([result], tmp_path)
    assert stage.passed
    assert stage.files == ("junit.xml",)
    text = render_junit(stage.suites).decode()
    assert 'tests="2" failures="0" errors="0" skipped="2"' in text
    assert (tmp_path / "junit.xml").read_bytes().decode() == text
    assert [case.outcome for case in read_junit(tmp_path / "junit.xml")] == [Outcome.SKIPPED] * 2


def test_reuse_needs_a_history() -> None:
    with pytest.raises(UsageError, match="no history to take them from"):
        hold_options(Options(reuse=True, history="off"))
    assert not Options().reuse


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with one package, `lib` 1.0, that pip might have installed."""
    folder = tmp_path_factory.mktemp("venv") / "v"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())
    package = site / "lib-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: lib\nVersion: 1.0\n")
    (package / "RECORD").write_text("lib.py,sha256=aaaa,1\n")
    return package


def test_an_interpreter_is_its_packages(interpreter: Path) -> None:
    python = str(interpreter.parents[3] / "bin" / "python")
    first = fingerprint(python, {})
    assert first == fingerprint(python, {})
    assert (first["path"], first["version"]) == (python, sys.version)
    (interpreter / "RECORD").write_text("lib.py,sha256=bbbb,1\n")
    rebuilt = fingerprint(python, {})
    assert rebuilt["packages"] != first["packages"], "another build of the same version"
    (interpreter / "METADATA").write_text("Metadata-Version: 2.1\nName: lib\nVersion: 2.0\n")
    assert fingerprint(python, {})["packages"] != rebuilt["packages"]


def test_packages_that_are_folders_are_refused(interpreter: Path, tmp_path: Path) -> None:
    python = str(interpreter.parents[3] / "bin" / "python")
    with pytest.raises(UnderstudyError, match="PYTHONPATH"):
        fingerprint(python, {"PYTHONPATH": "/src"})
    link = interpreter.parent / "develop.pth"
    link.write_text(f"{tmp_path}\n")
    with pytest.raises(UnderstudyError, match=f"folders whose files may change: {tmp_path}"):
        fingerprint(python, {})
    link.unlink()
    url = interpreter / "direct_url.json"
    url.write_text(json.dumps({"url": "file:///src", "dir_info": {"editable": True}}))
    with pytest.raises(UnderstudyError, match="folders whose files may change: lib"):
        fingerprint(python, {})
    url.unlink()
    with pytest.raises(UnderstudyError, match="was asked for its packages"):
        fingerprint(str(tmp_path / "none"), {})
