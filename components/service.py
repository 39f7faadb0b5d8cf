"""A service: one container for each replica, equal but for the name; the ground for the other kinds."""

from __future__ import annotations

from typing import ClassVar

import pulumi
import pulumi_docker as docker

from understudy.components.container_args import container_args
from understudy.components.kinds import of_any_kind
from understudy.components.registry import Registry
from understudy.components.service_args import ServiceArgs

__all__ = ["SERVICES", "Service"]

SERVICES: Registry[type[Service]] = Registry("kind of service")
"""Every kind of service (topology.Kind) and the component class that builds it."""


@SERVICES.register("service")
class Service(pulumi.ComponentResource):
    """The containers of one service. Creation ends when all of them are ready.

    Example:
        >>> Service("shop-web", ServiceArgs(service=web, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    pulumi_type: ClassVar[str] = "understudy:index:Service"

    def __init__(self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        kinds = of_any_kind(self.pulumi_type, (SERVICES.get(kind).pulumi_type for kind in SERVICES.names()))
        super().__init__(self.pulumi_type, name, {}, pulumi.ResourceOptions.merge(opts, kinds))
        self.containers = tuple(self._container(name, args, number) for number in range(1, len(args.containers) + 1))
        self.register_outputs({"containers": [container.name for container in self.containers]})

    def _container(self, name: str, args: ServiceArgs, number: int) -> docker.Container:
        declared = container_args(args, args.containers[number - 1], number)
        self.finish(args, declared)
        return docker.Container(
            f"{name}-container" if number == 1 else f"{name}-container-{number}",
            declared,
            pulumi.ResourceOptions(
                parent=self,
                depends_on=list(args.wait_for),
                delete_before_replace=True,
                additional_secret_outputs=["container_logs"],  # a job may print what it was given
            ),
        )

    def finish(self, args: ServiceArgs, container: docker.ContainerArgs) -> None:
        """Declare when a container of this kind counts as created, and how it ends.

        It is created when it is ready. It ends at once (SIGKILL): what it leaves is destroyed with it.
        """
        container.wait = True
        container.wait_timeout = args.ready_timeout
        container.destroy_grace_seconds = 0
