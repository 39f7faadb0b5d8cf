"""A named volume of production in the environment: empty, and gone with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_docker as docker

from understudy.components.labels import object_labels
from understudy.stacks import identity

__all__ = ["Volume", "VolumeArgs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeArgs:
    """What a volume is given.

    Attributes:
        environment: the environment that owns it.
        logical: its name in the topology.
        labels: production's own labels.
        options: of the driver `local`: of a file system in memory, or of a path of the host that was allowed by name.
    """

    environment: identity.Environment
    logical: str
    labels: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)


class Volume(pulumi.ComponentResource):
    """One Docker volume, named and labelled as the environment's. Production's data is not in it.

    Example:
        >>> Volume("shop-data", VolumeArgs(environment=env, logical="data"))  # doctest: +SKIP
    """

    docker_name: pulumi.Output[str]

    def __init__(self, name: str, args: VolumeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:index:Volume", name, {}, opts)
        labels = object_labels(args.environment, args.logical, args.labels)
        self.volume = docker.Volume(
            f"{name}-volume",
            name=identity.name(args.environment.id, args.logical),
            driver_opts=dict(args.options) or None,
            labels=[docker.VolumeLabelArgs(label=key, value=value) for key, value in sorted(labels.items())],
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.docker_name = self.volume.name
        self.register_outputs({"docker_name": self.docker_name})
