"""Every kind of resource that an estimate knows: what is charged by the hour, what by use, and what has no charge."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from . import compute, network, stores
from .charges import Charges, Declared, How, Remark, World

__all__ = ["charges"]

_Kind = Callable[[Declared, World], Charges]

_HOURLY: Mapping[str, _Kind] = {
    compute.SERVICE: compute.service,
    compute.TASK: compute.task,
    "aws:lb/loadBalancer:LoadBalancer": network.load_balancer,
    "aws:alb/loadBalancer:LoadBalancer": network.load_balancer,
    "aws:ec2/natGateway:NatGateway": network.nat_gateway,
    "aws:ec2/eip:Eip": network.address,
    "aws:ec2/vpcEndpoint:VpcEndpoint": network.endpoint,
    "aws:rds/instance:Instance": stores.database,
    "aws:rds/clusterInstance:ClusterInstance": stores.database_in_cluster,
    "aws:elasticache/cluster:Cluster": stores.cache_cluster,
    "aws:elasticache/replicationGroup:ReplicationGroup": stores.replication_group,
    "aws:secretsmanager/secret:Secret": stores.secret,
}

_USAGE: Mapping[str, str] = {
    "aws:sqs/queue:Queue": "requests and data out are charged",
    "aws:sns/topic:Topic": "messages are charged",
    "aws:s3/bucket:Bucket": "storage by the GB and month, requests and data out are charged",
    "aws:s3/bucketV2:BucketV2": "storage by the GB and month, requests and data out are charged",
    "aws:cloudwatch/logGroup:LogGroup": "logs are charged by the GB that comes in and is kept",
    "aws:rds/cluster:Cluster": "storage and requests are charged; its instances are resources of their own",
    "aws:elasticache/serverlessCache:ServerlessCache": "data by the GB and hour, and requests are charged",
    "aws:dynamodb/table:Table": "requests and storage are charged",
    "aws:lambda/function:Function": "requests and the time that they take are charged",
    "aws:ssm/parameter:Parameter": "advanced ones by the month, and calls at a higher throughput, are charged",
    "aws:ecr/repository:Repository": "images are charged by the GB and month",
}

_FREE = frozenset(
    {
        *("aws:ecs/cluster:Cluster", "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders"),
        *("aws:lb/listener:Listener", "aws:lb/listenerRule:ListenerRule", "aws:lb/targetGroup:TargetGroup"),
        *("aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:ec2/internetGateway:InternetGateway"),
        *("aws:ec2/routeTable:RouteTable", "aws:ec2/route:Route", "aws:ec2/securityGroup:SecurityGroup"),
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        "aws:ec2/securityGroupRule:SecurityGroupRule",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        *("aws:rds/subnetGroup:SubnetGroup", "aws:rds/parameterGroup:ParameterGroup"),
        *("aws:elasticache/subnetGroup:SubnetGroup", "aws:elasticache/parameterGroup:ParameterGroup"),
        *("aws:elasticache/user:User", "aws:elasticache/userGroup:UserGroup"),
        "aws:elasticache/userGroupAssociation:UserGroupAssociation",
        "aws:secretsmanager/secretVersion:SecretVersion",
        *("aws:s3/bucketVersioning:BucketVersioning", "aws:s3/bucketPolicy:BucketPolicy"),
        "aws:s3/bucketNotification:BucketNotification",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        *("aws:s3/bucketObject:BucketObject", "aws:s3/bucketObjectv2:BucketObjectv2"),  # their bucket's storage
        *("aws:sqs/queuePolicy:QueuePolicy", "aws:sqs/redrivePolicy:RedrivePolicy"),
        *("aws:servicediscovery/httpNamespace:HttpNamespace", "aws:ecr/lifecyclePolicy:LifecyclePolicy"),
    }
)
"""Kinds that AWS does not charge for, or only as a part of what they belong to."""

_OURS = ("understudy:", "pulumi:")
"""Components, providers and stacks: nothing of AWS."""


def charges(declared: Declared, world: World) -> Charges:
    """What one resource is charged for; a kind that is not known here is said to be so."""
    kind = declared.type
    if kind.startswith(_OURS):
        return
    if kind in _HOURLY:
        yield from _HOURLY[kind](declared, world)
    elif kind in _USAGE:
        yield Remark(How.USAGE, _short(kind), _USAGE[kind])
    elif kind in _FREE or kind.startswith("aws:iam/"):
        yield Remark(How.FREE, _short(kind), "AWS does not charge for it by itself")
    else:
        yield Remark(How.UNKNOWN, _short(kind), "no rule says how this kind is charged")


def _short(kind: str) -> str:
    return kind.rpartition(":")[2]
