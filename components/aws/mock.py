"""A mock: WireMock under the host name of a third party."""

from __future__ import annotations

from understudy.components.aws.service import SERVICES, Service

__all__ = ["Mock"]


@SERVICES.register("mock")
class Mock(Service):
    """The ECS service of one mock.

    Example:
        >>> Mock("shop-pay", ServiceArgs(plan=pay, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    pulumi_type = "understudy:aws:Mock"
