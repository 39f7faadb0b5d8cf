"""Security groups and their rules."""

from __future__ import annotations

from typing import Any

from understudy.provider.schema import Rule

from .account import Aws, AwsError
from .declare import Given, Name, Resource, seen, sent
from .network import arn, one, tagged
from .tagging import tags_of

__all__ = ["GROUPS"]

_NAME = Name("name", Rule("1 to 255 characters", pattern=r"(?!sg-)[\w .:/()#,@\[\]+=&;{}!$*-]{1,255}"))
_SOURCE = {"cidrIpv4": "CidrIpv4", "cidrIpv6": "CidrIpv6", "prefixListId": "PrefixListId"}
_PORTS = {"ipProtocol": "IpProtocol", "fromPort": "FromPort", "toPort": "ToPort"}


def _make_group(aws: Aws, given: Given) -> str:
    made = str(
        aws(
            "ec2",
            "create_security_group",
            GroupName=given["name"],
            Description=given.get("description") or "Managed by Pulumi",
            VpcId=given.get("vpcId"),
            TagSpecifications=tagged("security-group", given),
        )["GroupId"]
    )
    # AWS lets everything out of a new group; the published provider takes that rule away, so it has to be declared.
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    aws("ec2", "revoke_security_group_egress", GroupId=made, IpPermissions=[everything])
    return made


def _look_group(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    found = one(aws, "describe_security_groups", "SecurityGroups", GroupIds=[object_id])
    if found is None:
        return None
    names = {"name": "GroupName", "description": "Description", "vpcId": "VpcId", "ownerId": "OwnerId"}
    return {**seen(found, names), "arn": arn(aws, "security-group", found["OwnerId"], object_id)}


def _drop_group(aws: Aws, object_id: str, state: Given) -> None:
    if state.get("revokeRulesOnDelete"):
        for way, listed in (("ingress", "IpPermissions"), ("egress", "IpPermissionsEgress")):
            found = one(aws, "describe_security_groups", "SecurityGroups", GroupIds=[object_id])
            if found and found[listed]:
                aws("ec2", f"revoke_security_group_{way}", GroupId=object_id, IpPermissions=found[listed])
    # moto deletes a group that the rules of another one name, AWS does not; ministack ignores the filter for it.
    others = [each for each in aws("ec2", "describe_security_groups")["SecurityGroups"] if each["GroupId"] != object_id]
    rules = [rule for each in others for rule in (*each["IpPermissions"], *each["IpPermissionsEgress"])]
    if any(pair.get("GroupId") == object_id for rule in rules for pair in rule.get("UserIdGroupPairs", ())):
        raise AwsError("ec2.delete_security_group", "DependencyViolation", f"{object_id} is named by another group")
    aws("ec2", "delete_security_group", GroupId=object_id)


def _rule(way: str) -> Resource:
    """A rule of a group, one way."""

    def make(aws: Aws, given: Given) -> str:
        permission = sent(given, _PORTS)
        said = {"Description": given["description"]} if "description" in given else {}
        for name, listed, key in (
            ("cidrIpv4", "IpRanges", "CidrIp"),
            ("cidrIpv6", "Ipv6Ranges", "CidrIpv6"),
            ("prefixListId", "PrefixListIds", "PrefixListId"),
            ("referencedSecurityGroupId", "UserIdGroupPairs", "GroupId"),
        ):
            if name in given:
                permission[listed] = [{key: given[name], **said}]
        answer = aws(
            "ec2",
            f"authorize_security_group_{way}",
            GroupId=given["securityGroupId"],
            IpPermissions=[permission],
            TagSpecifications=tagged("security-group-rule", given),
        )
        return str(answer["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    def look(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
        found = one(aws, "describe_security_group_rules", "SecurityGroupRules", SecurityGroupRuleIds=[object_id])
        if found is None:
            return None
        return {
            **seen(
                found, {**_PORTS, **_SOURCE, "securityGroupId": "GroupId", "securityGroupRuleId": "SecurityGroupRuleId"}
            ),
            "arn": arn(aws, "security-group-rule", found.get("GroupOwnerId", ""), object_id),
        }

    def drop(aws: Aws, object_id: str, state: Given) -> None:
        aws("ec2", f"revoke_security_group_{way}", GroupId=state["securityGroupId"], SecurityGroupRuleIds=[object_id])

    kind = f"SecurityGroup{way.title()}Rule"
    return Resource(
        token=f"aws:vpc/{kind[0].lower()}{kind[1:]}:{kind}",
        takes="securityGroupId ipProtocol fromPort toPort cidrIpv4 cidrIpv6 prefixListId referencedSecurityGroupId "
        "description",
        make=make,
        look=look,
        drop=drop,
        tagging=tags_of("ec2"),
        outputs="arn securityGroupRuleId",
    )


GROUPS = (
    Resource(
        token="aws:ec2/securityGroup:SecurityGroup",
        takes="name description vpcId revokeRulesOnDelete",  # rules are resources of their own
        settles="revokeRulesOnDelete",
        make=_make_group,
        look=_look_group,
        drop=_drop_group,
        name=_NAME,
        tagging=tags_of("ec2"),
        outputs="arn ownerId",
    ),
    _rule("ingress"),
    _rule("egress"),
)
