"""The Docker target on the real daemon: it finds all of an environment, removes only that, and says what it saw."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from docker.errors import APIError, NotFound
from engine.stages import BASE, Stage, wait_until

from understudy.errors import InterruptedRunError, NotFoundError, ProvisionError, ToolError
from understudy.stacks.identity import LABEL, OWNERSHIP, name
from understudy.targets.docker import DockerTarget
from understudy.targets.docker_client import client
from understudy.targets.docker_sweep import sweep
from understudy.targets.interface import Outcome, Target

pytestmark = [pytest.mark.docker, pytest.mark.images]


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    try:
        yield made
    finally:
        made.close()


def gone(look: Any, ident: str) -> bool:
    try:
        look(ident)
    except NotFound:
        return True
    return False


def test_it_is_a_target_and_knows_its_daemon(stage: Stage) -> None:
    assert isinstance(stage.target, Target)
    assert stage.target.identity() == f"docker:{stage.docker.info()['ID']}"


def test_a_sweep_removes_all_of_an_environment_and_a_receipt_says_so(stage: Stage) -> None:
    network, volume = stage.network("net"), stage.volume("data")
    running = stage.container("web", network=name(stage.id, "net"), volumes=["/anonymous"])
    stage.container("db", network=name(stage.id, "net"), volumes={volume: {"bind": "/data", "mode": "rw"}})
    stage.container("dead", "sh", "-c", "exit 3")
    stage.container("never", start=False)
    mounts = stage.docker.api.inspect_container(running)["Mounts"]
    anonymous = next(mount["Name"] for mount in mounts if mount["Destination"] == "/anonymous")
    before = stage.target.receipt(stage.whose, stage.identity)
    assert before.outcome is Outcome.LEFTOVERS
    assert [item.kind for item in before.leftovers] == ["container"] * 4 + ["network", "volume"]
    swept = stage.target.sweep(stage.whose)
    after = stage.target.receipt(stage.whose, stage.identity)
    assert swept.failed == ()
    assert sorted(swept.removed) == sorted(before.leftovers)
    assert (after.outcome, after.leftovers, after.reason) == (Outcome.CLEAN, (), "")
    assert set(after.looked) == {"container", "network", "volume"}
    assert after.looked["network"] >= 3, "bridge, host and none are always there"
    assert gone(stage.docker.api.inspect_volume, anonymous)
    assert gone(stage.docker.api.inspect_network, network)
    assert stage.target.sweep(stage.whose).removed == ()


def test_what_only_looks_alike_survives(stage: Stage) -> None:
    decoys: list[str] = []
    for number, missing in enumerate(OWNERSHIP):
        labels = {key: value for key, value in stage.labels("web").items() if key != missing}
        decoys.append(stage.container("web", labels=labels, start=False, name=name(stage.id, f"m{number}")))
        decoys.append(
            stage.container("web", labels=labels | {missing: ""}, start=False, name=name(stage.id, f"empty{number}"))
        )
    other = stage.labels("web") | {LABEL + "environment": stage.id + "x"}
    decoys.append(stage.container("web", labels=other, start=False, name=name(stage.id, "other")))
    mark = {"test.understudy": stage.test}
    volume, network = stage.volume("look-alike", labels=mark), stage.network("look-alike", labels=mark)
    owned = stage.container("web")
    assert [item.id for item in stage.target.inventory(stage.whose)] == [owned]
    assert [item.id for item in stage.target.sweep(stage.whose).removed] == [owned]
    assert stage.target.receipt(stage.whose, stage.identity).outcome is Outcome.CLEAN
    for decoy in decoys:
        assert stage.docker.api.inspect_container(decoy)["Id"] == decoy
    stage.docker.api.inspect_volume(volume)
    stage.docker.api.inspect_network(network)


def test_what_another_target_owns_is_kept_and_reported(stage: Stage) -> None:
    kept = stage.container("web", labels=stage.labels("web") | {LABEL + "target": "docker:ANOTHER"}, start=False)
    swept = stage.target.sweep(stage.whose)
    assert swept.removed == ()
    assert [(item.id, "docker:ANOTHER" in reason) for item, reason in swept.failed] == [(kept, True)]
    assert stage.target.receipt(stage.whose, stage.identity).outcome is Outcome.LEFTOVERS


def test_the_inventory_of_all_environments_has_this_one_in_it(stage: Stage) -> None:
    volume = stage.volume("data")
    assert volume in {item.name for item in stage.target.inventory() if item.kind == "volume"}
    assert stage.kinds() == ["volume"]


def test_a_network_with_a_stranger_on_it_is_kept_and_says_whose(stage: Stage) -> None:
    network = stage.network("net")
    mark = {"test.understudy": stage.test}
    stranger = stage.container("web", labels=mark, network=name(stage.id, "net"), name=f"stranger-{stage.id}")
    swept = sweep(stage.docker, stage.whose, stage.identity, patience=0.2)
    assert [
        (item.id, f"container stranger-{stage.id} of somebody else is on it; kept" in reason)
        for item, reason in swept.failed
    ] == [(network, True)]
    assert stranger in stage.docker.api.inspect_network(network)["Containers"]


def test_our_own_container_on_a_network_is_taken_off_it(stage: Stage) -> None:
    network = stage.network("net")
    running = stage.container("web", network=name(stage.id, "net"))
    target = DockerTarget(Faulty(remove_container=fail))  # type: ignore[arg-type] # the daemon, with one call broken
    swept = target.sweep(stage.whose)
    assert [item.id for item in swept.removed] == [network]
    assert [item.id for item, _ in swept.failed] == [running]


def test_a_volume_that_a_stranger_uses_is_reported(stage: Stage) -> None:
    volume = stage.volume("data")
    mark = {"test.understudy": stage.test}
    binds = {volume: {"bind": "/data", "mode": "rw"}}
    stage.container("web", labels=mark, volumes=binds, name=f"stranger-{stage.id}", start=False)
    swept = sweep(stage.docker, stage.whose, stage.identity, patience=0.2)
    assert [(item.name, "in use" in reason) for item, reason in swept.failed] == [(volume, True)]


class Faulty:
    """The daemon's API with some calls replaced."""

    def __init__(self, **replaced: Any) -> None:
        self.api = self
        self._replaced = replaced

    def __getattr__(self, attribute: str) -> Any:
        if attribute in self._replaced:
            return self._replaced[attribute]
        return getattr(client().api, attribute)


def fail(*_: object, **__: object) -> None:
    raise APIError("500 Server Error", explanation="the disk is on fire")


@pytest.mark.parametrize("call", ["containers", "networks", "volumes"])
def test_a_listing_that_fails_is_unknown_and_never_clean(stage: Stage, call: str) -> None:
    target = DockerTarget(Faulty(**{call: fail}))  # type: ignore[arg-type] # the daemon, with one call broken
    receipt = target.receipt(stage.whose, stage.identity)
    assert receipt.outcome is Outcome.UNKNOWN
    assert "disk is on fire" in receipt.reason
    with pytest.raises(ToolError, match="disk is on fire"):
        target.inventory(stage.whose)


def test_a_volume_driver_that_does_not_answer_is_unknown(stage: Stage) -> None:
    warning = {"Volumes": None, "Warnings": ["driver x is down"]}
    target = DockerTarget(Faulty(volumes=lambda **_: warning))  # type: ignore[arg-type] # as above
    assert target.receipt(stage.whose, stage.identity).outcome is Outcome.UNKNOWN


def test_one_failed_listing_does_not_stop_the_other_kinds(stage: Stage) -> None:
    stage.container("web")
    stage.volume("data")
    target = DockerTarget(Faulty(networks=fail))  # type: ignore[arg-type] # as above
    swept = target.sweep(stage.whose)
    assert [item.kind for item in swept.removed] == ["container", "volume"]
    assert [item.kind for item, _ in swept.failed] == ["network"]


def test_another_daemon_holds(stage: Stage) -> None:
    stage.volume("data")
    receipt = stage.target.receipt(stage.whose, "docker:ANOTHER")
    assert receipt.outcome is Outcome.HOLD
    assert receipt.leftovers == ()
    assert receipt.target == stage.identity
    broken = DockerTarget(Faulty(info=fail))  # type: ignore[arg-type] # as above
    assert broken.receipt(stage.whose, stage.identity).outcome is Outcome.UNKNOWN
    with pytest.raises(ToolError):
        broken.sweep(stage.whose)
    assert stage.kinds() == ["volume"]


def test_labels_that_change_before_the_removal_keep_the_object(stage: Stage) -> None:
    container = stage.container("web")
    seen = stage.docker.api.inspect_container(container)
    changed = seen | {"Config": seen["Config"] | {"Labels": {}}}
    swept = DockerTarget(Faulty(inspect_container=lambda _: changed)).sweep(stage.whose)  # type: ignore[arg-type] # as above
    assert [item.id for item, _ in swept.failed] == [container]
    assert stage.docker.api.inspect_container(container)["State"]["Running"]


def test_an_object_that_goes_meanwhile_counts_as_removed(stage: Stage) -> None:
    container = stage.container("web")

    def remove_twice(*arguments: Any, **options: Any) -> None:
        client().api.remove_container(*arguments, **options)
        client().api.remove_container(*arguments, **options)

    swept = DockerTarget(Faulty(remove_container=remove_twice)).sweep(stage.whose)  # type: ignore[arg-type] # as above
    assert [item.id for item in swept.removed] == [container]


def test_active_endpoints_are_tried_again_and_then_explained(stage: Stage) -> None:
    network = stage.network("net")
    calls: list[str] = []

    def busy(ident: str) -> None:
        calls.append(ident)
        raise APIError("403", explanation=f"error while removing network: {ident} has active endpoints")

    faulty: Any = Faulty(remove_network=busy)
    swept = sweep(faulty, stage.whose, stage.identity, patience=0.3)
    assert len(calls) > 1
    assert [(item.id, "42119" in reason) for item, reason in swept.failed] == [(network, True)]

    def busy_once(ident: str) -> None:
        if len(calls) < 100:
            calls.extend([ident] * 100)
            busy(ident)
        client().api.remove_network(ident)

    faulty = Faulty(remove_network=busy_once)
    assert sweep(faulty, stage.whose, stage.identity).failed == ()
    assert gone(stage.docker.api.inspect_network, network)


def test_all_containers_are_waited_for_and_a_job_for_its_exit(stage: Stage) -> None:
    stage.container("web")
    stage.container("migrate", "sh", "-c", "sleep 0.3", labels=stage.labels("migrate", kind="job"))
    waited = stage.target.wait_ready(stage.whose, 20)
    assert set(waited) == {"web", "migrate"}
    assert all(seconds >= 0 for seconds in waited.values())


def test_the_first_fatal_one_ends_the_waiting(stage: Stage) -> None:
    stage.container("never", labels=stage.labels("never", ports="81"), network=name_of(stage.network("net"), stage))
    command = ("sh", "-c", "sleep 0.2; echo the-reason >&2; exit 4")
    stage.container("migrate", *command, labels=stage.labels("migrate", kind="job"))
    with pytest.raises(ProvisionError, match="the-reason"):
        stage.target.wait_ready(stage.whose, 60)


def name_of(network: str, stage: Stage) -> str:
    return str(stage.docker.api.inspect_network(network)["Name"])


def test_a_stop_ends_the_waiting(stage: Stage) -> None:
    stop = threading.Event()
    stop.set()
    stage.container("migrate", "sleep", "600", labels=stage.labels("migrate", kind="job"))
    with pytest.raises(InterruptedRunError):
        DockerTarget(stop=stop).wait_ready(stage.whose, 60)
    with pytest.raises(ProvisionError, match="no container"):
        stage.target.wait_ready(replace(stage.whose, environment=stage.id + "x"), 1)


def test_endpoints_are_what_the_relay_publishes(stage: Stage) -> None:
    labels = stage.labels("relay", **{"endpoint.web.80": "20001", "endpoint.a.b.5432": "20002"})
    ports = {"20001/tcp": ("127.0.0.1", None), "20002/tcp": ("0.0.0.0", None)}  # noqa: S104 - a wildcard is dialled on loopback
    relay = stage.container("relay", labels=labels, ports=ports)
    stage.container("web")
    endpoints = stage.target.endpoints(stage.whose)
    assert set(endpoints) == {"web:80", "a.b:5432"}
    assert {host for host, _ in endpoints.values()} == {"127.0.0.1"}
    shown = stage.docker.api.port(relay, 20001)[0]["HostPort"]
    assert endpoints["web:80"][1] == int(shown)
    stage.docker.api.kill(relay)
    stage.docker.api.wait(relay)
    with pytest.raises(ProvisionError, match="relay"):
        stage.target.endpoints(stage.whose)


def test_a_remote_daemon_s_wildcard_is_that_daemon(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = stage.labels("relay", **{"endpoint.web.80": "20001"})
    stage.container("relay", labels=labels, ports={"20001/tcp": ("0.0.0.0", None)})  # noqa: S104 - what is tested
    monkeypatch.setenv("DOCKER_HOST", "tcp://docker.example:2376")
    assert stage.target.endpoints(stage.whose)["web:80"][0] == "docker.example"


def test_facts_tell_the_state_and_no_environment(stage: Stage) -> None:
    check = {"test": ["CMD-SHELL", "echo sick; exit 1"], "interval": 100_000_000, "retries": 1}
    sick = stage.container("web", healthcheck=check, environment={"PASSWORD": "canary"})
    dead = stage.container("job", "sh", "-c", "exit 3", labels=stage.labels("job", kind="job"))
    stage.docker.api.wait(dead)
    wait_until(lambda: stage.docker.api.inspect_container(sick)["State"]["Health"]["Status"] == "unhealthy")
    facts = {item.service: item.facts for item in stage.target.containers(stage.whose)}
    assert list(facts) == ["job", "web"]
    assert (facts["job"]["state"], facts["job"]["exit_code"], facts["job"]["kind"]) == ("exited", 3, "job")
    assert facts["job"]["health"] is None
    health = facts["web"]["health"]
    assert isinstance(health, dict)
    assert (health["status"], health["last_output"], health["last_exit_code"]) == ("unhealthy", "sick\n", 1)
    assert facts["web"]["image"] == BASE
    assert str(facts["web"]["image_id"]).startswith("sha256:")
    assert facts["web"]["oom_killed"] is False
    assert facts["web"]["restarts"] == 0
    assert "canary" not in repr(facts)


def test_only_containers_are_listed_where_only_they_count(stage: Stage) -> None:
    stage.container("web", cpu_period=100_000, cpu_quota=50_000)
    target = DockerTarget(Faulty(networks=fail, volumes=fail))  # type: ignore[arg-type] # the daemon, two calls broken
    assert [item.facts["cpu_limit"] for item in target.containers(stage.whose)] == [0.5]


def test_following_brings_lines_of_the_services_asked_for(stage: Stage) -> None:
    stage.container("web", "sh", "-c", "echo one; printf tw; sleep 0.2; echo o; sleep 600")
    for ended in (stage.container("web.2", "echo", "replica"), stage.container("db", "printf", "other")):
        stage.docker.api.wait(ended)
    lines = stage.target.lines(stage.whose, ("web",), follow=True)
    assert sorted(map(untimed, itertools.islice(lines, 3))) == [("web", "one"), ("web", "two"), ("web.2", "replica")]
    lines.close()  # type: ignore[attr-defined] # a generator
    assert [untimed(line) for line in stage.target.lines(stage.whose, ("db",), follow=False)] == [("db", "other")]
    everything = stage.target.lines(stage.whose, (), follow=True)
    assert {service for service, _ in itertools.islice(everything, 4)} == {"web", "web.2", "db"}
    everything.close()  # type: ignore[attr-defined] # a generator
    with pytest.raises(NotFoundError, match="db, web"):
        stage.target.lines(stage.whose, ("nope",), follow=True)


def test_following_ends_when_it_is_closed(stage: Stage) -> None:
    stage.container("web", "sh", "-c", "echo one; sleep 600")
    lines = stage.target.lines(stage.whose, (), follow=True)
    assert untimed(next(lines)) == ("web", "one")
    lines.close()  # type: ignore[attr-defined] # a generator
    assert not [t for t in threading.enumerate() if t.name.startswith("follow") and t.is_alive() and join(t)]


def untimed(line: tuple[str, str]) -> tuple[str, str]:
    """A line without the time stamp that begins it."""
    stamp, _, text = line[1].partition(" ")
    assert stamp.startswith("20")
    return line[0], text


def join(thread: threading.Thread) -> bool:
    thread.join(10)
    return thread.is_alive()
