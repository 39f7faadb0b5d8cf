"""An account on moto, a session that writes down what it asks of it, and a clock that sleeping alone moves on."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.moto_api import state_manager

from understudy.stacks.identity import Environment, Whose, ownership_labels
from understudy.targets.aws.listers import kind_named
from understudy.targets.aws.session import AwsAccess, AwsSession
from understudy.targets.aws.sweep import Pace
from understudy.targets.aws.target import AwsTarget
from understudy.targets.interface import Swept

REGION = "eu-west-1"
ACCOUNT = "123456789012"
HERE = f"aws:{ACCOUNT}:{REGION}"
OURS, OTHER = "eaaaaaaaaaa", "ebbbbbbbbbb"
BACKEND = "b0123456789"
WHOSE = Whose(OURS, BACKEND)
AT = datetime(2026, 11, 26, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 27, 12, tzinfo=UTC)

CHANGES = re.compile(r"(Abort|Delete|Deregister|Detach|Modify|Put|Remove|Revoke|Stop|Update)")

Tags = dict[str, str]


def tags_of(environment: str = OURS, target: str = HERE, backend: str = BACKEND) -> Tags:
    return ownership_labels(Environment(environment, target, "shop", LATER, backend))


@dataclass
class Time:
    """A clock that sleeping alone moves on."""

    at: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    def pace(self, **given: Any) -> Pace:
        return Pace(**{"patience": 60.0, "clock": lambda: self.at, "sleep": self.sleep, **given})


Fail = Callable[[str, dict[str, Any]], str | None]


class Session(AwsSession):
    """One that writes down what it asks, and answers with a code of AWS's where `fail` gives one."""

    def __init__(self, access: AwsAccess | None = None) -> None:
        super().__init__(access or AwsAccess(REGION, (ACCOUNT,)), attempts=1)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.fail: Fail = lambda _call, _asked: None
        self.said = "as told"

    def _client(self, service: str) -> Any:
        made = super()._client(service)

        def hear(params: dict[str, Any], model: Any, **_: object) -> None:
            call = f"{service}:{model.name}"
            self.calls.append((call, dict(params)))
            if code := self.fail(call, params):
                raise ClientError({"Error": {"Code": code, "Message": self.said}}, model.name)

        made.meta.events.register("before-parameter-build", hear)
        return made

    def changes(self) -> list[str]:
        """What was asked of AWS that changes something, in order."""
        return [call for call, _ in self.calls if CHANGES.match(call.partition(":")[2])]


def session(**given: Any) -> Session:
    return Session(AwsAccess(REGION, **{"accounts": (ACCOUNT,), **given}))


def target(time: Time | None = None, aws: AwsSession | None = None, **given: Any) -> AwsTarget:
    return AwsTarget(aws or session(), now=lambda: AT, pace=(time or Time()).pace(**given))


def make_queue(name: str, tags: Tags) -> None:
    session().client("sqs").create_queue(QueueName=name, tags=tags)


def queues() -> set[str]:
    return {url.rpartition("/")[2] for url in session().client("sqs").list_queues().get("QueueUrls", [])}


def reasons(swept: Swept) -> dict[str, str]:
    return {item.id: reason for item, reason in swept.failed}


@contextmanager
def moto() -> Iterator[None]:
    """AWS in this process, where tasks go on until they are stopped, and what ElastiCache deletes goes.

    By itself moto stops a task when it is looked at some times, and calls a cache `deleting` for ever.
    """
    from moto.elasticache.models import ElastiCacheBackend

    def without(self: ElastiCacheBackend, cache_cluster_id: str) -> Any:
        return self.cache_clusters.pop(cache_cluster_id)

    def without_group(self: ElastiCacheBackend, replication_group_id: str, **_: object) -> Any:
        return self.replication_groups.pop(replication_group_id)

    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        state_manager.set_transition("ecs::task", {"progression": "manual", "times": 1_000_000})
        patch.setattr(ElastiCacheBackend, "delete_cache_cluster", without)
        patch.setattr(ElastiCacheBackend, "delete_replication_group", without_group)
        yield
        state_manager.unset_transition("ecs::task")


def pairs(tags: Mapping[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in tags.items()]


class Account:
    """Makes objects on moto; `make(prefix, tags)` makes one of every kind and returns kind -> id."""

    def __init__(self) -> None:
        self.client = session().client

    @cached_property
    def vpc(self) -> str:
        ec2 = self.client("ec2")
        made = str(ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])
        ec2.modify_vpc_attribute(VpcId=made, EnableDnsHostnames={"Value": True})
        return made

    @cached_property
    def subnets(self) -> list[str]:
        ec2 = self.client("ec2")
        zones = ((f"{REGION}a", "10.0.1.0/24"), (f"{REGION}b", "10.0.2.0/24"))
        made = [ec2.create_subnet(VpcId=self.vpc, CidrBlock=cidr, AvailabilityZone=zone) for zone, cidr in zones]
        return [row["Subnet"]["SubnetId"] for row in made]

    @cached_property
    def shared_group(self) -> str:
        made = self.client("ec2").create_security_group(GroupName="platform-db", Description="-", VpcId=self.vpc)
        return str(made["GroupId"])

    @cached_property
    def cluster(self) -> str:
        return str(self.client("ecs").create_cluster(clusterName="platform")["cluster"]["clusterArn"])

    @cached_property
    def listener(self) -> str:
        elb = self.client("elbv2")
        balancer = elb.create_load_balancer(Name="platform", Subnets=self.subnets)["LoadBalancers"][0]
        refuse = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
        made = elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[refuse]
        )
        return str(made["Listeners"][0]["ListenerArn"])

    def make(self, prefix: str, tags: Tags, priority: int = 1, kinds: Collection[str] = ()) -> dict[str, str]:
        """One object of each of these kinds, or of all."""
        from aws.makers import MAKERS

        made: dict[str, str] = {}
        for kind, one in MAKERS.items():
            if not kinds or kind in kinds:
                made[kind] = one(self, prefix, tags, made, priority)
        return made

    def there(self, made: Mapping[str, str]) -> dict[str, str]:
        """Those of these objects that still are."""
        aws = session()
        return {kind: ident for kind, ident in made.items() if list(kind_named(kind).look(aws, [ident]))}
