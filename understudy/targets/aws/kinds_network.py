"""Security groups, their rules in groups of others, network interfaces, and names in Cloud Map."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from understudy.targets.aws.kinds import Kind, each, labels_of
from understudy.targets.aws.session import AwsSession
from understudy.targets.interface import Owned
from understudy.targets.ownership import ENVIRONMENT, is_owned, whose_of

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_servicediscovery import ServiceDiscoveryClient

__all__ = ["BY_ECS", "NETWORK", "holders"]

BY_ECS = "AmazonECSManaged"
"""The tag of what ECS makes in Cloud Map (Amazon ECS, "Service Connect components")."""


def _tagged(environment: str | None) -> list[dict[str, Any]]:
    if environment:
        return [{"Name": f"tag:{ENVIRONMENT}", "Values": [environment]}]
    return [{"Name": "tag-key", "Values": [ENVIRONMENT]}]


def _candidates(operation: str, rows: str, ident: str) -> Callable[[AwsSession, str | None], Iterator[str]]:
    """A lister by EC2's own filter on tags."""

    def listed(aws: AwsSession, environment: str | None) -> Iterator[str]:
        pages = aws.client("ec2").get_paginator(operation).paginate(Filters=_tagged(environment))
        return (row[ident] for page in pages for row in page[rows])

    return listed


def _groups(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    ec2: EC2Client = aws.client("ec2")
    for answer in each(lambda ident: ec2.describe_security_groups(GroupIds=[ident]), ids):
        for row in answer["SecurityGroups"]:
            yield Owned("security-group", row["GroupId"], row["GroupName"], labels_of(row.get("Tags")))


def _remove_group(aws: AwsSession, item: Owned) -> None:
    """Rules that refer to it are revoked first, in groups of the same environment alone: others stay as they are."""
    ec2: EC2Client = aws.client("ec2")
    whose = whose_of(item.labels)
    for direction in ("ip-permission.group-id", "egress.ip-permission.group-id"):
        pages = ec2.get_paginator("describe_security_groups").paginate(
            Filters=[{"Name": direction, "Values": [item.id]}]
        )
        for group in (row for page in pages for row in page["SecurityGroups"]):
            if is_owned(labels_of(group.get("Tags")), whose):
                _revoke(ec2, group, item.id)
    ec2.delete_security_group(GroupId=item.id)


def _revoke(ec2: EC2Client, group: Any, referred: str) -> None:  # noqa: ANN401 - boto3's dictionary
    for key, revoke in (
        ("IpPermissions", ec2.revoke_security_group_ingress),
        ("IpPermissionsEgress", ec2.revoke_security_group_egress),
    ):
        rules: list[Any] = []
        for rule in group[key]:
            pairs = [pair for pair in rule.get("UserIdGroupPairs", ()) if pair["GroupId"] == referred]
            if pairs:
                ports = {name: rule[name] for name in ("FromPort", "ToPort") if name in rule}
                one = [{"GroupId": pair["GroupId"]} for pair in pairs]
                rules.append({"IpProtocol": rule["IpProtocol"], **ports, "UserIdGroupPairs": one})
        if rules:
            revoke(GroupId=group["GroupId"], IpPermissions=rules)


def _rules(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    """Rules with tags of their own: those of an environment may stand in a group of the platform."""
    ec2: EC2Client = aws.client("ec2")
    for answer in each(lambda ident: ec2.describe_security_group_rules(SecurityGroupRuleIds=[ident]), ids):
        for row in answer["SecurityGroupRules"]:
            name = f"{row['SecurityGroupRuleId']} of {row['GroupId']}"
            yield Owned("security-group-rule", row["SecurityGroupRuleId"], name, labels_of(row.get("Tags")))


def _remove_rule(aws: AwsSession, item: Owned) -> None:
    ec2: EC2Client = aws.client("ec2")
    row = ec2.describe_security_group_rules(SecurityGroupRuleIds=[item.id])["SecurityGroupRules"][0]
    if row["IsEgress"]:
        ec2.revoke_security_group_egress(GroupId=row["GroupId"], SecurityGroupRuleIds=[item.id])
    else:
        ec2.revoke_security_group_ingress(GroupId=row["GroupId"], SecurityGroupRuleIds=[item.id])


def _interfaces(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    ec2: EC2Client = aws.client("ec2")
    for answer in each(lambda ident: ec2.describe_network_interfaces(NetworkInterfaceIds=[ident]), ids):
        for row in answer["NetworkInterfaces"]:
            name = row.get("Description") or row["NetworkInterfaceId"]
            yield Owned("network-interface", row["NetworkInterfaceId"], name, labels_of(row.get("TagSet")))


def _remove_interface(aws: AwsSession, item: Owned) -> None:
    """One that is attached goes when what it is attached to goes."""
    ec2: EC2Client = aws.client("ec2")
    ec2.delete_network_interface(NetworkInterfaceId=item.id)


def holders(aws: AwsSession, group: str) -> tuple[str, ...]:
    """What keeps a security group: network interfaces, those that ECS made without tags too, and groups with rules.

    Raises:
        botocore.exceptions.ClientError: EC2 refused.
    """
    ec2: EC2Client = aws.client("ec2")
    pages = ec2.get_paginator("describe_network_interfaces").paginate(Filters=[{"Name": "group-id", "Values": [group]}])
    found = [
        f"network interface {row['NetworkInterfaceId']} ({row.get('Description') or row.get('Status')})"
        for page in pages
        for row in page["NetworkInterfaces"]
    ]
    for direction in ("ip-permission.group-id", "egress.ip-permission.group-id"):
        groups = ec2.get_paginator("describe_security_groups").paginate(
            Filters=[{"Name": direction, "Values": [group]}]
        )
        named = (row["GroupId"] for page in groups for row in page["SecurityGroups"])
        found += [f"a rule in security group {other}" for other in named if other != group]
    return tuple(dict.fromkeys(found))


def _name_candidates(aws: AwsSession, _environment: str | None) -> Iterator[str]:
    names: ServiceDiscoveryClient = aws.client("servicediscovery")
    return (row["Arn"] for page in names.get_paginator("list_services").paginate() for row in page["Services"])


def _named(aws: AwsSession, kind: str, arn: str, name: str) -> Iterator[Owned]:
    names: ServiceDiscoveryClient = aws.client("servicediscovery")
    for answer in each(lambda arn: names.list_tags_for_resource(ResourceARN=arn), [arn]):
        yield Owned(kind, arn, name, labels_of(answer["Tags"]))


def _names(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    names: ServiceDiscoveryClient = aws.client("servicediscovery")
    for answer in each(lambda arn: names.get_service(Id=arn.rpartition("/")[2]), ids):
        row = answer["Service"]
        yield from _named(aws, "name", row["Arn"], row["Name"])


def _remove_name(aws: AwsSession, item: Owned) -> None:
    _delete_name(aws.client("servicediscovery"), item.id.rpartition("/")[2])


def _delete_name(names: ServiceDiscoveryClient, ident: str) -> None:
    for page in names.get_paginator("list_instances").paginate(ServiceId=ident):
        for row in page["Instances"]:
            names.deregister_instance(ServiceId=ident, InstanceId=row["Id"])
    names.delete_service(Id=ident)


def _space_candidates(aws: AwsSession, _environment: str | None) -> Iterator[str]:
    names: ServiceDiscoveryClient = aws.client("servicediscovery")
    return (row["Arn"] for page in names.get_paginator("list_namespaces").paginate() for row in page["Namespaces"])


def _spaces(aws: AwsSession, ids: Sequence[str]) -> Iterator[Owned]:
    names: ServiceDiscoveryClient = aws.client("servicediscovery")
    for answer in each(lambda arn: names.get_namespace(Id=arn.rpartition("/")[2]), ids):
        row = answer["Namespace"]
        yield from _named(aws, "namespace", row["Arn"], row["Name"])


def _remove_space(aws: AwsSession, item: Owned) -> None:
    """What ECS made in it for Service Connect is its content, as objects are a bucket's: it has a tag of ECS alone."""
    names: ServiceDiscoveryClient = aws.client("servicediscovery")
    ident = item.id.rpartition("/")[2]
    for page in names.get_paginator("list_services").paginate(Filters=[{"Name": "NAMESPACE_ID", "Values": [ident]}]):
        for row in page["Services"]:
            if BY_ECS in labels_of(names.list_tags_for_resource(ResourceARN=row["Arn"])["Tags"]):
                _delete_name(names, row["Id"])
    names.delete_namespace(Id=ident)


NETWORK = (
    Kind(
        *("security-group", "ec2", r"security-group/(.+)"),
        _candidates("describe_security_groups", "SecurityGroups", "GroupId"),
        _groups,
        _remove_group,
    ),
    Kind(
        *("security-group-rule", "ec2", r"security-group-rule/(.+)"),
        _candidates("describe_security_group_rules", "SecurityGroupRules", "SecurityGroupRuleId"),
        _rules,
        _remove_rule,
    ),
    Kind(
        *("network-interface", "ec2", r"network-interface/(.+)"),
        _candidates("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
        _interfaces,
        _remove_interface,
    ),
    Kind("name", "servicediscovery", r"service/.+", _name_candidates, _names, _remove_name),
    Kind("namespace", "servicediscovery", r"namespace/.+", _space_candidates, _spaces, _remove_space),
)
