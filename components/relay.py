"""The relay: the one way into an environment, from the target's bind address to its endpoints."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from understudy.components.confinement import RELAY_MEMORY, SECURITY_OPTS, no_capabilities
from understudy.components.container_args import label_args
from understudy.components.haproxy import Route, haproxy_config
from understudy.components.labels import container_labels
from understudy.components.names import RELAY
from understudy.errors import UsageError
from understudy.stacks import identity
from understudy.stacks.identity import LABEL

__all__ = ["CONFIG", "Relay", "RelayArgs", "endpoint_addresses"]

CONFIG = "/usr/local/etc/haproxy/haproxy.cfg"
"""Where HAProxy's published image reads its configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayArgs:
    """What the relay is given.

    Attributes:
        environment: the environment that owns the container.
        image: HAProxy's image id.
        container: the container's name.
        routes: what it listens on, and for whom.
        edge: name of the Docker network by which it is reached from outside.
        networks: names of the Docker networks that services are on.
        bind_address: the target's address that its ports are published on.
        ready_timeout: seconds that the container has to get ready.
    """

    environment: identity.Environment
    image: pulumi.Input[str]
    container: str
    routes: Sequence[Route]
    edge: pulumi.Input[str]
    networks: Sequence[pulumi.Input[str]]
    bind_address: str
    ready_timeout: int


class Relay(pulumi.ComponentResource):
    """One HAProxy container. It waits for no service: it resolves names when a connection comes.

    Raises:
        UsageError: the bind address is no IP address.

    Example:
        >>> Relay("shop-relay", RelayArgs(routes=found, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    endpoints: pulumi.Output[Mapping[str, Mapping[str, object]]]

    def __init__(self, name: str, args: RelayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:index:Relay", name, {}, opts)
        _reachable(args.bind_address)
        self.container = docker.Container(
            f"{name}-container",
            _container(args),
            pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.endpoints = self.container.ports.apply(
            lambda ports: endpoint_addresses(args.routes, args.bind_address, ports or ())
        )
        self.register_outputs({"endpoints": self.endpoints})


def endpoint_addresses(
    found: Sequence[Route], bind_address: str, ports: Sequence[Mapping[str, object]]
) -> dict[str, dict[str, object]]:
    """`<service>:<port>` -> host, port and URL where it is reached; port and URL are None until they are published.

    `ports` are the container's as the provider gives them. An address that stands for all is reached by loopback.
    """
    external: dict[int, int] = {}
    for port in ports:
        inner, outer = port.get("internal"), port.get("external")
        if isinstance(inner, int | float) and isinstance(outer, int | float) and outer:
            external.setdefault(int(inner), int(outer))
    address = _reachable(bind_address)
    host = f"[{address}]" if ":" in address else address
    result: dict[str, dict[str, object]] = {}
    for route in found:
        outer = external.get(route.listen)
        url = None if outer is None else f"{route.endpoint.scheme}://{host}:{outer}"
        result[f"{route.endpoint.service}:{route.endpoint.port}"] = {"host": address, "port": outer, "url": url}
    return result


def _reachable(bind_address: str) -> str:
    try:
        address = ipaddress.ip_address(bind_address)
    except ValueError as error:
        raise UsageError(
            f"The bind address {bind_address!r} is no IP address.", hint="Name one of the target's, such as 127.0.0.1."
        ) from error
    if not address.is_unspecified:
        return str(address)
    return "::1" if isinstance(address, ipaddress.IPv6Address) else "127.0.0.1"


def _container(args: RelayArgs) -> docker.ContainerArgs:
    listening = tuple(route.listen for route in args.routes)
    labels = container_labels(args.environment, RELAY, kind="relay", ports=listening)
    for route in args.routes:
        labels[f"{LABEL}endpoint.{route.endpoint.service}.{route.endpoint.port}"] = str(route.listen)
    return docker.ContainerArgs(
        name=args.container,
        image=args.image,
        networks_advanced=[
            docker.ContainerNetworksAdvancedArgs(name=network) for network in (args.edge, *args.networks)
        ],
        ports=[docker.ContainerPortArgs(internal=port, ip=args.bind_address, protocol="tcp") for port in listening],
        uploads=[
            docker.ContainerUploadArgs(file=CONFIG, content=haproxy_config(args.routes), permissions="0644"),
        ],
        labels=label_args(labels),
        restart="unless-stopped",
        capabilities=no_capabilities(),
        security_opts=SECURITY_OPTS,
        memory=RELAY_MEMORY,
        remove_volumes=True,
        wait=True,
        wait_timeout=args.ready_timeout,
        destroy_grace_seconds=0,
    )
