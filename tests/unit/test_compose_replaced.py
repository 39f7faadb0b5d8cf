"""What a clone has no place for, or has of its own: left out or replaced, each on the record."""

from __future__ import annotations

import pytest
from compose_loading import FILES, OTHERS, load

from understudy.stacks.change import Fidelity
from understudy.stacks.sources.compose import read
from understudy.stacks.topology import Network, NetworkLink, Volume


@pytest.mark.parametrize(
    ("body", "path", "production"),
    [
        ("cpus: 0.5\ncpu_quota: 50000", "services.web.cpu_quota", "50000"),
        ("cpus: 0.5\ncpu_quota: 50000\ncpu_period: 1000", "services.web.cpu_period", "1000"),
        ("cpu_period: 1000", "services.web.cpu_period", "1000"),
        (
            "deploy: {restart_policy: {condition: any, max_attempts: 3}}",
            "services.web.deploy.restart_policy.max_attempts",
            "3",
        ),
        ("restart: always\ndeploy: {restart_policy: {condition: none}}", "services.web.restart", "always"),
        ("volumes: ['data:/x:z']", "services.web.volumes[0].bind", "declared"),
        ("deploy: {restart_policy: {max_attempts: 3}}", "services.web.deploy.restart_policy.max_attempts", "3"),
    ],
)
def test_what_another_key_leaves_no_place_for_is_on_the_record(body: str, path: str, production: str) -> None:
    (change,) = [change for change in load(body).changes if change.path == path]
    assert (change.production, change.clone) == (production, None)


@pytest.mark.parametrize("kind", ["image", "cluster", "npipe"])
def test_a_mount_of_another_kind_is_left_out(kind: str) -> None:
    found = load(f"volumes: [{{type: {kind}, source: data, target: /x}}]")
    assert found.services["web"].mounts == ()
    (change,) = found.changes
    assert (change.production, change.clone) == (f"{kind} at /x", None)


def test_a_port_of_another_protocol_is_left_out() -> None:
    found = load("ports: ['80/sctp', '81']")
    assert [port.target for port in found.services["web"].ports] == [81]
    (change,) = found.changes
    assert (change.path, change.fidelity) == ("services.web.ports[0]", Fidelity.MISSING)


def test_logs_are_not_shipped_to_where_productions_are() -> None:
    found = load("logging: {driver: gelf, options: {gelf-address: 'udp://logs.example:1'}}")
    assert found.services["web"].logging is None
    (change,) = found.changes
    assert (change.path, change.production, change.clone) == ("services.web.logging.driver", "gelf", None)


@pytest.mark.parametrize(
    ("mode", "network"),
    [("bridge", "default"), ("shop_front", "front"), ("front", "front"), ("elsewhere", "default")],
)
def test_a_network_of_productions_host_is_replaced_by_the_clones_own(mode: str, network: str) -> None:
    more = OTHERS.replace("  db: {image: 'db:1', ", "  db: {image: 'db:1', networks: [front], ")
    found = load(f"network_mode: {mode}", more)
    assert found.services["web"].networks == (NetworkLink(network),)
    assert set(found.networks) >= {network}
    (change,) = found.changes
    assert (change.path, change.production, change.clone) == (
        "services.web.network_mode",
        mode,
        f"network {network}",
    )


def test_networks_and_volumes_are_the_clones_own() -> None:
    more = """
networks:
  default: {name: prod, driver: overlay, enable_ipv6: true, attachable: true, ipam: {config: [{subnet: 192.0.2.0/24}]}}
  far: {external: true, name: prod-far}
volumes:
  data: {driver: local, driver_opts: {type: nfs, o: addr=192.0.2.1, device: ':/x'}, name: prod-data}
  ram: {driver_opts: {type: tmpfs, device: tmpfs, o: size=1m}}
  cloud: {driver: rexray}
  far: {external: true}
"""
    found = load("networks: [default, far]\nvolumes: ['data:/a', 'ram:/b', 'cloud:/c', 'far:/d']", more)
    assert found.networks == {"default": Network("default", ipv6=True), "far": Network("far", external=True)}
    assert found.volumes == {
        "data": Volume("data", driver="local"),
        "ram": Volume("ram", options={"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}),
        "cloud": Volume("cloud", driver="rexray"),
        "far": Volume("far", external=True),
    }
    assert {change.path: (change.production, change.clone) for change in found.changes} == {
        "networks.default.name": ("prod", None),
        "networks.default.driver": ("overlay", "bridge"),
        "networks.default.enable_ipv6": ("true", None),
        "networks.default.attachable": ("true", None),
        "networks.default.ipam": ("declared", None),
        "networks.far.external": ("external prod-far", "its own"),
        "volumes.data.name": ("prod-data", None),
        "volumes.data.driver_opts": ("type=nfs, device=:/x", None),
        "volumes.cloud.driver": ("rexray", "local"),
        "volumes.far.external": ("external far", "its own"),
    }


def test_one_image_is_built_whatever_platforms_are_named() -> None:
    found = load("build: {context: a, platforms: [linux/amd64, linux/arm64]}\nplatform: linux/amd64")
    (change,) = found.changes
    assert (change.path, change.production, change.clone) == (
        "services.web.build.platforms",
        "linux/amd64, linux/arm64",
        "linux/amd64",
    )


def test_a_provided_service_is_left_out_and_with_it_what_waits_for_it() -> None:
    found = load("depends_on: [cloud]", "\n  cloud: {provider: {type: model}}\n")
    assert list(found.services) == ["web"]
    assert found.services["web"].depends_on == ()
    assert [change.path for change in found.changes] == ["services.cloud", "services.web.depends_on"]


def test_models_are_left_out() -> None:
    found = load("models: [llm]", "\nmodels: {llm: {model: x}}\n")
    assert [change.path for change in found.changes] == ["services.web.models", "models"]


def test_what_is_left_out_is_left_out_of_what_it_is_compared_with_too() -> None:
    body = (
        "services: {web: {image: x, volumes: ['/etc/localtime:/l:ro', '~/x:/y:ro'], logging: {driver: gelf}, "
        "network_mode: bridge}}\n"
    )
    runs, compared = (
        read(body, "compose.yaml", variables={}, read_file=FILES.get, provisioned=provisioned)
        for provisioned in (True, False)
    )
    assert runs.services == compared.services
    assert runs.changes == compared.changes
