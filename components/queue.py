"""A queue: a service that hands work from one to another."""

from __future__ import annotations

from understudy.components.service import SERVICES, Service

__all__ = ["Queue"]


@SERVICES.register("queue")
class Queue(Service):
    """The containers of one queue; they wait and end as those of any service.

    Example:
        >>> Queue("shop-queue", ServiceArgs(service=queue, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    pulumi_type = "understudy:index:Queue"
