"""Of any stack: the sum is that of its lines, nothing that was declared is left out, and what nobody knows is named."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from price_tables import price_table

from understudy.stacks.cost.charges import Declared
from understudy.stacks.cost.estimate import Estimate, estimate
from understudy.stacks.cost.table import HOURS, MONTHLY, no_prices

TABLE = price_table(
    {
        "fargate/vcpu/x86_64": (0.04048, "vCPU-hour"),
        "fargate/memory/x86_64": (0.004445, "GB-hour"),
        "ipv4": (0.005, "address-hour"),
        "nat": (0.045, "hour"),
        "rds/postgres/db.t4g.micro/single": (0.016, "hour"),
        "rds/storage/gp3/single": (0.115, "GB-month"),
        "elasticache/redis/cache.t4g.micro": (0.016, "hour"),
        "secret": (0.4, "secret-month"),
    }
)


UNKNOWN = ("msk.Cluster", "opensearch.Domain", "eks.NodeGroup", "kinesis.Stream")
PLAIN = ("sqs.Queue", "s3.Bucket", "cloudwatch.LogGroup", "iam.Role", "ec2.SecurityGroup", "secretsmanager.Secret")


def resource(kind: str, **inputs: Any) -> Declared:
    module, _, name = kind.rpartition(".")
    return Declared(f"aws:{module}/{name[0].lower()}{name[1:]}:{name}", "it", inputs)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A value, one that is not known before the stack is made, or none at all."""
    return st.one_of(values, st.just("04da6b54-80e4-46f7-96ec-b56ff0331ba9"), st.none())


COUNTS = maybe(st.integers(0, 500))
CLASSES = maybe(st.sampled_from(["db.t4g.micro", "db.r9.huge"]))
ENGINES = maybe(st.sampled_from(["postgres", "aurora-postgresql"]))
STRATEGY = st.fixed_dictionaries(
    {"capacityProvider": st.sampled_from(["FARGATE", "FARGATE_SPOT", "mine"])},
    optional={"weight": st.integers(0, 3), "base": st.integers(0, 3)},
)
FAMILY = st.sampled_from(["web", "work"])


def of_kind(kind: str, **inputs: st.SearchStrategy[Any]) -> st.SearchStrategy[Declared]:
    return st.fixed_dictionaries(inputs).map(lambda made: resource(kind, **made))


RESOURCES = st.one_of(
    of_kind(
        "ecs.Service",
        desiredCount=COUNTS,
        taskDefinition=FAMILY,
        capacityProviderStrategies=st.lists(STRATEGY, max_size=2),
        networkConfiguration=st.fixed_dictionaries({"assignPublicIp": maybe(st.booleans())}),
    ),
    of_kind("ecs.TaskDefinition", family=FAMILY, cpu=maybe(st.just("256")), memory=maybe(st.just("512"))),
    of_kind(
        "rds.Instance",
        engine=ENGINES,
        instanceClass=CLASSES,
        allocatedStorage=COUNTS,
        storageType=maybe(st.sampled_from(["gp2", "gp3"])),
        multiAz=maybe(st.booleans()),
    ),
    of_kind("rds.ClusterInstance", engine=ENGINES, instanceClass=CLASSES),
    of_kind("elasticache.Cluster", engine=st.just("redis"), nodeType=st.just("cache.t4g.micro"), numCacheNodes=COUNTS),
    of_kind("lb.LoadBalancer", internal=maybe(st.booleans()), subnets=maybe(st.just(["a", "b"]))),
    *(of_kind(kind) for kind in (*UNKNOWN, *PLAIN, "ec2.NatGateway", "rds.Cluster")),
)


def apart(stack: list[Declared]) -> list[Declared]:
    """Each by its own name, and no two task definitions of one family: AWS has none."""
    families = [each.inputs["family"] for each in stack if "family" in each.inputs]
    twice = {family for family in families if families.count(family) > 1}
    kept = [each for each in stack if each.inputs.get("family") not in twice]
    return [replace(each, name=f"r{number}") for number, each in enumerate(kept)]


STACKS = st.lists(RESOURCES, max_size=12).map(apart)


def named(found: Estimate) -> set[str]:
    return {each.name for each in (*found.rows, *found.usage_priced, *found.free, *found.not_priced)}


@settings(max_examples=40)
@given(STACKS)
def test_the_sum_is_that_of_the_lines_and_each_line_is_its_units_at_their_rate(stack: list[Declared]) -> None:
    found = estimate(stack, TABLE)
    for row in found.rows:
        hourly = row.quantity * row.rate / (HOURS if row.unit in MONTHLY else 1)
        assert math.isclose(row.per_hour, hourly, abs_tol=1e-9)
        assert row.rate in {price.rate for price in TABLE.prices.values()}
    assert found.per_hour == round(math.fsum(row.per_hour for row in found.rows), 6)
    assert math.isclose(found.per_month, found.per_hour * HOURS, abs_tol=0.01)
    assert found.at_most == any(row.at_most for row in found.rows)


@settings(max_examples=40)
@given(STACKS)
def test_everything_that_is_declared_has_a_line_and_what_nobody_knows_has_no_price(stack: list[Declared]) -> None:
    found = estimate(stack, TABLE)
    assert named(found) == {each.name for each in stack}
    strange = {each.name for each in stack if each.type in {resource(kind).type for kind in UNKNOWN}}
    assert strange <= {line.name for line in found.not_priced}
    assert not strange & {row.name for row in found.rows}


@settings(max_examples=40)
@given(STACKS)
def test_without_its_price_a_row_is_a_line_that_is_not_priced(stack: list[Declared]) -> None:
    priced, bare = estimate(stack, TABLE), estimate(stack, no_prices(TABLE.region))
    assert not bare.rows
    assert len(bare.not_priced) == len(priced.rows) + len(priced.not_priced)
    assert (bare.usage_priced, bare.free) == (priced.usage_priced, priced.free)


@settings(max_examples=40)
@given(STACKS, st.randoms())
def test_the_order_of_a_stack_changes_no_sum(stack: list[Declared], random: Random) -> None:
    other = random.sample(stack, len(stack))
    assert estimate(other, TABLE).per_hour == estimate(stack, TABLE).per_hour
