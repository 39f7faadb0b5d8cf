"""Load balancing: balancers, listeners, rules and target groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from understudy.provider.schema import Rule

from .account import Aws, AwsError
from .declare import Given, Name, Resource, seen, sent
from .tagging import pairs, tags_of

__all__ = ["BALANCER"]

_NAME = Name(
    "name",
    Rule(
        "1 to 32 letters, digits and inner `-`", pattern=r"(?!internal-)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?"
    ),
)
"""https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html, Name"""


def _tags(given: Given) -> list[dict[str, str]] | None:
    return pairs(given["tagsAll"]) or None


def _attributes(aws: Aws, operation: str, named: Mapping[str, str], given: Given, known: Mapping[str, str]) -> None:
    found = [
        {"Key": theirs, "Value": str(given[ours]).lower()}
        for ours, theirs in known.items()
        if given.get(ours) is not None
    ]
    if found:
        aws("elbv2", operation, **named, Attributes=found)


def _shown(aws: Aws, operation: str, named: Mapping[str, str], known: Mapping[str, str]) -> dict[str, Any]:
    found = {each["Key"]: each["Value"] for each in aws("elbv2", operation, **named)["Attributes"]}
    texts = {ours: found[theirs] for ours, theirs in known.items() if theirs in found}
    return {
        ours: {"true": True, "false": False}.get(text, int(text) if text.isdigit() else text)
        for ours, text in texts.items()
    }


_BALANCER_ATTRIBUTES = {
    "enableDeletionProtection": "deletion_protection.enabled",
    "idleTimeout": "idle_timeout.timeout_seconds",
    "dropInvalidHeaderFields": "routing.http.drop_invalid_header_fields.enabled",
}


def _make_balancer(aws: Aws, given: Given) -> str:
    answer = aws(
        "elbv2",
        "create_load_balancer",
        Name=given["name"],
        Type=given.get("loadBalancerType"),
        Scheme="internal" if given.get("internal") else "internet-facing",
        Tags=_tags(given),
        **sent(given, {"subnets": "Subnets", "securityGroups": "SecurityGroups"}),
    )
    made = str(answer["LoadBalancers"][0]["LoadBalancerArn"])
    _change_balancer(aws, made, {}, given)
    return made


def _change_balancer(aws: Aws, object_id: str, old: Given, new: Given) -> None:
    _attributes(aws, "modify_load_balancer_attributes", {"LoadBalancerArn": object_id}, new, _BALANCER_ATTRIBUTES)
    if old and old.get("securityGroups") != new.get("securityGroups"):
        aws("elbv2", "set_security_groups", LoadBalancerArn=object_id, SecurityGroups=new["securityGroups"])


def _look_balancer(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    found = aws("elbv2", "describe_load_balancers", LoadBalancerArns=[object_id])["LoadBalancers"][0]
    names = {"name": "LoadBalancerName", "dnsName": "DNSName", "vpcId": "VpcId", "securityGroups": "SecurityGroups"}
    return {
        **seen(found, {**names, "zoneId": "CanonicalHostedZoneId", "loadBalancerType": "Type"}),
        **_shown(aws, "describe_load_balancer_attributes", {"LoadBalancerArn": object_id}, _BALANCER_ATTRIBUTES),
        "arn": object_id,
        "arnSuffix": object_id.partition(":loadbalancer/")[2],
        "internal": found.get("Scheme") == "internal",
    }


def _drop_balancer(aws: Aws, object_id: str, _state: Given) -> None:
    found = _shown(aws, "describe_load_balancer_attributes", {"LoadBalancerArn": object_id}, _BALANCER_ATTRIBUTES)
    if found.get("enableDeletionProtection"):  # moto would delete it, AWS does not
        raise AwsError("elbv2.delete_load_balancer", "OperationNotPermitted", f"{object_id} is protected from deletion")
    aws("elbv2", "delete_load_balancer", LoadBalancerArn=object_id)


_TARGETS = {"name": "Name", "port": "Port", "protocol": "Protocol", "vpcId": "VpcId", "targetType": "TargetType"}
_HEALTH = {
    "path": "HealthCheckPath",
    "port": "HealthCheckPort",
    "protocol": "HealthCheckProtocol",
    "interval": "HealthCheckIntervalSeconds",
    "timeout": "HealthCheckTimeoutSeconds",
    "healthyThreshold": "HealthyThresholdCount",
    "unhealthyThreshold": "UnhealthyThresholdCount",
    "enabled": "HealthCheckEnabled",
}
_TARGETS_ATTRIBUTES = {"deregistrationDelay": "deregistration_delay.timeout_seconds"}


def _health(given: Given) -> dict[str, Any]:
    check = given.get("healthCheck") or {}
    return {**sent(check, _HEALTH), **({"Matcher": {"HttpCode": check["matcher"]}} if "matcher" in check else {})}


def _make_targets(aws: Aws, given: Given) -> str:
    answer = aws("elbv2", "create_target_group", **sent(given, _TARGETS), **_health(given), Tags=_tags(given))
    made = str(answer["TargetGroups"][0]["TargetGroupArn"])
    _attributes(aws, "modify_target_group_attributes", {"TargetGroupArn": made}, given, _TARGETS_ATTRIBUTES)
    return made


def _change_targets(aws: Aws, object_id: str, _old: Given, new: Given) -> None:
    if check := _health(new):
        aws("elbv2", "modify_target_group", TargetGroupArn=object_id, **check)
    _attributes(aws, "modify_target_group_attributes", {"TargetGroupArn": object_id}, new, _TARGETS_ATTRIBUTES)


def _look_targets(aws: Aws, object_id: str, given: Given) -> dict[str, Any] | None:
    found = aws("elbv2", "describe_target_groups", TargetGroupArns=[object_id])["TargetGroups"][0]
    shown = {**seen(found, _HEALTH), "matcher": found.get("Matcher", {}).get("HttpCode")}
    names = {
        "name": "TargetGroupName",
        "port": "Port",
        "protocol": "Protocol",
        "vpcId": "VpcId",
        "targetType": "TargetType",
    }
    declared = given.get("healthCheck")
    return {
        **seen(found, names),
        **_shown(aws, "describe_target_group_attributes", {"TargetGroupArn": object_id}, _TARGETS_ATTRIBUTES),
        **({"healthCheck": {name: shown.get(name, value) for name, value in declared.items()}} if declared else {}),
        "arn": object_id,
        "arnSuffix": object_id.rpartition(":")[2],
        "loadBalancerArns": found.get("LoadBalancerArns", []),
    }


_ACTION = {"type": "Type", "order": "Order", "targetGroupArn": "TargetGroupArn"}
_FIXED = {"statusCode": "StatusCode", "contentType": "ContentType", "messageBody": "MessageBody"}
_REDIRECT = {
    "statusCode": "StatusCode",
    "host": "Host",
    "path": "Path",
    "port": "Port",
    "protocol": "Protocol",
    "query": "Query",
}


def _actions(declared: Any) -> list[dict[str, Any]]:
    made = []
    for action in declared:
        one = sent(action, _ACTION)
        if "fixedResponse" in action:
            one["FixedResponseConfig"] = sent(action["fixedResponse"], _FIXED)
        if "redirect" in action:
            one["RedirectConfig"] = sent(action["redirect"], _REDIRECT)
        if "forward" in action:
            groups = action["forward"]["targetGroups"]
            one["ForwardConfig"] = {
                "TargetGroups": [sent(g, {"arn": "TargetGroupArn", "weight": "Weight"}) for g in groups]
            }
        made.append(one)
    return made


def _conditions(declared: Any) -> list[dict[str, Any]]:
    fields = {
        "hostHeader": "host-header",
        "pathPattern": "path-pattern",
        "httpRequestMethod": "http-request-method",
        "sourceIp": "source-ip",
    }
    return [
        {"Field": fields[name], f"{name[0].upper()}{name[1:]}Config": {"Values": found["values"]}}
        for condition in declared
        for name, found in condition.items()
    ]


def _values(found: Mapping[str, Any]) -> Any:
    """What a condition of a rule, as AWS shows it, compares with."""
    return next((value["Values"] for name, value in found.items() if name.endswith("Config")), found.get("Values"))


_LISTENER = {"port": "Port", "protocol": "Protocol", "sslPolicy": "SslPolicy"}


def _listener(given: Given) -> dict[str, Any]:
    certificate = given.get("certificateArn")
    return {
        **sent(given, _LISTENER),
        "DefaultActions": _actions(given["defaultActions"]),
        "Certificates": [{"CertificateArn": certificate}] if certificate else None,
    }


def _make_listener(aws: Aws, given: Given) -> str:
    arn = given["loadBalancerArn"]
    answer = aws("elbv2", "create_listener", LoadBalancerArn=arn, **_listener(given), Tags=_tags(given))
    return str(answer["Listeners"][0]["ListenerArn"])


def _look_listener(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    found = aws("elbv2", "describe_listeners", ListenerArns=[object_id])["Listeners"][0]
    return {**seen(found, {**_LISTENER, "loadBalancerArn": "LoadBalancerArn"}), "arn": object_id}


def _make_rule(aws: Aws, given: Given) -> str:
    priority = given.get("priority")
    if priority is None:  # as the published provider does: after the highest there is
        there = aws("elbv2", "describe_rules", ListenerArn=given["listenerArn"])["Rules"]
        priority = max((int(rule["Priority"]) for rule in there if rule["Priority"].isdigit()), default=0) + 1
    answer = aws(
        "elbv2",
        "create_rule",
        ListenerArn=given["listenerArn"],
        Priority=priority,
        Conditions=_conditions(given["conditions"]),
        Actions=_actions(given["actions"]),
        Tags=_tags(given),
    )
    return str(answer["Rules"][0]["RuleArn"])


def _change_rule(aws: Aws, object_id: str, old: Given, new: Given) -> None:
    if old.get("priority") != new.get("priority") and new.get("priority") is not None:
        moved = [{"RuleArn": object_id, "Priority": new["priority"]}]
        aws("elbv2", "set_rule_priorities", RulePriorities=moved)
    parts = {"Conditions": _conditions(new["conditions"]), "Actions": _actions(new["actions"])}
    aws("elbv2", "modify_rule", RuleArn=object_id, **parts)


def _look_rule(aws: Aws, object_id: str, given: Given) -> dict[str, Any] | None:
    found = aws("elbv2", "describe_rules", RuleArns=[object_id])["Rules"][0]
    state = {"arn": object_id, "priority": int(found["Priority"])}
    there = {each["Field"]: sorted(_values(each)) for each in found["Conditions"]}
    if there != {each["Field"]: sorted(_values(each)) for each in _conditions(given["conditions"])}:
        state["conditions"] = []  # somebody changed them: what there is now is not what was declared
    return state


BALANCER = (
    Resource(
        token="aws:lb/loadBalancer:LoadBalancer",
        takes=f"name loadBalancerType internal subnets securityGroups {' '.join(_BALANCER_ATTRIBUTES)}",
        settles=f"securityGroups {' '.join(_BALANCER_ATTRIBUTES)}",
        make=_make_balancer,
        look=_look_balancer,
        change=_change_balancer,
        drop=_drop_balancer,
        name=_NAME,
        tagging=tags_of("elbv2"),
        outputs="arn arnSuffix dnsName zoneId vpcId",
    ),
    Resource(
        token="aws:lb/targetGroup:TargetGroup",
        takes="name port protocol vpcId targetType healthCheck deregistrationDelay",
        settles="healthCheck deregistrationDelay",
        make=_make_targets,
        look=_look_targets,
        change=_change_targets,
        drop=lambda aws, arn, _state: aws("elbv2", "delete_target_group", TargetGroupArn=arn),
        name=_NAME,
        tagging=tags_of("elbv2"),
        outputs="arn arnSuffix loadBalancerArns",
    ),
    Resource(
        token="aws:lb/listener:Listener",
        takes="loadBalancerArn port protocol sslPolicy certificateArn defaultActions",
        settles="port protocol sslPolicy certificateArn defaultActions",
        make=_make_listener,
        look=_look_listener,
        change=lambda aws, arn, _old, new: aws("elbv2", "modify_listener", ListenerArn=arn, **_listener(new)),
        drop=lambda aws, arn, _state: aws("elbv2", "delete_listener", ListenerArn=arn),
        tagging=tags_of("elbv2"),
    ),
    Resource(
        token="aws:lb/listenerRule:ListenerRule",
        takes="listenerArn priority conditions actions",
        settles="priority conditions actions",
        make=_make_rule,
        look=_look_rule,
        change=_change_rule,
        drop=lambda aws, arn, _state: aws("elbv2", "delete_rule", RuleArn=arn),
        tagging=tags_of("elbv2"),
    ),
)
