"""What containers share with each other, and the single files that configs and secrets are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recording import SECRET

from understudy.errors import UsageError
from understudy.stacks.clone import Clone, Endpoint, secret_token
from understudy.stacks.secret_rules import Seed
from understudy.stacks.topology import (
    Dependency,
    FileMount,
    Mount,
    Network,
    NetworkLink,
    Port,
    Service,
    Topology,
    Volume,
)

Declare = Callable[..., Any]


def clone(*services: Service, endpoints: tuple[Endpoint, ...] = (), **fields: Any) -> Clone:
    return Clone(
        Topology("shop", {service.name: service for service in services}, {"back": Network("back")}, **fields),
        endpoints,
    )


def service(name: str, **fields: Any) -> Service:
    return Service(name, **{"image": f"{name}:1", "networks": (NetworkLink("back"),), **fields})


def test_a_service_answers_in_the_network_of_the_one_it_shares(declare: Declare) -> None:
    recording = declare(
        clone(
            service("app", networks=(), network_of="vpn", ipc="service:vpn", pid="service:vpn"),
            service("vpn", ports=(Port(8080),), ipc="shareable"),
            endpoints=(Endpoint("app", 9000), Endpoint("vpn", 8080)),
        )
    )
    app = recording.container("eabc-app")
    assert app.inputs["networkMode"] == app.inputs["ipcMode"] == app.inputs["pidMode"] == "container:eabc-vpn"
    assert "networksAdvanced" not in app.inputs
    assert app.label("after") == "eabc-vpn"
    assert recording.container("eabc-vpn").inputs["ipcMode"] == "shareable"
    (config,) = [u["content"] for u in recording.container("eabc-relay").inputs["uploads"] if "haproxy" in u["file"]]
    assert config.count("str(eabc-vpn)") == 2


def test_replicas_share_with_the_one_of_their_number(declare: Declare) -> None:
    recording = declare(
        clone(service("app", networks=(), network_of="vpn", replicas=3), service("vpn", replicas=2)),
    )
    modes = [recording.container(name).inputs["networkMode"] for name in ("eabc-app", "eabc-app-2", "eabc-app-3")]
    assert modes == ["container:eabc-vpn", "container:eabc-vpn-2", "container:eabc-vpn"]


def test_mounts_are_shared_with_a_container_that_was_started_before(declare: Declare) -> None:
    recording = declare(
        clone(
            service("backup", volumes_from=(("db", "ro"), ("web", "rw")), depends_on=(Dependency("db", "healthy"),)),
            service("db"),
            service("web"),
        )
    )
    backup = recording.container("eabc-backup")
    assert backup.inputs["volumes"] == [
        {"fromContainer": "eabc-db", "readOnly": True},
        {"fromContainer": "eabc-web"},
    ]
    assert backup.label("after") == "eabc-web"
    assert recording.container("eabc-db").urn in backup.dependencies


def test_a_config_is_a_file_of_the_commit_and_a_secret_is_pulumis(declare: Declare, tree: Path) -> None:
    (tree / "app.conf").write_bytes(b"a=1\n")
    (tree / "logo").write_bytes(b"\xff")
    files = (
        FileMount("config", "app", "/etc/app.conf", "app.conf", mode=0o640, uid="7", gid="8"),
        FileMount("config", "logo", "/logo", "logo"),
        FileMount("secret", "key", "/run/secrets/key", content=secret_token("key")),
    )
    web = declare(clone(service("web", files=files))).container("eabc-web")
    assert web.inputs["uploads"] == [
        {"file": "/etc/app.conf", "content": "a=1\n", "permissions": "0640", "owner": "7", "group": "8"},
        {"file": "/logo", "contentBase64": "/w==", "permissions": "0444"},
        {"file": "/run/secrets/key", "content": Seed(b"seed").secret("key"), "permissions": "0444"},
    ]
    assert SECRET in web.wire["uploads"][2]["content"]
    assert SECRET not in web.wire["uploads"][0]["content"]


@pytest.mark.parametrize(
    ("fields", "folders"),
    [
        ({}, []),
        ({"read_only": True}, ["/run/secrets"]),
        ({"mounts": (Mount("tmpfs", "/run"),)}, ["/run/secrets"]),
        ({"mounts": (Mount("bind", "/run/", "."),)}, ["/run/secrets"]),
        ({"mounts": (Mount("volume", "/run", "data"),), "read_only": True}, []),
        ({"mounts": (Mount("volume", "/run", "data", read_only=True),)}, ["/run/secrets"]),
    ],
)
def test_a_file_gets_a_folder_where_docker_would_not_put_it(
    declare: Declare, fields: dict[str, Any], folders: list[str]
) -> None:
    files = (FileMount("secret", "key", "/run/secrets/key", content="x"),)
    web = declare(clone(service("web", files=files, **fields), volumes={"data": Volume("data")})).container("eabc-web")
    anonymous = [v["containerPath"] for v in web.inputs["volumes"] if v.keys() == {"containerPath"}]
    assert anonymous == folders


@pytest.mark.parametrize(
    ("target", "fields"),
    [("/key", {"read_only": True}), ("/run/secrets/key", {"mounts": (Mount("tmpfs", "/run/secrets"),)})],
)
def test_a_file_that_nothing_can_put_there_is_refused(declare: Declare, target: str, fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"is to be {target}, and nothing can be put there"):
        declare(clone(service("web", files=(FileMount("secret", "key", target, content="x"),), **fields)))


@pytest.mark.parametrize("source", ["gone", "../up", "mocks", "large"])
def test_a_file_that_the_commit_does_not_have_is_refused(declare: Declare, tree: Path, source: str) -> None:
    (tree / "large").write_bytes(b"x" * (1024 * 1024 + 1))
    with pytest.raises(UsageError, match="The config 'c' of service 'web'"):
        declare(clone(service("web", files=(FileMount("config", "c", "/c", source),))))


def test_one_platform_is_one_image(declare: Declare) -> None:
    recording = declare(
        clone(
            service("a", image="same:1"),
            service("b", image="same:1", platform="linux/arm64"),
            service("c", image="same:1"),
        )
    )
    platforms = [image.inputs.get("platform") for image in recording.of("RemoteImage")]
    assert sorted(platforms, key=str) == [None, "linux/arm64"], "in whatever order they were registered"
    assert recording.container("eabc-b").inputs["platform"] == "linux/arm64"
