"""What makes one object of each kind of an environment on moto."""

from __future__ import annotations

import json
from collections.abc import Callable

from aws.world import REGION, Account, Tags, pairs

from understudy.stacks.aws_names import LOG_PREFIX, ROLE_PATH, SECRET_PREFIX

__all__ = ["MAKERS"]


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
    rds.create_db_cluster(
        DBClusterIdentifier=f"{prefix}-aurora",
        Engine="aurora-postgresql",
        DeletionProtection=True,
        Tags=pairs(tags),
        **login,
    )
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
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
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
        ec2.authorize_security_group_egress(GroupId=one, IpPermissions=[refers])
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
    made_one = names.create_service(Name="db", NamespaceId=made["namespace"].rpartition("/")[2], Tags=pairs(tags))
    service = made_one["Service"]
    names.register_instance(ServiceId=service["Id"], InstanceId="i", Attributes={"AWS_INSTANCE_IPV4": "10.0.1.9"})
    return str(service["Arn"])


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
