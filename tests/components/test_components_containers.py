from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from understudy.errors import UsageError
from understudy.stacks import identity
from understudy.stacks.clone import Clone, secret_token
from understudy.stacks.secret_rules import secret_value
from understudy.stacks.topology import (
    Build,
    Device,
    HealthCheck,
    Mount,
    Network,
    NetworkLink,
    Resources,
    Restart,
    Service,
    Topology,
    Volume,
)
from understudy.targets.ownership import refusal

ENV = identity.Environment("eabc", "docker:d", "shop", datetime(2030, 1, 2, tzinfo=UTC), "b1")
OWNERSHIP = identity.ownership_labels(ENV)
BACK = (NetworkLink("back"),)
Declare = Callable[[Callable[[], Any]], Any]


def topology(*services: Service, **others: Any) -> Topology:
    networks = others.pop("networks", {"back": Network("back")})
    return Topology("shop", {service.name: service for service in services}, networks, **others)


def service(name: str, **fields: Any) -> Service:
    return Service(name, **{"image": f"{name}:1", "networks": BACK, **fields})


def test_a_service_without_a_network_has_none(declare: Declare) -> None:
    recording = declare(Clone(topology(service("web", networks=()))))
    assert recording.container("eabc-web").inputs["networkMode"] == "none"


def test_names_resolve_as_in_production(declare: Declare) -> None:
    found = topology(
        service(
            "db",
            hostname="db.shop.internal",
            replicas=2,
            networks=(NetworkLink("back", ("database", "db")), NetworkLink("front", ("store",))),
        ),
        networks={"back": Network("back"), "front": Network("front")},
    )
    recording = declare(Clone(found))
    for name in ("eabc-db", "eabc-db-2"):
        container = recording.container(name)
        assert container.inputs["hostname"] == "db.shop.internal"
        assert {n["name"]: n["aliases"] for n in container.inputs["networksAdvanced"]} == {
            "eabc-back": ["db", "database", "db.shop.internal"],
            "eabc-front": ["db", "store", "db.shop.internal"],
        }


def test_replicas_are_equal_but_for_the_name(declare: Declare) -> None:
    recording = declare(Clone(topology(service("api", replicas=2))))
    first, second = (dict(recording.container(name).inputs) for name in ("eabc-api", "eabc-api-2"))
    for inputs in (first, second):
        del inputs["name"]
        inputs["labels"] = [entry for entry in inputs["labels"] if entry["label"] != "dev.understudy.service"]
    assert first == second


def test_an_image_is_handed_over_built_or_found_once(declare: Declare) -> None:
    found = topology(
        service("a", image="same:1"), service("b", image="same:1"), service("c", image=None, build=Build("."))
    )
    recording = declare(Clone(found))
    (image,) = recording.of("RemoteImage")
    assert image.inputs == {"name": "same:1", "keepLocally": True}
    assert recording.container("eabc-a").inputs["image"] == "sha256:id-of-same:1"
    assert recording.container("eabc-c").inputs["image"] == "sha256:built"


def test_a_service_without_an_image_is_refused(declare: Declare) -> None:
    with pytest.raises(UsageError, match="'web' has no image"):
        declare(Clone(topology(service("web"))), images={})


def test_secrets_are_made_anew_and_marked(declare: Declare) -> None:
    token = secret_token("DB_PASSWORD")
    found = topology(
        service(
            "web",
            environment={"Z": "plain", "URL": f"pg://u:{token}@db/{token}"},
            command=("serve", f"--key={secret_token('KEY')}"),
            healthcheck=HealthCheck(("CMD", "ping", token)),
        )
    )
    container = declare(Clone(found)).container("eabc-web")
    value = secret_value(b"seed", "DB_PASSWORD")
    assert container.inputs["envs"] == [f"URL=pg://u:{value}@db/{value}", "Z=plain"]
    assert container.inputs["command"] == ["serve", f"--key={secret_value(b'seed', 'KEY')}"]
    assert container.inputs["healthcheck"]["tests"][2] == value
    wire = container.wire
    marked = (wire["envs"][0], wire["command"][1], wire["healthcheck"]["tests"][2])
    assert all("4dabf18193072939515e22adb298388d" in entry for entry in marked)
    assert wire["envs"][1] == "Z=plain"
    assert token not in str(wire)


def test_containers_take_over_what_production_declares(declare: Declare, tree: Path) -> None:
    (tree / "conf").mkdir()
    found = topology(
        service(
            "web",
            entrypoint=("/run",),
            mounts=(
                Mount("volume", "/data", "data"),
                Mount("volume", "/anonymous"),
                Mount("bind", "/etc/app", "conf", read_only=True),
                Mount("tmpfs", "/run"),
            ),
            healthcheck=HealthCheck(("CMD-SHELL", "true"), 1.5, 3, 120, 4),
            resources=Resources(0.5, 100_000_000, 9),
            restart=Restart("on-failure", 3),
            labels={"a": "b", "dev.understudy.kind": "forged", "com.docker.compose.project": "x"},
            user="1000:1000",
            working_dir="/srv",
            init=True,
            stop_signal="SIGINT",
            stop_grace_period=12.5,
            read_only=True,
        ),
        volumes={"data": Volume("data")},
    )
    container = declare(Clone(found), ready_timeout=77).container("eabc-web")
    inputs = container.inputs
    assert inputs["volumes"] == [
        {"containerPath": "/data", "volumeName": "eabc-data"},
        {"containerPath": "/anonymous"},
        {"containerPath": "/etc/app", "hostPath": str(tree / "conf"), "readOnly": True},
    ]
    assert inputs["tmpfs"] == {"/run": ""}
    assert inputs["healthcheck"] == {
        "tests": ["CMD-SHELL", "true"],
        "interval": "1500ms",
        "timeout": "3s",
        "startPeriod": "120s",
        "retries": 4,
    }
    assert (inputs["memory"], inputs["cpus"]) == (96, "0.5")
    assert (inputs["restart"], inputs["maxRetryCount"]) == ("on-failure", 3)
    assert (inputs["stopSignal"], inputs["stopTimeout"], inputs["destroyGraceSeconds"]) == ("SIGINT", 13, 0)
    assert (inputs["user"], inputs["workingDir"], inputs["init"], inputs["readOnly"]) == (
        "1000:1000",
        "/srv",
        True,
        True,
    )
    assert (inputs["wait"], inputs["waitTimeout"], inputs["removeVolumes"]) == (True, 77, True)
    assert inputs["entrypoints"] == ["/run"]
    assert "command" not in inputs
    assert container.labels["a"] == "b"
    assert container.label("kind") == "service"
    assert "com.docker.compose.project" not in container.labels
    from_image = {"dev.understudy.protect": "true", "dev.understudy.environment": "another"}
    as_docker_merges = {**from_image, **container.labels}  # an image's label counts where the container has none
    assert not refusal(as_docker_merges, ENV.whose, ENV.target)


def test_a_disabled_health_check_stays_disabled(declare: Declare) -> None:
    found = topology(
        service("web", healthcheck=HealthCheck(("NONE",), interval=5)),
        service("image", healthcheck=HealthCheck(interval=5)),
    )
    recording = declare(Clone(found))
    assert recording.container("eabc-web").inputs["healthcheck"] == {"tests": ["NONE"]}
    assert recording.container("eabc-image").inputs["healthcheck"] == {"interval": "5s"}


@pytest.mark.parametrize(
    ("grace", "mounts", "seconds"),
    [(None, True, 2), (30, True, 2), (1.5, True, 1), (0, True, 0), (30, False, 0)],
)
def test_a_database_has_longer_and_stops_before_it_goes(
    declare: Declare,
    grace: float | None,
    mounts: bool,  # noqa: FBT001 - a table of cases
    seconds: int,
) -> None:
    found = topology(
        service(
            "db",
            kind="database",
            stop_signal="SIGINT",
            stop_grace_period=grace,
            mounts=(Mount("volume", "/data", "data"),) if mounts else (Mount("volume", "/data"),),
        ),
        volumes={"data": Volume("data")},
    )
    inputs = declare(Clone(found), ready_timeout=50).container("eabc-db").inputs
    assert (inputs["waitTimeout"], inputs["destroyGraceSeconds"], inputs["stopSignal"]) == (100, seconds, "SIGINT")


@pytest.mark.parametrize("policy", ["no", "on-failure"])
def test_a_job_is_there_when_it_has_ended(declare: Declare, policy: Any) -> None:
    found = topology(service("migrate", kind="job", restart=Restart(policy)))
    inputs = declare(Clone(found), ready_timeout=50).container("eabc-migrate").inputs
    assert (inputs["mustRun"], inputs["attach"], inputs["logs"], inputs["restart"]) == (False, True, True, policy)
    assert "wait" not in inputs
    assert inputs["waitTimeout"] == 250


@pytest.mark.parametrize("source", ["../other", "link", "link/passwd", "conf/../../x", "a\0b", "loop", "co:lon"])
def test_a_bind_never_leaves_the_tree(declare: Declare, tree: Path, source: str) -> None:
    (tree / "link").symlink_to("/etc")
    (tree / "loop").symlink_to("loop")
    found = topology(service("web", mounts=(Mount("bind", "/x", source),)))
    with pytest.raises(UsageError, match="A bind of service 'web' is"):
        declare(Clone(found))


@pytest.mark.parametrize(
    ("fields", "right"),
    [
        ({"mounts": (Mount("bind", "/x", "/etc"),)}, "bind:/etc"),
        ({"mounts": (Mount("bind", "/x", "/run/docker.sock"),)}, "docker-socket"),
        ({"privileged": True}, "privileged"),
        ({"pid": "host"}, "host-pid"),
        ({"host_network": True, "networks": ()}, "host-network"),
        ({"devices": (Device("/dev/kvm", "/dev/kvm"),)}, "devices"),
        ({"cap_add": ("CAP_SYS_ADMIN",)}, "cap:SYS_ADMIN"),
        ({"security_opt": ("seccomp:unconfined",)}, "unconfined"),
    ],
)
def test_nothing_of_the_host_is_given_that_nobody_allowed(declare: Declare, fields: dict[str, Any], right: str) -> None:
    asks = topology(service("web", **fields))
    with pytest.raises(UsageError, match=r"services\.web\.") as caught:
        declare(Clone(asks))
    assert caught.value.hint == f"Allow it by name: --allow {right}."
    declare(Clone(replace(asks, allowed=(right,)))).container("eabc-web")


def test_the_tree_has_to_be_absolute(declare: Declare) -> None:
    found = topology(service("web", mounts=(Mount("bind", "/x", "."),)))
    with pytest.raises(UsageError, match="not an absolute path"):
        declare(Clone(found), tree="relative")


def test_an_empty_entrypoint_drops_the_images(declare: Declare) -> None:
    recording = declare(Clone(topology(service("web", entrypoint=()), service("other"))))
    assert recording.container("eabc-web").inputs["entrypoints"] == [""]
    assert "entrypoints" not in recording.container("eabc-other").inputs
