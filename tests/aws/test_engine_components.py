"""The real components on the real engine: a platform, and the example's environment on it, up, the same, and gone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pulumi
import pytest
from aws.plans import ENV, shop_plan

from understudy.components.aws.environment import AwsEnvironment, AwsEnvironmentArgs
from understudy.components.aws.platform import Platform, PlatformArgs
from understudy.engine.interface import Engine, StackRef, UpResult
from understudy.stacks.aws.platform import platform_of
from understudy.stacks.identity import ownership_labels
from understudy.stacks.secret_rules import Seed

from .conftest import Moto
from .programs import STALE

pytestmark = [pytest.mark.pulumi, pytest.mark.xdist_group("aws")]

PLATFORM = StackRef("understudy-platform", "eu-west-1")
REF = StackRef("understudy", ENV.id)


@dataclass
class World:
    engine: Engine
    moto: Moto
    first: UpResult
    services: int

    def program(self) -> None:
        there = platform_of(self.first.outputs, PLATFORM.qualified)
        plan = replace(shop_plan(), platform=there)
        made = AwsEnvironment("shop", AwsEnvironmentArgs(plan=plan, seed=Seed(b"seed")))
        pulumi.export("endpoints", made.endpoints)

    def owned(self) -> list[str]:
        """What the tagging API shows of the environment, without what it shows of the dead."""
        found = self.moto.arns(**ownership_labels(ENV))
        return [arn for arn in found if not any(part in arn for part in STALE)]


@pytest.fixture(scope="module")
def world(moto: Moto, aws_engine_on_disk: Engine) -> World:
    def program() -> None:
        zones = (f"{moto.region}a", f"{moto.region}b")
        args = PlatformArgs(account=moto.account, region=moto.region, zones=zones)
        for name, value in Platform("understudy", args).outputs.items():
            pulumi.export(name, value)

    first = aws_engine_on_disk.up(PLATFORM, program)
    return World(aws_engine_on_disk, moto, first, len(shop_plan().services))


def test_the_outputs_of_the_platform_s_stack_are_a_platform(world: World) -> None:
    there = platform_of(world.first.outputs, PLATFORM.qualified)
    assert (there.account, there.region) == (world.moto.account, world.moto.region)
    assert world.moto.client("s3").head_bucket(Bucket=there.bucket)
    assert len(there.subnet_ids) == 2


def test_the_example_goes_up_stays_the_same_and_goes_down_in_order(world: World) -> None:
    preview = world.engine.preview(REF, world.program)
    assert set(preview.changes) == {"create"}
    done = world.engine.up(REF, world.program)
    assert done.changes == preview.changes
    cluster = world.first.outputs["cluster_arn"]
    ecs = world.moto.client("ecs")
    assert len(ecs.list_services(cluster=cluster, maxResults=100)["serviceArns"]) == world.services
    kinds = {arn.split(":")[2] for arn in world.owned()}
    assert kinds >= {"ec2", "elasticloadbalancing", "logs", "secretsmanager"}

    assert set(world.engine.up(REF, world.program).changes) == {"same"}
    assert set(world.engine.refresh(REF)) == {"same"}

    world.moto.calls.clear()
    world.engine.destroy(REF)
    asked = [operation for _, operation, _ in world.moto.calls]
    last = {name: len(asked) - 1 - asked[::-1].index(name) for name in set(asked)}
    assert asked.count("delete_service") >= world.services
    assert last["delete_service"] < asked.index("delete_security_group")
    assert last["delete_service"] < asked.index("delete_log_group")
    assert asked.index("delete_rule") < asked.index("delete_target_group")
    assert not world.owned()
    assert [each.ref for each in world.engine.list()] == [PLATFORM]
