"""A cache: a service that answers from memory."""

from __future__ import annotations

from understudy.components.service import SERVICES, Service

__all__ = ["Cache"]


@SERVICES.register("cache")
class Cache(Service):
    """The containers of one cache; they wait and end as those of any service.

    Example:
        >>> Cache("shop-cache", ServiceArgs(service=cache, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    pulumi_type = "understudy:index:Cache"
