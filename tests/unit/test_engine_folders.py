from __future__ import annotations

import fcntl
import json
import os
import socket
import tempfile
from pathlib import Path

import pytest

from understudy.engine.backend import FileBackend
from understudy.engine.interface import StackRef
from understudy.engine.stale_locks import Lock
from understudy.engine.workdir import work_folder
from understudy.scratch import Scratch, sweep

REF = StackRef("p", "s1")


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_a_work_folder_has_project_and_configuration_and_goes(tmp_path: Path) -> None:
    with work_folder(REF, {"ttl": "1h: #x", "docker:host": "unix:///x"}) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / "Pulumi.yaml").read_text() == 'name: "p"\nruntime: python\n'
        written = json.loads((folder / "Pulumi.s1.yaml").read_text())
        assert written == {"config": {"p:ttl": "1h: #x", "docker:host": "unix:///x"}}
        assert (folder / "tmp").is_dir()
    assert list(tmp_path.iterdir()) == []


def test_a_work_folder_goes_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyError), work_folder(REF):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_sweep_removes_what_no_process_holds(tmp_path: Path) -> None:
    for name in ("dead", "alive", "old", "young"):
        (tmp_path / f"understudy-op-{name}").mkdir()
    for name in ("dead", "alive"):
        (tmp_path / f"understudy-op-{name}" / ".lock").touch()
    (tmp_path / "understudy-op-link").symlink_to(tmp_path / "other")
    (tmp_path / "other").mkdir()
    for name in ("understudy-op-old", "other"):
        os.utime(tmp_path / name, (10_000, 10_000))
    with Scratch("git") as mine, (tmp_path / "understudy-op-alive" / ".lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        sweep()
        assert mine.is_dir()
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["other", "understudy-op-alive", "understudy-op-link", "understudy-op-young"]


def _backend(tmp_path: Path) -> tuple[FileBackend, Path]:
    root = tmp_path / "backend" / ".pulumi"
    for name in ("s1", "s10"):
        for folder in ("stacks/p", f"history/p/{name}", f"backups/p/{name}", f"locks/organization/p/{name}"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for file in ("stacks/p/{}.json.bak", "stacks/p/{}.json.bak.attrs", "history/p/{0}/{0}-1.history.json"):
            (root / file.format(name)).touch()
    return FileBackend(tmp_path / "backend"), root


def test_forget_leaves_nothing_of_the_stack_and_all_of_its_neighbour(tmp_path: Path) -> None:
    backend, root = _backend(tmp_path)
    before = {path for path in root.rglob("*") if "s10" in str(path)}
    backend.forget(REF)
    left = {path for path in root.rglob("*") if "s1" in path.relative_to(root).as_posix()}
    assert left == before


def test_forget_spares_a_stack_that_is_there_or_locked(tmp_path: Path) -> None:
    backend, root = _backend(tmp_path)
    state, lock = root / "stacks/p/s1.json", root / "locks/organization/p/s1/a.json"
    for sign in (state, lock):
        sign.touch()
        backend.forget(REF)
        assert (root / "stacks/p/s1.json.bak").exists()
        sign.unlink()


def test_unlock_deletes_all_locks_or_those_of_one_process(tmp_path: Path) -> None:
    backend, root = _backend(tmp_path)
    folder = root / "locks/organization/p/s1"
    (folder / "a.json").write_text(json.dumps({"pid": 17, "hostname": socket.gethostname()}))
    (folder / "b.json").write_text(json.dumps({"pid": 17, "hostname": "elsewhere"}))
    (folder / "c.json").write_text("{half")
    backend.unlock(REF, Lock("", socket.gethostname(), 17, ""))
    assert [Path(lock.path).name for lock in backend.locks(REF)] == ["b.json", "c.json"]
    backend.unlock(REF)
    assert backend.locks(REF) == ()


def test_a_backend_that_is_not_there_holds_no_stack_and_says_so(tmp_path: Path) -> None:
    backend = FileBackend(tmp_path / "nowhere")
    assert not backend.there
    assert not backend.has(REF)
