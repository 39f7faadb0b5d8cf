"""Doors on 127.0.0.1: one through the load balancer's rule, as a browser comes, others straight to a task's address."""

from __future__ import annotations

import contextlib
import http.client
import socket
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

from s3_server import serve_handler

__all__ = ["through_rule", "to_task"]

_PATIENCE = 60.0
"""Seconds for an answer, or for the next bytes on a connection."""


@contextlib.contextmanager
def through_rule(server: str, balancer: str, host: str) -> Iterator[int]:
    """The port on which requests reach the load balancer's listener as those to `host`, which resolves nowhere here.

    Args:
        server: host and port of ministack.
        balancer: the name of the load balancer, by which ministack finds it.
        host: the name that the rule asks for.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            given = {**dict(self.headers.items()), "Host": host}
            with contextlib.closing(http.client.HTTPConnection(server, timeout=_PATIENCE)) as there:
                there.request(self.command, f"/_alb/{balancer}{self.path}", body, given)
                response = there.getresponse()
                data = response.read()
            self.send_response_only(response.status)
            for name in ("Content-Type", "Location"):
                if value := response.getheader(name):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_DELETE = _pass  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            return

    with serve_handler(Handler) as port:
        yield port


@contextlib.contextmanager
def to_task(address: str, port: int) -> Iterator[int]:
    """The port on which bytes go to and from a port of a task: what a suite inside the network would call itself."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((address, port), _PATIENCE) as there:
                back = threading.Thread(target=_pump, args=(there, self.request), daemon=True)
                back.start()
                _pump(self.request, there)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Nothing is said of a connection that either side has cut."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Bytes of one direction, up to its end."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
