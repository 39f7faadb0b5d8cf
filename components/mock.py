"""A mock: WireMock under a third party's own host name, on every network of the environment."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_docker as docker

from understudy.components.confinement import SECURITY_OPTS, no_capabilities
from understudy.components.container_args import label_args
from understudy.components.labels import container_labels
from understudy.components.mock_files import ROOT, mock_uploads
from understudy.errors import UsageError
from understudy.stacks import clone, identity

__all__ = ["Mock", "MockArgs"]

_HEAP = "-Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
"""JVM options: a heap for mappings and the journal of requests; a collector and a compiler that start fast."""

_MEMORY = 256
"""MiB: the heap, and as much again for the JVM's classes, code and threads."""


_KEYSTORE = "/var/wiremock/understudy.p12"
"""Outside of the root folder, from which files are served. Its password is WireMock's default; its rights guard it."""


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
        keystore: the certificate and private key (PKCS#12) of a mock that speaks HTTPS.
    """

    mock: clone.Mock
    environment: identity.Environment
    image: pulumi.Input[str]
    container: str
    networks: Sequence[pulumi.Input[str]]
    tree: str
    ready_timeout: int
    keystore: bytes | None = field(default=None, repr=False)


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
        command=[*_listen(args), "--disable-banner", "--root-dir", ROOT],
        envs=[f"JAVA_OPTS={_HEAP}"],
        networks_advanced=[
            docker.ContainerNetworksAdvancedArgs(name=network, aliases=[args.mock.host]) for network in args.networks
        ],
        network_mode=None if args.networks else "none",
        uploads=[*mock_uploads(args.mock, args.tree), *_keystore(args)],
        healthcheck=docker.ContainerHealthcheckArgs(tests=["NONE"]),  # the image's asks port 8080, whatever is served
        labels=label_args(labels),
        restart="unless-stopped",
        capabilities=no_capabilities("NET_BIND_SERVICE"),
        security_opts=SECURITY_OPTS,
        memory=_MEMORY,
        remove_volumes=True,
        wait=True,
        wait_timeout=args.ready_timeout,
        destroy_grace_seconds=0,
    )


def _listen(args: MockArgs) -> list[str]:
    port = str(args.mock.port)
    if args.mock.scheme == "http":
        return ["--port", port]
    return ["--https-port", port, "--disable-http", "--https-keystore", _KEYSTORE, "--keystore-type", "PKCS12"]


def _keystore(args: MockArgs) -> list[docker.ContainerUploadArgs]:
    """The private key: a secret of the stack, and a file of root alone.

    Raises:
        UsageError: the mock speaks HTTPS, and has none.
    """
    if args.mock.scheme == "http":
        return []
    if args.keystore is None:
        raise UsageError(
            f"The mock {args.mock.name!r} speaks HTTPS, and there is no certificate for it.",
            hint="Give the environment the certificates of an authority.",
        )
    content = pulumi.Output.secret(base64.b64encode(args.keystore).decode())
    return [docker.ContainerUploadArgs(file=_KEYSTORE, content_base64=content, permissions="0600")]
