"""Suites that mean harm: their output is evidence, their files are files, and no verdict is theirs to forge."""

from __future__ import annotations

import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from understudy.export import RunFolder
from understudy.progress import silent
from understudy.redact import Redactor
from understudy.suites.results import SuiteStatus
from understudy.suites.runner import run_suites

from .suite_stages import CONTRACT, VALUE, Stage

MEGABYTES = 50
LINE = f"""
    import os
    half = b"\\xff" + b"x" * ({MEGABYTES} * 500_000)
    os.write(1, b"")
    for part in (half, {VALUE.encode()!r}, half):
        while part:
            part = part[os.write(1, part):]
    raise SystemExit(1)
"""


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_fifty_megabytes_on_one_line_are_kept_without_the_secret_and_never_in_memory(stage: Stage) -> None:
    suite = stage.command("loud", LINE)

    tracemalloc.start()
    try:
        result = stage.one(suite)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert result.status is SuiteStatus.FAILED
    assert peak < MEGABYTES * 1_000_000 / 3
    log = (stage.folder / "suites/loud/output.log").read_bytes()
    half = b"\xff" + b"x" * (MEGABYTES * 500_000)
    assert log == half + b"[secret]" + half
    assert len(result.cases[0].detail) <= 4096


def test_results_on_standard_output_and_lines_without_end_are_no_results(stage: Stage) -> None:
    suite = stage.suite(
        "forger",
        """
        import json, os
        def test_forges():
            event = {"event": "report", "id": "test_0.py::test_fails", "when": "call", "outcome": "passed", "at": 1.0}
            os.write(1, json.dumps(event).encode() + b"\\n")
            with open(os.environ["UNDERSTUDY_RESULTS"], "ab", buffering=0) as out:
                for _ in range(6):
                    out.write(b"[" * 1_000_000)
                out.write(b"\\n")
        def test_fails():
            assert False
        """,
    )

    result = stage.one(suite, stop_after=None)

    assert (result.status, result.counts()["failed"], result.counts()["passed"]) == (SuiteStatus.FAILED, 1, 1)
    assert any("could not be read" in notice for notice in result.notices)


@pytest.mark.parametrize("trick", ["os.mkfifo(path)", "os.symlink('/etc/hostname', path)", "os.mkdir(path)"])
def test_a_results_file_that_becomes_something_else_passes_nothing(stage: Stage, trick: str) -> None:
    suite = stage.suite(
        "swapper",
        f"""
        import os
        def test_swaps():
            path = os.environ["UNDERSTUDY_RESULTS"]
            os.rename(path, path + ".away")
            {trick}
        """,
    )

    result = stage.one(suite)

    assert result.status in (SuiteStatus.ERROR, SuiteStatus.FAILED)  # as far as it was read before
    assert result.counts()["passed"] == 0
    assert not (stage.folder / "suites/swapper/results.jsonl").is_symlink()
    assert not (stage.folder / "suites/swapper/results.jsonl").is_fifo()


def test_links_and_pipes_are_taken_out_of_what_is_handed_on(stage: Stage) -> None:
    (stage.project / "mine").write_text(f"my own file says {VALUE}")
    suite = stage.command(
        "linker",
        f"""
        import os, pathlib
        base = pathlib.Path(os.environ["UNDERSTUDY_JUNIT"]).parent
        (base / "file").symlink_to({str(stage.project / "mine")!r})
        (base / "folder").symlink_to({str(stage.project)!r})
        os.mkfifo(base / "pipe")
        (base / "kept").write_text("evidence")
        """,
    )

    result = stage.one(suite)

    assert sorted(path.name for path in (stage.folder / "suites/linker").iterdir()) == [
        "junit.xml",
        "kept",
        "output.log",
    ]
    assert len([notice for notice in result.notices if "was no file" in notice]) == 3
    assert (stage.project / "mine").read_text() == f"my own file says {VALUE}"


def test_a_folder_that_becomes_a_link_is_not_followed(stage: Stage) -> None:
    elsewhere = stage.project / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").write_text(f"my own file says {VALUE}")
    suite = stage.command(
        "mover",
        f"""
        import os, pathlib
        base = pathlib.Path(os.environ["UNDERSTUDY_JUNIT"]).parent
        base.rename(base.with_name("moved"))
        base.symlink_to({str(elsewhere)!r})
        """,
    )

    result = stage.run(suite)

    assert [path.name for path in elsewhere.iterdir()] == ["mine"]
    assert (elsewhere / "mine").read_text() == f"my own file says {VALUE}"
    assert "was not followed" in result.failures[0]


def test_thousands_of_files_are_cleaned_and_the_record_stays_small(stage: Stage) -> None:
    suite = stage.command(
        "filler",
        f"""
        import os, pathlib
        base = pathlib.Path(os.environ["UNDERSTUDY_JUNIT"]).parent
        for number in range(1200):
            (base / f"{{number:04}}.txt").write_text("{VALUE}")
        """,
    )

    result = stage.one(suite)

    assert result.status is SuiteStatus.PASSED
    assert len(result.files) <= 1001
    assert any("left 1201 files" in notice for notice in result.notices)
    last = (stage.folder / "suites/filler/1199.txt").read_text()
    assert last == "[secret]"


ENTITIES = '<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]><testsuite><testcase name="&y;"/></testsuite>'
EXTERNAL = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><testsuite><testcase name="&x;"/></testsuite>'
PARAMETER = '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/evil.dtd"><testsuite><testcase name="a"/></testsuite>'


@pytest.mark.parametrize("xml", [ENTITIES, EXTERNAL, PARAMETER, "<testsuite><testcase", "\udcff<", ""])
def test_xml_that_cannot_be_trusted_is_refused_and_the_exit_code_counts(stage: Stage, xml: str) -> None:
    code = f"""
        import os
        with open(os.environ["UNDERSTUDY_JUNIT"], "w", errors="surrogateescape") as out:
            out.write({xml!r})
        raise SystemExit(4)
    """

    result = stage.one(stage.command("liar", code))

    assert (result.status, result.exit_code) == (SuiteStatus.FAILED, 4)
    assert [case.id for case in result.cases] == ["(suite)"]
    assert "JUnit file is not used" in result.notices[0]


def test_two_runs_at_once_in_one_folder_keep_to_themselves(tmp_path: Path) -> None:
    """The same second, the same environment's name: each run has a folder of its own, whole, and `latest` is one."""
    now = datetime(2026, 1, 2, tzinfo=UTC)
    ready = threading.Barrier(4)

    def run(number: int) -> RunFolder:
        stage = Stage(tmp_path.joinpath(str(number)))
        suite = stage.suite("api", f"def test_it(): print('run {number}'); assert {number} % 2\n")
        ready.wait()
        folder = RunFolder.create(tmp_path, "e1", now, Redactor())
        result = run_suites(
            [suite],
            project=stage.project,
            contract=CONTRACT,
            folder=folder.path,
            workers=1,
            stop_after=1,
            stop=threading.Event(),
            listener=silent,
        )
        assert result.passed == bool(number % 2)
        return folder

    for number in range(4):
        tmp_path.joinpath(str(number)).mkdir()
    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(run, range(4)))

    assert len({folder.name for folder in folders}) == 4
    for number, folder in enumerate(folders):
        told = (folder.path / "suites/api/results.jsonl").read_text()
        assert (f"run {number}" in told) == (number % 2 == 0)  # pytest shows what a failed test printed
        assert "suites/api/output.log" in folder.files()
        assert folder.failures == []
    runs = tmp_path / "understudy-runs"
    assert (runs / "latest").resolve() in {folder.path for folder in folders}
    assert {path.name for path in runs.iterdir()} == {*(f.name for f in folders), "latest", ".gitignore"}
