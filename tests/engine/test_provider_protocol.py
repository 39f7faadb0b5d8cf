"""The protocol as the engine speaks it: names, differences, previews, pulled images, many stacks at once."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import secrets
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import pytest

from understudy.provider.values import UNKNOWN, from_struct, to_struct

from .docker_objects import CONTAINER, IMAGE, SLEEP, VOLUME

pytestmark = pytest.mark.docker


def test_a_nameless_object_gets_a_name_and_keeps_it(driver: Any) -> None:
    first = from_struct(driver.check(VOLUME, {"labels": driver.labels()}, logical="data", seed=b"1").inputs)
    assert first["name"].startswith("data-")
    again = driver.check(VOLUME, {"labels": driver.labels()}, olds=first, logical="data", seed=b"2")
    assert from_struct(again.inputs)["name"] == first["name"]


def test_failures_cross_the_wire_with_their_path(driver: Any) -> None:
    checked = driver.check(CONTAINER, driver.container("web", SLEEP, ports=[{"internal": 70000}]))
    assert [(f.property, "1 to 65535" in f.reason) for f in checked.failures] == [("ports[0].internal", True)]


def test_a_difference_says_its_kind_and_that_the_old_one_goes_first(driver: Any) -> None:
    from pulumi.runtime.proto import provider_pb2

    old = driver.container("web", SLEEP)
    assert driver.diff(CONTAINER, old, old).changes == provider_pb2.DiffResponse.DIFF_NONE
    updated = driver.diff(CONTAINER, old, {**old, "restart": "always"})
    assert not updated.replaces
    assert not updated.deleteBeforeReplace
    assert updated.detailedDiff["restart"].kind == provider_pb2.PropertyDiff.ADD
    replaced = driver.diff(CONTAINER, old, {**old, "image": "other"})
    assert list(replaced.replaces) == ["image"]
    assert replaced.deleteBeforeReplace
    assert replaced.detailedDiff["image"].kind == provider_pb2.PropertyDiff.UPDATE_REPLACE


def test_a_preview_knows_inputs_and_leaves_outputs_open(driver: Any) -> None:
    made, outputs = driver.create(CONTAINER, {**driver.container("web", SLEEP), "image": UNKNOWN}, preview=True)
    assert made == ""
    assert outputs["name"] == driver.name("web")
    assert outputs["image"] is UNKNOWN
    assert outputs["networkDatas"] is UNKNOWN
    assert not driver.exists("web")


def test_foreign_configuration_is_refused_with_what_to_do(driver: Any) -> None:
    from pulumi.runtime.proto import provider_pb2

    news = to_struct({"host": "tcp://10.0.0.1:2375", "version": "5.2.0"})
    checked = driver.stub.CheckConfig(provider_pb2.CheckRequest(urn="urn", news=news))
    assert [f.property for f in checked.failures] == ["host"]
    assert "DOCKER_HOST" in checked.failures[0].reason


def test_many_stacks_at_once_through_one_server(connect: Callable[[], Any]) -> None:
    drivers = [connect() for _ in range(4)]

    def life(number: int) -> str:
        driver = drivers[number]
        inputs = driver.container(f"s{number}", ["httpd", "-f", "-p", "80"], {"ports": "80"}, wait=True, waitTimeout=60)
        made, outputs = driver.create(CONTAINER, inputs)
        driver.delete(CONTAINER, made, outputs)
        return made

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(life, range(4)))) == 4


def test_closing_the_server_ends_what_still_waits(environment: Any) -> None:
    from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

    from understudy.provider.server import ProviderServer
    from understudy.stacks.identity import LABEL, ownership_labels
    from understudy.targets.docker_client import client

    labels = {**ownership_labels(environment), LABEL + "after": "nobody"}
    inputs = {
        "name": f"{environment.id}-web",
        "image": "busybox:1.35",
        "labels": [{"label": key, "value": value} for key, value in labels.items()],
        "waitTimeout": 300,
    }
    wanted = {"label": f"{LABEL}environment={environment.id}"}
    with ProviderServer() as server, grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        waiting = stub.Create.future(
            provider_pb2.CreateRequest(urn="urn", type=CONTAINER, properties=to_struct(inputs))
        )
        deadline = time.monotonic() + 60
        while not client().api.containers(all=True, filters=wanted):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        server.__exit__(None, None, None)
        with pytest.raises(grpc.RpcError):
            waiting.result(timeout=30)
    assert not client().api.containers(all=True, filters=wanted)


@pytest.fixture
def registry() -> Iterator[str]:
    """A registry on 127.0.0.1 with one tiny image; yields `127.0.0.1:PORT/tiny:1`."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("mark")
        content = secrets.token_bytes(16)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    layer, zipped = packed.getvalue(), gzip.compress(packed.getvalue())
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": {**_described(config), "mediaType": "application/vnd.docker.container.image.v1+json"},
            "layers": [{**_described(zipped), "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip"}],
        }
    ).encode()
    blobs = {_described(blob)["digest"]: blob for blob in (config, zipped, manifest)}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            last = self.path.rsplit("/", 1)[-1]
            found = b"{}" if self.path == "/v2/" else manifest if last == "1" else blobs.get(last)
            self.send_response(200 if found is not None else 404)
            self.send_header("Content-Type", kind if found is manifest else "application/octet-stream")
            self.send_header("Docker-Content-Digest", _described(found or b"")["digest"])
            self.send_header("Content-Length", str(len(found or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(found or b"")

        do_HEAD = do_GET  # noqa: N815 - the server's name

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}/tiny:1"
    server.shutdown()
    server.server_close()
    thread.join()


def _described(blob: bytes) -> dict[str, Any]:
    return {"size": len(blob), "digest": f"sha256:{hashlib.sha256(blob).hexdigest()}"}


def test_a_pulled_image_is_removed_unless_it_is_to_be_kept(driver: Any, registry: str) -> None:
    inputs = {"name": registry}
    try:
        kept, _ = driver.create(IMAGE, {**inputs, "keepLocally": True})
        driver.delete(IMAGE, kept, {**inputs, "keepLocally": True})
        assert driver.read(IMAGE, kept, inputs) is not None
        driver.delete(IMAGE, kept, inputs)
        assert driver.read(IMAGE, kept, inputs) is None
        made, outputs = driver.create(IMAGE, inputs)
        assert outputs["imageId"].startswith("sha256:")
        assert outputs["repoDigest"].startswith(registry.removesuffix(":1") + "@sha256:")
        driver.delete(IMAGE, made, outputs)
        driver.delete(IMAGE, made, outputs)
    finally:
        for image in driver.client.images.list(registry):
            driver.client.api.remove_image(image.id, force=True)


def test_an_image_of_no_registry_tag_says_so(driver: Any, registry: str) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        driver.create(IMAGE, {"name": registry.replace("tiny:1", "tiny:2")})
    assert "pulling it failed" in raised.value.details()
