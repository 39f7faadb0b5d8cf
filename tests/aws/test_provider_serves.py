"""What the components declare is served: every type and property, but for what moto has no answer to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from aws.plans import declare, everything_plan, shop_plan, state
from recording import Recording, record

from understudy.components.aws.platform import Platform, PlatformArgs
from understudy.provider.shape import shape

from .provider.package import RESOURCES

LACKING = {  # moto has users of ElastiCache, and no groups of them
    "aws:elasticache/userGroup:UserGroup",
    "aws:elasticache/userGroupAssociation:UserGroupAssociation",
}
SERVED = {resource.token: resource for resource in RESOURCES}


def platform() -> Recording:
    args = PlatformArgs(
        account="123456789012",
        region="eu-west-1",
        zones=("eu-west-1a", "eu-west-1b"),
        private=True,
        certificate_arn="arn:certificate",
        permissions_boundary="arn:boundary",
        shared_database=True,
        database_password="of-a-test",
        shared_cache=True,
    )
    return record(lambda: dict(Platform("understudy", args).outputs), added)


def added(kind: str, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    more = {"dnsName": "alb.example", "address": "db.example", "primaryEndpointAddress": "cache.example"}
    return {**state(kind, name, inputs), **more}


def plain(value: Any) -> Any:
    """As the provider gets it: whole numbers, and nothing that is null."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@pytest.mark.parametrize("which", ["shop", "everything", "shared", "platform"])
def test_every_type_and_property_is_served(which: str) -> None:
    recordings = {
        "shop": lambda: declare(shop_plan()),
        "everything": lambda: declare(everything_plan()),
        "shared": lambda: declare(everything_plan("db", "cache")),
        "platform": platform,
    }
    found = [each for each in recordings[which]().resources if each.type.startswith("aws:")]
    assert found
    assert {each.type for each in found} - LACKING <= SERVED.keys()
    failures = {
        (each.name, failure)
        for each in found
        if each.type in SERVED
        for failure in shape(SERVED[each.type].table.inputs, plain(each.inputs))
    }
    assert not failures
