"""Containers that fail, stop or are given up, over the real daemon: recorded or gone, and mended by the next update."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import grpc
import pytest
from docker.errors import NotFound

from .docker_objects import CONTAINER, SLEEP

pytestmark = pytest.mark.docker


def test_a_dead_container_fails_at_once_and_is_recorded(driver: Any) -> None:
    inputs = driver.container(
        "web", ["sh", "-c", "echo the reason; exit 3"], {"ports": "8080"}, wait=True, waitTimeout=120
    )
    began = time.monotonic()
    with pytest.raises(grpc.RpcError) as raised:
        driver.create(CONTAINER, inputs)
    assert time.monotonic() - began < 60
    assert raised.value.code() is grpc.StatusCode.UNKNOWN
    assert "exited with code 3" in raised.value.details()
    assert "the reason" in raised.value.details()
    recorded = _recorded(raised.value)
    assert driver.client.api.inspect_container(recorded)["Name"] == "/" + inputs["name"]
    driver.delete(CONTAINER, recorded, inputs)
    assert not driver.exists("web")


def _recorded(error: Any) -> str:
    from pulumi.runtime.proto import provider_pb2, status_pb2

    trailer = dict(error.trailing_metadata())["grpc-status-details-bin"]
    failed = provider_pb2.ErrorResourceInitFailed()
    assert status_pb2.Status.FromString(trailer).details[0].Unpack(failed)
    return failed.id


def test_a_missing_image_fails_at_once_and_leaves_nothing(driver: Any) -> None:
    inputs = {**driver.container("web", SLEEP, wait=True, waitTimeout=120), "image": "no-such-image:1"}
    with pytest.raises(grpc.RpcError) as raised:
        driver.create(CONTAINER, inputs)
    assert raised.value.code() is grpc.StatusCode.ABORTED
    assert "no-such-image:1" in raised.value.details()
    assert not driver.exists("web")


def test_a_command_that_cannot_start_leaves_nothing(driver: Any) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        driver.create(CONTAINER, driver.container("web", ["no-such-command"]))
    assert "no-such-command" in raised.value.details()
    assert not driver.exists("web")


def test_a_missing_volume_is_not_made_by_the_way(driver: Any) -> None:
    volumes = [{"volumeName": driver.name("gone"), "containerPath": "/data"}]
    with pytest.raises(grpc.RpcError, match="gone"):
        driver.create(CONTAINER, driver.container("web", SLEEP, volumes=volumes))
    with pytest.raises(NotFound):
        driver.client.volumes.get(driver.name("gone"))


def test_a_job_that_fails_says_why(driver: Any) -> None:
    inputs = driver.container("job", ["sh", "-c", "seq 30; exit 4"], attach=True, mustRun=False)
    with pytest.raises(grpc.RpcError) as raised:
        driver.create(CONTAINER, inputs)
    assert "code 4" in raised.value.details()
    assert "\n11\n" in raised.value.details()
    assert "\n10\n" not in raised.value.details()
    assert _recorded(raised.value)


def test_a_container_fails_with_the_one_it_comes_after(driver: Any) -> None:
    late = driver.create_future(CONTAINER, driver.container("b", SLEEP, {"after": driver.name("a")}, waitTimeout=120))
    with pytest.raises(grpc.RpcError):
        driver.create(CONTAINER, driver.container("a", ["no-such-command"]))
    with pytest.raises(grpc.RpcError, match="comes before it, failed"):
        late(60)
    assert not driver.exists("b")


def test_cancel_ends_the_waits_of_its_own_connection_only(driver: Any, connect: Any) -> None:
    other = connect()
    mine = driver.create_future(CONTAINER, driver.container("mine", SLEEP, {"ports": "1"}, wait=True, waitTimeout=300))
    theirs = other.create_future(
        CONTAINER,
        other.container("theirs", ["sh", "-c", "sleep 3; httpd -f -p 80"], {"ports": "80"}, wait=True, waitTimeout=60),
    )
    _until(lambda: driver.exists("mine") and driver.exists("theirs"))
    driver.cancel()
    with pytest.raises(grpc.RpcError) as raised:
        mine(30)
    assert "ancelled" in raised.value.details()
    made, _ = theirs(60)
    assert driver.client.api.inspect_container(made)["State"]["Running"]
    with pytest.raises(grpc.RpcError, match="ancelled"):
        driver.create(CONTAINER, driver.container("later", SLEEP, {"after": "nobody"}))
    assert not driver.exists("later")


def test_cancel_reaches_many_waiting_creates_at_once(driver: Any) -> None:
    waiting = [
        driver.create_future(
            CONTAINER, driver.container(f"w{n}", SLEEP, {"after": driver.name("never")}, waitTimeout=300)
        )
        for n in range(12)
    ]
    _until(lambda: all(driver.exists(f"w{n}") for n in range(12)))
    driver.cancel()
    for create in waiting:
        with pytest.raises(grpc.RpcError):
            create(60)
    assert not any(driver.exists(f"w{n}") for n in range(12))


def test_a_client_that_goes_away_leaves_no_waiting_container(driver: Any) -> None:
    waiting = driver.create_future(
        CONTAINER, driver.container("web", SLEEP, {"ports": "1"}, wait=True, waitTimeout=300)
    )
    _until(lambda: driver.exists("web"))
    waiting.rpc.cancel()
    _until(lambda: not driver.exists("web"))


def _until(condition: Any, limit: float = 60.0) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)


def test_a_container_that_stopped_is_started_by_the_next_update(driver: Any) -> None:
    inputs = driver.container("web", SLEEP)
    made, _ = driver.create(CONTAINER, inputs)
    driver.client.api.kill(made)
    _until(lambda: not driver.client.api.inspect_container(made)["State"]["Running"])
    now, _ = driver.read(CONTAINER, made, inputs)
    assert now["mustRun"] is False
    assert list(driver.diff(CONTAINER, now, inputs).detailedDiff) == ["mustRun"]
    driver.update(CONTAINER, made, now, inputs)
    assert driver.client.api.inspect_container(made)["State"]["Running"]


def test_the_update_after_a_failed_wait_waits_again(driver: Any) -> None:
    script = "while [ ! -f /go ]; do sleep 0.05; done; exec httpd -f -p 80"
    inputs = driver.container("web", ["sh", "-c", script], {"ports": "80"}, wait=True, waitTimeout=1)
    with pytest.raises(grpc.RpcError) as raised:
        driver.create(CONTAINER, inputs)
    made = _recorded(raised.value)
    with pytest.raises(grpc.RpcError, match="port 80 to accept") as raised:
        driver.update(CONTAINER, made, inputs, inputs)
    assert _recorded(raised.value) == made
    driver.client.containers.get(made).exec_run(["touch", "/go"])
    driver.update(CONTAINER, made, inputs, {**inputs, "waitTimeout": 30})


def test_a_job_that_failed_is_run_again_by_the_next_update_and_then_no_more(driver: Any) -> None:
    script = "[ -f /seen ] || { touch /seen; exit 4; }; echo done"
    inputs = driver.container("job", ["sh", "-c", script], {"kind": "job"}, attach=True, logs=True, mustRun=False)
    with pytest.raises(grpc.RpcError) as raised:
        driver.create(CONTAINER, inputs)
    made = _recorded(raised.value)
    outputs = driver.update(CONTAINER, made, inputs, inputs)
    assert (outputs["exitCode"], outputs["containerLogs"]) == (0, "done\n")
    started = driver.client.api.inspect_container(made)["State"]["StartedAt"]
    driver.update(CONTAINER, made, inputs, inputs)
    assert driver.client.api.inspect_container(made)["State"]["StartedAt"] == started


def test_a_log_that_cannot_be_read_is_no_failure(driver: Any) -> None:
    inputs = driver.container("job", ["true"], attach=True, logs=True, mustRun=False, logDriver="none")
    assert driver.create(CONTAINER, inputs)[1]["containerLogs"].startswith("(not readable:")


class Faulty:
    """The daemon's API with some calls replaced."""

    def __init__(self, genuine: Any, **replaced: Any) -> None:
        self.api, self._genuine, self._replaced = self, genuine.api, replaced

    def __getattr__(self, attribute: str) -> Any:
        return self._replaced.get(attribute) or getattr(self._genuine, attribute)


def call(client: Any, **more: Any) -> Any:
    from understudy.provider.instance import Instance
    from understudy.provider.room import Call, Room
    from understudy.provider.settings import ProviderSettings

    return Call(Room(ProviderSettings(), client), Instance("x"), "urn", threading.Event(), **more)


def test_a_container_that_cannot_be_looked_at_after_its_start_is_recorded(driver: Any) -> None:
    from requests.exceptions import ReadTimeout

    from understudy.provider.container import Containers
    from understudy.provider.status import NotReadyError

    def hiccup(_: str) -> None:
        raise ReadTimeout("read timed out")

    with pytest.raises(NotReadyError, match="read timed out") as raised:
        Containers().create(call(Faulty(driver.client, inspect_container=hiccup)), driver.container("web", SLEEP))
    assert driver.client.api.inspect_container(raised.value.object_id)["State"]["Running"]


def test_nothing_is_asked_about_a_container_before_it_is_made(driver: Any) -> None:
    from understudy.provider.container import Containers

    asked: list[str] = []

    def inspect(name: str) -> Any:
        asked.append(name)
        return driver.client.api.inspect_container(name)

    made, _ = Containers().create(
        call(Faulty(driver.client, inspect_container=inspect)), driver.container("web", SLEEP)
    )
    assert set(asked) == {made}


def test_an_abandoned_update_leaves_the_container_that_the_state_has(driver: Any) -> None:
    from understudy.errors import ProvisionError
    from understudy.provider.container import Containers

    inputs = driver.container("web", SLEEP)
    made, _ = driver.create(CONTAINER, inputs)
    waiting = driver.container("web", SLEEP, {"ports": "1"}, wait=True, waitTimeout=300)
    alone = call(driver.client, abandoned=lambda: True)
    alone.stop.set()
    labels = driver.client.api.inspect_container(made)
    labels["Config"]["Labels"]["dev.understudy.ports"] = "1"
    given = Faulty(driver.client, inspect_container=lambda _: labels)
    with pytest.raises(ProvisionError):
        Containers().update(replace(alone, room=call(given).room), made, inputs, waiting)
    assert driver.exists("web")
