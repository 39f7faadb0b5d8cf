"""A teardown that is cut off as it closes the lease: whatever is left by then, a lease still names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from leases import a_lease

from tests.unit.test_teardown import FakeTarget
from understudy.engine.fake import FakeEngine
from understudy.lease import FolderShelf, Lease, LeaseStore
from understudy.teardown import tear_down


def test_cut_off_before_its_lease_is_closed_nothing_is_left_that_no_lease_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_store: LeaseStore, _lease: Lease) -> bool:
        raise KeyboardInterrupt

    store = LeaseStore(FolderShelf(tmp_path / "leases"))
    tree = tmp_path / "trees" / "eaaaaaaaaaa" / "0123" / "files"
    tree.mkdir(parents=True)
    lease = a_lease("eaaaaaaaaaa", tree=str(tree))
    store.create(lease)
    target: Any = FakeTarget()
    engine = FakeEngine(run_programs=False)
    store.authority(lease.id).write(b"{}")
    authority = Path(store.authority(lease.id).shelf.place(store.authority(lease.id).name))
    with monkeypatch.context() as patch:
        patch.setattr(LeaseStore, "close", killed)
        with pytest.raises(KeyboardInterrupt):
            tear_down(lease, engine=engine, target=target, store=store, listener=lambda _: None)
    assert not Path(lease.tree).parents[1].exists()
    assert store.find(lease.id) is not None
    monkeypatch.setattr(Path, "unlink", _killed_at(Path(store.shelf.place(f"{lease.id}.json")), Path.unlink))
    with pytest.raises(KeyboardInterrupt):
        store.close(store.read(lease.id))
    assert (authority.exists(), store.find(lease.id) is not None) == (False, True)


def _killed_at(place: Path, unlink: Callable[..., None]) -> Callable[..., None]:
    def killed(path: Path, *, missing_ok: bool = False) -> None:
        if path == place:
            raise KeyboardInterrupt
        unlink(path, missing_ok=missing_ok)

    return killed
