"""A small production on AWS, made with boto3 on moto: a shop with all that is read, and decoys of another tag."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

import boto3
from aws.moto_gaps import filled
from s3_server import serve_moto

REGION, ACCOUNT = "eu-west-1", "123456789012"
TAG = "app=shop"

WAITS = [
    {"containerName": "migrate", "condition": "SUCCESS"},
    {"containerName": "proxy", "condition": "HEALTHY"},
]
"""What the main container of the service `web` waits for."""

BESIDE: list[dict[str, Any]] = [
    {"name": "migrate", "image": "shop/web:1", "command": ["migrate"], "essential": False, "memory": 128},
    {
        "name": "proxy",
        "image": "shop/envoy:1",
        "memory": 64,
        "healthCheck": {"command": ["CMD", "ready"], "interval": 10, "timeout": 5, "retries": 3},
    },
]
"""The other containers of its task."""


@contextlib.contextmanager
def serve_account() -> Iterator[Mapping[str, str]]:
    """Moto's server, empty and with the call that it lacks; yields the variables that lead to it."""
    with filled(), serve_moto() as url:
        emptied = HTTPConnection(url.removeprefix("http://"))  # what other tests made in this process is there too
        emptied.request("POST", "/moto-api/reset")
        emptied.getresponse().read()
        emptied.close()
        keys = {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "reader"}
        yield {"AWS_ENDPOINT_URL": url, "AWS_REGION": REGION, "AWS_MAX_ATTEMPTS": "1", **keys}


@dataclass
class Made:
    """What boto3 made: ARNs, addresses and ids by a word."""

    names: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, key: str) -> str:
        return self.names[key]


class Account:
    """Makes the production of one app; what it makes has the tag."""

    def __init__(self, app: str = "shop", session: boto3.Session | None = None) -> None:
        self.app = app
        self.session = session or boto3.Session(region_name=REGION)
        self.made = Made()
        self.tags = [{"Key": "app", "Value": app}]
        self.small = [{"key": "app", "value": app}]

    def client(self, name: str) -> Any:
        kind: Any = name
        return self.session.client(kind)

    def network(self) -> None:
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "main"}, *self.tags])
        found = {"vpc": vpc}
        for zone in ("a", "b"):
            block = f"10.0.{ord(zone)}.0/24"
            subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=REGION + zone)["Subnet"]
            found[f"subnet-{zone}"] = subnet["SubnetId"]
        for group in ("web", "worker", "db", "cache"):
            made = ec2.create_security_group(VpcId=vpc, GroupName=f"{self.app}-{group}", Description=group)
            found[f"group-{group}"] = made["GroupId"]
        for store, port, users in (("db", 5432, ("web",)), ("cache", 6379, ("worker",))):
            pairs = [{"GroupId": found[f"group-{user}"]} for user in users]
            rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": pairs}
            ec2.authorize_security_group_ingress(GroupId=found[f"group-{store}"], IpPermissions=[rule])
        self.made.names |= found

    def stores(self) -> None:
        subnets = [self.made["subnet-a"], self.made["subnet-b"]]
        rds, cache, sqs, s3 = (self.client(name) for name in ("rds", "elasticache", "sqs", "s3"))
        group = f"{self.app}-dbs"
        rds.create_db_subnet_group(DBSubnetGroupName=group, DBSubnetGroupDescription="-", SubnetIds=subnets)
        made = rds.create_db_instance(
            DBInstanceIdentifier=f"{self.app}-db",
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            EngineVersion="15.4",
            DBName="shop",
            MasterUsername="shop",
            ManageMasterUserPassword=True,
            AllocatedStorage=20,
            DBSubnetGroupName=group,
            VpcSecurityGroupIds=[self.made["group-db"]],
            Tags=self.tags,
        )["DBInstance"]
        self.made.names |= {"db": made["Endpoint"]["Address"], "db-secret": made["MasterUserSecret"]["SecretArn"]}
        cache.create_cache_subnet_group(
            CacheSubnetGroupName=group, CacheSubnetGroupDescription="-", SubnetIds=[self.made["subnet-a"]]
        )
        node = cache.create_cache_cluster(
            CacheClusterId=f"{self.app}-cache",
            Engine="redis",
            EngineVersion="7.1",
            NumCacheNodes=1,
            CacheNodeType="cache.t4g.micro",
            CacheSubnetGroupName=group,
            SecurityGroupIds=[self.made["group-cache"]],
            Tags=self.tags,
        )["CacheCluster"]
        self.made.names["cache"] = node["ARN"]
        dead = sqs.create_queue(QueueName=f"{self.app}-dead", tags={"app": self.app})["QueueUrl"]
        asked = {"QueueUrl": dead, "AttributeNames": ["QueueArn"]}
        arn = sqs.get_queue_attributes(**asked)["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
        orders = sqs.create_queue(
            QueueName=f"{self.app}-orders",
            Attributes={"VisibilityTimeout": "45", "RedrivePolicy": policy},
            tags={"app": self.app},
        )["QueueUrl"]
        bucket = f"{self.app}-invoices"
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": self.tags})
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        heard = {"QueueArn": arn.replace("-dead", "-orders"), "Events": ["s3:ObjectCreated:*"]}
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [heard]}
        )
        self.made.names |= {"dead": dead, "orders": orders, "orders-arn": heard["QueueArn"], "bucket": bucket}

    def secrets(self) -> None:
        secrets, ssm, iam = (self.client(name) for name in ("secretsmanager", "ssm", "iam"))
        token = secrets.create_secret(Name=f"{self.app}/token", SecretString="never-to-be-read", Tags=self.tags)
        ssm.put_parameter(Name=f"/{self.app}/level", Type="String", Value="info")
        trust = json.dumps({"Version": "2012-10-17", "Statement": []})
        role = iam.create_role(RoleName=f"{self.app}-task", AssumeRolePolicyDocument=trust)["Role"]
        for name, action, resource in (
            ("orders", "sqs:SendMessage", self.made["orders-arn"]),
            ("invoices", "s3:PutObject", f"arn:aws:s3:::{self.made['bucket']}/*"),
        ):
            statement = {"Effect": "Allow", "Action": [action], "Resource": resource}
            document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            if name == "orders":
                iam.put_role_policy(RoleName=role["RoleName"], PolicyName=name, PolicyDocument=document)
            else:
                made = iam.create_policy(PolicyName=f"{self.app}-{name}", PolicyDocument=document)["Policy"]
                iam.attach_role_policy(RoleName=role["RoleName"], PolicyArn=made["Arn"])
        self.made.names |= {"token": token["ARN"], "role": role["Arn"]}

    def balancer(self) -> None:
        elb, vpc = self.client("elbv2"), self.made["vpc"]
        subnets = [self.made["subnet-a"], self.made["subnet-b"]]
        balancer = elb.create_load_balancer(Name=f"{self.app}-front", Subnets=subnets, Tags=self.tags)
        arn = balancer["LoadBalancers"][0]["LoadBalancerArn"]
        group = elb.create_target_group(Name=f"{self.app}-web", Protocol="HTTP", Port=8000, VpcId=vpc)
        target = group["TargetGroups"][0]["TargetGroupArn"]
        nobody = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
        listener = elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[nobody])
        elb.create_rule(
            ListenerArn=listener["Listeners"][0]["ListenerArn"],
            Priority=10,
            Conditions=[{"Field": "path-pattern", "Values": ["/shop/*"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": target}],
        )
        self.made.names["group"] = target

    def services(self) -> None:
        ecs, cloud = self.client("ecs"), self.client("servicediscovery")
        cloud.create_private_dns_namespace(Name=f"{self.app}.local", Vpc=self.made["vpc"])
        (space,) = (s for s in cloud.list_namespaces()["Namespaces"] if s["Name"] == f"{self.app}.local")
        registry = cloud.create_service(Name="worker", NamespaceId=space["Id"])["Service"]["Arn"]
        ecs.create_cluster(clusterName=self.app, tags=self.small)
        made = self.made
        web = {
            "environment": {
                "DATABASE_HOST": made["db"],
                "QUEUE_URL": made["orders"],
                "BUCKET": made["bucket"],
                "WORKER_URL": f"http://worker.{self.app}.local:9000/jobs",
                "OLD_CACHE": "legacy.abc.0001.euw1.cache.amazonaws.com",
            },
            "secrets": {
                "PGPASSWORD": f"{made['db-secret']}:password::",
                "API_TOKEN": made["token"],
                "LEVEL": f"/{self.app}/level",
            },
            "portMappings": [{"containerPort": 8000}],
        }
        worker: dict[str, Any] = {"environment": {}, "secrets": {}, "portMappings": [{"containerPort": 9000}]}
        balanced = [{"targetGroupArn": made["group"], "containerName": "web", "containerPort": 8000}]
        for name, given, more in (
            ("web", web, {"loadBalancers": balanced, "desiredCount": 3}),
            ("worker", worker, {"serviceRegistries": [{"registryArn": registry}], "desiredCount": 1}),
        ):
            container = {
                "name": name,
                "image": f"shop/{name}:1",
                "memory": 256,
                "environment": [{"name": key, "value": value} for key, value in given["environment"].items()],
                "secrets": [{"name": key, "valueFrom": value} for key, value in given["secrets"].items()],
                "portMappings": given["portMappings"],
                "dependsOn": WAITS if name == "web" else [],
            }
            role = {"taskRoleArn": made["role"]} if name == "web" else {}
            task = ecs.register_task_definition(
                family=f"{self.app}-{name}",
                networkMode="awsvpc",
                cpu="256",
                memory="512",
                containerDefinitions=[container, *(BESIDE if name == "web" else ())],
                **role,
            )["taskDefinition"]["taskDefinitionArn"]
            place = {"subnets": [made["subnet-a"]], "securityGroups": [made[f"group-{name}"]]}
            ecs.create_service(
                cluster=self.app,
                serviceName=name if self.app == "shop" else f"{self.app}-{name}",
                taskDefinition=task,
                launchType="FARGATE",
                networkConfiguration={"awsvpcConfiguration": place},
                tags=self.small,
                **more,
            )
        if self.app == "shop":
            self.client("application-autoscaling").register_scalable_target(
                ServiceNamespace="ecs",
                ResourceId="service/shop/web",
                ScalableDimension="ecs:service:DesiredCount",
                MinCapacity=2,
                MaxCapacity=6,
            )

    def all(self) -> Made:
        """Make everything, and return what it is called."""
        self.network()
        self.stores()
        self.secrets()
        self.balancer()
        self.services()
        self.client("dynamodb").create_table(
            TableName=f"{self.app}-carts",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            Tags=self.tags,
        )
        return self.made
