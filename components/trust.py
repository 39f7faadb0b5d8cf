"""Trust: a volume with the certificates of the environment's authority, which every container of a service mounts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from understudy.components.confinement import SECURITY_OPTS, no_capabilities
from understudy.components.container_args import label_args
from understudy.components.labels import container_labels
from understudy.components.volume import Volume, VolumeArgs
from understudy.stacks import identity
from understudy.stacks.trust import FOLDER

__all__ = ["Trust", "TrustArgs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustArgs:
    """What it is given.

    Attributes:
        environment: the environment that owns volume and container.
        files: name -> content.
        image: the id of any image that has `true`.
        container: the container's name.
        ready_timeout: seconds that the container has to end.
    """

    environment: identity.Environment
    files: Mapping[str, bytes]
    image: pulumi.Input[str]
    container: str
    ready_timeout: int


class Trust(pulumi.ComponentResource):
    """The volume, and a container that fills it before it is started, and ends at once.

    A file cannot be uploaded to a container whose root is read-only, and public authorities take half a megabyte,
    which would stand in the stack's state once for each service. The volume's name follows from its content: what
    a process trusts it reads when it starts, so another content is another volume, and replaces the services.

    Example:
        >>> Trust("shop-trust", TrustArgs(files=files, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    docker_name: pulumi.Output[str]

    def __init__(self, name: str, args: TrustArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:index:Trust", name, {}, opts)
        digest = hashlib.sha256(b"".join(key.encode() + b"\0" + args.files[key] for key in sorted(args.files)))
        volume = Volume(
            f"{name}-{digest.hexdigest()[:8]}",
            VolumeArgs(environment=args.environment, logical=f"understudy-trust-{digest.hexdigest()[:8]}"),
            pulumi.ResourceOptions(parent=self),
        )
        self.docker_name = volume.docker_name
        self.container = docker.Container(
            f"{name}-container",
            _container(args, volume.docker_name),
            pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.register_outputs({"docker_name": self.docker_name})


def _container(args: TrustArgs, volume: pulumi.Input[str]) -> docker.ContainerArgs:
    return docker.ContainerArgs(
        name=args.container,
        image=args.image,
        entrypoints=["true"],
        network_mode="none",
        volumes=[docker.ContainerVolumeArgs(container_path=FOLDER, volume_name=volume)],
        uploads=[_upload(name, content) for name, content in sorted(args.files.items())],
        labels=label_args(container_labels(args.environment, "trust", kind="job")),
        restart="no",
        capabilities=no_capabilities(),
        security_opts=SECURITY_OPTS,
        remove_volumes=True,
        must_run=False,
        attach=True,
        wait_timeout=args.ready_timeout,
        destroy_grace_seconds=0,
    )


def _upload(name: str, content: bytes) -> docker.ContainerUploadArgs:
    encoded = base64.b64encode(content).decode()
    return docker.ContainerUploadArgs(file=f"{FOLDER}/{name}", content_base64=encoded, permissions="0644")
