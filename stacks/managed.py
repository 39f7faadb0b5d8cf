"""The image of the same engine and version that stands in for a service which a cloud runs in production."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .topology import Managed

__all__ = ["MOTO", "image_of"]

MOTO = "motoserver/moto:5.1.22"
"""The server of moto, which answers as SQS and S3 do (docs.getmoto.org, Server mode)."""

_IMAGES: Mapping[str, str] = {
    "postgres": "postgres",
    "aurora-postgresql": "postgres",
    "mysql": "mysql",
    "aurora": "mysql",
    "aurora-mysql": "mysql",
    "mariadb": "mariadb",
    "redis": "redis",
    "valkey": "valkey/valkey",
    "memcached": "memcached",
}
_OWN_VERSIONS: Mapping[tuple[str, str], str] = {("redis", "7.1"): "7.0"}
"""Versions that only the cloud has: ElastiCache 7.1 is compatible with Redis 7.0 (ElastiCache, Supported versions)."""

_NUMBERS = re.compile(r"\d+(?:\.\d+)*")


def image_of(managed: Managed) -> str | None:
    """The image's reference; None where no public image has that engine (Oracle, SQL Server, Db2).

    The tag is the version's numbers as they are, without what a cloud adds: `8.0.mysql_aurora.3.05.2` is 8.0, and
    `7.x` is 7. Without a version it is `latest`.
    """
    if managed.service in {"sqs", "s3"}:
        return MOTO
    engine = managed.engine or ""
    name = _IMAGES.get(engine)
    if name is None:
        return None
    found = _NUMBERS.match(managed.version or "")
    tag = found[0] if found else "latest"
    return f"{name}:{_OWN_VERSIONS.get((engine, tag), tag)}"
