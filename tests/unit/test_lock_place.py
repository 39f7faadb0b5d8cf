"""Pulumi's locks in a bucket: listed, judged and broken by the rule of those in a folder; a living one stays."""

from __future__ import annotations

import builtins
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import leases
import pytest
from reap_world import DEAD, MemoryTarget, at, lease
from s3_server import Proxy, credentials, make_bucket, serve_moto, serve_proxy

from understudy import health, s3_objects
from understudy.engine.commands import Commands
from understudy.engine.errors import BackendError
from understudy.engine.interface import StackRef
from understudy.engine.settings import EngineSettings
from understudy.lease import LeaseStore
from understudy.locks import break_stale
from understudy.options import Options
from understudy.owner import this_process
from understudy.progress import Progress

REF = StackRef("understudy", "eaaaaaaaaaa")
FOLDER = "team/.pulumi/locks/organization/"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with serve_moto() as url:
        yield url


@dataclass
class Bucket:
    url: str
    name: str
    client: Any
    proxy: Proxy

    def lock(self, name: str, pid: int, ref: StackRef = REF, since: str = "2999-01-01T00:00:00Z") -> None:
        """Write a lock as Pulumi does."""
        text = {"pid": pid, "username": "joe", "hostname": this_process().host, "timestamp": since}
        self.write(f"{ref.project}/{ref.name}/{name}", json.dumps(text))

    def write(self, name: str, text: str) -> None:
        self.client.put_object(Bucket=self.name, Key=FOLDER + name, Body=text.encode())

    def names(self) -> list[str]:
        found = self.client.list_objects_v2(Bucket=self.name, Prefix=FOLDER).get("Contents", [])
        return sorted(each["Key"].removeprefix(FOLDER) for each in found)

    def engine(self) -> Commands:
        return Commands(EngineSettings(Path("pulumi"), Path("/nowhere"), self.url))


@pytest.fixture
def bucket(moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with serve_proxy(moto) as proxy:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in credentials(proxy.url).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(s3_objects, "_PAUSES", (0.01,))
        name = f"b{uuid.uuid4().hex[:12]}"
        options = f"region=eu-west-1&endpoint=127.0.0.1:{proxy.port}&disableSSL=true&s3ForcePathStyle=true"
        yield Bucket(f"s3://{name}/team?{options}", name, make_bucket(moto, name), proxy)


@pytest.fixture
def living() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        yield child.pid
        child.kill()


def test_the_stale_lock_goes_and_the_living_one_beside_it_stays(bucket: Bucket, living: int) -> None:
    bucket.lock("a.json", DEAD.pid)
    bucket.lock("b.json", living)
    bucket.lock("c.json", DEAD.pid, StackRef("understudy", "ebbbbbbbbbb"))
    engine = bucket.engine()
    heard: list[Progress] = []
    assert [lock.pid for lock in engine.locks(REF)] == [DEAD.pid, living]
    held = leases.a_lease(REF.name, not_after="2999-01-01T00:00:00Z")
    assert break_stale(engine, held, (), heard.append)
    assert bucket.names() == ["understudy/eaaaaaaaaaa/b.json", "understudy/ebbbbbbbbbb/c.json"]
    assert [f"broke the lock of process {DEAD.pid} of joe" in event.detail for event in heard] == [True]
    assert not break_stale(engine, held, engine.locks(REF), heard.append)


def test_a_lock_that_the_cli_named_is_deleted_and_no_other(bucket: Bucket, living: int) -> None:
    bucket.lock("a.json", DEAD.pid)
    bucket.lock("b.json", living)
    engine = bucket.engine()
    (named, _) = engine.locks(REF)
    engine.cancel(REF, type(named)(named.user, named.host, named.pid, "2026-01-01T00:00:00Z"))
    assert bucket.names() == ["understudy/eaaaaaaaaaa/b.json"]
    engine.cancel(REF, named)
    assert bucket.names() == ["understudy/eaaaaaaaaaa/b.json"]


def test_a_lock_that_names_nobody_is_dated_by_the_server(bucket: Bucket) -> None:
    bucket.write(f"{REF.project}/{REF.name}/a.json", "{")
    (lock,) = bucket.engine().locks(REF)
    assert (lock.pid, lock.path) == (0, f"s3://{bucket.name}/{FOLDER}{REF.project}/{REF.name}/a.json")
    assert lock.written is not None
    assert at(-0.2) < lock.written.isoformat() < at(0.2)
    assert not break_stale(bucket.engine(), leases.a_lease(REF.name), (), lambda _: None)


def test_doctor_names_the_stale_ones(bucket: Bucket, living: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", bucket.url)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of a test")
    LeaseStore.beside(bucket.url).create(lease("over"))
    bucket.lock("a.json", DEAD.pid, StackRef("understudy", "over"))
    bucket.lock("b.json", living, StackRef("shop", "dev"))
    bucket.lock("c.json", DEAD.pid, StackRef("shop", "dev"))
    bucket.write("odd.json", "{}")
    before = bucket.names()
    checks = {check.name: check for check in health.examine(Options(), MemoryTarget())}
    assert checks["locks"].ok is None
    assert checks["locks"].detail.startswith(f"whose process is gone: shop/dev by process {DEAD.pid} of joe")
    assert f"understudy/over by process {DEAD.pid}" in checks["locks"].detail
    assert str(living) not in checks["locks"].detail
    assert bucket.names() == before
    bucket.proxy.answer = lambda asked: (403, "AccessDenied") if "locks" in asked.path else None
    checks = {check.name: check for check in health.examine(Options(), MemoryTarget())}
    assert checks["locks"].ok is None
    assert "could not look: Listed s3://" in checks["locks"].detail


def test_locks_that_cannot_be_read_are_an_error_of_the_backend(bucket: Bucket) -> None:
    bucket.proxy.answer = lambda _asked: (403, "AccessDenied")
    with pytest.raises(BackendError, match=r"Read the locks of organization/understudy/eaaaaaaaaaa.*AccessDenied"):
        bucket.engine().locks(REF)


def test_without_boto3_the_word_of_the_cli_is_all_there_is(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *more: Any, **named: Any) -> Any:
        if name == "boto3":
            raise ImportError(name)
        return real(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert bucket.engine().locks(REF) == ()
