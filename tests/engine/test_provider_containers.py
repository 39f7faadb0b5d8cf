"""Containers over the real daemon: created, ready, changed, refreshed, removed."""

from __future__ import annotations

import base64
import threading
import time
from dataclasses import replace
from typing import Any

import grpc
import pytest
from docker.errors import NotFound

pytestmark = pytest.mark.docker

NETWORK = "docker:index/network:Network"
VOLUME = "docker:index/volume:Volume"
CONTAINER = "docker:index/container:Container"
SLEEP = ["sleep", "300"]


def network(driver: Any, logical: str = "net", **more: Any) -> tuple[str, dict]:
    return driver.create(NETWORK, {"name": driver.name(logical), "internal": True, "labels": driver.labels(), **more})


def test_a_container_has_what_its_inputs_say(driver: Any) -> None:
    first, _ = network(driver, "one")
    second, _ = network(driver, "two")
    volume, _ = driver.create(VOLUME, {"name": driver.name("data"), "labels": driver.labels()})
    inputs = driver.container(
        "web",
        SLEEP,
        networksAdvanced=[
            {"name": driver.name("one"), "aliases": ["web", "web.shop.internal"]},
            {"name": driver.name("two"), "aliases": ["other"]},
        ],
        volumes=[{"volumeName": volume, "containerPath": "/data"}, {"containerPath": "/scratch"}],
        uploads=[
            {"file": "/etc/app/config", "content": "größe=1\n", "permissions": "0600"},
            {"file": "/run-me", "contentBase64": base64.b64encode(b"\x00\xff").decode(), "executable": True},
        ],
        envs=["A=1", "B=two words"],
        hostname="web.shop.internal",
        memory=64,
        cpus="0.5",
        healthcheck={"tests": ["CMD", "true"], "interval": "1m30s", "retries": 2},
        ulimits=[{"name": "nofile", "soft": 512, "hard": 1024}],
        tmpfs={"/cache": "size=1m"},
        capabilities={"drops": ["NET_RAW"]},
        stopTimeout=3,
        hosts=[{"host": "else.where", "ip": "127.0.0.9"}],
    )
    made, outputs = driver.create(CONTAINER, inputs)
    facts = driver.client.api.inspect_container(made)
    host = facts["HostConfig"]
    networks = facts["NetworkSettings"]["Networks"]
    assert {"web", "web.shop.internal"} <= set(networks[driver.name("one")]["Aliases"])
    assert "other" in networks[driver.name("two")]["Aliases"]
    assert {m["Destination"] for m in facts["Mounts"]} == {"/data", "/scratch"}
    assert host["PidsLimit"] == 4096
    assert host["Memory"] == 64 * 2**20
    assert host["CpuQuota"] == 50_000
    assert facts["Config"]["Healthcheck"] == {"Test": ["CMD", "true"], "Interval": 90_000_000_000, "Retries": 2}
    assert facts["Config"]["StopTimeout"] == 3
    show = driver.client.containers.get(made).exec_run(
        "sh -c 'cat /etc/app/config; ls -l /run-me /etc/app/config; env'"
    )
    text = show.output.decode()
    assert "größe=1" in text
    assert "-rwxr--r--" in text
    assert "-rw-------" in text
    assert "B=two words" in text
    assert outputs["hostname"] == "web.shop.internal"
    assert {d["networkName"] for d in outputs["networkDatas"]} == {driver.name("one"), driver.name("two")}
    anonymous = next(m["Name"] for m in facts["Mounts"] if m["Destination"] == "/scratch")
    driver.delete(CONTAINER, made, outputs)
    driver.delete(CONTAINER, made, outputs)
    with pytest.raises(NotFound):
        driver.client.volumes.get(anonymous)
    driver.delete(VOLUME, volume, {"name": volume, "labels": driver.labels()})
    for made_network in (first, second):
        driver.delete(NETWORK, made_network, {"name": "n", "labels": driver.labels()})
    assert driver.read(NETWORK, first, {"labels": driver.labels()}) is None


def test_a_published_port_is_filled_in(driver: Any) -> None:
    inputs = driver.container(
        "web", ["httpd", "-f", "-p", "8080"], ports=[{"internal": 8080, "ip": "127.0.0.1"}], wait=True, waitTimeout=30
    )
    _, outputs = driver.create(CONTAINER, inputs)
    assert outputs["ports"][0]["external"] > 1023


def test_wait_returns_when_the_declared_port_accepts(driver: Any) -> None:
    network(driver)
    inputs = driver.container(
        "web",
        ["sh", "-c", "sleep 0.7; exec httpd -f -p 8080"],
        {"ports": "8080"},
        networksAdvanced=[{"name": driver.name("net")}],
        wait=True,
        waitTimeout=30,
    )
    began = time.monotonic()
    made, _ = driver.create(CONTAINER, inputs)
    assert time.monotonic() - began >= 0.7
    assert driver.client.api.inspect_container(made)["State"]["Running"]


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


def test_a_job_is_waited_for_and_its_log_kept(driver: Any) -> None:
    inputs = driver.container(
        "job", ["sh", "-c", "echo migrated; sleep 0.3"], {"kind": "job"}, attach=True, logs=True, mustRun=False
    )
    _, outputs = driver.create(CONTAINER, inputs)
    assert outputs["exitCode"] == 0
    assert outputs["containerLogs"] == "migrated\n"


def test_a_job_that_fails_says_why(driver: Any) -> None:
    inputs = driver.container("job", ["sh", "-c", "seq 30; exit 4"], attach=True, mustRun=False)
    with pytest.raises(grpc.RpcError) as raised:
        driver.create(CONTAINER, inputs)
    assert "code 4" in raised.value.details()
    assert "\n11\n" in raised.value.details()
    assert "\n10\n" not in raised.value.details()
    assert _recorded(raised.value)


def test_a_container_starts_after_those_it_names(driver: Any) -> None:
    late = driver.create_future(
        CONTAINER, driver.container("b", SLEEP, {"after": driver.name("a")}, wait=True, waitTimeout=30)
    )
    _, first = driver.create(CONTAINER, driver.container("a", SLEEP))
    made, _ = late(30)
    starts = [driver.client.api.inspect_container(c)["State"]["StartedAt"] for c in (first["name"], made)]
    assert starts == sorted(starts)


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


def test_limits_and_restart_policy_change_in_place(driver: Any) -> None:
    old = driver.container("web", SLEEP, memory=32, cpus="0.5", cpuShares=512)
    made, _ = driver.create(CONTAINER, old)
    new = {**old, "memory": 48, "cpus": "0.25", "cpuShares": 256, "restart": "on-failure", "maxRetryCount": 3}
    driver.update(CONTAINER, made, old, new)
    host = driver.client.api.inspect_container(made)["HostConfig"]
    assert (host["Memory"], host["CpuQuota"], host["CpuShares"]) == (48 * 2**20, 25_000, 256)
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    lifted = {key: value for key, value in new.items() if key not in {"cpus", "cpuShares", "restart", "maxRetryCount"}}
    driver.update(CONTAINER, made, new, lifted)
    host = driver.client.api.inspect_container(made)["HostConfig"]
    assert host["CpuQuota"] <= 0
    assert host["RestartPolicy"]["Name"] == "no"


def test_refresh_sees_drift_and_what_is_gone(driver: Any) -> None:
    inputs = driver.container("web", SLEEP)
    made, _ = driver.create(CONTAINER, inputs)
    assert driver.read(CONTAINER, made, inputs)[0] == inputs
    driver.client.api.update_container(made, restart_policy={"Name": "always"})
    assert driver.read(CONTAINER, made, inputs)[0]["restart"] == "always"
    driver.client.api.remove_container(made, force=True)
    assert driver.read(CONTAINER, made, inputs) is None


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


def test_a_grace_lets_a_container_end_by_itself(driver: Any) -> None:
    network(driver)
    volume, _ = driver.create(VOLUME, {"name": driver.name("data"), "labels": driver.labels()})
    mounted = [{"volumeName": volume, "containerPath": "/data"}]
    script = "trap 'touch /data/flushed; exit 0' TERM; touch /data/up; sleep 300 & wait"
    inputs = driver.container(
        "web",
        ["sh", "-c", script],
        volumes=mounted,
        networksAdvanced=[{"name": driver.name("net")}],
        healthcheck={"tests": ["CMD", "test", "-f", "/data/up"]},
        wait=True,
        destroyGraceSeconds=60,
    )
    made, outputs = driver.create(CONTAINER, inputs)
    driver.delete(CONTAINER, made, outputs)
    look = driver.container("look", ["ls", "/data"], volumes=mounted, attach=True, logs=True, mustRun=False)
    assert "flushed" in driver.create(CONTAINER, look)[1]["containerLogs"]


def test_what_an_interrupted_operation_left_is_replaced(driver: Any) -> None:
    left, _ = driver.create(CONTAINER, driver.container("web", SLEEP, {"not-after": "2001-01-01T00:00:00Z"}))
    made, _ = driver.create(CONTAINER, driver.container("web", SLEEP))
    assert made != left
    with pytest.raises(NotFound):
        driver.client.api.inspect_container(left)


def test_nobody_elses_object_is_touched(driver: Any) -> None:
    name = driver.name("web")
    own = {label["label"]: label["value"] for label in driver.labels()}
    foreign = driver.client.containers.create(
        "busybox:1.35", SLEEP, name=name, labels={**own, "dev.understudy.project": "another"}
    )
    inputs = driver.container("web", SLEEP)
    with pytest.raises(grpc.RpcError, match="not of this environment"):
        driver.create(CONTAINER, inputs)
    with pytest.raises(grpc.RpcError, match="was not removed"):
        driver.delete(CONTAINER, foreign.id, inputs)
    assert driver.client.api.inspect_container(foreign.id)


def test_another_daemons_object_is_never_called_gone(driver: Any) -> None:
    inputs = driver.container("web", SLEEP)
    inputs["labels"] = [
        {**label, "value": "docker:OTHER"} if label["label"].endswith("target") else label for label in inputs["labels"]
    ]
    for act in (
        lambda: driver.create(CONTAINER, inputs),
        lambda: driver.delete(CONTAINER, "0" * 64, inputs),
        *(lambda token=token: driver.read(token, "0" * 64, inputs) for token in (NETWORK, VOLUME, CONTAINER)),
    ):
        with pytest.raises(grpc.RpcError, match="docker:OTHER"):
            act()


def test_an_object_whose_labels_are_not_ours_is_not_taken_for_ours(driver: Any) -> None:
    inputs = driver.container("web", SLEEP)
    made, _ = driver.create(CONTAINER, inputs)
    joined, _ = network(driver)
    other = [{**each, "value": "x"} if each["label"].endswith("project") else each for each in inputs["labels"]]
    assert driver.read(CONTAINER, made, {**inputs, "labels": other}) is None
    assert driver.read(NETWORK, joined, {"name": driver.name("net"), "labels": other}) is None


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
