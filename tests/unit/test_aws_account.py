"""An account's answers, as the API gives them, read as a topology: what moto's server does not answer, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from understudy.stacks.sources.aws_account import Discovered, read
from understudy.stacks.sources.aws_recording import AccountData
from understudy.stacks.topology import Managed, NetworkLink, Port, TopologyError

TASK = "arn:aws:ecs:eu-west-1:1:task-definition/"
SERVICE = "arn:aws:ecs:eu-west-1:1:service/shop/"
RDS, CACHE = "arn:aws:rds:eu-west-1:1:", "arn:aws:elasticache:eu-west-1:1:"
QUEUE = "arn:aws:sqs:eu-west-1:1:"
URL = "https://sqs.eu-west-1.amazonaws.com/000000000001/"


class Answers:
    """The answers of an account, kind by kind."""

    def __init__(self) -> None:
        self.found: dict[str, list[Mapping[str, Any]]] = {}

    def add(self, kind: str, **entry: Any) -> None:
        self.found.setdefault(kind, []).append(entry)

    def service(self, name: str, environment: Mapping[str, str] | None = None, **more: Any) -> None:
        """A service of one container; `task` and `container` are more of its task definition and container."""
        given = [{"name": key, "value": value} for key, value in (environment or {}).items()]
        container = {"name": name, "image": f"{name}:1", "environment": given, **more.pop("container", {})}
        task = {"taskDefinitionArn": TASK + name, "containerDefinitions": [container], **more.pop("task", {})}
        self.add("task_definitions", **task)
        self.add("services", serviceArn=SERVICE + name, serviceName=name, taskDefinition=TASK + name, **more)

    def queue(self, name: str, **attributes: str) -> None:
        self.add("queues", QueueUrl=URL + name, Attributes={"QueueArn": QUEUE + name, **attributes})

    def read(self, label: str = "app=shop", **more: Any) -> Discovered:
        answers = {kind: tuple(entries) for kind, entries in self.found.items()}
        return read(AccountData("000000000001", "eu-west-1", label, answers=answers, **more))

    def uses(self) -> dict[str, str]:
        """What the services use -> by what that is known."""
        lines = (line.removeprefix("services.").split(": ", 1) for line in self.read().evidence)
        return {line[0].replace(" uses ", "->"): line[1] for line in lines}


def test_clusters_groups_and_serverless_caches_have_every_name_that_they_answer_under() -> None:
    answers = Answers()
    answers.add(
        "clusters",
        DBClusterIdentifier="ledger",
        DBClusterArn=RDS + "cluster:ledger",
        Engine="aurora-mysql",
        EngineVersion="8.0.mysql_aurora.3.05.2",
        DatabaseName="ledger",
        MasterUsername="app",
        Endpoint="ledger.cluster-x.rds",
        ReaderEndpoint="ledger.cluster-ro-x.rds",
        Port=3306,
        MasterUserSecret={"SecretArn": "arn:aws:secretsmanager:eu-west-1:1:secret:ledger-x"},
    )
    member = {"DBInstanceIdentifier": "ledger-1", "DBInstanceArn": RDS + "db:ledger-1", "Engine": "aurora-mysql"}
    place = {"DBSubnetGroup": {"VpcId": "vpc-1"}, "Endpoint": {"Address": "ledger-1.rds", "Port": 3306}}
    answers.add("instances", **member, **place, DBClusterIdentifier="ledger")
    answers.add("vpcs", VpcId="vpc-1")
    group = {"ReplicationGroupId": "cart", "ARN": CACHE + "replicationgroup:cart", "TransitEncryptionEnabled": True}
    nodes = [{"PrimaryEndpoint": {"Address": "cart.cache", "Port": 6380}, "ReaderEndpoint": {"Address": "ro.cache"}}]
    answers.add("replication_groups", **group, NodeGroups=nodes, AuthTokenEnabled=True)
    node = {"CacheClusterId": "cart-1", "ARN": CACHE + "cluster:cart-1", "Engine": "valkey", "EngineVersion": "8.0"}
    answers.add("cache_clusters", **node, ReplicationGroupId="cart", CacheSubnetGroupName="own")
    answers.add("cache_subnet_groups", CacheSubnetGroupName="own", VpcId="vpc-1")
    serverless = {"ServerlessCacheName": "sessions", "ARN": CACHE + "serverlesscache:sessions", "Engine": "redis"}
    ends = {"Endpoint": {"Address": "s.cache", "Port": 6379}, "ReaderEndpoint": {"Address": "s-ro.cache", "Port": 6380}}
    answers.add("serverless_caches", **serverless, **ends, MajorEngineVersion="7", SubnetIds=["subnet-1"])
    answers.add("subnets", SubnetId="subnet-1", VpcId="vpc-1")
    kept = "arn:aws:secretsmanager:eu-west-1:1:secret:ledger-x"
    answers.add("secrets", ARN=kept, Name="ledger")
    answers.service("web", container={"secrets": [{"name": "DB_PASSWORD", "valueFrom": f"{kept}:password::"}]})
    found = answers.read()
    services = found.topology.services
    names = ("ledger.cluster-x.rds", "ledger.cluster-ro-x.rds", "ledger-1.rds")
    assert services["ledger"].networks == (NetworkLink("vpc-1", names),)
    version = "8.0.mysql_aurora.3.05.2"
    assert services["ledger"].managed == Managed(
        "rds", "ledger", "aurora-mysql", version, "ledger", "app", "DB_PASSWORD"
    )
    assert services["cart"].networks == (NetworkLink("vpc-1", ("cart.cache", "ro.cache")),)
    assert (services["cart"].image, services["cart"].expose) == ("valkey/valkey:8.0", (Port(6380),))
    assert services["sessions"].networks == (NetworkLink("vpc-1", ("s.cache", "s-ro.cache")),)
    assert not {"ledger-1", "cart-1"} & set(services)
    paths = {change.path for change in found.topology.changes}
    assert {"services.cart.tls", "services.cart.authToken"} <= paths
    assert [each.service for each in services["web"].depends_on] == ["ledger"]


def test_a_security_group_that_lets_a_service_in_on_the_stores_port_is_an_edge() -> None:
    answers = Answers()
    for name, group in (("web", "sg-web"), ("other", "sg-other")):
        answers.service(name, networkConfiguration={"awsvpcConfiguration": {"securityGroups": [group]}})
    node = {"CacheClusterId": "cart", "ARN": CACHE + "cluster:cart", "Engine": "redis", "EngineVersion": "7.1"}
    ends = [{"Endpoint": {"Address": "cart.cache", "Port": 6379}}]
    answers.add("cache_clusters", **node, CacheNodes=ends, SecurityGroups=[{"SecurityGroupId": "sg-cart"}])
    guarded = {"VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-db"}], "Engine": "postgres", "EngineVersion": "15"}
    answers.add("instances", DBInstanceIdentifier="db", DBInstanceArn=RDS + "db:db", **guarded)
    web, other = {"GroupId": "sg-web"}, {"GroupId": "sg-other"}
    cart = [{"IpProtocol": "tcp", "FromPort": 6000, "ToPort": 7000, "UserIdGroupPairs": [web]}]
    answers.add("security_groups", GroupId="sg-cart", GroupName="cart", IpPermissions=cart)
    wrong = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [web]}
    whole = {"IpProtocol": "-1", "UserIdGroupPairs": [other]}
    answers.add("security_groups", GroupId="sg-db", GroupName="db", IpPermissions=[wrong, whole])
    assert answers.uses() == {
        "web->cart": "security group sg-cart lets sg-web in on port 6379",
        "other->db": "security group sg-db lets sg-other in on port 5432",
    }
    assert [w for w in answers.read().topology.warnings if "services.db: which secret is the password" in w]


@pytest.mark.parametrize(
    ("value", "known"),
    [
        ("orders", True),
        (URL + "orders", True),
        (QUEUE + "orders", True),
        ("s3://orders/prefix", True),
        ("orders.s3.eu-west-1.amazonaws.com", True),
        ("http://user:secret-word@orders:9000/x", True),
        ("take my orders", False),
        ("pre-orders", False),
        (URL + "orders-dead", False),
        (QUEUE + "orders2", False),
    ],
)
def test_a_value_names_a_queue_or_bucket_as_a_whole_or_not_at_all(value: str, known: bool) -> None:  # noqa: FBT001 - a case
    answers = Answers()
    answers.queue("orders")
    answers.service("web", {"WHERE": value})
    uses = answers.uses()
    assert bool(uses) == known
    assert "secret-word" not in str(uses)
    assert not uses or uses["web->orders"].startswith("variable WHERE names ")


def test_a_policy_that_names_something_is_an_edge_and_a_star_is_none() -> None:
    answers = Answers()
    for name in ("orders", "mails"):
        answers.queue(name)
    answers.add("buckets", Name="files", Arn="arn:aws:s3:::files", Versioning={}, Notifications={})
    allow: dict[str, Any] = {"Effect": "Allow", "Action": "sqs:*"}
    statements = [
        {**allow, "Resource": QUEUE + "ord*"},
        {**allow, "Resource": ["*", QUEUE + "*", "arn:aws:s3:::*/x"]},
        {"Effect": "Deny", "Action": "*", "Resource": QUEUE + "mails"},
        {**allow, "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::files/in/*"},
        {**allow, "NotResource": QUEUE + "mails"},
    ]
    role = "arn:aws:iam::1:role/path/web"
    answers.add("roles", Arn=role, Policies=[{"Name": "own", "Document": {"Statement": statements}}])
    answers.service("web", task={"taskRoleArn": role})
    assert answers.uses() == {
        "web->orders": "policy own of role web allows sqs:*",
        "web->files": "policy own of role web allows s3:GetObject",
    }


def test_services_call_each_other_by_names_of_service_connect_and_of_load_balancers_and_in_no_circle() -> None:
    answers = Answers()
    group, balancer = "arn:aws:elasticloadbalancing:group", "arn:aws:elasticloadbalancing:balancer"
    connect = {"services": [{"portName": "http", "clientAliases": [{"dnsName": "api.shop", "port": 80}]}]}
    answers.service(
        "api",
        {"WEB": "https://front-1.eu-west-1.elb.amazonaws.com/hook"},
        deployments=[{"status": "ACTIVE"}, {"status": "PRIMARY", "serviceConnectConfiguration": connect}],
    )
    balanced = [{"targetGroupArn": group, "containerName": "web", "containerPort": 8000}]
    answers.service("web", {"API": "http://api.shop/v1"}, loadBalancers=balanced)
    answers.add("target_groups", TargetGroupArn=group, TargetGroupName="web", LoadBalancerArns=[balancer])
    dns = "front-1.eu-west-1.elb.amazonaws.com"
    answers.add("load_balancers", LoadBalancerArn=balancer, DNSName=dns)
    answers.add("listeners", ListenerArn="l", Port=443, Protocol="HTTPS", DefaultActions=[{"TargetGroupArn": group}])
    assert answers.uses() == {
        "api->web": f"variable WEB names {dns}",
        "web->api": "variable API names api.shop",
    }
    services = answers.read().topology.services
    assert services["web"].ports == (Port(8000, "443"),)
    assert services["api"].networks == (NetworkLink("default", ("api.shop",)),)
    waits = [(name, each.service) for name in ("api", "web") for each in services[name].depends_on]
    assert waits == [("api", "web")], "one of the two waits for the other"


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("x.c1.eu-west-1.rds.amazonaws.com", "x.c1.eu-west-1.rds.amazonaws.com"),
        (URL + "gone", URL + "gone"),
        ("arn:aws:sns:eu-west-1:1:topic", "arn:aws:sns:eu-west-1:1:topic"),
        ("other.s3.amazonaws.com", "other.s3.amazonaws.com"),
        ("sqs.eu-west-1.amazonaws.com", ""),
        ("https://s3.amazonaws.com", ""),
        (URL + "orders", ""),
        ("shop.example", ""),
    ],
)
def test_what_a_value_names_at_aws_and_nobody_read_is_said(value: str, named: str) -> None:
    answers = Answers()
    answers.queue("orders")
    answers.service("web", {"WHERE": value})
    said = [warning for warning in answers.read().topology.warnings if "variable WHERE" in warning]
    wanted = f"aws:000000000001:eu-west-1: services.web: variable WHERE names {named}, which is none of what was read"
    assert said == ([wanted] if named else [])


def test_what_is_gone_or_of_other_kinds_or_processors_is_on_the_record() -> None:
    answers = Answers()
    lost = "arn:aws:secretsmanager:eu-west-1:1:secret:lost-x"
    given = {"secrets": [{"name": "TOKEN", "valueFrom": lost}]}
    answers.service("web", container=given, task={"runtimePlatform": {"cpuArchitecture": "ARM64"}})
    scope = ("arn:aws:dynamodb:eu-west-1:1:table/carts", "arn:aws:ec2:eu-west-1:1:instance/i-1", QUEUE + "stale")
    found = answers.read(scope=scope, unanswered=("elasticache:DescribeServerlessCaches",))
    said = "\n".join(found.topology.warnings)
    assert f"the secret of TOKEN is not there: {lost}" in said
    assert "AWS knows no elasticache:DescribeServerlessCaches there" in said
    changes = {change.path: change.production for change in found.topology.changes}
    assert changes["services.web.platform"] == "ARM64"
    assert {"resources.table/carts", "resources.instance/i-1"} <= set(changes)
    assert not [path for path in changes if "stale" in path]
    assert found.topology.secrets == ("TOKEN",)


def test_without_a_tag_it_is_said_that_not_all_is_read_and_without_a_service_it_is_no_topology() -> None:
    answers = Answers()
    answers.queue("orders")
    with pytest.raises(TopologyError, match="no service of ECS with the tag app=shop"):
        answers.read()
    answers.service("web")
    found = answers.read(label="").topology
    assert found.name == "production"
    assert [warning for warning in found.warnings if "docs/aws.md" in warning]
