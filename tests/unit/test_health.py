"""What `doctor` says of leases, objects, locks and disk: it names what is stale, starts nothing and changes nothing."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from leases import give_id
from reap_world import DEAD, HERE, MemoryTarget, at, labels, lease

from understudy import health
from understudy.doctor import Check
from understudy.errors import ToolError
from understudy.lease import FolderShelf, LeaseState, LeaseStore
from understudy.options import Options
from understudy.targets.docker_capacity import Capacity


def none_here() -> None:
    raise ToolError("Asked Docker for an answer, and got none.")


@pytest.fixture(autouse=True)
def _no_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "client", none_here)


def found(target: MemoryTarget, **options: object) -> dict[str, Check]:
    return {check.name: check for check in health.examine(Options(**options), target)}  # type: ignore[arg-type]  # by name


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "understudy" / "backend"


def test_with_no_backend_at_all_nothing_is_made(backend: Path) -> None:
    checks = found(MemoryTarget())
    assert all(checks[name].ok for name in ("environments", "owners", "leaks", "locks"))
    assert not backend.parent.exists()


def test_what_is_stale_is_named(backend: Path) -> None:
    store = LeaseStore(FolderShelf(backend / ".understudy" / "leases"))
    give_id(store)
    store.create(lease("over"))
    store.create(lease("dead", state=LeaseState.TESTING, expires=at(1)))
    store.create(lease("remote", target="docker:two"))
    store.create(lease("young", expires=at(1)))
    (backend / ".understudy" / "leases" / "torn.json").write_text("{", encoding="utf-8")
    target = MemoryTarget()
    target.add("stray", labels("unknown", at(1)))
    target.add("mine", labels("young", at(1)))
    locks = backend / ".pulumi" / "locks" / "organization" / "understudy"
    for name, pid in (("over", DEAD.pid), ("young", 1)):
        (locks / name).mkdir(parents=True)
        lock = {"pid": pid, "username": "u", "hostname": socket.gethostname(), "timestamp": "2999-01-01T00:00:00Z"}
        (locks / name / "a.json").write_text(json.dumps(lock), encoding="utf-8")
    before = sorted(str(path) for path in backend.rglob("*"))
    checks = found(target, min_free_disk=2**60)
    assert sorted(str(path) for path in backend.rglob("*")) == before
    assert "over" in checks["environments"].detail
    assert "dead" in checks["owners"].detail
    assert "unknown" in checks["leaks"].detail
    assert "young" not in checks["leaks"].detail
    assert "1 on docker:two" in checks["elsewhere"].detail
    assert "torn" in checks["leases"].detail
    assert "understudy/over by process" in checks["locks"].detail
    assert "young" not in checks["locks"].detail
    assert all(checks[name].ok is None for name in ("environments", "owners", "leaks", "elsewhere", "locks"))


def test_what_cannot_be_looked_at_is_said_to_be_so(backend: Path) -> None:
    checks = found(MemoryTarget(silent=True))
    assert "could not look" in checks["leases"].detail
    assert "could not look" in checks["disk"].detail
    assert not backend.exists()


def test_a_disk_that_is_too_full_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "capacity", lambda _client: Capacity(0, 0, 0, None, 5, "/var/lib/docker"))
    monkeypatch.setattr(health, "client", lambda: None)
    checks = health.examine(Options(min_free_disk=10), MemoryTarget(name=HERE))
    disks = [check for check in checks if check.name == "disk"]
    assert [check.ok for check in disks] == [True, None]
    assert "--image-budget" in disks[1].hint
