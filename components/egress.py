"""The egress relay: the one way out of a closed environment, to the third parties that are allowed and no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from understudy.components.confinement import RELAY_MEMORY, SECURITY_OPTS, no_capabilities
from understudy.components.container_args import label_args
from understudy.components.egress_config import inner_config, outer_config, outer_port, ports
from understudy.components.labels import container_labels
from understudy.components.relay import CONFIG
from understudy.stacks import identity
from understudy.stacks.topology import External

__all__ = ["Egress", "EgressArgs"]

_SYSCTLS = {
    "net.ipv4.ip_unprivileged_port_start": "0",  # HAProxy's image runs without root, and third parties are on 443
    "net.ipv4.ip_forward": "0",  # it relays connections, and routes nothing
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressArgs:
    """What the egress relay is given.

    Attributes:
        environment: the environment that owns the containers.
        image: HAProxy's image id.
        inner: the name of the container that services reach under the third parties' names.
        outer: the name of the container that reaches the third parties.
        allowed: the third parties.
        networks: names of the Docker networks on which production reaches the outside.
        outside: name of the Docker network that is not internal.
        ready_timeout: seconds that a container has to get ready.
    """

    environment: identity.Environment
    image: pulumi.Input[str]
    inner: str
    outer: str
    allowed: Sequence[External]
    networks: Sequence[pulumi.Input[str]]
    outside: pulumi.Input[str]
    ready_timeout: int


class Egress(pulumi.ComponentResource):
    """Two HAProxy containers, because Docker's DNS knows a container's aliases also in that container.

    The inner one has the third parties' names on the networks of the services; asked there, a name leads back to
    itself. The outer one is on the network to the outside alone, and asks there for the real address.

    Example:
        >>> Egress("shop-egress", EgressArgs(allowed=allowed, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    def __init__(self, name: str, args: EgressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:index:Egress", name, {}, opts)
        hosts = sorted({external.host for external in args.allowed})
        outside = docker.ContainerNetworksAdvancedArgs(name=args.outside)
        inside = [docker.ContainerNetworksAdvancedArgs(name=network, aliases=hosts) for network in args.networks]
        exits = tuple(outer_port(number) for number in range(len(args.allowed)))
        self.outer = self._half(
            f"{name}-outer-container",
            args,
            args.outer,
            [outside],
            config=outer_config(args.allowed),
            listening=exits,
        )
        self.inner = self._half(
            f"{name}-container",
            args,
            args.inner,
            [*inside, outside],
            config=inner_config(args.allowed, args.outer),
            listening=ports(args.allowed),
        )
        self.register_outputs({"containers": [self.inner.name, self.outer.name]})

    def _half(
        self,
        name: str,
        args: EgressArgs,
        container: str,
        networks: list[docker.ContainerNetworksAdvancedArgs],
        *,
        config: str,
        listening: tuple[int, ...],
    ) -> docker.Container:
        logical = "egress" if container == args.inner else "egress-outer"
        labels = container_labels(args.environment, logical, kind="relay", ports=listening)
        return docker.Container(
            name,
            docker.ContainerArgs(
                name=container,
                image=args.image,
                networks_advanced=networks,
                uploads=[docker.ContainerUploadArgs(file=CONFIG, content=config, permissions="0644")],
                sysctls=_SYSCTLS,
                labels=label_args(labels),
                restart="unless-stopped",
                capabilities=no_capabilities(),
                security_opts=SECURITY_OPTS,
                memory=RELAY_MEMORY,
                remove_volumes=True,
                wait=True,
                wait_timeout=args.ready_timeout,
                destroy_grace_seconds=0,
            ),
            pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
