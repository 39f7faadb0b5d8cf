"""What reaches the host comes in by no other way than the one that is named: every spelling of it is a Right."""

from __future__ import annotations

import pytest

from understudy.stacks.allowed import rights
from understudy.stacks.sources.compose import read_files
from understudy.stacks.topology import Build, Service, Topology, Volume


def names(service: Service, *volumes: Volume) -> list[str]:
    topology = Topology("shop", {service.name: service}, volumes={volume.name: volume for volume in volumes})
    return [right.allow for right in rights(topology)]


@pytest.mark.parametrize(
    "option",
    [
        "seccomp=unconfined",
        'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}',
        "systempaths=unconfined",
        "apparmor:unconfined",
        "label=disable",
        "label:type:spc_t",
        "no-new-privileges:False",
        "no-new-privileges=0",
    ],
)
def test_a_security_option_that_takes_a_protection_away_is_one(option: str) -> None:
    assert names(Service("web", image="example/web", security_opt=(option,))) == ["unconfined"]


@pytest.mark.parametrize("option", ["no-new-privileges", "no-new-privileges:true", "seccomp=builtin", "apparmor=mine"])
def test_one_that_adds_a_protection_is_none(option: str) -> None:
    assert names(Service("web", image="example/web", security_opt=(option,))) == []


@pytest.mark.parametrize(
    ("options", "allow"),
    [
        ({"type": "tmpfs", "device": "/etc", "o": "bind"}, ["bind:/etc"]),
        ({"type": "tmpfs", "device": "/etc", "o": "size=1m,rbind"}, ["bind:/etc"]),
        ({"type": "tmpfs", "device": "etc", "o": "bind"}, ["bind:/etc"]),
        ({"type": "none", "device": "//etc/../root", "o": "bind"}, ["bind:/root"]),
        ({"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}, []),
    ],
)
def test_a_volume_that_binds_a_path_of_the_host_is_one_whatever_its_type(
    options: dict[str, str], allow: list[str]
) -> None:
    assert names(Service("web", image="example/web"), Volume("data", options=options)) == allow


def test_a_build_on_another_containers_network_is_one() -> None:
    assert names(Service("web", build=Build(".", network="container:production-db"))) == ["host-network"]
    assert names(Service("web", build=Build(".", network="none"))) == []


def test_a_bind_dressed_as_memory_does_not_reach_the_clone() -> None:
    text = (
        b"services: {web: {image: example/web, volumes: ['data:/x']}}\n"
        b"volumes: {data: {driver_opts: {type: tmpfs, device: /etc, o: bind}}}\n"
    )
    found = read_files(("compose.yaml",), folder=".", variables={}, read_file=lambda _: text, project="shop")
    assert found.volumes["data"].options == {}
    assert any(change.production == "type=tmpfs, device=/etc" for change in found.changes)
