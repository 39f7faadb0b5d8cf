"""The life of an environment on the real engine, from its preview to its destruction, with state in moto's S3."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from aws.policies import actions, allowed

from understudy.engine.errors import StackLockedError
from understudy.engine.interface import Engine, PreviewResult, StackRef, UpResult

from .conftest import STATE, Moto
from .programs import SECRET, STALE, Shop, platform

pytestmark = [pytest.mark.pulumi, pytest.mark.xdist_group("aws")]

PLATFORM = StackRef("understudy-platform", "eu-west-1")
REF = StackRef("understudy", "e1")
OURS = {"dev.understudy.environment": "e1"}
MADE = 23
"""Resources of an environment; the stack and its provider count besides."""


@dataclass
class Life:
    """One environment that the tests of this module take through its life, in order; each also works alone."""

    engine: Engine
    moto: Moto
    shop: Shop
    preview: PreviewResult
    previewed: list[str]
    done: UpResult

    def up(self, shop: Shop) -> UpResult:
        self.moto.calls.clear()
        self.shop, self.done = shop, self.engine.up(REF, shop)
        return self.done

    def asked_to_change(self) -> list[str]:
        """What was asked that is no question."""
        return [name for _, name, _ in self.moto.calls if not name.startswith(("describe_", "get_", "list_", "head_"))]

    def state(self, prefix: str) -> dict[str, str]:
        """The objects of the state that begin so."""
        s3 = self.moto.client("s3")
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=STATE, Prefix=prefix).get("Contents", ())]
        return {key: s3.get_object(Bucket=STATE, Key=key)["Body"].read().decode() for key in keys}


@pytest.fixture(scope="module")
def life(moto: Moto, aws_engine: Engine) -> Life:
    there = aws_engine.up(PLATFORM, platform(moto.region, moto.account))
    shop = Shop(there.outputs, moto.region, moto.account, OURS)
    preview = aws_engine.preview(REF, shop)
    previewed = moto.arns(**OURS)
    moto.calls.clear()
    return Life(aws_engine, moto, shop, preview, previewed, aws_engine.up(REF, shop))


def test_a_preview_says_what_will_be_made_and_makes_nothing(life: Life) -> None:
    assert life.preview.changes == {"create": MADE + 2}
    assert not life.previewed
    assert life.done.changes == {"create": MADE + 2}


def test_all_that_has_tags_has_those_of_the_provider(life: Life) -> None:
    services = {arn.split(":")[2] for arn in life.moto.arns(**OURS)}
    assert services >= {"ec2", "ecs", "elasticloadbalancing", "rds", "s3", "secretsmanager", "sqs", "ssm"}
    iam = life.moto.client("iam")
    [role] = iam.list_roles(PathPrefix="/understudy/")["Roles"]
    assert iam.list_role_tags(RoleName=role["RoleName"])["Tags"] == [
        {"Key": "dev.understudy.environment", "Value": "e1"}
    ]


def test_secrets_are_ciphertext_in_the_state_and_hidden_in_outputs(life: Life) -> None:
    assert life.done.outputs["secret"] == "[secret]"  # noqa: S105 - the engine's word
    secrets = life.moto.client("secretsmanager")
    [secret] = secrets.list_secrets()["SecretList"]
    assert secrets.get_secret_value(SecretId=secret["ARN"])["SecretString"] == SECRET
    kept = life.state(".pulumi/")
    assert len(kept) > 3
    assert not [key for key, text in kept.items() if SECRET in text]


def test_a_service_gets_what_only_aws_knew(life: Life) -> None:
    ecs = life.moto.client("ecs")
    definition = ecs.describe_task_definition(taskDefinition="understudy-shop-web")["taskDefinition"]
    given = {each["name"]: each["value"] for each in definition["containerDefinitions"][0]["environment"]}
    assert given["BUCKET"] == life.done.outputs["bucket"]
    assert given["QUEUE"] == life.done.outputs["queue"]
    assert given["CACHE"].endswith(".cache.amazonaws.com")
    assert "rds.amazonaws.com" in given["DATABASE"]


def test_the_same_again_changes_nothing(life: Life) -> None:
    assert life.up(life.shop).changes == {"same": MADE + 2}
    assert not life.asked_to_change()


def test_a_lock_in_s3_is_heeded(life: Life) -> None:
    s3 = life.moto.client("s3")
    key = f".pulumi/locks/{REF.qualified}/other.json"
    lock = {"pid": 1, "username": "somebody", "hostname": "elsewhere", "timestamp": "2026-01-01T00:00:00Z"}
    s3.put_object(Bucket=STATE, Key=key, Body=json.dumps(lock).encode())
    with pytest.raises(StackLockedError, match="elsewhere"):
        life.engine.up(REF, life.shop)
    life.engine.cancel(REF)
    assert not life.state(f".pulumi/locks/{REF.qualified}")


def test_settings_and_default_tags_change_in_place(life: Life) -> None:
    done = life.up(life.shop.changed(visibility=60, retention=7, tags={**OURS, "dev.understudy.commit": "c2"}))
    assert "replace" not in done.changes
    made = ("create_", "delete_", "register_")
    assert not [name for name in life.asked_to_change() if name.startswith(made) and name != "create_tags"]
    sqs, logs = life.moto.client("sqs"), life.moto.client("logs")
    asked = {"QueueUrl": done.outputs["queue"], "AttributeNames": ["VisibilityTimeout"]}
    assert sqs.get_queue_attributes(**asked)["Attributes"] == {"VisibilityTimeout": "60"}
    assert logs.describe_log_groups()["logGroups"][0]["retentionInDays"] == 7
    assert life.moto.arns(**OURS) == life.moto.arns(**OURS, **{"dev.understudy.commit": "c2"}) != []


def test_what_cannot_change_is_replaced_and_what_uses_it_follows(life: Life) -> None:
    before = life.moto.client("ecs").list_task_definitions()["taskDefinitionArns"]
    done = life.up(life.shop.changed(image="shop:2", queue="orders-2"))
    assert done.outputs["queue"].endswith("/orders-2")
    after = life.moto.client("ecs").list_task_definitions()["taskDefinitionArns"]
    assert len(after) == len(before) == 1
    assert after != before
    asked = life.asked_to_change()
    assert "create_service" not in asked
    assert (
        asked.index("register_task_definition")
        < asked.index("update_service")
        < asked.index("deregister_task_definition")
    )
    assert asked.index("create_queue") < asked.index("update_service") < asked.index("delete_queue")


def test_a_refresh_sees_what_others_changed_and_up_puts_it_right(life: Life) -> None:
    queue = life.done.outputs["queue"]
    sqs = life.moto.client("sqs")
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
    sqs.tag_queue(QueueUrl=queue, Tags={"dev.understudy.environment": "another"})
    life.moto.client("logs").delete_log_group(logGroupName="/understudy/shop")
    seen = life.engine.refresh(REF)
    assert seen.get("delete") == 1
    assert seen.get("update") == 1
    done = life.up(life.shop)
    assert done.changes.get("create") == 1
    assert done.changes.get("update") == 1
    assert sqs.list_queue_tags(QueueUrl=queue)["Tags"] == life.shop.tags
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])["Attributes"]
    assert attributes == {"VisibilityTimeout": str(life.shop.visibility)}


def test_destroy_goes_in_order_leaves_nothing_and_touches_nothing_else(life: Life) -> None:
    s3, bucket = life.moto.client("s3"), life.done.outputs["bucket"]
    for body in (b"1", b"2"):
        s3.put_object(Bucket=bucket, Key="left/behind", Body=body)
    others = life.moto.arns(**{"dev.understudy.platform": life.moto.region})
    life.moto.calls.clear()
    life.engine.destroy(REF)
    asked = life.asked_to_change()
    for first, then in (
        ("delete_service", "delete_rule"),
        ("delete_rule", "delete_target_group"),
        ("delete_service", "deregister_task_definition"),
        ("delete_service", "delete_role_policy"),
        ("delete_role_policy", "delete_role"),
        ("detach_role_policy", "delete_role"),
        ("delete_service", "delete_security_group"),
        ("delete_db_instance", "delete_security_group"),
        ("delete_cache_cluster", "delete_security_group"),
        ("delete_public_access_block", "delete_bucket"),
        ("delete_objects", "delete_bucket"),
    ):
        assert asked.index(first) < asked.index(then), (first, then)
    assert not [arn for arn in life.moto.arns(**OURS) if not any(part in arn for part in STALE)]
    caches = life.moto.client("elasticache")
    assert {each["CacheClusterStatus"] for each in caches.describe_cache_clusters()["CacheClusters"]} <= {"deleting"}
    assert {each["Status"] for each in caches.describe_users()["Users"] if each["UserId"] == "shop-e1"} <= {"deleting"}
    assert life.moto.arns(**{"dev.understudy.platform": life.moto.region}) == others
    assert not life.state(f".pulumi/stacks/{REF.project}/")
    assert not life.state(f".pulumi/locks/{REF.qualified}")


def test_the_platform_goes_too(life: Life) -> None:
    life.moto.calls.clear()
    life.engine.destroy(PLATFORM)
    asked = life.asked_to_change()
    for first, then in (
        ("delete_listener", "delete_load_balancer"),
        ("delete_load_balancer", "delete_subnet"),
        ("delete_db_subnet_group", "delete_subnet"),
        ("delete_cache_subnet_group", "delete_subnet"),
        ("disassociate_route_table", "delete_route_table"),
        ("delete_route_table", "delete_internet_gateway"),
        ("detach_internet_gateway", "delete_vpc"),
        ("delete_subnet", "delete_vpc"),
    ):
        assert asked.index(first) < asked.index(then), (first, then)
    left = life.moto.arns(**{"dev.understudy.platform": life.moto.region})
    assert not [arn for arn in left if not any(part in arn for part in STALE)]


def test_the_page_s_policy_is_what_the_engine_asked_of_the_bucket_of_its_state(life: Life) -> None:
    """After the others of this module, which take a stack through its life; leases ask for no more."""
    asked = life.moto.asked_of_state - {("s3", "create_bucket")}  # by the fixture
    assert allowed("environments", "UnderstudyKeepsState") == actions(asked)
