"""A backend's own id: made once, however many ask at once; lost or broken, it is said, and nothing is made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from leases import BACKEND, a_lease
from s3_server import credentials, make_bucket, serve_moto

from understudy.errors import UnderstudyError
from understudy.lease import LeaseStore


@pytest.fixture(params=["folder", "option", "s3"])
def backend(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, str]]:
    """The backend's URL, and the folder that an option names."""
    if request.param != "s3":
        option = str(tmp_path / "shared") if request.param == "option" else ""
        yield (f"file://{tmp_path}" if not option else "azblob://x"), option
        return
    with serve_moto() as url:
        make_bucket(url, "team")
        for name, value in credentials(url).items():
            monkeypatch.setenv(name, value)
        yield f"s3://team/shop?region=eu-west-1&endpoint={url}&s3ForcePathStyle=true", ""


def test_it_is_made_once_and_is_no_lease(backend: tuple[str, str]) -> None:
    stores = [LeaseStore.beside(*backend) for _ in range(8)]
    assert stores[0].find_backend_id() is None
    assert stores[0].backend_id(write=False) != stores[0].backend_id(write=False)
    assert stores[0].find_backend_id() is None
    with ThreadPoolExecutor(8) as pool:
        (made,) = set(pool.map(lambda store: store.backend_id(), stores))
    assert stores[1].find_backend_id() == made
    assert stores[1].list() == ((), ())


@pytest.mark.parametrize(
    "held", [b"", b"{", b"[]", b"{}", b'{"backend": 1}', b'{"backend": ""}', b'{"backend": "../x"}']
)
def test_one_that_is_broken_is_said(tmp_path: Path, held: bytes) -> None:
    store = LeaseStore.beside(f"file://{tmp_path}")
    store.shelf.put("backend/id.json", held)
    with pytest.raises(UnderstudyError, match="it holds no id"):
        store.backend_id()
    assert store.shelf.read("backend/id.json") == held


def test_one_that_is_lost_is_not_made_anew_beside_leases_that_name_it(tmp_path: Path) -> None:
    store = LeaseStore.beside(f"file://{tmp_path}")
    store.create(a_lease())
    with pytest.raises(UnderstudyError, match="it is not there, and leases are") as lost:
        store.backend_id()
    assert json.dumps({"backend": BACKEND}) in lost.value.hint
    store.shelf.put("backend/id.json", json.dumps({"backend": BACKEND}).encode())
    assert store.backend_id() == BACKEND


def test_a_lease_without_one_is_no_lease(tmp_path: Path) -> None:
    store = LeaseStore.beside(f"file://{tmp_path}")
    data = json.loads(a_lease().to_json())
    del data["backend_id"]
    store.shelf.put("eaaaaaaaaaa.json", json.dumps(data).encode())
    leases, broken = store.list()
    assert (leases, len(broken)) == ((), 1)
