"""A bucket: a service that keeps objects, as S3 does."""

from __future__ import annotations

from understudy.components.service import SERVICES, Service

__all__ = ["Bucket"]


@SERVICES.register("bucket")
class Bucket(Service):
    """The containers of one bucket; they wait and end as those of any service.

    Example:
        >>> Bucket("shop-files", ServiceArgs(service=files, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    pulumi_type = "understudy:index:Bucket"
