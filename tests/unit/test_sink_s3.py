from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from s3_server import Asked, Proxy, credentials, make_bucket, serve_moto, serve_proxy

from understudy.errors import UsageError
from understudy.export.sinks.budget import Budget
from understudy.export.sinks.contents import key_of
from understudy.export.sinks.interface import Delivery, SinkError, Stage
from understudy.export.sinks.s3 import S3Sink
from understudy.export.sinks.s3_address import S3Address


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with serve_moto() as url:
        yield url


class Bucket:
    """A bucket of this test's own, and what is in it."""

    def __init__(self, client: Any, name: str) -> None:
        self.client = client
        self.name = name

    def objects(self) -> list[str]:
        return [each["Key"] for each in self.client.list_objects_v2(Bucket=self.name).get("Contents", [])]

    def body(self, key: str) -> bytes:
        found: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return found


@pytest.fixture
def proxy(moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with serve_proxy(moto) as made:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in credentials(made.url).items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def bucket(moto: str) -> Bucket:
    name = f"b{uuid.uuid4().hex[:12]}"
    return Bucket(make_bucket(moto, name), name)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "20260102T030405Z-e1")


def make_run(folder: Path, started: str = "2026-01-02T03:04:05Z") -> Path:
    (folder / "logs").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"run": folder.name, "environment": "e1", "started": started}))
    (folder / "logs" / "web.log").write_text("a line\n" * 100)
    (folder / "report.html").write_text("<p>passed")
    return folder


def budget(*, retries: int = 4, timeout: float = 60) -> Budget:
    return Budget(retries=retries, timeout=timeout, stop=threading.Event(), first=0.001)


def sink(bucket: Bucket, prefix: str = "ci/main", part: int = 8 << 20) -> S3Sink:
    return S3Sink(S3Address.parse(f"s3://{bucket.name}/{prefix}"), part=part)


def test_every_file_arrives_under_the_runs_prefix_and_the_manifest_last(
    proxy: Proxy, bucket: Bucket, run: Path
) -> None:
    to = sink(bucket)
    assert to.check() == ""
    to.send(Delivery(run, Stage.EVIDENCE), budget())
    top = f"ci/main/{run.name}"
    assert set(bucket.objects()) == {f"{top}/run.json", f"{top}/logs/web.log", f"{top}/report.html"}
    first = next(asked for asked in proxy.asked if asked.method == "PUT")
    assert first.path.endswith("/run.json"), "what tells runs apart is there before all else"
    (run / "receipt.json").write_text("{}")
    proxy.asked.clear()
    to.send(Delivery(run, Stage.FINAL), budget())
    put = [asked.path.partition(f"{run.name}/")[2] for asked in proxy.asked if asked.method == "PUT"]
    assert put == ["receipt.json", "manifest.json"], "what was taken before is not sent again"
    manifest = json.loads(bucket.body(f"{top}/manifest.json"))
    assert [each["path"] for each in manifest["files"]] == ["logs/web.log", "receipt.json", "report.html", "run.json"]
    for each in manifest["files"]:
        data = bucket.body(each["key"])
        assert (each["size"], each["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert data == (run / each["path"]).read_bytes()
    kind = bucket.client.head_object(Bucket=bucket.name, Key=f"{top}/report.html")["ContentType"]
    assert kind == "text/html; charset=utf-8"


def test_a_large_file_goes_in_parts_that_add_up(
    proxy: Proxy, bucket: Bucket, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1024)
    (run / "large.log").write_bytes(os.urandom(10_001))
    proxy.fail(2, (503, "SlowDown"))
    spent = budget()
    sink(bucket, part=4096).send(Delivery(run, Stage.FINAL), spent)
    parts = {asked.path for asked in proxy.asked if "partNumber" in asked.path}
    assert len(parts) == 3
    assert spent.attempts == 3
    assert bucket.body(f"ci/main/{run.name}/large.log") == (run / "large.log").read_bytes()
    proxy.asked.clear()
    sink(bucket, part=4096).send(Delivery(run, Stage.FINAL), budget())
    assert {asked.method for asked in proxy.asked} == {"HEAD"}, "another process finds that all is there"


def test_an_upload_that_fails_half_way_is_taken_back(
    proxy: Proxy, bucket: Bucket, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1024)
    (run / "large.log").write_bytes(os.urandom(10_001))
    proxy.answer = lambda asked: (500, "InternalError") if "partNumber=2" in asked.path else None
    with pytest.raises(SinkError, match=r"upload_part .*large\.log, .*InternalError"):
        sink(bucket, part=4096).send(Delivery(run, Stage.FINAL), budget(retries=1))
    assert bucket.client.list_multipart_uploads(Bucket=bucket.name).get("Uploads", []) == []
    assert not any(key.endswith("manifest.json") for key in bucket.objects())


@pytest.mark.parametrize("how", [(503, "SlowDown"), (500, "InternalError"), "cut"])
def test_s3_that_fails_twice_and_then_answers(
    proxy: Proxy, bucket: Bucket, run: Path, how: tuple[int, str] | str
) -> None:
    proxy.fail(2, how)
    spent = budget()
    sink(bucket).send(Delivery(run, Stage.FINAL), spent)
    assert spent.attempts == 3
    assert f"ci/main/{run.name}/manifest.json" in bucket.objects()


def test_s3_that_goes_on_failing_is_given_up_after_the_retries(proxy: Proxy, bucket: Bucket, run: Path) -> None:
    proxy.fail(1000, (503, "SlowDown"))
    spent = budget(retries=2)
    with pytest.raises(SinkError, match=r"put_object .*run\.json, .*SlowDown"):
        sink(bucket).send(Delivery(run, Stage.FINAL), spent)
    assert spent.attempts == 3
    assert sum(asked.method == "PUT" for asked in proxy.asked) == 3
    assert bucket.objects() == []


def test_no_request_begins_when_the_time_is_over(proxy: Proxy, bucket: Bucket, run: Path) -> None:
    to = sink(bucket)
    to.check()
    proxy.asked.clear()
    spent = budget()
    spent.close()
    with pytest.raises(SinkError, match="are over"):
        to.send(Delivery(run, Stage.FINAL), spent)
    assert proxy.asked == []


@pytest.mark.parametrize(
    ("lie", "said"),
    [(("x-amz-checksum-sha256", "AAAA"), "its SHA-256 is another"), (("content-length", "3"), "it has 3 bytes, not")],
)
def test_what_arrived_otherwise_is_found_out(
    proxy: Proxy, bucket: Bucket, run: Path, lie: tuple[str, str], said: str
) -> None:
    header, value = lie

    def falsify(asked: Asked, headers: dict[str, str]) -> None:
        if asked.method == "HEAD" and header in headers:
            headers[header] = value

    proxy.falsify = falsify
    with pytest.raises(SinkError, match=said):
        sink(bucket).send(Delivery(run, Stage.FINAL), budget(retries=1))


def test_a_store_without_checksums_is_read_back(proxy: Proxy, bucket: Bucket, run: Path) -> None:
    proxy.falsify = lambda _asked, headers: headers.pop("x-amz-checksum-sha256", None) and None
    sink(bucket).send(Delivery(run, Stage.FINAL), budget())
    read = [asked.path for asked in proxy.asked if asked.method == "GET"]
    assert len(read) == 4


def test_another_run_of_the_same_id_is_not_overwritten(proxy: Proxy, bucket: Bucket, run: Path, tmp_path: Path) -> None:
    sink(bucket).send(Delivery(run, Stage.FINAL), budget())
    other = make_run(tmp_path / "elsewhere" / run.name, started="2026-01-02T03:04:05.9Z")
    proxy.asked.clear()
    with pytest.raises(SinkError, match="another run lies there"):
        sink(bucket).send(Delivery(other, Stage.FINAL), budget())
    assert {asked.method for asked in proxy.asked} == {"HEAD"}


@pytest.mark.usefixtures("proxy")
def test_hostile_file_names_become_safe_keys_and_links_are_left_out(bucket: Bucket, run: Path) -> None:
    names = ["a b\n<c>&%.log", "ü\u202e.log", "-rf", "x" * 250, "manifest.json"]
    for name in names:
        (run / name).write_text(name)
    raw = os.fsencode(run) + b"/\xff\xfe"
    Path(os.fsdecode(raw)).write_text("no text")
    (run / "passwd").symlink_to("/etc/passwd")
    (run / "etc").symlink_to("/etc")
    os.mkfifo(run / "pipe")
    sink(bucket).send(Delivery(run, Stage.FINAL), budget())
    keys = [key.removeprefix(f"ci/main/{run.name}/") for key in bucket.objects()]
    assert all(key.isascii() and key.isprintable() for key in keys)
    assert not {"passwd", "pipe"} & set(keys)
    assert not any(key.startswith("etc") for key in keys)
    manifest = json.loads(bucket.body(f"ci/main/{run.name}/manifest.json"))
    assert {each["path"] for each in manifest["files"]} >= {*names, "\udcff\udcfe"}


def test_keys_stay_apart_and_short() -> None:
    deep = "/".join(["ü" * 100] * 20)
    keys = [key_of(path) for path in ("a%20b", "a b", deep, deep + "x")]
    assert len(set(keys)) == 4
    assert max(map(len, keys)) <= 900


@pytest.mark.usefixtures("proxy")
def test_encryption_is_asked_for(bucket: Bucket, run: Path) -> None:
    S3Sink(S3Address.parse(f"s3://{bucket.name}?encryption=AES256")).send(Delivery(run, Stage.FINAL), budget())
    found = bucket.client.head_object(Bucket=bucket.name, Key=f"{run.name}/run.json")
    assert found["ServerSideEncryption"] == "AES256"


def test_a_missing_bucket_and_denied_access_are_known_before_anything_is_made(proxy: Proxy, bucket: Bucket) -> None:
    with pytest.raises(UsageError, match="it is not there"):
        S3Sink(S3Address.parse("s3://never-made")).check()
    proxy.answer = lambda _asked: (403, "AccessDenied")
    with pytest.raises(UsageError, match=r"access is denied.*\n.*s3:ListBucket"):
        sink(bucket).check()
    proxy.answer = lambda _asked: (503, "SlowDown")
    assert "tried again" in sink(bucket).check()


def test_access_denied_while_sending_is_not_tried_again(proxy: Proxy, bucket: Bucket, run: Path) -> None:
    proxy.fail(1000, (403, "AccessDenied"))
    spent = budget()
    with pytest.raises(SinkError, match=r"the credentials do not permit it: .*AccessDenied"):
        sink(bucket).send(Delivery(run, Stage.FINAL), spent)
    assert spent.attempts == 1


def test_no_credentials_and_no_boto3_are_usage_errors(
    proxy: Proxy, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UsageError, match="found none"):
        sink(bucket).check()
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(UsageError, match=r"understudy\[s3\]"):
        sink(bucket).check()
    assert proxy.asked == []


@pytest.mark.parametrize(
    "text",
    [
        "s3://",
        "s3:///prefix",
        "s3://AKIA:hunter22@bucket/x",
        "s3://bucket:99/x",
        "s3://b_/x",
        "s3://bucket/a/../b",
        "s3://bucket/a//b",
        "s3://bucket/a\nb",
        "s3://bucket/a#b",
        "s3://bucket/" + "x" * 200,
        "s3://bucket/a?encryption=rot13",
        "s3://bucket/a?kms_key=x",
        "s3://bucket/a?acl=public-read",
    ],
)
def test_an_unusable_address_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        S3Address.parse(text)
    assert "hunter22" not in str(caught.value)
