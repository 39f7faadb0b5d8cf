"""An account on moto with an environment of every kind in it, and beside each object one of somebody else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.session import get_session
from moto import mock_aws
from moto.moto_api import state_manager

from understudy.stacks.aws_names import LOG_PREFIX, ROLE_PATH, SECRET_PREFIX
from understudy.stacks.identity import Environment, Whose, ownership_labels
from understudy.targets.aws.listers import kind_named
from understudy.targets.aws.session import AwsAccess, AwsSession
from understudy.targets.aws.sweep import Pace
from understudy.targets.aws.target import AwsTarget

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


@cache
def _loader() -> Any:
    """What botocore reads of its models, once for all sessions: they take longer to read than most tests."""
    return get_session().get_component("data_loader")


Fail = Callable[[str, dict[str, Any]], str | None]


class Session(AwsSession):
    """One that writes down what it asks, and answers with a code of AWS's where `fail` gives one."""

    def __init__(self, access: AwsAccess | None = None) -> None:
        super().__init__(access or AwsAccess(REGION), attempts=1)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.fail: Fail = lambda _call, _asked: None

    def _session(self) -> boto3.Session:
        if self._made is None:
            core = get_session()
            core.register_component("data_loader", _loader())
            self._made = boto3.Session(botocore_session=core, region_name=self.access.region)
        return self._made

    def _client(self, service: str) -> Any:
        made = super()._client(service)

        def hear(params: dict[str, Any], model: Any, **_: object) -> None:
            call = f"{service}:{model.name}"
            self.calls.append((call, dict(params)))
            if code := self.fail(call, params):
                raise ClientError({"Error": {"Code": code, "Message": "as told"}}, model.name)

        made.meta.events.register("before-parameter-build", hear)
        return made

    def changes(self) -> list[str]:
        """What was asked of AWS that changes something, in order."""
        return [call for call, _ in self.calls if CHANGES.match(call.partition(":")[2])]


def session(**given: Any) -> Session:
    return Session(AwsAccess(REGION, **given))


def target(time: Time | None = None, aws: AwsSession | None = None, **given: Any) -> AwsTarget:
    return AwsTarget(aws or session(), now=lambda: AT, pace=(time or Time()).pace(**given))


def make_queue(name: str, tags: Tags) -> None:
    session().client("sqs").create_queue(QueueName=name, tags=tags)


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
        made: dict[str, str] = {}
        for kind, one in MAKERS.items():
            if not kinds or kind in kinds:
                made[kind] = one(self, prefix, tags, made, priority)
        return made

    def there(self, made: Mapping[str, str]) -> dict[str, str]:
        """Those of these objects that still are."""
        aws = session()
        return {kind: ident for kind, ident in made.items() if list(kind_named(kind).look(aws, [ident]))}


def _service(account: Account, prefix: str, tags: Tags, made: dict[str, str], _: int) -> str:
    net = {"subnets": account.subnets, "securityGroups": [made["security-group"]]}
    answer = account.client("ecs").create_service(
        cluster=account.cluster,
        serviceName=f"{prefix}-web",
        taskDefinition=made["task-definition"],
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": net},
        loadBalancers=[{"targetGroupArn": made["target-group"], "containerName": "web", "containerPort": 8080}],
        tags=pairs(tags, "key", "value"),
    )
    return str(answer["service"]["serviceArn"])


def _task(account: Account, _prefix: str, tags: Tags, made: dict[str, str], _: int) -> str:
    net = {"subnets": account.subnets, "securityGroups": [made["security-group"]]}
    answer = account.client("ecs").run_task(
        cluster=account.cluster,
        taskDefinition=made["task-definition"],
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": net},
        tags=pairs(tags, "key", "value"),
    )
    return str(answer["tasks"][0]["taskArn"])


def _definition(account: Account, prefix: str, tags: Tags, _made: dict[str, str], _: int) -> str:
    container = {"name": "web", "image": "shop/web:1", "cpu": 256, "memory": 512, "essential": True}
    answer = account.client("ecs").register_task_definition(
        family=f"{prefix}-web",
        containerDefinitions=[container],
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        tags=pairs(tags, "key", "value"),
    )
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def _target_group(account: Account, prefix: str, tags: Tags, _made: dict[str, str], _: int) -> str:
    answer = account.client("elbv2").create_target_group(
        Name=f"{prefix}-web", Protocol="HTTP", Port=80, VpcId=account.vpc, TargetType="ip", Tags=pairs(tags)
    )
    return str(answer["TargetGroups"][0]["TargetGroupArn"])


def _rule(account: Account, prefix: str, tags: Tags, made: dict[str, str], priority: int) -> str:
    answer = account.client("elbv2").create_rule(
        ListenerArn=account.listener,
        Priority=priority,
        Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": [f"{prefix}.preview.internal"]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": made["target-group"]}],
        Tags=pairs(tags),
    )
    return str(answer["Rules"][0]["RuleArn"])


def _rds(account: Account, prefix: str, tags: Tags, _made: dict[str, str], _: int) -> str:
    account.client("rds").create_db_instance(
        DBInstanceIdentifier=f"{prefix}-db",
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="root",
        MasterUserPassword="a-password",
        DeletionProtection=True,
        Tags=pairs(tags),
    )
    return f"{prefix}-db"


def _rds_cluster(account: Account, prefix: str, tags: Tags, _made: dict[str, str], _: int) -> str:
    rds = account.client("rds")
    login = {"MasterUsername": "root", "MasterUserPassword": "a-password"}
    rds.create_db_cluster(DBClusterIdentifier=f"{prefix}-aurora", Engine="aurora-postgresql", Tags=pairs(tags), **login)
    rds.create_db_instance(
        DBInstanceIdentifier=f"{prefix}-aurora-1",
        DBClusterIdentifier=f"{prefix}-aurora",
        Engine="aurora-postgresql",
        DBInstanceClass="db.serverless",
        Tags=pairs(tags),
    )
    return f"{prefix}-aurora"


def _snapshot(account: Account, prefix: str, tags: Tags, made: dict[str, str], _: int) -> str:
    account.client("rds").create_db_snapshot(
        DBSnapshotIdentifier=f"{prefix}-last", DBInstanceIdentifier=made["rds-instance"], Tags=pairs(tags)
    )
    return f"{prefix}-last"


def _cache(account: Account, prefix: str, tags: Tags, _made: dict[str, str], _: int) -> str:
    account.client("elasticache").create_cache_cluster(
        CacheClusterId=f"{prefix}-cache",
        Engine="redis",
        CacheNodeType="cache.t4g.micro",
        NumCacheNodes=1,
        Tags=pairs(tags),
    )
    return f"{prefix}-cache"


def _cache_group(account: Account, prefix: str, tags: Tags, _made: dict[str, str], _: int) -> str:
    account.client("elasticache").create_replication_group(
        ReplicationGroupId=f"{prefix}-valkey",
        ReplicationGroupDescription="-",
        Engine="redis",
        CacheNodeType="cache.t4g.micro",
        NumCacheClusters=1,
        Tags=pairs(tags),
    )
    return f"{prefix}-valkey"


def _bucket(account: Account, prefix: str, tags: Tags, _made: dict[str, str], _: int) -> str:
    s3, name = account.client("s3"), f"{prefix}-media"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    if tags:
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": pairs(tags)})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for number in range(3):
        s3.put_object(Bucket=name, Key="picture", Body=b"%d" % number)
    s3.delete_object(Bucket=name, Key="picture")
    s3.create_multipart_upload(Bucket=name, Key="unfinished")
    return name


def _queue(account: Account, prefix: str, tags: Tags, _made: dict[str, str], _: int) -> str:
    account.client("sqs").create_queue(QueueName=f"{prefix}-jobs", tags=tags)
    return f"{prefix}-jobs"


def _secret(account: Account, prefix: str, tags: Tags, _made: dict[str, str], _: int) -> str:
    answer = account.client("secretsmanager").create_secret(
        Name=f"{SECRET_PREFIX}{prefix}-key/value", SecretString="s", Tags=pairs(tags)
    )
    return str(answer["ARN"])


def _parameter(account: Account, prefix: str, tags: Tags, _made: dict[str, str], _: int) -> str:
    account.client("ssm").put_parameter(Name=f"/{prefix}/mode", Value="x", Type="String", Tags=pairs(tags))
    return f"/{prefix}/mode"


def _log_group(account: Account, prefix: str, tags: Tags, _made: dict[str, str], _: int) -> str:
    account.client("logs").create_log_group(logGroupName=f"{LOG_PREFIX}{prefix}", tags=tags)
    return f"{LOG_PREFIX}{prefix}"


def _policy(account: Account, prefix: str, tags: Tags, _made: dict[str, str], _: int) -> str:
    allow = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam = account.client("iam")
    answer = iam.create_policy(PolicyName=f"{prefix}-read", Path=ROLE_PATH, PolicyDocument=document, Tags=pairs(tags))
    arn = str(answer["Policy"]["Arn"])
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
    return arn


def _role(account: Account, prefix: str, tags: Tags, made: dict[str, str], _: int) -> str:
    who = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [who]})
    allow = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    inline = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam, name = account.client("iam"), f"{prefix}-task"
    iam.create_role(RoleName=name, Path=ROLE_PATH, AssumeRolePolicyDocument=document, Tags=pairs(tags))
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=inline)
    iam.attach_role_policy(RoleName=name, PolicyArn=made["policy"])
    return name


def _security_group(account: Account, prefix: str, tags: Tags, _made: dict[str, str], _: int) -> str:
    ec2 = account.client("ec2")
    ids = []
    for part in ("web", "peer"):
        specified = [{"ResourceType": "security-group", "Tags": pairs(tags)}] if tags else []
        made = ec2.create_security_group(
            GroupName=f"{prefix}-{part}", Description="-", VpcId=account.vpc, TagSpecifications=specified
        )
        ids.append(made["GroupId"])
    for one, other in (ids, reversed(ids)):
        refers = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": other}]}
        ec2.authorize_security_group_ingress(GroupId=one, IpPermissions=[refers])
    return str(ids[0])


def _group_rule(account: Account, _prefix: str, tags: Tags, _made: dict[str, str], priority: int) -> str:
    cidr = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": f"10.0.1.{priority}/32"}]}
    specified = [{"ResourceType": "security-group-rule", "Tags": pairs(tags)}] if tags else []
    answer = account.client("ec2").authorize_security_group_ingress(
        GroupId=account.shared_group, IpPermissions=[cidr], TagSpecifications=specified
    )
    return str(answer["SecurityGroupRules"][0]["SecurityGroupRuleId"])


def _interface(account: Account, prefix: str, tags: Tags, made: dict[str, str], _: int) -> str:
    specified = [{"ResourceType": "network-interface", "Tags": pairs(tags)}] if tags else []
    answer = account.client("ec2").create_network_interface(
        SubnetId=account.subnets[0], Description=prefix, Groups=[made["security-group"]], TagSpecifications=specified
    )
    return str(answer["NetworkInterface"]["NetworkInterfaceId"])


def _namespace(account: Account, prefix: str, tags: Tags, _made: dict[str, str], _: int) -> str:
    names = account.client("servicediscovery")
    names.create_http_namespace(Name=prefix, Tags=pairs(tags))
    return next(str(row["Arn"]) for row in names.list_namespaces()["Namespaces"] if row["Name"] == prefix)


def _name(account: Account, _prefix: str, tags: Tags, made: dict[str, str], _: int) -> str:
    names = account.client("servicediscovery")
    answer = names.create_service(Name="db", NamespaceId=made["namespace"].rpartition("/")[2], Tags=pairs(tags))
    return str(answer["Service"]["Arn"])


MAKERS: dict[str, Callable[[Account, str, Tags, dict[str, str], int], str]] = {
    "security-group": _security_group,
    "security-group-rule": _group_rule,
    "network-interface": _interface,
    "task-definition": _definition,
    "target-group": _target_group,
    "ecs-service": _service,
    "ecs-task": _task,
    "listener-rule": _rule,
    "rds-instance": _rds,
    "rds-snapshot": _snapshot,
    "rds-cluster": _rds_cluster,
    "cache-cluster": _cache,
    "cache-group": _cache_group,
    "bucket": _bucket,
    "queue": _queue,
    "secret": _secret,
    "parameter": _parameter,
    "log-group": _log_group,
    "policy": _policy,
    "role": _role,
    "namespace": _namespace,
    "name": _name,
}
"""Kind -> what makes one; later ones use earlier ones. A user of a cache is in no list: moto tags none."""
