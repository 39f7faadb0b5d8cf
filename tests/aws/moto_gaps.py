"""What moto lacks, filled in for the process that serves it; each gap is named, so that it can go when moto has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from moto.core.responses import ActionResult
from moto.elasticache.exceptions import CacheSubnetGroupNotFound
from moto.elasticache.responses import ElastiCacheResponse
from moto.rds.models import RDSBackend

__all__ = ["filled"]


def _delete_cache_subnet_group(self: ElastiCacheResponse) -> ActionResult:
    """moto 5.2.5 makes cache subnet groups and cannot delete them; AWS refuses one that a cluster is in."""
    name = self._get_param("CacheSubnetGroupName")
    groups = self.elasticache_backend.cache_subnet_groups
    if name not in groups:
        raise CacheSubnetGroupNotFound(name)
    del groups[name]
    return ActionResult({})


def _modify_db_subnet_group(self: RDSBackend, subnet_name: str, description: str, subnets: list[Any]) -> Any:
    """moto 5.2.5 takes the group out to change it, and does not put it back."""
    group = _CHANGE_GROUP(self, subnet_name, description, subnets)
    self.subnet_groups[subnet_name] = group
    return group


_CHANGE_GROUP = RDSBackend.modify_db_subnet_group


@contextmanager
def filled() -> Iterator[None]:
    """Fill the gaps for as long as the context lasts."""
    with pytest.MonkeyPatch.context() as patch:
        assert not hasattr(ElastiCacheResponse, "delete_cache_subnet_group"), "moto has it: take this out"
        patch.setattr(ElastiCacheResponse, "delete_cache_subnet_group", _delete_cache_subnet_group, raising=False)
        patch.setattr(RDSBackend, "modify_db_subnet_group", _modify_db_subnet_group)
        yield
