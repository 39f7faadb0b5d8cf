"""A real registry on 127.0.0.1 that takes one user and token at a time, and a gate before it that tests can close."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import http.client
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from support import ROOT

__all__ = ["USER", "Asked", "Distribution", "missing", "serve_registry"]

USER = "AWS"
"""As Amazon ECR's."""

_LISTENS = re.compile(rb"listening on 127\.0\.0\.1:(\d+)")


@functools.cache
def command() -> Path:
    """Where `make setup` puts the registry; it may not be there."""
    script = ROOT / "scripts" / "setup_registry.py"
    told = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    return Path(told.stdout.strip())


def missing() -> str:
    """Why there is no registry; empty where there is one."""
    return (
        "" if os.access(command(), os.X_OK) else f"no registry at {command()}; `make setup` has Debian's there, as root"
    )


@dataclass(frozen=True)
class Asked:
    method: str
    path: str


Answer = tuple[int, str]


@dataclass
class Distribution:
    """The registry: `repository` is reached through the gate, whose `answer` may give (status, body) in its place."""

    folder: Path
    port: int = 0
    behind: int = 0
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], Answer | None] = lambda _asked: None

    @property
    def repository(self) -> str:
        return f"127.0.0.1:{self.port}/understudy/previews"

    @property
    def log(self) -> bytes:
        return (self.folder / "log").read_bytes()

    def let_in(self, token: str) -> None:
        """Take this token of the user's, and no other any more."""
        written = self.folder / "htpasswd.new"
        written.write_text(f"{USER}:{_hashed(token)}\n", encoding="ascii")
        written.replace(self.folder / "htpasswd")

    def writes(self) -> list[Asked]:
        """What was asked that would change something."""
        return [each for each in self.asked if each.method not in {"GET", "HEAD"}]

    def stored(self, *below: str) -> set[str]:
        """The names in a folder of what the registry keeps of the repository, such as `_manifests/tags`."""
        place = self.folder.joinpath("data/docker/registry/v2/repositories/understudy/previews", *below)
        return {each.name for each in place.iterdir()} if place.is_dir() else set()

    def forget(self) -> None:
        """Have none of the repository any more."""
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        self.asked.clear()
        self.answer = lambda _asked: None


def _hashed(token: str) -> str:
    """bcrypt, the one hash that this registry takes, by the C library's crypt(3), which Python 3.13 has no more."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    made: bytes = library.crypt(token.encode(), f"$2b$04${secrets.token_hex(11)}".encode())
    return made.decode("ascii").replace("$2b$", "$2y$", 1)


@contextlib.contextmanager
def serve_registry(folder: Path) -> Iterator[Distribution]:
    """Serve it from a folder, on ports of the kernel's choice."""
    served = Distribution(folder)
    served.let_in("none")
    config = folder / "config.yml"
    config.write_text(
        f"""version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}/data}}}}
http: {{addr: "127.0.0.1:0", relativeurls: true}}
auth: {{htpasswd: {{realm: understudy, path: {folder}/htpasswd}}}}
""",
        encoding="utf-8",
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([command(), "serve", config], stdout=log, stderr=log, env={}, cwd=folder)
    try:
        end = time.monotonic() + 60
        while not (found := _LISTENS.search(served.log)):
            assert process.poll() is None, served.log.decode()
            assert time.monotonic() < end, served.log.decode()
            time.sleep(0.05)
        served.behind = int(found[1])
        with _gate(served):
            yield served
    finally:
        process.terminate()
        process.wait(30)


class _Gate(BaseHTTPRequestHandler):
    """Passes on what its server's registry does not answer in its place."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        body, served = self._body(), self.server.served
        asked = Asked(self.command, self.path)
        served.asked.append(asked)
        told = served.answer(asked)
        if told is not None:
            self._answered(told[0], {"Content-Type": "application/json"}, told[1].encode())
            return
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", served.behind, timeout=60)) as onward:
            onward.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():  # one by one: a client sends several of `Accept`
                if name.lower() not in {"transfer-encoding", "content-length"}:
                    onward.putheader(name, value)
            onward.putheader("Content-Length", str(len(body)))
            onward.endheaders(body)
            response = onward.getresponse()
            self._answered(response.status, dict(response.getheaders()), response.read())

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - http.server's names

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answered(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in {"connection", "transfer-encoding", "content-length"}:
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", length)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        return


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, served: Distribution) -> None:
        super().__init__(("127.0.0.1", 0), _Gate)
        self.served = served

    def handle_error(self, *_: object) -> None:
        """A daemon that gives up a push hangs up."""


@contextlib.contextmanager
def _gate(served: Distribution) -> Iterator[None]:
    server = _Server(served)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    served.port = server.server_port
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
