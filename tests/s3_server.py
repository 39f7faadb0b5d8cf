"""S3 on 127.0.0.1: moto's server, and before it a proxy that fails, cuts, slows down or falsifies as it is told."""

from __future__ import annotations

import contextlib
import http.client
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

BUCKET = "results"


@dataclass(frozen=True)
class Asked:
    method: str
    path: str


@dataclass
class Proxy:
    """Passes requests on. `falsify` changes headers, and those of `hidden` S3 does not get to see.

    `answer` may give (status, code) in the place of S3, or "cut", or "lose": S3 hears it, and nobody hears S3.
    """

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], tuple[int, str] | str | None] = lambda _asked: None
    falsify: Callable[[Asked, dict[str, str]], None] = lambda _asked, _headers: None
    hidden: frozenset[str] = frozenset()
    writing: threading.Lock = field(default_factory=threading.Lock)
    """S3 decides on a condition and writes in one step; moto does it in two, so it gets one write at a time."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fail(self, times: int, how: tuple[int, str] | str, method: str = "PUT") -> None:
        """Answer so to the first requests of a method for each path."""
        seen: dict[str, int] = {}

        def answer(asked: Asked) -> tuple[int, str] | str | None:
            if asked.method != method:
                return None
            seen[asked.path] = seen.get(asked.path, 0) + 1
            return how if seen[asked.path] <= times else None

        self.answer = answer


@contextlib.contextmanager
def serve_moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


class Answering(BaseHTTPRequestHandler):
    """A proxy's side towards its clients: every method is one function's business, and what comes back is passed on."""

    protocol_version = "HTTP/1.1"

    @abstractmethod
    def handle_request(self) -> None:
        """Answer what was asked, whatever its method."""

    def answer(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        """Send an answer; the names of `headers` are in small letters."""
        self.send_response_only(status)
        given = {"date": self.date_time_string(), **headers}
        length = given.get("content-length", str(len(data))) if self.command == "HEAD" else str(len(data))
        for name, value in given.items():
            if name not in {"connection", "transfer-encoding", "content-length", "server"}:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(data)

    def do_GET(self) -> None:
        self.handle_request()

    do_PUT = do_POST = do_HEAD = do_DELETE = do_GET  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        return


@contextlib.contextmanager
def serve_proxy(behind: str) -> Iterator[Proxy]:
    proxy = Proxy()
    host, _, port = behind.removeprefix("http://").partition(":")

    class Handler(Answering):
        def handle_request(self) -> None:
            asked = Asked(self.command, self.path)
            proxy.asked.append(asked)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told = proxy.answer(asked)
            if told == "cut":
                self.close_connection = True
                self.connection.close()
                return
            if isinstance(told, tuple):
                text = f"<Error><Code>{told[1]}</Code><Message>as told</Message></Error>".encode()
                self.answer(told[0], {}, b"" if self.command == "HEAD" else text)
                return
            given = {name: value for name, value in self.headers.items() if name.lower() not in proxy.hidden}
            alone = contextlib.nullcontext() if self.command in {"GET", "HEAD"} else proxy.writing
            with alone, contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=30)) as there:
                there.request(self.command, self.path, body, given)
                response = there.getresponse()
                data = response.read()
            if told == "lose":
                self.close_connection = True
                self.connection.close()
                return
            headers = {name.lower(): value for name, value in response.getheaders()}
            proxy.falsify(asked, headers)
            self.answer(response.status, headers, data)

    with serve_handler(Handler) as proxy.port:
        yield proxy


@contextlib.contextmanager
def serve_handler(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """Answer on a port of the kernel's choice, a thread for each connection; clients may give up at any time."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # connections are cut on purpose
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def credentials(endpoint: str) -> dict[str, str]:
    """The usual variables of AWS."""
    return {
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ACCESS_KEY_ID": "AKIAOFATEST",
        "AWS_SECRET_ACCESS_KEY": "of-a-test",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }


def make_bucket(endpoint: str, name: str = BUCKET) -> Any:
    """A client of the server, without the proxy, and an empty bucket there."""
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="eu-west-1",
        aws_access_key_id="AKIAOFATEST",
        aws_secret_access_key="of-a-test",
    )
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return client
