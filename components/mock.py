"""A mock: WireMock under a third party's own host name, on every network of the environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from understudy.components.container_args import label_args
from understudy.components.labels import container_labels
from understudy.components.mock_files import ROOT, mock_uploads
from understudy.stacks import clone, identity

__all__ = ["Mock", "MockArgs"]

_HEAP = "-Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
"""JVM options: a heap for mappings and the journal of requests; a collector and a compiler that start fast."""

_MEMORY = 256
"""MiB: the heap, and as much again for the JVM's classes, code and threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MockArgs:
    """What a mock is given.

    Attributes:
        mock: the third party that it stands in for.
        environment: the environment that owns the container.
        image: WireMock's image id.
        container: the container's name.
        networks: names of the Docker networks that services are on.
        tree: absolute folder of the project at the commit.
        ready_timeout: seconds that the container has to get ready.
    """

    mock: clone.Mock
    environment: identity.Environment
    image: pulumi.Input[str]
    container: str
    networks: Sequence[pulumi.Input[str]]
    tree: str
    ready_timeout: int


class Mock(pulumi.ComponentResource):
    """One WireMock container. It keeps a journal of what it was asked, which its `/__admin/requests` gives.

    Example:
        >>> Mock("shop-payments", MockArgs(mock=payments, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    def __init__(self, name: str, args: MockArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:index:Mock", name, {}, opts)
        self.container = docker.Container(
            f"{name}-container",
            _container(args),
            pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.register_outputs({"container": self.container.name})


def _container(args: MockArgs) -> docker.ContainerArgs:
    labels = container_labels(args.environment, args.mock.name, kind="mock", ports=(args.mock.port,))
    return docker.ContainerArgs(
        name=args.container,
        image=args.image,
        command=["--port", str(args.mock.port), "--disable-banner", "--root-dir", ROOT],
        envs=[f"JAVA_OPTS={_HEAP}"],
        networks_advanced=[
            docker.ContainerNetworksAdvancedArgs(name=network, aliases=[args.mock.host]) for network in args.networks
        ],
        network_mode=None if args.networks else "none",
        uploads=mock_uploads(args.mock, args.tree),
        healthcheck=docker.ContainerHealthcheckArgs(tests=["NONE"]),  # the image's asks port 8080, whatever is served
        labels=label_args(labels),
        restart="unless-stopped",
        memory=_MEMORY,
        remove_volumes=True,
        wait=True,
        wait_timeout=args.ready_timeout,
        destroy_grace_seconds=0,
    )
