"""What moto lacks, filled in for the process that serves it; each gap is named, so that it can go when moto has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
from moto.core.responses import ActionResult
from moto.elasticache.exceptions import CacheSubnetGroupNotFound
from moto.elasticache.responses import ElastiCacheResponse
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.rds.models import RDSBackend
from moto.sqs.models import Queue

__all__ = ["filled"]

ATTACHED = ("AmazonSQSFullAccess", "AmazonECSTaskExecutionRolePolicy")
"""The policies of AWS's own that programs and components attach. All of them, 4.7 MB, moto reads at each reset and
again after it, for each of AWS's partitions: 2 s of processor time."""


def _delete_cache_subnet_group(self: ElastiCacheResponse) -> ActionResult:
    """moto 5.2.5 makes cache subnet groups and cannot delete them; AWS refuses one that a cluster is in."""
    name = self._get_param("CacheSubnetGroupName")
    groups = self.elasticache_backend.cache_subnet_groups
    if name not in groups:
        raise CacheSubnetGroupNotFound(name)
    del groups[name]
    return ActionResult({})


def _no_serverless_caches(_: ElastiCacheResponse) -> ActionResult:
    """moto 5.2.5 knows no caches of that kind."""
    return ActionResult({"ServerlessCaches": []})


def _modify_db_subnet_group(self: RDSBackend, subnet_name: str, description: str, subnets: list[Any]) -> Any:
    """moto 5.2.5 takes the group out to change it, and does not put it back."""
    group = _CHANGE_GROUP(self, subnet_name, description, subnets)
    self.subnet_groups[subnet_name] = group
    return group


_CHANGE_GROUP = RDSBackend.modify_db_subnet_group


def _set_queue_attributes(self: Queue, attributes: dict[str, Any], now: float | None = None) -> None:
    """moto 5.2.5 forgets a queue's policy as any other attribute is set, which AWS does not."""
    kept = {} if "Policy" in attributes else {"Policy": self.policy}
    _SET_ATTRIBUTES(self, {**kept, **attributes}, now)


_SET_ATTRIBUTES = Queue._set_attributes


@cache
def _few() -> str:
    known = json.loads(aws_managed_policies_data)
    return json.dumps({name: known[name] for name in ATTACHED})


@contextmanager
def filled() -> Iterator[None]:
    """Fill the gaps for as long as the context lasts."""
    with pytest.MonkeyPatch.context() as patch:
        assert not hasattr(ElastiCacheResponse, "delete_cache_subnet_group"), "moto has it: take this out"
        patch.setattr(ElastiCacheResponse, "delete_cache_subnet_group", _delete_cache_subnet_group, raising=False)
        assert not hasattr(ElastiCacheResponse, "describe_serverless_caches"), "moto has it: take this out"
        patch.setattr(ElastiCacheResponse, "describe_serverless_caches", _no_serverless_caches, raising=False)
        patch.setattr(RDSBackend, "modify_db_subnet_group", _modify_db_subnet_group)
        patch.setattr(Queue, "_set_attributes", _set_queue_attributes)
        patch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
        patch.setattr("moto.iam.models.aws_managed_policies_data", _few())
        yield
