from __future__ import annotations

from collections.abc import Sequence

import pytest
from aws.makers import MAKERS
from aws.world import ACCOUNT, BACKEND, HERE, OTHER, OURS, REGION, WHOSE, tags_of
from hypothesis import given
from hypothesis import strategies as st

from understudy.stacks.identity import LABEL, OWNERSHIP, PROTECT
from understudy.targets.aws.kinds import may_be_ours
from understudy.targets.aws.listers import KINDS
from understudy.targets.aws.order import STAGES, in_another_region, in_stages, judge
from understudy.targets.interface import Owned

ALL = [kind for stage in STAGES for kind in stage]
VALUES = (
    "",
    BACKEND,
    OURS,
    OURS.upper(),
    OURS + "a",
    OTHER,
    HERE,
    f"aws:{ACCOUNT}:us-east-1",
    "docker:x",
    "shop",
    "tomorrow",
)
SPELT = (*OWNERSHIP, PROTECT, LABEL + "commit", OWNERSHIP[0].upper(), "Name", "dev.understudyenvironment")

LABELS = st.one_of(
    st.just(tags_of()),
    st.dictionaries(st.sampled_from(SPELT), st.sampled_from(VALUES)),
    st.builds(
        lambda changed, gone: {k: v for k, v in (tags_of() | changed).items() if k != gone},
        st.dictionaries(st.sampled_from(SPELT), st.sampled_from(VALUES), max_size=1),
        st.sampled_from((*SPELT, "")),
    ),
)
ITEMS = st.lists(
    st.builds(Owned, st.sampled_from([*ALL, "lambda function"]), st.uuids().map(str), st.just("x"), LABELS),
    unique_by=lambda item: item.id,
)


def owned(labels: dict[str, str]) -> bool:
    """What may be removed, said once more and otherwise."""
    return all(labels.get(key) == value for key, value in tags_of().items() if key != LABEL + "project") and (
        bool(labels.get(LABEL + "project")) and labels.get(PROTECT, "false") in {"false", "False"}
    )


@given(ITEMS)
def test_only_what_is_wholly_ours_is_ever_removed(items: list[Owned]) -> None:
    judged = judge(items, WHOSE, HERE)
    assert list(judged.remove) == [i for i in items if owned(dict(i.labels)) and i.kind in ALL]
    assert sorted([*judged.remove, *(item for item, _ in judged.kept)]) == sorted(items)
    assert all(reason.endswith("kept") for _, reason in judged.kept)


@given(ITEMS)
def test_stages_hold_every_object_once_and_in_the_order_of_their_kinds(items: list[Owned]) -> None:
    known = [item for item in items if item.kind in ALL]
    stages = in_stages(known)
    assert sorted(item for stage in stages for item in stage) == sorted(known)
    ranks = [rank_of(stage) for stage in stages]
    assert ranks == sorted(set(ranks))


def rank_of(stage: Sequence[Owned]) -> int:
    (rank,) = {number for item in stage for number, kinds in enumerate(STAGES) if item.kind in kinds}
    return rank


def test_every_kind_has_a_lister_a_stage_and_an_object_in_the_tests() -> None:
    names = [kind.name for kind in KINDS]
    assert sorted(names) == sorted(set(names)) == sorted(ALL)
    assert set(MAKERS) == set(names) - {"cache-user"}  # moto keeps no tags of those


@pytest.mark.parametrize(
    ("arn", "kind", "ident"),
    [
        ("ecs:{}:service/platform/x-web", "ecs-service", None),
        ("ecs:{}:task/platform/0123", "ecs-task", None),
        ("ecs:{}:task-definition/x-web:3", "task-definition", None),
        ("elasticloadbalancing:{}:listener-rule/app/lb/1/2/3", "listener-rule", None),
        ("elasticloadbalancing:{}:targetgroup/x-web/1", "target-group", None),
        ("rds:{}:db:x-db", "rds-instance", "x-db"),
        ("rds:{}:cluster:x-db", "rds-cluster", "x-db"),
        ("rds:{}:snapshot:x-db", "rds-snapshot", "x-db"),
        ("elasticache:{}:cluster:x-cache", "cache-cluster", "x-cache"),
        ("elasticache:{}:replicationgroup:x-cache", "cache-group", "x-cache"),
        ("elasticache:{}:user:x-cache", "cache-user", "x-cache"),
        ("s3:::x-media", "bucket", "x-media"),
        ("sqs:{}:x-jobs.fifo", "queue", "x-jobs.fifo"),
        ("secretsmanager:{}:secret:understudy/x-key/value-AbCdEf", "secret", None),
        ("ssm:{}:parameter/x/mode", "parameter", "/x/mode"),
        ("ssm:{}:parameter/mode", "parameter", "mode"),
        ("logs:{}:log-group:/understudy/x", "log-group", "/understudy/x"),
        ("logs:{}:log-group:/understudy/x:*", "log-group", "/understudy/x"),
        ("iam::123456789012:role/understudy/x-task", "role", "x-task"),
        ("iam::123456789012:policy/understudy/x-read", "policy", None),
        ("ec2:{}:security-group/sg-1", "security-group", "sg-1"),
        ("ec2:{}:security-group-rule/sgr-1", "security-group-rule", "sgr-1"),
        ("ec2:{}:network-interface/eni-1", "network-interface", "eni-1"),
        ("servicediscovery:{}:service/srv-1", "name", None),
        ("servicediscovery:{}:namespace/ns-1", "namespace", None),
        ("ecs:{}:cluster/platform", "", None),
        ("elasticloadbalancing:{}:loadbalancer/app/lb/1", "", None),
        ("lambda:{}:function:x", "", None),
    ],
)
def test_an_arn_is_of_one_kind_and_gives_its_id(arn: str, kind: str, ident: str | None) -> None:
    whole = "arn:aws:" + arn.format(f"{REGION}:{ACCOUNT}")
    found = [(one.name, one.id_of(whole)) for one in KINDS if one.id_of(whole) is not None]
    assert found == ([(kind, ident or whole)] if kind else [])


def test_no_text_that_is_no_arn_has_a_kind() -> None:
    assert not any(kind.id_of(text) for kind in KINDS for text in ("", "arn", "arn:aws:sqs", "::::::"))


def test_a_name_says_where_to_look() -> None:
    assert may_be_ours(f"{OURS}-web", None)
    assert may_be_ours(f"{OURS}-web", OURS)
    assert not may_be_ours(f"{OURS}-web", OTHER)
    assert not may_be_ours("elasticsearch-web", None)
    assert not may_be_ours("web", None)


def test_another_region_is_of_the_same_account() -> None:
    assert in_another_region(tags_of(target=f"aws:{ACCOUNT}:us-east-1"), HERE)
    assert not in_another_region(tags_of(), HERE)
    assert not in_another_region(tags_of(target=f"aws:999999999999:{REGION}"), HERE)
    assert not in_another_region(tags_of(target="docker:abc"), HERE)
    assert not in_another_region({}, HERE)
