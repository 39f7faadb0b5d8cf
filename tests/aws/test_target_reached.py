from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aws.world import OURS, WHOSE, Account, moto, session, tags_of

from understudy.errors import InterruptedRunError, ProvisionError
from understudy.targets.aws import reached
from understudy.targets.aws.endpoints import Endpoint
from understudy.targets.aws.reached import ask, unhealthy, wait_reached

HOST = f"{OURS}.preview.internal"


@contextmanager
def answering(*statuses: int) -> Iterator[tuple[int, list[str]]]:
    """A load balancer on 127.0.0.1 that answers with these, the last one again and again, and the hosts asked for."""
    left, hosts = list(statuses), []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hosts.append(self.headers["Host"])
            self.send_response(left.pop(0) if len(left) > 1 else left[0])
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, hosts
    finally:
        server.shutdown()
        server.server_close()


def endpoint(port: int, scheme: str = "http") -> Endpoint:
    return Endpoint("web", 8080, HOST, "127.0.0.1", port, scheme)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reached, "EVERY", 0.01)
    monkeypatch.setattr(reached, "unhealthy", lambda *_: "")


def waiting(
    monkeypatch: pytest.MonkeyPatch, port: int, stop: threading.Event | None = None, timeout: float = 60
) -> None:
    monkeypatch.setattr(reached, "endpoints_of", lambda *_: (endpoint(port),))
    wait_reached(session(), WHOSE, timeout, stop or threading.Event())


def test_the_load_balancer_is_dialled_and_asked_for_the_host() -> None:
    with answering(404) as (port, hosts):
        assert ask(endpoint(port)) == 404
    assert hosts == [HOST]


@pytest.mark.usefixtures("quick")
def test_a_status_of_the_load_balancer_s_own_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(503, 502, 504, 401) as (port, hosts):
        waiting(monkeypatch, port)
    assert len(hosts) == 4


@pytest.mark.usefixtures("quick")
def test_what_stood_in_the_way_last_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(503) as (port, _), pytest.raises(ProvisionError, match="answers 503, which is the load balancer's"):
        waiting(monkeypatch, port, timeout=0.05)
    with pytest.raises(ProvisionError, match=f"{HOST} at 127.0.0.1:{port} does not answer"):
        waiting(monkeypatch, port, timeout=0.05)


@pytest.mark.usefixtures("quick")
def test_a_stop_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    stop.set()
    with answering(503) as (port, _), pytest.raises(InterruptedRunError):
        waiting(monkeypatch, port, stop)


def test_tls_is_spoken_with_the_host_s_name() -> None:
    with answering(200) as (port, _), pytest.raises(OSError, match=r"(?i)ssl"):
        ask(endpoint(port, "https"))


def test_a_target_group_without_a_healthy_target_is_named() -> None:
    with moto():
        account = Account()
        made: Any = account.make(
            OURS, tags_of(), 1, {"security-group", "task-definition", "target-group", "ecs-service"}
        )
        assert unhealthy(session(), WHOSE) == "no target is healthy: there is none"
        session().client("elbv2").register_targets(
            TargetGroupArn=made["target-group"], Targets=[{"Id": "10.0.0.9", "Port": 80}]
        )
        assert unhealthy(session(), WHOSE) == ""
