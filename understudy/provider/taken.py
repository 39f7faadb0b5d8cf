"""Subnets that are taken: those of the daemon's networks, and those that this host has routes to."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .subnets import routed

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["taken_subnets"]

_HOST_ROUTES = Path("/proc/net/route")


def taken_subnets(client: DockerClient) -> tuple[ipaddress.IPv4Network, ...]:
    """Every IPv4 subnet that a new network must not overlap, as it is now.

    Raises:
        ProvisionError: the daemon does not list its networks.
    """
    return (*_docker_subnets(client), *_host_subnets())


def _docker_subnets(client: DockerClient) -> Iterator[ipaddress.IPv4Network]:
    from .docker_errors import docker

    with docker("Listing networks"):
        listed = client.api.networks()
    for network in listed:
        for config in (network.get("IPAM") or {}).get("Config") or ():
            try:
                yield ipaddress.IPv4Network(config.get("Subnet", ""))
            except ValueError:
                continue


def _host_subnets() -> tuple[ipaddress.IPv4Network, ...]:
    try:
        return routed(_HOST_ROUTES.read_text(encoding="ascii"))
    except OSError:
        return ()
