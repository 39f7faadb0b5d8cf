"""Every type of the provider by itself, spoken to as the engine does: made, seen, changed, tagged, gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from aws.plans import databases_plan, declare, everything_plan
from aws.policies import actions, allowed
from provider_driver import ProviderDriver, connected
from pulumi.runtime.proto import provider_pb2
from recording import record

from understudy.components.aws.platform import Platform, PlatformArgs
from understudy.provider.server import PackageServer
from understudy.provider.values import to_struct

from .conftest import ACCOUNT, REGION, Moto
from .provider.package import RESOURCES

pytestmark = pytest.mark.xdist_group("aws")

DEFAULTS = {"dev.understudy.environment": "e1"}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
MANAGED = "arn:aws:iam::aws:policy/AmazonSQSFullAccess"


def configure(stub: Any, **config: Any) -> None:
    given = {name: value if isinstance(value, str) else json.dumps(value) for name, value in config.items()}
    stub.Configure(provider_pb2.ConfigureRequest(args=to_struct(given)))


@pytest.fixture(scope="module")
def driver(moto: Moto, aws_provider: PackageServer) -> Iterator[ProviderDriver]:
    with connected(aws_provider.port) as stub:
        configure(stub, region=REGION, defaultTags={"tags": DEFAULTS}, allowedAccountIds=[moto.account])
        yield ProviderDriver(stub)


class Made:
    """What a test made, by a short name; made through Check, as the engine does."""

    def __init__(self, driver: ProviderDriver) -> None:
        self.driver = driver
        self.all: dict[str, tuple[str, str, dict, dict]] = {}

    def __call__(self, name: str, token: str, **inputs: Any) -> dict:
        checked = self.driver.check(token, inputs, logical=name, seed=name.encode())
        assert not checked.failures, checked.failures
        given = from_checked(checked)
        object_id, state = self.driver.create(token, given)
        self.all[name] = (token, object_id, given, state)
        return {"id": object_id, **state}


def from_checked(checked: Any) -> dict:
    from understudy.provider.values import from_struct

    return from_struct(checked.inputs)


def everything(made: Made, moto: Moto) -> None:
    """One of each type, each on those before it."""
    vpc, one, two, group = network(made)
    computing(made, vpc, one, two, group)
    subnets = made("databases", "aws:rds/subnetGroup:SubnetGroup", subnetIds=[one, two])["name"]
    databases(made, moto.client("rds"), subnets)
    stores(made, one)


def network(made: Made) -> tuple[str, str, str, str]:
    vpc = made("vpc", "aws:ec2/vpc:Vpc", cidrBlock="10.0.0.0/16", enableDnsHostnames=True)["id"]
    gateway = made("gateway", "aws:ec2/internetGateway:InternetGateway", vpcId=vpc)["id"]
    one, two = (
        made(
            f"subnet-{zone}",
            "aws:ec2/subnet:Subnet",
            vpcId=vpc,
            cidrBlock=f"10.0.{index}.0/24",
            availabilityZone=f"{REGION}{zone}",
            mapPublicIpOnLaunch=True,
        )["id"]
        for index, zone in enumerate("ab")
    )
    table = made("table", "aws:ec2/routeTable:RouteTable", vpcId=vpc)["id"]
    made("route", "aws:ec2/route:Route", routeTableId=table, destinationCidrBlock="0.0.0.0/0", gatewayId=gateway)
    made("joined", "aws:ec2/routeTableAssociation:RouteTableAssociation", routeTableId=table, subnetId=one)
    address = made("address", "aws:ec2/eip:Eip", domain="vpc")["id"]
    made("nat", "aws:ec2/natGateway:NatGateway", allocationId=address, subnetId=one)
    service = f"com.amazonaws.{REGION}.s3"
    made("endpoint", "aws:ec2/vpcEndpoint:VpcEndpoint", vpcId=vpc, serviceName=service, routeTableIds=[table])
    group = made("group", "aws:ec2/securityGroup:SecurityGroup", vpcId=vpc, revokeRulesOnDelete=True)["id"]
    for way in ("ingress", "egress"):
        kind = f"ecurityGroup{way.title()}Rule"
        rule = {"ipProtocol": "tcp", "fromPort": 80, "toPort": 80, "cidrIpv4": "10.0.0.0/8"}
        made(way, f"aws:vpc/s{kind}:S{kind}", securityGroupId=group, **rule)
    return vpc, one, two, group


def computing(made: Made, vpc: str, one: str, two: str, group: str) -> None:
    balancer = made("balancer", "aws:lb/loadBalancer:LoadBalancer", subnets=[one, two], securityGroups=[group])["arn"]
    web = {"port": 80, "protocol": "HTTP"}
    targets = made(
        "targets", "aws:lb/targetGroup:TargetGroup", **web, vpcId=vpc, targetType="ip", deregistrationDelay=5
    )
    gone = {"type": "fixed-response", "fixedResponse": {"statusCode": "404", "contentType": "text/plain"}}
    listener = made("listener", "aws:lb/listener:Listener", loadBalancerArn=balancer, **web, defaultActions=[gone])
    made(
        "rule",
        "aws:lb/listenerRule:ListenerRule",
        listenerArn=listener["arn"],
        conditions=[{"hostHeader": {"values": ["a.preview.internal"]}}],
        actions=[{"type": "forward", "targetGroupArn": targets["arn"]}],
    )
    images = made("images", "aws:ecr/repository:Repository", forceDelete=True)["name"]
    rule = {"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9}}
    few = json.dumps({"rules": [{**rule, "action": {"type": "expire"}}]})
    made("few", "aws:ecr/lifecyclePolicy:LifecyclePolicy", repository=images, policy=few)
    cluster = made("cluster", "aws:ecs/cluster:Cluster")
    providers = "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders"
    made("providers", providers, clusterName=cluster["name"], capacityProviders=["FARGATE"])
    role = made("role", "aws:iam/role:Role", assumeRolePolicy=TRUST)
    made("policy", "aws:iam/rolePolicy:RolePolicy", role=role["name"], policy=POLICY)
    made("attached", "aws:iam/rolePolicyAttachment:RolePolicyAttachment", role=role["name"], policyArn=MANAGED)
    task = made(
        "task",
        "aws:ecs/taskDefinition:TaskDefinition",
        family="web",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=json.dumps([{"name": "web", "image": "web:1", "memory": 512}]),
    )
    made(
        "service",
        "aws:ecs/service:Service",
        cluster=cluster["arn"],
        taskDefinition=task["arn"],
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration={"subnets": [one]},
    )
    space = made("space", "aws:servicediscovery/httpNamespace:HttpNamespace")
    made("found", "aws:servicediscovery/service:Service", namespaceId=space["id"], forceDestroy=True)


def databases(made: Made, rds: Any, subnets: str) -> None:
    """An empty instance, one from a snapshot, and a copy of a cluster; what is copied was there before."""
    last = {"dbSubnetGroupName": subnets, "skipFinalSnapshot": True}
    made(
        "database",
        "aws:rds/instance:Instance",
        engine="postgres",
        instanceClass="db.t4g.micro",
        allocatedStorage=20,
        username="shop",
        password="of-a-test",
        **last,
    )
    admin = {"MasterUsername": "shop", "MasterUserPassword": "of-a-test"}
    size = {"DBInstanceClass": "db.t4g.micro", "AllocatedStorage": 20}
    rds.create_db_instance(DBInstanceIdentifier="original", Engine="postgres", **size, **admin)
    rds.create_db_snapshot(DBInstanceIdentifier="original", DBSnapshotIdentifier="taken")
    rds.create_db_cluster(DBClusterIdentifier="original", Engine="aurora-postgresql", **admin)
    restored = {"snapshotIdentifier": "taken", "instanceClass": "db.t4g.micro", "password": "of-a-test"}
    made("restored", "aws:rds/instance:Instance", **restored, **last)
    aurora = made(
        "aurora",
        "aws:rds/cluster:Cluster",
        engine="aurora-postgresql",
        masterPassword="of-a-test",
        restoreToPointInTime={"sourceClusterIdentifier": "original", "restoreType": "copy-on-write"},
        **last,
    )
    size = {"engine": "aurora-postgresql", "instanceClass": "db.r6g.large"}
    made("member", "aws:rds/clusterInstance:ClusterInstance", clusterIdentifier=aurora["id"], **size)


def stores(made: Made, one: str) -> None:
    caches = made("caches", "aws:elasticache/subnetGroup:SubnetGroup", subnetIds=[one])
    cache = {"engine": "redis", "nodeType": "cache.t4g.micro", "numCacheNodes": 1}
    made("cache", "aws:elasticache/cluster:Cluster", **cache, subnetGroupName=caches["name"])
    shared = {"engine": "valkey", "nodeType": "cache.t4g.micro", "numCacheClusters": 1, "description": "shared"}
    made("shared", "aws:elasticache/replicationGroup:ReplicationGroup", **shared, subnetGroupName=caches["name"])
    user = {"userId": "shop", "userName": "shop", "engine": "redis", "accessString": "on ~shop:* +@all"}
    made("user", "aws:elasticache/user:User", **user, passwords=["of-a-test-of-16-signs"])
    queue = made("queue", "aws:sqs/queue:Queue", visibilityTimeoutSeconds=30)
    bucket = made("bucket", "aws:s3/bucket:Bucket")["bucket"]
    made("let in", "aws:sqs/queuePolicy:QueuePolicy", queueUrl=queue["url"], policy=POLICY)
    told = {"queueArn": queue["arn"], "events": ["s3:ObjectCreated:*"], "filterPrefix": "in/", "filterSuffix": ".pdf"}
    made("told", "aws:s3/bucketNotification:BucketNotification", bucket=bucket, queues=[told])
    made("block", "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", bucket=bucket, blockPublicAcls=True)
    versions = {"versioningConfiguration": {"status": "Enabled"}}
    made("versioning", "aws:s3/bucketVersioning:BucketVersioning", bucket=bucket, **versions)
    made("object", "aws:s3/bucketObjectv2:BucketObjectv2", bucket=bucket, key="a/b", content="c")
    kept = {"id": "old", "status": "Enabled", "expiration": {"days": 3}}
    made("kept", "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", bucket=bucket, rules=[kept])
    made("logs", "aws:cloudwatch/logGroup:LogGroup", retentionInDays=3)
    secret = made("secret", "aws:secretsmanager/secret:Secret", recoveryWindowInDays=0)
    made("value", "aws:secretsmanager/secretVersion:SecretVersion", secretId=secret["arn"], secretString="of-a-test")
    made("parameter", "aws:ssm/parameter:Parameter", type="SecureString", value="of-a-test")


@pytest.fixture(scope="module")
def made(driver: ProviderDriver, moto: Moto) -> Made:
    built = Made(driver)
    everything(built, moto)
    return built


def test_there_is_one_of_each_type(made: Made) -> None:
    assert {token for token, *_ in made.all.values()} == {resource.token for resource in RESOURCES}


def test_what_was_just_made_is_seen_as_it_was_declared(made: Made) -> None:
    for name, (token, object_id, inputs, _) in made.all.items():
        found = made.driver.read(token, object_id, inputs)
        assert found is not None, name
        change = made.driver.diff(token, inputs, {**inputs, **found[0]}, found[1])
        assert change.changes == provider_pb2.DiffResponse.DIFF_NONE, (name, change.diffs, found, inputs)


def test_default_tags_reach_every_resource_that_has_tags(made: Made) -> None:
    tagged = {resource.token for resource in RESOURCES if resource.tagging is not None}
    for name, (token, object_id, inputs, state) in made.all.items():
        if token in tagged:
            assert state["tagsAll"] == DEFAULTS, name
            assert made.driver.read(token, object_id, inputs)[1]["tagsAll"] == DEFAULTS, name
    assert len(tagged) > 25


def change_tags(made: Made) -> None:
    """In place."""
    tagged = {resource.token for resource in RESOURCES if resource.tagging is not None}
    for name, (token, object_id, inputs, state) in made.all.items():
        if token in tagged:
            before = {**inputs, "tags": {"a": "1", "b": "2"}}
            change = made.driver.diff(token, inputs, before, state)
            assert not change.replaces, name
            made.driver.update(token, object_id, inputs, before)
            after = {**inputs, "tags": {"a": "3"}}
            made.driver.update(token, object_id, before, after)
            seen = made.driver.read(token, object_id, after)
            assert seen[1]["tagsAll"] == {**DEFAULTS, "a": "3"}, name
            assert seen[0]["tags"] == {"a": "3"}, name
            made.driver.update(token, object_id, after, inputs)


def test_a_preview_makes_nothing(driver: ProviderDriver, moto: Moto) -> None:
    before = len(moto.calls)
    object_id, state = driver.create("aws:sqs/queue:Queue", {"name": "q"}, preview=True)
    assert not object_id
    assert state["name"] == "q"
    assert len(moto.calls) == before


def remove(made: Made) -> None:
    """In reverse; going again is no error."""
    for name, (kind, object_id, inputs, state) in reversed(made.all.items()):
        made.driver.delete(kind, object_id, state)
        if name not in {"value", "versioning", "providers"}:  # a part of what it is of, and goes with that
            assert made.driver.read(kind, object_id, inputs) is None, name
        made.driver.delete(kind, object_id, state)


def types_of_a_platform() -> set[str]:
    """With everything that may be asked for."""
    zones = (f"{REGION}a", f"{REGION}b")
    args = PlatformArgs(
        account=ACCOUNT,
        region=REGION,
        zones=zones,
        private=True,
        shared_database=True,
        database_password="of-a-test",
        shared_cache=True,
    )
    found = record(lambda: dict(Platform("understudy", args).outputs)).resources
    return {each.type for each in found if each.type.startswith("aws:")}


def test_tags_change_in_place_all_goes_and_the_page_s_policies_are_what_was_asked_for_each_type(
    made: Made, moto: Moto
) -> None:
    """The last of this module that has one of each: they go."""
    for token, object_id, inputs, _ in made.all.values():
        made.driver.read(token, object_id, inputs)
    change_tags(made)
    remove(made)
    served = {resource.token for resource in RESOURCES}
    plans = (everything_plan(), everything_plan("db", "cache"), databases_plan())
    environment = {each.type for plan in plans for each in declare(plan).resources if each.type.startswith("aws:")}
    platform = types_of_a_platform()
    assert environment - served == {"aws:elasticache/userGroupAssociation:UserGroupAssociation"}  # as the page says
    assert platform - served == {"aws:elasticache/userGroup:UserGroup"}  # as the page says

    def needed(kinds: set[str]) -> set[str]:
        return actions(call for kind in kinds & served for call in moto.asked_for[kind])

    kinds = ("Environments", "Databases", "CacheUsers", "Buckets", "Secrets", "Parameters", "Roles")
    groups = {"elasticache:describeusergroups", "elasticache:modifyusergroup"}  # as AWS's reference has them
    made = allowed("environments", *(f"UnderstudyMakes{kind}" for kind in kinds), "UnderstudyPassesRoles")
    assert made - groups == needed(environment) - allowed("sweep")
    users = {each for each in needed(environment) - allowed("sweep") if each.startswith("elasticache:")}
    assert allowed("environments", "UnderstudyMakesCacheUsers") == users | groups
    copies = {"rds:restoredbinstancefromdbsnapshot", "rds:modifydbinstance"}  # no instance of a platform is a copy
    assert allowed("platform", "UnderstudyMakesThePlatform") == needed(platform) - copies
    mine = allowed("environments", "UnderstudyMakesDatabases")
    assert mine == {each for each in needed(environment) - allowed("sweep") if each.startswith("rds:")}


def refused(call: Any, *arguments: Any, **more: Any) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **more)
    return str(caught.value.details())


def test_another_account_than_those_allowed_is_refused(aws_provider: PackageServer) -> None:
    with connected(aws_provider.port) as stub:
        said = refused(configure, stub, region=REGION, allowedAccountIds=["444455556666"])
        assert f"AWS account ID not allowed: {ACCOUNT}" in said


def test_a_configuration_that_is_not_heeded_is_refused(driver: ProviderDriver) -> None:
    given = to_struct({"region": REGION, "assumeRoles": "[]"})
    failures = driver.stub.CheckConfig(provider_pb2.CheckRequest(news=given)).failures
    assert [failure.property for failure in failures] == ["assumeRoles"]


@pytest.mark.parametrize(
    ("token", "inputs", "path"),
    [
        ("aws:sqs/queue:Queue", {"visibilityTimeout": 3}, "visibilityTimeout"),
        ("aws:sqs/queue:Queue", {"visibilityTimeoutSeconds": "3"}, "visibilityTimeoutSeconds"),
        ("aws:ecs/taskDefinition:TaskDefinition", {"family": "x"}, "containerDefinitions"),
        ("aws:lb/targetGroup:TargetGroup", {"healthCheck": {"paht": "/"}}, "healthCheck.paht"),
        ("aws:lb/targetGroup:TargetGroup", {"name": "x" * 33}, "name"),
        ("aws:rds/instance:Instance", {"instanceClass": "x", "identifier": "1st"}, "identifier"),
    ],
)
def test_inputs_are_held_against_the_sdk_and_the_limits_of_names(
    driver: ProviderDriver, token: str, inputs: dict, path: str
) -> None:
    assert [failure.property for failure in driver.check(token, inputs).failures] == [path]
