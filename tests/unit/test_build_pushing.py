"""A push over the daemon's API, to a server that answers as Docker's does."""

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
from understudy.build.pushing import push
from understudy.errors import ProvisionError

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


def test_an_image_goes_under_its_key_and_is_named_by_its_digest() -> None:
    with daemon({"status": "Pushed"}, {"aux": {"Tag": "x", "Digest": DIGEST, "Size": 1}}) as (client, asked):
        assert push(client, IMAGE, REPOSITORY, LOGIN) == f"{REPOSITORY}@{DIGEST}"
    (tagged, _), (pushed, login) = asked
    assert "/images/sha256:abc/tag" in tagged
    assert f"tag={IMAGE.key}" in tagged
    assert pushed.endswith(f"/push?tag={IMAGE.key}")
    assert json.loads(base64.urlsafe_b64decode(login)) == {"username": "AWS", "password": "a-token"}
    assert not any("a-token" in path for path, _ in asked)


@pytest.mark.parametrize(
    ("lines", "status", "said"),
    [
        (({"error": "denied: no such repository"},), 200, "denied: no such repository"),
        (({"status": "Pushed"},), 200, "named no digest"),
        ((), 500, "500"),
    ],
    ids=["refused", "without a digest", "a daemon's own failure"],
)
def test_a_push_that_fails_says_what_was_pushed_where(
    lines: tuple[dict[str, Any], ...], status: int, said: str
) -> None:
    with daemon(*lines, status=status) as (client, _), pytest.raises(ProvisionError, match=said) as raised:
        push(client, IMAGE, REPOSITORY, LOGIN)
    assert f"{REPOSITORY}:{IMAGE.key}" in str(raised.value)
    assert "a-token" not in str(raised.value)
