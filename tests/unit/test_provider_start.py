from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker.errors import APIError

from understudy.errors import ProvisionError
from understudy.provider.container_start import ATTEMPTS, start
from understudy.provider.instance import Instance
from understudy.provider.room import Call, CancelledError, Room

ALLOCATED = (
    "driver failed programming external connectivity: Bind for 127.0.0.1:49153 failed: port is already allocated"
)
IN_USE = "driver failed programming external connectivity: listen tcp4 127.0.0.1:49153: bind: address already in use"


class Engine:
    """A daemon that refuses the first starts."""

    def __init__(self, *refusals: str) -> None:
        self.refusals, self.started = list(refusals), 0
        self.api = self

    def start(self, _container: str) -> None:
        self.started += 1
        if self.refusals:
            raise APIError("500 Server Error", explanation=self.refusals.pop(0))


def call(engine: Engine, stop: threading.Event | None = None) -> Call:
    room = cast("Room", SimpleNamespace(docker=engine))
    return Call(room, cast("Instance", None), "urn", stop or threading.Event())


def inputs(**port: Any) -> dict[str, Any]:
    return {"name": "relay", "ports": [{"internal": 8080, **port}]}


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.provider.container_start.PAUSE", 0.0)


def test_a_port_that_another_process_took_is_chosen_anew() -> None:
    engine = Engine(ALLOCATED, IN_USE)
    start(call(engine), "id", inputs())
    assert engine.started == 3


def test_it_is_not_tried_for_ever() -> None:
    engine = Engine(*[ALLOCATED] * ATTEMPTS)
    with pytest.raises(ProvisionError, match="port is already allocated"):
        start(call(engine), "id", inputs())
    assert engine.started == ATTEMPTS


@pytest.mark.parametrize(("said", "port"), [(ALLOCATED, {"external": 49153}), ("no such image", {})])
def test_what_another_attempt_cannot_change_is_told_at_once(said: str, port: dict[str, Any]) -> None:
    engine = Engine(said)
    with pytest.raises(ProvisionError, match="Starting container relay failed"):
        start(call(engine), "id", inputs(**port))
    assert engine.started == 1


def test_a_cancelled_start_is_not_tried_again() -> None:
    stop = threading.Event()
    stop.set()
    engine = Engine()
    with pytest.raises(CancelledError):
        start(call(engine, stop), "id", inputs())
    assert engine.started == 0
