#!/usr/bin/env python3
"""The address of a load balancer: what is asked here, on port 80, ministack is asked under the balancer's name."""

from __future__ import annotations

import contextlib
import http.client
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SERVER = os.environ["MINISTACK"]
"""Host and port of ministack."""

BALANCER = os.environ["BALANCER"]
"""The load balancer's name: ministack's own answers below /_alb/<name>, by the rules of its listener on port 80."""

_PATIENCE = 60.0
"""Seconds for an answer."""


class Handler(BaseHTTPRequestHandler):
    """Passes each request on, its Host with it, which the listener's rules ask for."""

    protocol_version = "HTTP/1.1"

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with contextlib.closing(http.client.HTTPConnection(SERVER, timeout=_PATIENCE)) as there:
            there.request(self.command, f"/_alb/{BALANCER}{self.path}", body, dict(self.headers.items()))
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


if __name__ == "__main__":
    ThreadingHTTPServer(("", 80), Handler).serve_forever()
