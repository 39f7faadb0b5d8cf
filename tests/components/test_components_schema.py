"""Every property that the components declare, held against the types of the installed pulumi_docker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi_docker
import pytest
from schema_walk import mismatches

from understudy.provider.check import check
from understudy.provider.container_table import CONTAINER
from understudy.provider.tables import IMAGE, NETWORK, VOLUME
from understudy.provider.values import from_struct, to_struct
from understudy.stacks.clone import Clone, Endpoint, Mock, secret_token
from understudy.stacks.topology import (
    Build,
    Dependency,
    Device,
    DeviceRequest,
    FileMount,
    HealthCheck,
    Logging,
    Mount,
    Network,
    NetworkLink,
    Port,
    Resources,
    Restart,
    Service,
    Topology,
    Ulimit,
    Volume,
)

ARGUMENTS = {
    "docker:index/container:Container": pulumi_docker.ContainerArgs,
    "docker:index/network:Network": pulumi_docker.NetworkArgs,
    "docker:index/volume:Volume": pulumi_docker.VolumeArgs,
    "docker:index/remoteImage:RemoteImage": pulumi_docker.RemoteImageArgs,
}


def everything() -> Clone:
    """A clone in which every field of the topology that a component reads is set."""
    full = Service(
        "full",
        image="full:1",
        command=("serve",),
        entrypoint=("/run",),
        environment={"A": "b"},
        ports=(Port(80),),
        mounts=(
            Mount("volume", "/named", "data", read_only=True),
            Mount("volume", "/anonymous"),
            Mount("bind", "/bound", "mocks", read_only=True),
            Mount("tmpfs", "/scratch", read_only=True, options=(("noexec", ""), ("size", "1024"))),
            Mount("volume", "/part", "data", options=(("nocopy", "true"), ("subpath", "a"))),
            Mount("bind", "/spread", "mocks", options=(("propagation", "rslave"),)),
            Mount("bind", "/labelled", "mocks", options=(("selinux", "z"),)),
        ),
        networks=(NetworkLink("back", ("alias",)),),
        hostname="full.internal",
        depends_on=(Dependency("job", "completed"),),
        healthcheck=HealthCheck(("CMD", "true"), 1, 2, 3, 4),
        replicas=2,
        resources=Resources(1.5, 64_000_000, 10, 1_000_000, -1, 512, "0-1", 64_000_000),
        restart=Restart("on-failure", 2),
        labels={"a": "b"},
        user="1",
        working_dir="/srv",
        init=True,
        stop_signal="SIGINT",
        stop_grace_period=3,
        read_only=True,
        domainname="internal",
        platform="linux/amd64",
        runtime="runc",
        tty=True,
        stdin_open=True,
        privileged=True,
        cap_add=("NET_ADMIN",),
        cap_drop=("CHOWN",),
        security_opt=("no-new-privileges:true",),
        sysctls={"net.core.somaxconn": "64"},
        ulimits=(Ulimit("nofile", 100, 200),),
        devices=(Device("/dev/null", "/dev/nothing", "r"),),
        device_requests=(DeviceRequest(("gpu",), "nvidia", -1, ("0",), {"a": "b"}),),
        device_cgroup_rules=("c 1:3 r",),
        group_add=("7",),
        extra_hosts=(("other", "192.0.2.1"),),
        dns=("192.0.2.2",),
        dns_search=("internal",),
        dns_opt=("ndots:2",),
        logging=Logging("json-file", {"max-size": "1m"}),
        files=(
            FileMount("config", "logo", "/etc/x/logo", "mocks/pay/__files/logo.png", mode=0o440, uid="1", gid="2"),
            FileMount("secret", "key", "/run/secrets/key", content=secret_token("key")),
        ),
        cgroup="private",
        uts="host",
        userns="host",
    )
    shared = Service(
        "shared",
        image="shared:1",
        network_of="cache",
        ipc="service:cache",
        pid="service:cache",
        volumes_from=(("full", "ro"),),
    )
    kinds: tuple[Any, ...] = ("job", "database", "cache", "queue", "gateway")
    others = (Service(kind, kind=kind, build=Build(".")) for kind in kinds)
    found = Topology(
        "shop",
        {service.name: service for service in (full, *others, shared)},
        {"back": Network("back", labels={"a": "b"})},
        {"data": Volume("data", labels={"a": "b"}, options={"type": "tmpfs", "device": "tmpfs"})},
        allowed=("privileged", "devices", "host-uts", "host-userns"),
    )
    return Clone(found, (Endpoint("full", 80, "http"),), (Mock("pay", "pay.example", 80, "mocks/pay"),))


def test_every_declared_property_is_of_the_published_schema(declare: Callable[..., Any], tree: Path) -> None:
    _with_logo(tree)
    recording = declare(everything())
    declared = [resource for resource in recording.resources if resource.type.startswith("docker:")]
    assert {resource.type for resource in declared} == set(ARGUMENTS)
    for resource in declared:
        assert mismatches(resource.inputs, ARGUMENTS[resource.type], resource.name) == []


def _with_logo(tree: Path) -> None:
    (tree / "mocks" / "pay" / "__files").mkdir()
    (tree / "mocks" / "pay" / "__files" / "logo.png").write_bytes(b"\x89PNG\xff")


def test_the_embedded_provider_takes_every_declared_property(declare: Callable[..., Any], tree: Path) -> None:
    _with_logo(tree)
    tables = {table.token: table for table in (CONTAINER, NETWORK, VOLUME, IMAGE)}
    for resource in declare(everything()).resources:
        if resource.type.startswith("docker:"):
            assert check(tables[resource.type], from_struct(to_struct(resource.inputs))) == (), resource.name


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"image": "a", "pidsLimit": 5}, "c.pidsLimit is not in the schema"),
        ({"image": 5}, "c.image: 5 is no str"),
        ({"image": "a", "command": "run"}, "c.command: 'run' is no list"),
        ({"image": "a", "memory": "64"}, "c.memory: '64' is no int"),
        ({"image": "a", "healthcheck": {"test": []}}, "c.healthcheck.test is not in the schema"),
        ({"image": "a", "labels": [{"label": "a", "value": 1}]}, "c.labels[0].value: 1 is no str"),
    ],
)
def test_the_check_finds_what_is_wrong(value: Mapping[str, Any], complaint: str) -> None:
    assert mismatches(value, pulumi_docker.ContainerArgs, "c") == [complaint]
