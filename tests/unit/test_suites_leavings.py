from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from understudy.redact import MARK, Redactor
from understudy.suites import leavings
from understudy.suites.leavings import gather


def test_names_of_files_and_folders_hold_no_secret_and_none_is_lost(tmp_path: Path) -> None:
    for name in ("hunter22", "hunter2200", "plain"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "of-hunter22.txt").write_text(f"{name} hunter22")
        (tmp_path / name / "of-hunter2200.txt").write_text(name)
    found = gather(tmp_path, Redactor(["hunter22", "hunter2200"]))
    names = {path.relative_to(tmp_path).as_posix() for path in found.files}
    assert names == {f"{folder}/of-{MARK}.txt{end}" for folder in (MARK, f"{MARK}-1", "plain") for end in ("", "-1")}
    assert all(path.is_file() for path in found.files)
    assert "hunter22" not in "".join(path.read_text() for path in found.files)
    assert found.problems == []


def test_files_as_long_as_a_suite_likes_are_cut_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leavings, "LARGEST", 1000)
    monkeypatch.setattr(leavings, "ALL", 2500)
    for number in range(4):
        (tmp_path / f"{number}.bin").write_bytes(b"hunter22")
        os.truncate(tmp_path / f"{number}.bin", 1 << 40)
    found = gather(tmp_path, Redactor(["hunter22"]))

    assert sorted(path.stat().st_size for path in found.files) == [0, 500, 1000, 1000]
    assert len(found.notices) == 4
    assert found.problems == []


def test_a_file_that_keeps_its_secrets_does_not_stay(tmp_path: Path) -> None:
    class Full(Redactor):
        def file(self, path: Path) -> None:
            raise OSError(f"no space left for {path.name}")

    (tmp_path / "output.log").write_text("hunter22")
    (tmp_path / "plain.log").write_text("nothing to hide")
    found = gather(tmp_path, Full(["hunter22"]))

    assert list(tmp_path.iterdir()) == found.files == [tmp_path / "plain.log"]
    assert found.problems == ["no space left for output.log"]


def test_a_locked_folder_keeps_no_secret_and_no_file_runs_as_its_owner(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    (locked / "tool").write_text("hunter2")
    (locked / "tool").chmod(0o4777)
    locked.chmod(0o500)
    found = gather(tmp_path, Redactor(["hunter2"]))

    assert found.problems == []
    assert (locked / "tool").read_text() == MARK
    assert stat.S_IMODE((locked / "tool").stat().st_mode) == 0o600
    assert stat.S_IMODE(locked.stat().st_mode) == 0o700
