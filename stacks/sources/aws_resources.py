"""An account's answers as resources in the words of Pulumi's AWS provider: one set of mappers reads both sources."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from .aws_recording import AccountData, Json
from .aws_stores import EMPTY, entry_of, stores_of
from .pulumi_resources import Resource

__all__ = ["resources_of"]

_NAMESPACES = {"DNS_PRIVATE": "privateDnsNamespace:PrivateDnsNamespace", "DNS_PUBLIC": "publicDnsNamespace"}
_CONDITIONS = {
    "host-header": ("hostHeader", "HostHeaderConfig"),
    "path-pattern": ("pathPattern", "PathPatternConfig"),
    "http-request-method": ("httpRequestMethod", "HttpRequestMethodConfig"),
    "source-ip": ("sourceIp", "SourceIpConfig"),
}


def resources_of(data: AccountData, uses: Mapping[str, tuple[str, ...]]) -> tuple[Resource, ...]:
    """The resources of the answers; the URN of each is its ARN, or its id where it is part of a network.

    Args:
        data: the answers.
        uses: a task definition's ARN -> the URNs of what the services that run it use.
    """
    return (
        *_networks(data),
        *stores_of(data),
        *_secrets(data),
        *_balancers(data),
        *_registries(data),
        *(_task(task, uses.get(str(task["taskDefinitionArn"]), ()), data) for task in data.of("task_definitions")),
        *map(_service, data.of("services")),
        *map(_target, data.of("targets")),
    )


def _tag(entry: Json, key: str) -> str | None:
    return next((str(tag["Value"]) for tag in entry.get("Tags") or () if tag.get("Key") == key), None)


def _networks(data: AccountData) -> Iterator[Resource]:
    names = [_tag(vpc, "Name") for vpc in data.of("vpcs")]
    for vpc in data.of("vpcs"):
        inputs = {"cidrBlock": vpc.get("CidrBlock")}
        blocks = vpc.get("Ipv6CidrBlockAssociationSet") or ()
        outputs = {"ipv6CidrBlock": blocks[0].get("Ipv6CidrBlock")} if blocks else {}
        name = _tag(vpc, "Name") or ""
        if names.count(name) != 1:
            name = f"{name}-{vpc['VpcId']}"
        yield entry_of("ec2/vpc:Vpc", str(vpc["VpcId"]), name, inputs, outputs)
    for subnet in data.of("subnets"):
        urn, vpc_id = str(subnet["SubnetId"]), str(subnet.get("VpcId"))
        yield entry_of("ec2/subnet:Subnet", urn, urn, {"vpcId": vpc_id}, depends={"vpcId": [vpc_id]})
    for group in data.of("security_groups"):
        urn, vpc_id = str(group["GroupId"]), str(group.get("VpcId"))
        name = str(group.get("GroupName") or urn)
        yield entry_of("ec2/securityGroup:SecurityGroup", urn, name, {"vpcId": vpc_id}, depends={"vpcId": [vpc_id]})


def _secrets(data: AccountData) -> Iterator[Resource]:
    for secret in data.of("secrets"):
        name = str(secret.get("Name"))
        yield entry_of("secretsmanager/secret:Secret", str(secret["ARN"]), name, {"name": name})
    for parameter in data.of("parameters"):
        name = str(parameter["Name"])
        urn = f"arn:aws:ssm:{data.region}:{data.account}:parameter/{name.removeprefix('/')}"
        inputs = {"name": name, "type": str(parameter.get("Type"))}
        yield entry_of("ssm/parameter:Parameter", str(parameter.get("ARN") or urn), name, inputs)


def _balancers(data: AccountData) -> Iterator[Resource]:
    ports = {str(listener["ListenerArn"]): listener.get("Port") for listener in data.of("listeners")}
    for group in data.of("target_groups"):
        name = str(group.get("TargetGroupName"))
        yield entry_of("lb/targetGroup:TargetGroup", str(group["TargetGroupArn"]), name, {"port": group.get("Port")})
    for listener in data.of("listeners"):
        arn = str(listener["ListenerArn"])
        inputs = {
            "port": listener.get("Port"),
            "protocol": listener.get("Protocol"),
            "defaultActions": listener.get("DefaultActions"),
        }
        yield entry_of("lb/listener:Listener", arn, f"listener-{listener.get('Port')}", inputs)
    for rule in data.of("rules"):
        if not rule.get("IsDefault"):
            inputs = {
                "listenerArn": rule["ListenerArn"],
                "priority": rule.get("Priority"),
                "actions": rule.get("Actions"),
                "conditions": [_condition(condition) for condition in rule.get("Conditions") or ()],
            }
            name = f"{ports.get(str(rule['ListenerArn']))}-{rule.get('Priority')}"
            yield entry_of("lb/listenerRule:ListenerRule", str(rule["RuleArn"]), name, inputs)


def _condition(condition: Json) -> Json:
    field = str(condition.get("Field"))
    key, config = _CONDITIONS.get(field, (field, ""))
    values = (condition.get(config) or {}).get("Values") or condition.get("Values")
    rest = {name: value for name, value in condition.items() if name not in {"Field", "Values"} and value}
    return {key: {"values": values} if values else rest}


def _registries(data: AccountData) -> Iterator[Resource]:
    for registry in data.of("registries"):
        namespace = registry["Namespace"]
        urn = str(namespace.get("Arn") or registry.get("NamespaceId"))
        kind = _NAMESPACES.get(str(namespace.get("Type")), "httpNamespace:HttpNamespace")
        space = str(namespace.get("Name"))
        yield entry_of(f"servicediscovery/{kind}", urn, space, {"name": space})
        inputs, name = {"name": registry.get("Name")}, str(registry.get("Name"))
        depends = {"namespaceId": [urn]}
        yield entry_of("servicediscovery/service:Service", str(registry["Arn"]), name, inputs, depends=depends)


def _task(task: Json, uses: Iterable[str], data: AccountData) -> Resource:
    arn = str(task["taskDefinitionArn"])
    given = [container for container in task.get("containerDefinitions") or () if isinstance(container, Mapping)]
    sources = {str(entry.get("valueFrom")) for container in given for entry in container.get("secrets") or ()}
    read = [r.urn for r in _secrets(data) if _gives(r, sources)]
    volumes = [
        {"name": volume.get("name"), "hostPath": (volume.get("host") or {}).get("sourcePath")}
        for volume in task.get("volumes") or ()
    ]
    inputs = {
        "family": task.get("family"),
        "cpu": task.get("cpu"),
        "memory": task.get("memory"),
        "networkMode": task.get("networkMode"),
        "containerDefinitions": json.dumps(given),
        "volumes": volumes,
        "runtimePlatform": task.get("runtimePlatform"),
    }
    depends = {"containerDefinitions": [*uses, *read]}
    return entry_of("ecs/taskDefinition:TaskDefinition", arn, str(task.get("family")), inputs, depends=depends)


def _gives(resource: Resource, sources: Iterable[str]) -> bool:
    """Whether one of the `valueFrom` is the secret or parameter, or a key in it."""
    names = {resource.urn, resource.inputs.get("name")}
    return any(source in names or source.startswith(resource.urn + ":") for source in sources)


def _service(service: Json) -> Resource:
    arn, name = str(service["serviceArn"]), str(service["serviceName"])
    place = (service.get("networkConfiguration") or EMPTY).get("awsvpcConfiguration") or EMPTY
    deployments = service.get("deployments") or ()
    primary = next((each for each in deployments if each.get("status") == "PRIMARY"), EMPTY)
    registries = service.get("serviceRegistries") or ()
    task = service.get("taskDefinition")
    inputs = {
        "name": name,
        "cluster": service.get("clusterArn"),
        "taskDefinition": task,
        "desiredCount": service.get("desiredCount"),
        "loadBalancers": service.get("loadBalancers"),
        "serviceConnectConfiguration": primary.get("serviceConnectConfiguration"),
        "serviceRegistries": registries[0] if registries else None,
    }
    depends = {"taskDefinition": [str(task)], "networkConfiguration": [str(s) for s in place.get("subnets") or ()]}
    return entry_of("ecs/service:Service", arn, name, inputs, depends=depends)


def _target(target: Json) -> Resource:
    name = str(target.get("ResourceId"))
    inputs = {
        "resourceId": name,
        "scalableDimension": target.get("ScalableDimension"),
        "minCapacity": target.get("MinCapacity"),
        "maxCapacity": target.get("MaxCapacity"),
    }
    return entry_of("appautoscaling/target:Target", str(target.get("ScalableTargetARN") or name), name, inputs)
