"""Containers over the real daemon: created, ready, changed, refreshed, removed."""

from __future__ import annotations

import base64
import time
from typing import Any

import grpc
import pytest
from docker.errors import NotFound

from .docker_objects import CONTAINER, NETWORK, SLEEP, VOLUME

pytestmark = pytest.mark.docker


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


def test_a_job_is_waited_for_and_its_log_kept(driver: Any) -> None:
    inputs = driver.container(
        "job", ["sh", "-c", "echo migrated; sleep 0.3"], {"kind": "job"}, attach=True, logs=True, mustRun=False
    )
    _, outputs = driver.create(CONTAINER, inputs)
    assert outputs["exitCode"] == 0
    assert outputs["containerLogs"] == "migrated\n"


def test_a_container_starts_after_those_it_names(driver: Any) -> None:
    late = driver.create_future(
        CONTAINER, driver.container("b", SLEEP, {"after": driver.name("a")}, wait=True, waitTimeout=30)
    )
    _, first = driver.create(CONTAINER, driver.container("a", SLEEP))
    made, _ = late(30)
    starts = [driver.client.api.inspect_container(c)["State"]["StartedAt"] for c in (first["name"], made)]
    assert starts == sorted(starts)


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
