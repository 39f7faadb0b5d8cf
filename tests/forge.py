"""A stand-in for the REST APIs of GitHub and GitLab, as far as comments need them, on a port of this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "ghs_canary"  # noqa: S105 - opens nothing
BOT = {"login": "github-actions[bot]", "type": "Bot"}


@dataclass
class Forge:
    """What the stand-in holds and was asked. `failures` are answers that come first, one a request, in their order."""

    url: str = ""
    comments: list[dict[str, Any]] = field(default_factory=list)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    user: dict[str, Any] | None = None
    failures: dict[str, list[tuple[int, dict[str, str], str]]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    writes_then_fails: int = 0
    read_only: bool = False

    def comment(self, body: str, user: dict[str, Any] = BOT) -> None:
        self.comments.append({"id": 1000 + len(self.comments), "body": body, "user": user, "author": user})

    @property
    def bodies(self) -> list[str]:
        return [each["body"] for each in self.comments]


class _Handler(BaseHTTPRequestHandler):
    forge: Forge

    def _answer(self, status: int, data: object, headers: dict[str, str] | None = None) -> None:
        text = json.dumps(data).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text)), "x-ratelimit-remaining": "9", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def _refused(self) -> bool:
        """Whether the request is answered by what stands in its way: a failure that was asked for, or the token."""
        self.forge.requests.append(f"{self.command} {self.path}")
        waiting = self.forge.failures.get(self.command)
        if waiting:
            status, headers, message = waiting.pop(0)
            self._answer(status, {"message": message}, headers)
        elif TOKEN not in (self.headers.get("Authorization", ""), self.headers.get("PRIVATE-TOKEN")) and (
            self.headers.get("Authorization") != f"Bearer {TOKEN}"
        ):
            self._answer(401, {"message": "Bad credentials"})
        elif self.forge.read_only and self.command != "GET":
            self._answer(403, {"message": "Resource not accessible by integration"})
        else:
            return False
        return True

    def do_GET(self) -> None:
        if self._refused():
            return
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path == "/user":
            if self.forge.user is None:
                self._answer(403, {"message": "Resource not accessible by integration"})
            else:
                self._answer(200, self.forge.user)
        elif parts.path == "/repos/o/r/pulls":
            owner, _, branch = query["head"].partition(":")
            found = [x for x in self.forge.pulls if (x["head"]["owner"], x["head"]["ref"]) == (owner, branch)]
            self._answer(200, found)
        elif parts.path in {"/repos/o/r/issues/7/comments", "/projects/5/merge_requests/7/notes"}:
            page, size = int(query.get("page", 1)), min(int(query.get("per_page", 30)), 100)
            items = self.forge.comments[(page - 1) * size : page * size]
            more = page * size < len(self.forge.comments)
            link = f'<http://elsewhere.example/comments?page={page + 1}>; rel="next"'
            self._answer(200, items, {"Link": link, "x-next-page": str(page + 1)} if more else {})
        else:
            self._answer(404, {"message": "Not Found"})

    def _body(self) -> str:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        assert isinstance(body, str)
        return body

    def do_POST(self) -> None:
        body = self._body()
        if self._refused():
            return
        if len(body) > 65_536:
            self._answer(422, {"message": "Validation Failed: Body is too long (maximum is 65536 characters)"})
            return
        self.forge.comment(body, self.forge.user or BOT)
        if self.forge.writes_then_fails:
            self.forge.writes_then_fails -= 1
            self._answer(502, {"message": "Bad Gateway"})
            return
        self._answer(201, {"html_url": f"https://github.example/o/r/pull/7#{self.forge.comments[-1]['id']}"})

    def _change(self) -> None:
        body = self._body()
        if self._refused():
            return
        number = int(self.path.rpartition("/")[2])
        found = [each for each in self.forge.comments if each["id"] == number]
        if not found:
            self._answer(404, {"message": "Not Found"})
            return
        found[0]["body"] = body
        self._answer(200, {"html_url": f"https://github.example/o/r/pull/7#{number}"})

    do_PATCH = do_PUT = _change  # noqa: N815 - the names that http.server calls

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[Forge]:
    """The stand-in, for as long as the block lasts."""
    forge = Forge()
    handler = type("Handler", (_Handler,), {"forge": forge})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        forge.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield forge
        finally:
            server.shutdown()
            thread.join()
