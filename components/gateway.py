"""A gateway: a service that stands before others, started after the backends that it declares as dependencies."""

from __future__ import annotations

from understudy.components.service import SERVICES, Service

__all__ = ["Gateway"]


@SERVICES.register("gateway")
class Gateway(Service):
    """The containers of one gateway; they wait and end as those of any service.

    Example:
        >>> Gateway("shop-web", ServiceArgs(service=web, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    pulumi_type = "understudy:index:Gateway"
