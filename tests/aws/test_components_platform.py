"""What a platform declares: cheap by default, closed by default, and what keeps data is protected."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws.plans import state
from aws.strict import findings
from recording import SECRET, Recording, record

from understudy.components.aws.platform import Platform, PlatformArgs
from understudy.errors import UsageError
from understudy.stacks.aws.platform import platform_of
from understudy.stacks.cost.charges import Declared as Charged
from understudy.stacks.cost.estimate import estimate
from understudy.stacks.cost.table import no_prices
from understudy.stacks.identity import OWNERSHIP


def added(kind: str, name: str, inputs: Any) -> dict[str, Any]:
    more = {
        "repositoryUrl": "registry.example/previews",
        "dnsName": "alb.example",
        "address": "db.example",
        "primaryEndpointAddress": "cache.example",
    }
    return {**state(kind, name, inputs), **more}


def declare(**fields: Any) -> Recording:
    given: dict[str, Any] = {"account": "123456789012", "region": "eu-west-1", "zones": ("eu-west-1a", "eu-west-1b")}
    return record(lambda: dict(Platform("understudy", PlatformArgs(**given | fields)).outputs), added)


@pytest.fixture(scope="module")
def least() -> Recording:
    return declare()


@pytest.fixture(scope="module")
def most() -> Recording:
    return declare(
        private=True,
        internal=True,
        certificate_arn="arn:certificate",
        callers=("10.0.0.0/8", "192.168.0.0/16"),
        permissions_boundary="arn:boundary",
        owner="eu-west-1@baaaaaaaaaa",
        shared_database=True,
        database_password="a-password",
        shared_cache=True,
    )


@pytest.mark.parametrize("which", ["least", "most"])
def test_every_input_is_of_the_published_schema(which: str, request: pytest.FixtureRequest) -> None:
    assert findings(request.getfixturevalue(which).resources) == []


def test_it_costs_nothing_that_is_not_asked_for(least: Recording) -> None:
    kinds = {resource.type for resource in least.resources}
    assert not kinds & {
        "aws:ec2/natGateway:NatGateway",
        "aws:rds/instance:Instance",
        "aws:elasticache/replicationGroup:ReplicationGroup",
    }
    assert [s.inputs["mapPublicIpOnLaunch"] for s in least.of("Subnet", "aws:ec2")] == [True, True]
    assert len({s.inputs["cidrBlock"] for s in least.of("Subnet", "aws:ec2")}) == 2


def test_who_is_no_environment_gets_404(least: Recording) -> None:
    (listener,) = least.of("Listener", "aws:lb")
    (action,) = listener.inputs["defaultActions"]
    assert (action["type"], action["fixedResponse"]["statusCode"]) == ("fixed-response", "404")
    assert (listener.inputs["port"], listener.inputs["protocol"]) == (80, "HTTP")
    (providers,) = least.of("ClusterCapacityProviders", "aws:ecs")
    assert providers.inputs["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]


def test_its_outputs_are_a_platform(least: Recording, most: Recording) -> None:
    found = platform_of(least.result, "stack")
    assert found.target == "aws:123456789012:eu-west-1"
    assert found.registry == "registry.example/previews"
    assert found.host("eabc") == "eabc.preview.internal"
    assert (found.private, found.https, found.shared_database, found.shared_cache) == (False, False, None, None)
    full = platform_of(most.result, "stack")
    assert (full.private, full.url("eabc")) == (True, "https://eabc.preview.internal")
    assert full.shared_database is not None
    assert (full.shared_database.endpoint, full.shared_database.port) == ("db.example", 5432)
    assert full.shared_cache is not None
    assert full.shared_cache.user_group_id
    assert set(full.subnet_ids).isdisjoint(found.subnet_ids)


def test_it_is_no_environments(most: Recording) -> None:
    (provider,) = [r for r in most.resources if r.type == "pulumi:providers:aws"]
    tags = json.loads(provider.inputs["defaultTags"])["tags"]
    assert tags == {"dev.understudy.platform": "eu-west-1@baaaaaaaaaa", "dev.understudy.protect": "true"}
    assert not set(OWNERSHIP) & set(tags)


def test_what_keeps_data_is_protected(most: Recording) -> None:
    kept = {resource.type for resource in most.resources if resource.protect and resource.retain_on_delete}
    closed = {"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "aws:s3/bucketVersioning:BucketVersioning"}
    login = {"aws:secretsmanager/secret:Secret", "aws:secretsmanager/secretVersion:SecretVersion"}
    assert kept == {"aws:s3/bucket:Bucket", "aws:rds/instance:Instance"} | closed | login
    (database,) = most.of("Instance", "aws:rds")
    assert database.inputs["deletionProtection"] is True
    assert database.inputs["publiclyAccessible"] is False
    assert SECRET in json.dumps(database.wire["password"])
    (bucket,) = most.of("Bucket", "aws:s3")
    assert "forceDestroy" not in bucket.inputs
    assert len(most.of("BucketPublicAccessBlock", "aws:s3")) == 1


def test_tasks_behind_nat_are_on_subnets_of_their_own(most: Recording) -> None:
    public = [s.inputs["mapPublicIpOnLaunch"] for s in most.of("Subnet", "aws:ec2")]
    assert sorted(public) == [False, False, True, True]
    routes = [r for table in most.of("RouteTable", "aws:ec2") for r in table.inputs["routes"]]
    assert sorted(key for route in routes for key in route if key != "cidrBlock") == ["gatewayId", "natGatewayId"]


def test_the_execution_role_reads_the_secrets_and_parameters_of_environments_alone(least: Recording) -> None:
    (policy,) = least.of("RolePolicy", "aws:iam")
    allowed = {(*each["Action"], *each["Resource"]) for each in json.loads(policy.inputs["policy"])["Statement"]}
    assert allowed == {
        ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:understudy/*"),
        ("ssm:GetParameters", "arn:aws:ssm:eu-west-1:123456789012:parameter/understudy/*"),
    }


def test_the_registry_keeps_the_images_pushed_last_and_goes_with_them(least: Recording) -> None:
    (repository,) = least.of("Repository", "aws:ecr")
    assert repository.inputs["forceDelete"] is True
    assert not repository.protect
    (policy,) = least.of("LifecyclePolicy", "aws:ecr")
    assert policy.inputs["repository"] == repository.inputs["name"] == "understudy/previews"
    (rule,) = json.loads(policy.inputs["policy"])["rules"]
    assert rule["action"] == {"type": "expire"}
    assert rule["selection"] == {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 500}


def rules(**fields: Any) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Who is let in -> the name of the rule, and those that it had before."""
    found = declare(**fields).of("SecurityGroupIngressRule", "aws:vpc")
    return {rule.inputs["cidrIpv4"]: (rule.name, rule.former) for rule in found}


def test_a_rule_is_named_by_whom_it_lets_in_whoever_else_is() -> None:
    both = rules(callers=("10.0.0.0/8", "192.168.0.0/16"))
    assert rules(callers=("192.168.0.0/16",)) == {"192.168.0.0/16": both["192.168.0.0/16"]}
    assert both["10.0.0.0/8"] == ("understudy-access-in-80-10-0-0-0-8", ())
    assert rules(callers=("10.0.0.0/8",), certificate_arn="arn:c")["10.0.0.0/8"][0] != both["10.0.0.0/8"][0]


def test_a_rule_that_is_there_under_another_name_is_the_same_one() -> None:
    known = {("192.168.0.0/16", 80): "understudy-access-in-2", ("10.0.0.0/8", 443): "understudy-access-in-1"}
    found = rules(callers=("10.0.0.0/8", "192.168.0.0/16"), rules=known)
    assert found["192.168.0.0/16"][1] == ("understudy-access-in-2",)
    assert found["10.0.0.0/8"][1] == ()


def test_a_shared_database_needs_a_password() -> None:
    with pytest.raises(UsageError, match="has no password"):
        declare(shared_database=True)


BY_THE_HOUR = {
    "least": ["application load balancer", "public IPv4"],
    "most": [
        *("NAT gateway", "application load balancer", "postgres db.t4g.micro", "public IPv4", "secret"),
        *("storage gp2", "valkey cache.t4g.micro"),
    ],
}


@pytest.mark.parametrize("which", ["least", "most"])
def test_an_estimate_has_a_rule_for_everything_that_it_declares(which: str, request: pytest.FixtureRequest) -> None:
    resources = request.getfixturevalue(which).resources
    found = estimate([Charged(r.type, r.name, r.inputs) for r in resources], no_prices("eu-west-1"))
    assert {line.why for line in found.not_priced} == {"there is no table of prices for eu-west-1"}
    assert sorted(line.kind for line in found.not_priced) == BY_THE_HOUR[which]
