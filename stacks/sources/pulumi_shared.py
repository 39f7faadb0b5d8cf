"""Networks and volumes of a Pulumi stack, on Docker and on AWS, and the resources that others are read with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from understudy.stacks.identity import RESERVED_LABELS
from understudy.stacks.topology import Network, Volume

from .pulumi_found import Found
from .pulumi_resources import Resource, State

__all__ = ["MAPPERS", "NETWORK", "VOLUME", "label_pairs", "logical"]

NETWORK = "docker:index/network:Network"
VOLUME = "docker:index/volume:Volume"


def label_pairs(resource: Resource, path: str, found: Found) -> dict[str, str]:
    """The labels in the schema's form, without those of Compose and of Understudy."""
    labels: dict[str, str] = {}
    given = resource.inputs.get("labels") or []
    for entry in given if isinstance(given, list) else ({"label": "*", "value": given},):
        key, value = str(entry.get("label")), entry.get("value")
        if not isinstance(value, str):
            found.leave_out(f"{path}.labels.{key}", value, "it is a secret of the stack, and no label's value is")
        elif not key.startswith(RESERVED_LABELS):
            labels[key] = value
    return labels


def logical(kind: str, name: str, state: State) -> str:
    """The logical name of the network or volume of that physical name; its own where the stack does not have it."""
    found = [r for r in state.of(kind) if name in (r.text("name"), r.id)]
    return found[0].name if found else name


def _network(resource: Resource, _: State, found: Found) -> None:
    path = f"networks.{resource.name}"
    driver = resource.inputs.get("driver")
    if driver not in (None, "bridge"):
        found.leave_out(f"{path}.driver", driver, "a clone's networks are bridges of one host")
    if resource.inputs.get("ipamConfigs"):
        found.leave_out(f"{path}.ipam", "declared", "a clone's networks have subnets of their own")
    found.networks[resource.name] = Network(
        resource.name,
        internal=resource.inputs.get("internal") is True,
        labels=label_pairs(resource, path, found),
        ipv6=resource.inputs.get("ipv6") is True,
        where=found.where(path),
    )


def _volume(resource: Resource, _: State, found: Found) -> None:
    driver = resource.text("driver")
    options = resource.inputs.get("driverOpts")
    path = f"volumes.{resource.name}"
    found.volumes[resource.name] = Volume(
        resource.name,
        labels=label_pairs(resource, path, found),
        driver=None if driver == "local" else driver,
        options=_texts(options) if isinstance(options, Mapping) else {},
        where=found.where(path),
    )


def _texts(given: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in given.items()}


def _vpc(resource: Resource, _: State, found: Found) -> None:
    path = f"networks.{resource.name}"
    found.networks[resource.name] = Network(
        resource.name, ipv6=bool(resource.get("ipv6CidrBlock")), where=found.where(path)
    )


def _security_group(resource: Resource, _: State, found: Found) -> None:
    found.leave_out(
        f"networks.{resource.name}",
        "security group",
        "inside a clone's network every service reaches every other: the group's rules are not cloned",
    )


def _read_with_others(resource: Resource, _: State, __: Found) -> None:
    """Nothing by itself: the services that name it read it."""


MAPPERS: Mapping[str, Callable[[Resource, State, Found], None]] = {
    NETWORK: _network,
    VOLUME: _volume,
    "aws:ec2/vpc:Vpc": _vpc,
    "awsx:ec2:Vpc": _read_with_others,
    "aws:ec2/securityGroup:SecurityGroup": _security_group,
    "docker:index/remoteImage:RemoteImage": _read_with_others,
    "docker:index/image:Image": _read_with_others,
    "docker:index/registryImage:RegistryImage": _read_with_others,
    "docker:index/tag:Tag": _read_with_others,
    "aws:ec2/subnet:Subnet": _read_with_others,
    "aws:ecs/cluster:Cluster": _read_with_others,
    "aws:ecs/taskDefinition:TaskDefinition": _read_with_others,
    "aws:lb/targetGroup:TargetGroup": _read_with_others,
    "aws:lb/listener:Listener": _read_with_others,
    "aws:lb/loadBalancer:LoadBalancer": _read_with_others,
    "aws:alb/targetGroup:TargetGroup": _read_with_others,
    "aws:alb/listener:Listener": _read_with_others,
    "aws:alb/loadBalancer:LoadBalancer": _read_with_others,
    "aws:secretsmanager/secretVersion:SecretVersion": _read_with_others,
    "aws:servicediscovery/service:Service": _read_with_others,
    "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace": _read_with_others,
    "aws:servicediscovery/httpNamespace:HttpNamespace": _read_with_others,
    "aws:s3/bucketVersioning:BucketVersioning": _read_with_others,
    "aws:s3/bucketVersioningV2:BucketVersioningV2": _read_with_others,
}
