"""A database: a service that may take longer to get ready, and is stopped before it is removed."""

from __future__ import annotations

import math

import pulumi_docker as docker

from understudy.components.service import SERVICES, Service
from understudy.components.service_args import ServiceArgs

__all__ = ["Database"]

_WAIT = 2
"""A database that initialises its files or recovers gets this many times the time of a service."""

_GRACE = 2
"""Seconds to stop in, by the stop signal that production or the image declares. A named volume outlives the
container when `pulumi up` replaces it, and recovery of an unclean one costs the next start more than this."""


@SERVICES.register("database")
class Database(Service):
    """The containers of one database.

    Example:
        >>> Database("shop-db", ServiceArgs(service=db, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    pulumi_type = "understudy:index:Database"

    def finish(self, args: ServiceArgs, container: docker.ContainerArgs) -> None:
        """As a service, with twice the time; stopped within 2 s (never more than production's) if it has a volume."""
        super().finish(args, container)
        container.wait_timeout = _WAIT * args.ready_timeout
        if any(mount.kind == "volume" and mount.source is not None for mount in args.service.mounts):
            declared = args.service.stop_grace_period
            container.destroy_grace_seconds = _GRACE if declared is None else min(_GRACE, math.floor(declared))
