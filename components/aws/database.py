"""A database: a container of production's engine, on the disk of its task."""

from __future__ import annotations

from understudy.components.aws.service import SERVICES, Service

__all__ = ["Database"]


@SERVICES.register("database")
class Database(Service):
    """The ECS service of one database; what it keeps is gone with its task.

    Example:
        >>> Database("shop-db", ServiceArgs(plan=db, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    pulumi_type = "understudy:aws:Database"
