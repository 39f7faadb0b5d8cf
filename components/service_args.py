"""What the component of a service of any kind is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from understudy.stacks import identity
from understudy.stacks.secret_rules import Seed
from understudy.stacks.topology import Service

__all__ = ["ServiceArgs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceArgs:
    """What the component of a service of any kind is given.

    Attributes:
        service: the service as the clone has it.
        environment: the environment that owns the containers.
        image: the image's id.
        containers: the names of the containers, one for each replica.
        networks: topology network -> name of the Docker network.
        volumes: topology volume -> name of the Docker volume.
        tree: absolute folder of the project at the commit.
        binds: source -> the path where its content lies; a source that is not named is taken from the tree.
        seed: the environment's seed of secrets.
        ready_timeout: seconds that a container has to get ready.
        after: names of containers that have to be started before.
        wait_for: resources that have to be there, and ready or completed, before.
        trust: name of the Docker volume with the certificates of the environment's authority.
        others: service that this one shares a namespace or mounts with -> the names of its containers.
    """

    service: Service
    environment: identity.Environment
    image: pulumi.Input[str]
    containers: Sequence[str]
    networks: Mapping[str, pulumi.Input[str]]
    volumes: Mapping[str, pulumi.Input[str]]
    tree: str
    seed: Seed
    ready_timeout: int
    after: Sequence[str] = ()
    binds: Mapping[str, str] = field(default_factory=dict)
    wait_for: Sequence[pulumi.Resource] = ()
    trust: pulumi.Input[str] | None = None
    others: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def shared(self, service: str, replica: int) -> str:
        """The container of another service that a replica (from 1) shares with: that of its number, or the first.

        Compose shares with the first container only; a number of their own lets replicas differ in what they share.
        """
        containers = self.others[service]
        return containers[replica - 1] if replica <= len(containers) else containers[0]
