"""A production that the engine made, read in two ways: what its account says is what its stack's export says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from understudy.engine.interface import Engine, StackRef
from understudy.production_aws import read_account
from understudy.stacks.sources import aws_account, pulumi_state
from understudy.stacks.topology import Dependency, NetworkLink, Topology

from .conftest import Moto
from .production import LABEL, production

pytestmark = [pytest.mark.pulumi, pytest.mark.xdist_group("aws")]

REF = StackRef("shop", "production")


def in_order(topology: Topology) -> Topology:
    """Without what is on the record, and what each service needs sorted: neither source says an order."""
    services = {
        name: replace(each, depends_on=tuple(sorted(each.depends_on, key=lambda other: other.service)))
        for name, each in topology.services.items()
    }
    return replace(topology, services=services, warnings=(), changes=())


def test_what_the_account_says_is_what_the_stack_s_own_export_says_but_for_what_is_listed(
    moto: Moto, aws_engine_on_disk: Engine
) -> None:
    aws_engine_on_disk.up(REF, lambda: production(moto.region, moto.account))
    moto.client("sqs").create_queue(QueueName="payments", tags={"app": "payments"})
    of_aws = in_order(aws_account.read(read_account(LABEL)).topology)
    of_pulumi = in_order(pulumi_state.read(json.dumps(aws_engine_on_disk.export_state(REF)), "export.json"))

    assert {name: each.kind for name, each in of_pulumi.services.items()} == {
        "shop-cache": "cache",
        "shop-db": "database",
        "shop-dead": "queue",
        "shop-invoices": "bucket",
        "shop-orders": "queue",
        "web": "service",
        "web-migrate": "job",
        "worker": "service",
    }
    web = of_pulumi.services["web"]
    assert set(web.environment) == {"DATABASE_HOST", "QUEUE_URL", "BUCKET", "WORKER_URL", "API_TOKEN", "KEY", "LEVEL"}
    used = ["shop-db", "shop-dead", "shop-invoices", "shop-orders"]
    assert [each.service for each in web.depends_on] == [*used, "web-migrate"]
    assert [each.service for each in of_pulumi.services["web-migrate"].depends_on] == used

    host = "shop-cache.0001.eu-west-1.cache.amazonaws.com"
    assert of_pulumi.services["worker"].environment == {"CACHE_HOST": host}
    unnamed = (NetworkLink("main"),)
    listed: dict[tuple[str, str], tuple[object, object]] = {
        # moto does not say what names a service has in Service Connect
        ("web", "networks"): ((NetworkLink("main", ("web",)),), unnamed),
        ("worker", "networks"): ((NetworkLink("main", ("worker",)),), unnamed),
        # moto does not say where the nodes of a cache are, nor which security groups it has
        ("shop-cache", "networks"): ((NetworkLink("main", (host,)),), unnamed),
        ("worker", "depends_on"): ((Dependency("shop-cache"),), ()),
    }
    services: dict[str, Any] = dict(of_pulumi.services)
    for (name, key), (pulumi, aws) in listed.items():
        assert getattr(services[name], key) == pulumi
        services[name] = replace(services[name], **{key: aws})
    assert of_aws == replace(of_pulumi, services=services)
