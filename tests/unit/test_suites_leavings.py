from __future__ import annotations

from pathlib import Path

from understudy.redact import MARK, Redactor
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
