from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from understudy.redact import MARK, Redactor
from understudy.suites import leavings
from understudy.suites.leavings import gather


def test_names_of_files_and_folders_hold_no_secret_and_none_is_lost(tmp_path: Path) -> None:
    source, target = tmp_path / "raw", tmp_path / "kept"
    target.mkdir()
    for name in ("hunter22", "hunter2200", "plain"):
        (source / name).mkdir(parents=True)
        (source / name / "of-hunter22.txt").write_text(f"{name} hunter22")
        (source / name / "of-hunter2200.txt").write_text(name)
    found = gather(source, target, Redactor(["hunter22", "hunter2200"]))
    names = {path.relative_to(target).as_posix() for path in found.files}
    assert names == {f"{folder}/of-{MARK}.txt{end}" for folder in (MARK, f"{MARK}-1", "plain") for end in ("", "-1")}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in found.files)
    assert "hunter22" not in "".join(path.read_text() for path in found.files)
    assert found.problems == []


def test_what_was_taken_already_stays_and_lies_beside_the_rest(tmp_path: Path) -> None:
    source, target = tmp_path / "raw", tmp_path / "kept"
    for folder in (source, target):
        (folder / "attempt-1").mkdir(parents=True)
        (folder / "attempt-1" / "output.log").write_text(folder.name)
    (source / "attempt-1" / "dump").touch()
    found = gather(source, target, Redactor(), {"attempt-1/output.log"})
    assert [path.relative_to(target).as_posix() for path in found.files] == ["attempt-1/dump", "attempt-1/output.log"]
    assert (target / "attempt-1" / "output.log").read_text() == "kept"


def test_files_as_long_as_a_suite_likes_are_cut_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leavings, "LARGEST", 1000)
    monkeypatch.setattr(leavings, "ALL", 2500)
    source, target = tmp_path / "raw", tmp_path / "kept"
    for folder in (source, target):
        folder.mkdir()
    for number in range(4):
        (source / f"{number}.bin").write_bytes(b"hunter22")
        os.truncate(source / f"{number}.bin", 1 << 40)
    found = gather(source, target, Redactor(["hunter22"]))

    assert sorted(path.stat().st_size for path in found.files) == [0, 500, 1000, 1000]
    assert len(found.notices) == 4
    assert found.problems == []


def test_a_locked_folder_keeps_no_secret_and_no_file_runs_as_its_owner(tmp_path: Path) -> None:
    source, target = tmp_path / "raw", tmp_path / "kept"
    target.mkdir()
    (source / "locked").mkdir(parents=True)
    (source / "locked" / "tool").write_text("hunter2")
    (source / "locked" / "tool").chmod(0o4777)
    (source / "locked").chmod(0o500)
    found = gather(source, target, Redactor(["hunter2"]))

    assert found.problems == []
    tool = target / "locked" / "tool"
    assert tool.read_text() == MARK
    assert stat.S_IMODE(tool.stat().st_mode) == 0o600
    assert stat.S_IMODE(tool.parent.stat().st_mode) == 0o700


def test_of_a_suite_that_never_started_there_is_nothing_to_take(tmp_path: Path) -> None:
    found = gather(tmp_path / "none", tmp_path, Redactor())
    assert (found.files, found.notices, found.problems) == ([], [], [])
