"""The image that stands in for a managed service."""

from __future__ import annotations

import pytest

from understudy.stacks.managed import MOTO, image_of
from understudy.stacks.topology import Managed


@pytest.mark.parametrize(
    ("managed", "image"),
    [
        (Managed("rds", "db", "postgres", "15.4"), "postgres:15.4"),
        (Managed("rds", "db", "aurora-postgresql", "15"), "postgres:15"),
        (Managed("rds", "db", "aurora-mysql", "8.0.mysql_aurora.3.05.2"), "mysql:8.0"),
        (Managed("rds", "db", "mariadb", None), "mariadb:latest"),
        (Managed("rds", "db", "oracle-se2", "19"), None),
        (Managed("elasticache", "cache", "redis", "7.1"), "redis:7.0"),
        (Managed("elasticache", "cache", "redis", "7.x"), "redis:7"),
        (Managed("elasticache", "cache", "redis", "6.2"), "redis:6.2"),
        (Managed("elasticache", "cache", "redis", "5.0.6"), "redis:5.0.6"),
        (Managed("elasticache", "cache", "valkey", "8.0"), "valkey/valkey:8.0"),
        (Managed("sqs", "jobs.fifo"), MOTO),
        (Managed("s3", "invoices"), MOTO),
    ],
)
def test_the_image_has_the_engine_and_the_version_of_the_service(managed: Managed, image: str | None) -> None:
    assert image_of(managed) == image
