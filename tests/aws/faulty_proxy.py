"""A proxy before AWS's endpoint that fails, refuses or hangs as it is told, by service and action, so many times."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from s3_server import Answering, serve_handler

__all__ = ["HANG", "Asked", "Fault", "FaultyProxy", "asked_of", "serve_faulty"]

_SIGNED = re.compile(r"Credential=[^/]*/\d{8}/[a-z0-9-]+/([a-z0-9-]+)/")
_SERVICES = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi"}
"""Services that sign with another name than boto3 calls them by."""

_ROUTES = {"GET": "Get", "HEAD": "Head", "PUT": "Put", "POST": "Post", "DELETE": "Delete"}


@dataclass(frozen=True)
class Asked:
    """A request: the service as boto3 names it, the action as AWS does, and the parameters that its body has.

    S3 has no actions on the wire: there it is the verb and what the query asks for, such as `PutBucket`,
    `DeleteObject`, `GetBucket?versioning`.
    """

    service: str
    action: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Fault:
    """What becomes of the next `times` requests of a service and action; "*" is any.

    Attributes:
        status: The status of the answer; 0: there is none, and the connection is held until `release`.
        code: AWS's code.
        message: AWS's message.
        page: What is answered in the place of AWS, as a page of HTML.
    """

    service: str
    action: str
    status: int = 400
    code: str = "Throttling"
    message: str = "as told"
    times: int = 1
    page: str = ""

    def meets(self, asked: Asked) -> bool:
        """Whether it is meant for a request, which it is then counted for."""
        if self.service not in {"*", asked.service} or self.action not in {"*", asked.action} or self.times <= 0:
            return False
        self.times -= 1
        return True


HANG = 0
"""The status of an answer that does not come."""


@dataclass
class FaultyProxy:
    """Tell it what to do with `add`; what it was asked stands in `asked`."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, service: str, action: str, **how: object) -> Fault:
        """Have the next requests of this kind fail; see Fault."""
        fault = Fault(service, action, **how)
        with self._lock:
            self.faults.append(fault)
        return fault

    def throttle(self, service: str, action: str, times: int = 1) -> Fault:
        """AWS has too many requests."""
        return self.add(service, action, code="ThrottlingException", message="Rate exceeded", times=times)

    def in_use(self, service: str, action: str, times: int = 1) -> Fault:
        """Something still depends on it."""
        message = "resource has a dependent object"
        return self.add(service, action, code="DependencyViolation", message=message, times=times)

    def release(self) -> None:
        """Cut all connections that hang; none hangs after this."""
        self._released.set()

    def wait_released(self) -> None:
        """Block until `release`."""
        self._released.wait()

    def judge(self, asked: Asked) -> Fault | None:
        """What is to become of a request."""
        with self._lock:
            self.asked.append(asked)
            return next((fault for fault in self.faults if fault.meets(asked)), None)

    def forget(self) -> None:
        """No request fails any more but those that hang."""
        with self._lock:
            self.faults.clear()
            self.asked.clear()

    def times(self, service: str, action: str) -> int:
        """How often a service was asked for this since it last forgot."""
        with self._lock:
            return sum((each.service, each.action) == (service, action) for each in self.asked)


def asked_of(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Asked:
    """What a request asks for, in whichever of AWS's protocols it is."""
    signed = _SIGNED.search(headers.get("authorization", ""))
    name = signed[1] if signed else ""
    service = _SERVICES.get(name, name)
    if target := headers.get("x-amz-target"):  # JSON: the parameters are the body
        return Asked(service, target.rpartition(".")[2], _flat(body))
    parts = urllib.parse.urlsplit(path)
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):  # the query protocol
        given = dict(urllib.parse.parse_qsl(body.decode()))
        return Asked(service, given.pop("Action", ""), given)
    bucket, _, key = parts.path.strip("/").partition("/")
    what = "Object" if key else "Bucket" if bucket else "Service"
    asks = next((word for word in parts.query.split("&") if word and "=" not in word), "")
    return Asked(service, f"{_ROUTES.get(method, method)}{what}{f'?{asks}' if asks else ''}", {"path": parts.path})


def _flat(body: bytes) -> dict[str, str]:
    try:
        given = json.loads(body or b"{}")
    except ValueError:
        return {}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}


def answer_of(fault: Fault, headers: Mapping[str, str], service: str) -> tuple[str, bytes]:
    """The content type and body by which a service of that protocol tells a fault."""
    if fault.page:
        return "text/html", fault.page.encode()
    if "x-amz-target" in headers or "json" in headers.get("content-type", ""):
        told = {"__type": fault.code, "message": fault.message}
        return "application/x-amz-json-1.1", json.dumps(told).encode()
    error = f"<Code>{fault.code}</Code><Message>{fault.message}</Message>"
    if service == "ec2":
        text = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>1</RequestID></Response>"
    elif service == "s3":
        text = f"<Error>{error}</Error>"
    else:
        text = f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error><RequestId>1</RequestId></ErrorResponse>"
    return "text/xml", text.encode()


@contextlib.contextmanager
def serve_faulty(behind: str) -> Iterator[FaultyProxy]:
    """Serve a proxy before the endpoint `behind` on a port of the kernel's choice."""
    proxy = FaultyProxy()
    there = behind.removeprefix("http://")

    class Handler(Answering):
        def handle_request(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = asked_of(self.command, self.path, headers, body)
            fault = proxy.judge(asked)
            if fault is None:
                with contextlib.closing(http.client.HTTPConnection(there, timeout=60)) as onward:
                    onward.request(self.command, self.path, body, dict(self.headers.items()))
                    response = onward.getresponse()
                    came = {name.lower(): value for name, value in response.getheaders()}
                    self.answer(response.status, came, response.read())
            elif fault.status == HANG:
                proxy.wait_released()
                self.close_connection = True
                self.connection.close()
            else:
                kind, text = answer_of(fault, headers, asked.service)
                self.answer(fault.status, {"content-type": kind}, b"" if self.command == "HEAD" else text)

    with serve_handler(Handler) as proxy.port:
        try:
            yield proxy
        finally:
            proxy.release()
