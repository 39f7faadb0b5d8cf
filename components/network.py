"""A network of production in the environment: closed, unless the profile opens it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_docker as docker

from understudy.components.labels import object_labels
from understudy.components.plan import capacity
from understudy.stacks import identity
from understudy.stacks.identity import LABEL

__all__ = ["Network", "NetworkArgs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkArgs:
    """What a network is given.

    Attributes:
        environment: the environment that owns it.
        logical: its name in the topology.
        internal: no way out.
        hosts: how many containers will join it; the provider sizes the subnet by its `capacity`.
        labels: production's own labels.
    """

    environment: identity.Environment
    logical: str
    internal: bool
    hosts: int
    labels: Mapping[str, str] = field(default_factory=dict)


class Network(pulumi.ComponentResource):
    """One Docker network, named and labelled as the environment's.

    Example:
        >>> Network("web", NetworkArgs(environment=env, logical="front", internal=True, hosts=3))  # doctest: +SKIP
    """

    docker_name: pulumi.Output[str]

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:index:Network", name, {}, opts)
        labels = {
            **object_labels(args.environment, args.logical, args.labels),
            LABEL + "hosts": str(capacity(args.hosts)),
        }
        self.network = docker.Network(
            f"{name}-network",
            name=identity.name(args.environment.id, args.logical),
            internal=args.internal,
            labels=[docker.NetworkLabelArgs(label=key, value=value) for key, value in sorted(labels.items())],
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.docker_name = self.network.name
        self.register_outputs({"docker_name": self.docker_name})
