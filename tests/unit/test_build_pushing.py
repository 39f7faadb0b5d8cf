"""A push over the daemon's API, to a server that answers as Docker's does; a real one is asked in tests/engine."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from docker import DockerClient

from understudy.build.images import BuiltImage
from understudy.build.pushing import Registry
from understudy.errors import InterruptedRunError, ProvisionError

IMAGE = BuiltImage("sha256:abc", "understudy/shop-web:0123456789abcdef", "0123456789abcdef", built=True, seconds=1.0)
REPOSITORY = "registry.example/previews"
LOGIN = ("AWS", "a-token")
DIGEST = "sha256:" + "1" * 64


@contextmanager
def daemon(*lines: dict[str, Any], status: int = 200) -> Iterator[tuple[DockerClient, list[tuple[str, str]]]]:
    """A daemon that answers a push with these lines, and what it was asked: the path, and the login that came along."""
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append((self.path, self.headers.get("X-Registry-Auth", "")))
            chunks = [json.dumps(line).encode() + b"\r\n" for line in lines] if "/push" in self.path else []
            self.send_response(201 if "/tag" in self.path else status)
            self.send_header("Connection", "close")
            self.send_header(*(("Transfer-Encoding", "chunked") if status < 400 else ("Content-Length", "0")))
            self.end_headers()
            if status >= 400:
                return
            self.wfile.write(b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b"")))

        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = DockerClient(f"tcp://127.0.0.1:{server.server_port}", version="1.41")
    try:
        yield client, asked
    finally:
        client.close()
        server.shutdown()
        server.server_close()


def registry(client: DockerClient) -> Registry:
    return Registry(client, REPOSITORY, lambda: LOGIN, threading.Event())


def test_an_image_goes_under_its_key_and_is_named_by_its_digest() -> None:
    with daemon({"status": "Pushed"}, {"aux": {"Tag": "x", "Digest": DIGEST, "Size": 1}}) as (client, asked):
        assert registry(client).push(IMAGE) == f"{REPOSITORY}@{DIGEST}"
    (tagged, _), (pushed, login) = asked
    assert "/images/sha256:abc/tag" in tagged
    assert f"tag={IMAGE.key}" in tagged
    assert pushed.endswith(f"/push?tag={IMAGE.key}")
    assert json.loads(base64.urlsafe_b64decode(login)) == {"username": "AWS", "password": "a-token"}
    assert not any("a-token" in path for path, _ in asked)


@pytest.mark.parametrize(
    ("lines", "status", "said", "pushes"),
    [
        (({"error": "name unknown: no such repository"},), 200, "name unknown: no such repository", 2),
        (({"error": "no basic auth credentials"},), 200, "no basic auth credentials", 2),
        (({"status": "Pushed"},), 200, "ended without a digest", 2),
        ((), 500, "500", 2),
    ],
    ids=["refused", "no login", "without a digest", "a daemon's own failure"],
)
def test_a_push_that_fails_says_what_was_pushed_where(
    lines: tuple[dict[str, Any], ...], status: int, said: str, pushes: int
) -> None:
    with daemon(*lines, status=status) as (client, asked), pytest.raises(ProvisionError, match=said) as raised:
        registry(client).push(IMAGE)
    assert sum("/push" in path for path, _ in asked) == pushes
    assert f"{REPOSITORY}:{IMAGE.key}" in str(raised.value)
    assert "a-token" not in str(raised.value)


def test_what_is_to_end_does_not_count_as_a_push_that_named_no_digest() -> None:
    stop = threading.Event()
    stop.set()
    with daemon({"status": "Pushing"}) as (client, _), pytest.raises(InterruptedRunError, match="before it was done"):
        Registry(client, REPOSITORY, lambda: LOGIN, stop).push(IMAGE)
