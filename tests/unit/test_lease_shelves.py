"""What both kinds of shelf promise: one creates, no change is lost, nothing is half there and nothing skipped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from s3_server import Asked, Proxy, credentials, make_bucket, serve_moto, serve_proxy
from support import ROOT

from tests.unit.test_lease import a_lease
from understudy import s3_objects
from understudy.errors import NotFoundError, UnderstudyError, UsageError
from understudy.lease import Lease, LeaseExistsError, LeaseState, LeaseStore
from understudy.lease import s3 as module
from understudy.owner import Owner
from understudy.stacks.identity import format_time

PREFIX = "team/.understudy/leases/"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with serve_moto() as url:
        yield url


@dataclass
class Backend:
    """A backend, and a way to write into its folder of leases behind the store's back."""

    url: str
    folder: Path | None = None
    client: Any = None
    bucket: str = ""
    proxy: Proxy | None = None
    made: LeaseStore | None = None

    def store(self) -> LeaseStore:
        """The same each time: a client of S3 takes a while to make."""
        self.made = self.made or LeaseStore.beside(self.url)
        return self.made

    def write(self, name: str, data: bytes) -> None:
        if self.folder is not None:
            (self.folder / name).write_bytes(data)
        else:
            self.client.put_object(Bucket=self.bucket, Key=PREFIX + name, Body=data)

    def names(self) -> list[str]:
        """Everything that is there, by its whole name."""
        if self.folder is not None:
            below = (path for path in self.folder.rglob("*") if path.is_file() and path.name != ".lock")
            return sorted(str(path.relative_to(self.folder)) for path in below)
        found = self.client.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return sorted(each["Key"].removeprefix(PREFIX) for each in found)


@pytest.fixture
def in_folder(tmp_path: Path) -> Backend:
    return Backend(f"file://{tmp_path}", tmp_path / ".understudy" / "leases")


@pytest.fixture
def in_bucket(moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    with serve_proxy(moto) as proxy:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in credentials("http://127.0.0.1:9").items():  # nobody is there: the URL says where S3 is
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(s3_objects, "_PAUSES", (0.01,) * 4)
        bucket = f"b{uuid.uuid4().hex[:12]}"
        options = f"region=eu-west-1&endpoint=127.0.0.1:{proxy.port}&disableSSL=true&s3ForcePathStyle=true"
        yield Backend(f"s3://{bucket}/team?{options}", None, make_bucket(moto, bucket), bucket, proxy)


@pytest.fixture(params=["in_folder", "in_bucket"])
def backend(request: pytest.FixtureRequest) -> Backend:
    made: Backend = request.getfixturevalue(request.param)
    return made


def test_what_is_written_is_read_by_another(backend: Backend) -> None:
    lease = a_lease(dirty=True, attempts=2, idle=60.0)
    backend.store().create(lease)
    assert LeaseStore.beside(backend.url).read(lease.id) == lease
    assert backend.store().list() == ((lease,), ())
    assert backend.names() == ["eabc.json"]


def test_a_second_one_is_refused_and_changes_nothing(backend: Backend) -> None:
    backend.store().create(a_lease(key="first"))
    with pytest.raises(LeaseExistsError):
        backend.store().create(a_lease(key="second"))
    assert backend.store().read("eabc").key == "first"


def test_others_changes_are_kept_and_a_check_prevents_one(backend: Backend) -> None:
    lease = a_lease()
    backend.store().create(lease)
    backend.store().update(lease, key="one")
    assert backend.store().update(lease, tree="two").key == "one"

    def refuse(now: Lease) -> None:
        raise UsageError(f"no, it is {now.key}")

    with pytest.raises(UsageError, match="no, it is one"):
        backend.store().update(lease, check=refuse, state=LeaseState.DESTROYING)
    now = backend.store().read("eabc")
    assert (now.key, now.tree, now.state) == ("one", "two", LeaseState.PROVISIONING)


def test_closing_takes_all_but_the_receipt_and_is_for_good(backend: Backend) -> None:
    store, lease = backend.store(), a_lease()
    store.create(lease)
    store.authority("eabc").write(b"{}")
    assert store.authority("eabc").read() == b"{}"
    assert store.list() == ((lease,), ()), "an authority is no lease"
    assert store.close(lease)
    assert store.close(lease), "again"
    assert backend.names() == []
    assert store.find("eabc") is None
    with pytest.raises(NotFoundError):
        store.update(lease, state=LeaseState.TESTING)
    store.create(lease)
    assert store.read("eabc") == lease


def test_what_another_took_over_is_not_closed(backend: Backend) -> None:
    store, lease = backend.store(), a_lease()
    store.create(lease)
    store.update(lease, owner=Owner("elsewhere", "boot", 7, 7, "somebody"))
    assert store.close(lease) is False
    assert store.read("eabc").owner.host == "elsewhere"


def test_a_lease_that_is_cut_off_anywhere_is_broken_and_never_skipped(backend: Backend) -> None:
    store = backend.store()
    store.create(a_lease("egood"))
    whole = a_lease("ebad").to_json().encode()
    for tenth in range(10):
        backend.write("ebad.json", whole[: len(whole) * tenth // 10])
        leases, broken = store.list()
        assert [lease.id for lease in leases] == ["egood"]
        assert broken == (store.shelf.place("ebad.json"),)
        for act in (lambda: store.read("ebad"), lambda: store.update(a_lease("ebad"), key="x")):
            with pytest.raises(UnderstudyError, match="not a lease"):
                act()


RACE = """
import json, os, sys
sys.path.insert(0, sys.argv[2])
from leases import a_lease
from understudy.lease import LeaseExistsError, LeaseStore

store = LeaseStore.beside(sys.argv[1])
ready, go = os.pipe()

def one(number):
    os.close(go)
    os.read(ready, 1)
    try:
        store.create(a_lease("eabc", key=str(number)))
        won = True
    except LeaseExistsError:
        won = False
    for _ in range(5):
        assert store.shelf.change("count.json", lambda data: json.dumps(json.loads(data) + 1).encode())
    return won

children = []
for number in range(8):
    child = os.fork()
    if child == 0:
        code = 3
        try:
            code = 0 if one(number) else 1
        finally:
            os._exit(code)
    children.append(child)
os.close(go)
print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]))
"""


def test_of_eight_processes_one_creates_and_no_change_is_lost(backend: Backend) -> None:
    store = backend.store()
    store.shelf.put("count.json", b"0")
    done = subprocess.run(
        [sys.executable, "-c", RACE, backend.url, str(ROOT / "tests")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    codes = json.loads(done.stdout)
    assert sorted(codes) == [0, *[1] * 7], done.stderr
    assert store.read("eabc").key == str(codes.index(0))
    assert store.shelf.read("count.json") == b"40"


def test_no_symbolic_link_is_followed(in_folder: Backend, tmp_path: Path) -> None:
    store, elsewhere = in_folder.store(), tmp_path / "elsewhere.json"
    store.create(a_lease("egood"))
    elsewhere.write_text(a_lease().to_json(), encoding="utf-8")
    before = elsewhere.read_bytes()
    assert in_folder.folder is not None
    (in_folder.folder / "eabc.json").symlink_to(elsewhere)
    leases, broken = store.list()
    assert [lease.id for lease in leases] == ["egood"]
    assert broken == (str(in_folder.folder / "eabc.json"),)
    for act in (lambda: store.read("eabc"), lambda: store.update(a_lease(), key="x"), lambda: store.close(a_lease())):
        with pytest.raises(UnderstudyError, match="symbolic link"):
            act()
    with pytest.raises(LeaseExistsError):
        store.create(a_lease())
    assert elsewhere.read_bytes() == before
    for name in ("authorities", ".lock"):
        (in_folder.folder / name).unlink(missing_ok=True)
        (in_folder.folder / name).symlink_to(tmp_path / name)
    (tmp_path / "authorities").mkdir()
    with pytest.raises(UnderstudyError, match="symbolic link"):
        store.authority("egood").write(b"{}")
    with pytest.raises(UnderstudyError, match=r"symbolic link"):
        store.update(a_lease("egood"), key="x")
    assert not list((tmp_path / "authorities").iterdir())


def test_files_are_the_owners_alone_whatever_the_mask(in_folder: Backend) -> None:
    before = os.umask(0)
    try:
        in_folder.store().create(a_lease())
        in_folder.store().update(a_lease(), key="x")
        in_folder.store().authority("eabc").write(b"{}")
    finally:
        os.umask(before)
    assert in_folder.folder is not None
    every = (in_folder.folder, *in_folder.folder.rglob("*"))
    assert {path.stat().st_mode & 0o777 for path in every if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in every if path.is_file()} == {0o600}
    assert len(every) == 5


def test_where_files_need_a_name_one_creates_too(in_folder: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.O_TMPFILE")
    in_folder.store().create(a_lease(key="first"))
    with pytest.raises(LeaseExistsError):
        in_folder.store().create(a_lease(key="second"))
    assert in_folder.names() == ["eabc.json"]
    assert in_folder.store().read("eabc").key == "first"


def test_what_a_killed_writer_left_goes_with_the_lease(in_folder: Backend) -> None:
    store = in_folder.store()
    store.create(a_lease())
    in_folder.write(".eabc.json.new", b"{")
    assert store.list()[1] == ()
    store.close(a_lease())
    assert in_folder.names() == []


@pytest.mark.parametrize("how", [(503, "SlowDown"), (500, "InternalError"), "cut", "lose", (409, "OperationAborted")])
def test_a_server_that_stumbles_is_asked_again(in_bucket: Backend, how: tuple[int, str] | str) -> None:
    assert in_bucket.proxy is not None
    store = in_bucket.store()
    in_bucket.proxy.fail(2, how)
    lease = a_lease()
    store.create(lease)
    in_bucket.proxy.fail(2, how)
    assert store.update(lease, key="x").key == "x"
    assert store.close(lease)
    assert in_bucket.names() == []


@pytest.mark.parametrize("how", [(503, "SlowDown"), (403, "AccessDenied"), (404, "NoSuchBucket")])
def test_a_listing_that_fails_is_not_an_empty_one(in_bucket: Backend, how: tuple[int, str]) -> None:
    assert in_bucket.proxy is not None
    store = in_bucket.store()
    store.create(a_lease())
    in_bucket.proxy.fail(99, how, "GET")
    with pytest.raises(UnderstudyError, match=how[1]):
        store.list()
    in_bucket.proxy.answer = lambda asked: how if asked.method == "GET" and "eabc" in asked.path else None
    if how[0] == 503:
        with pytest.raises(UnderstudyError, match=how[1]):
            store.list()
    else:
        assert store.list() == ((), (store.shelf.place("eabc.json"),)), "one that may not be read is there"


def test_a_server_that_takes_no_notice_of_conditions_is_refused(in_bucket: Backend) -> None:
    assert in_bucket.proxy is not None
    in_bucket.proxy.hidden = frozenset({"if-match", "if-none-match"})
    with pytest.raises(UsageError, match="took no notice"):
        in_bucket.store().create(a_lease())
    assert in_bucket.names() == []
    in_bucket.proxy.hidden = frozenset({"if-match"})
    with pytest.raises(UsageError, match="took no notice"):
        in_bucket.store().create(a_lease())
    assert in_bucket.names() == []


def test_a_mark_of_a_killed_closer_is_no_lease_and_makes_way(
    in_bucket: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = in_bucket.store()
    in_bucket.write("eabc.json", module.CLOSED)
    assert store.list() == ((), ())
    assert store.find("eabc") is None
    with pytest.raises(LeaseExistsError):
        store.create(a_lease())
    monkeypatch.setattr(module, "_CLOSING", -2.0)
    store.create(a_lease())
    assert store.read("eabc") == a_lease()


def test_more_leases_than_a_page_are_listed(in_bucket: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    store = in_bucket.store()
    for number in range(7):
        in_bucket.write(f"e{number}.json", a_lease(f"e{number}").to_json().encode())
    listed: list[Asked] = []

    def pages(asked: Asked) -> None:
        if "list-type=2" in asked.path:
            listed.append(asked)

    assert in_bucket.proxy is not None
    in_bucket.proxy.falsify = lambda asked, _headers: pages(asked)
    paginate = store.shelf._objects.client.get_paginator("list_objects_v2").paginate  # type: ignore[attr-defined]  # S3Shelf's
    monkeypatch.setattr(
        store.shelf._objects.client,  # type: ignore[attr-defined]  # S3Shelf's
        "get_paginator",
        lambda _name: type("Small", (), {"paginate": staticmethod(lambda **more: paginate(**more, MaxKeys=3))}),
    )
    assert len(store.list()[0]) == 7
    assert len(listed) == 3


@pytest.mark.parametrize(
    ("fast", "silent", "busy"), [(-3600, 10, True), (0, 290, True), (0, 310, False), (3600, 310, False)]
)
def test_whether_an_owner_elsewhere_is_heard_of_is_told_by_the_server_s_clock(
    in_bucket: Backend, fast: int, silent: int, *, busy: bool
) -> None:
    """Its own is `fast` seconds ahead; the server, years behind, has its last word since `silent` seconds."""
    now = datetime.now(UTC)
    owner = Owner("elsewhere", "boot", 7, 7, "ci")
    in_bucket.store().create(a_lease(owner=owner, renewed=format_time(now + timedelta(seconds=fast - silent))))

    def answered(_asked: Asked, headers: dict[str, str]) -> None:
        there = now - timedelta(days=1000)
        headers["date"] = format_datetime(there, usegmt=True)
        headers["last-modified"] = format_datetime(there - timedelta(seconds=silent), usegmt=True)

    assert in_bucket.proxy is not None
    in_bucket.proxy.falsify = answered
    assert in_bucket.store().read("eabc").worked_on is busy
    assert [lease.worked_on for lease in in_bucket.store().list()[0]] == [busy]
