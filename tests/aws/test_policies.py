"""The policies of docs/aws.md allow each call that the source makes, and what is in them is written as IAM takes it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from aws.plans import everything_plan
from aws.policies import actions, allowed, named, policy

ROOT = Path(__file__).resolve().parents[2]

CLIENTS = {
    "EC2Client": "ec2",
    "ECSClient": "ecs",
    "ElastiCacheClient": "elasticache",
    "ElasticLoadBalancingv2Client": "elbv2",
    "CloudWatchLogsClient": "logs",
    "IAMClient": "iam",
    "RDSClient": "rds",
    "ResourceGroupsTaggingAPIClient": "resourcegroupstaggingapi",
    "S3Client": "s3",
    "SQSClient": "sqs",
    "SSMClient": "ssm",
    "STSClient": "sts",
    "SecretsManagerClient": "secretsmanager",
    "ServiceDiscoveryClient": "servicediscovery",
}
"""The types that clients are declared with."""

READS = re.compile(r"(Describe|Filter|Get|List)[A-Z]")


def calls(folder: Path) -> Iterator[tuple[str, str]]:
    """What the functions below a folder ask of clients that they are given, make and name, or have as a property."""
    for path in sorted(folder.rglob("*.py")):
        functions = [
            each for each in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(each, ast.FunctionDef)
        ]
        properties = {f"self.{each.name}": CLIENTS.get(ast.unparse(each.returns or each), "") for each in functions}
        for function in functions:
            known = properties | dict(clients(function))
            yield from ((known[name], operation) for name, operation in asked(function) if known.get(name))


def clients(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    for node in ast.walk(function):
        match node:
            case ast.arg(arg=name, annotation=ast.Name(id=kind)) if kind in CLIENTS:
                yield name, CLIENTS[kind]
            case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id=kind)) if kind in CLIENTS:
                yield name, CLIENTS[kind]
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Call(func=ast.Attribute(attr="client"), args=[ast.Constant(value=str(service))]),
            ):
                yield name, service


def asked(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    for node in ast.walk(function):
        match node:
            case ast.Call(
                func=ast.Attribute(value=client, attr="get_paginator"), args=[ast.Constant(value=str(paged))]
            ):
                yield ast.unparse(client), paged
            case ast.Call(func=ast.Attribute(value=client, attr=operation)) if operation != "get_paginator":
                yield ast.unparse(client), operation


def test_each_call_of_the_source_is_allowed_and_no_other_is() -> None:
    """What the sweep's own recording leaves to the source: reading logs, the registry's token, a target's health."""
    found = actions(calls(ROOT / "understudy" / "targets" / "aws"))
    assert len(found) > 60
    follows = allowed("environments", "UnderstudyFollowsARun")
    rest = {action for each in policy("environments") for action in map(str.lower, each["Action"])} - follows
    assert found - allowed("sweep") - rest == follows


@pytest.mark.parametrize("name", ["read", "sweep", "environments", "platform", "boundary"])
def test_a_policy_is_written_as_iam_takes_it(name: str) -> None:
    sids = [statement["Sid"] for statement in policy(name)]
    assert len(set(sids)) == len(sids)
    for statement in policy(name):
        assert statement["Action"] == sorted(set(statement["Action"])), statement["Sid"]
        assert statement.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        assert re.fullmatch(r"[A-Za-z0-9]+", statement["Sid"])
        for action in statement["Action"]:
            assert re.fullmatch(r"[a-z0-9-]+:[A-Za-z0-9]+", action), "no wildcard"


def test_what_looks_never_changes_and_what_removes_is_bound_or_said_not_to_be() -> None:
    (looks,) = named("sweep", "UnderstudyLooks")
    assert all(READS.match(action.partition(":")[2]) for action in looks["Action"])
    (tagged,) = named("sweep", "UnderstudyRemovesWhatHasTheTag")
    assert tagged["Condition"] == {"Null": {"aws:ResourceTag/dev.understudy.environment": "false"}}
    page = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8")
    for action in named("sweep", "UnderstudyRemovesWithoutACondition")[0]["Action"]:
        assert f"`{action}`" in page, "the page says why"


def test_a_boundary_lets_every_task_do_what_its_own_role_allows() -> None:
    plan = everything_plan()
    given = [each for service in plan.services for each in service.task.statements]
    assert {action.partition(":")[0] for each in given for action in each.actions} == {"s3", "sqs"}
    for each in given:
        for action in each.actions:
            for resource in each.resources:
                assert any(
                    action in limit["Action"] and any(fnmatchcase(resource, arn) for arn in limit["Resource"])
                    for limit in policy("boundary")
                ), (action, resource)
