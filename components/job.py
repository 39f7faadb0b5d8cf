"""A job: a service that runs once; it is there when it has ended well."""

from __future__ import annotations

import pulumi_docker as docker

from understudy.components.service import SERVICES, Service
from understudy.components.service_args import ServiceArgs

__all__ = ["Job"]

_WAIT = 5
"""A job that loads data or migrates a schema gets this many times the time that a service has to get ready."""


@SERVICES.register("job")
class Job(Service):
    """The containers of one job. Creation ends when they exited; an exit code other than 0 fails it.

    Example:
        >>> Job("shop-migrate", ServiceArgs(service=migrate, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    pulumi_type = "understudy:index:Job"

    def finish(self, args: ServiceArgs, container: docker.ContainerArgs) -> None:
        """Attach until the exit."""
        container.must_run = False
        container.attach = True
        container.logs = True
        container.wait_timeout = _WAIT * args.ready_timeout
        container.destroy_grace_seconds = 0
