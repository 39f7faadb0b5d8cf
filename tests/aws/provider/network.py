"""EC2: the network."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any

from .account import Aws
from .declare import Given, Resource, seen, sent
from .tagging import pairs, tags_of

__all__ = ["NETWORK", "arn", "one", "tagged"]


def tagged(kind: str, given: Given) -> list[dict[str, Any]] | None:
    """The tags of a new resource of this kind."""
    tags = given.get("tagsAll")
    return [{"ResourceType": kind, "Tags": pairs(tags)}] if tags else None


def arn(aws: Aws, kind: str, owner: str, object_id: str) -> str:
    """The ARN, which few of EC2's answers have."""
    return f"arn:aws:ec2:{aws.region or aws.account.region}:{owner}:{kind}/{object_id}"


def one(aws: Aws, operation: str, answers: str, **parameters: Any) -> dict[str, Any] | None:
    """The only one of a listing; None: there is none."""
    return next(iter(aws("ec2", operation, **parameters)[answers]), None)


# VPC and gateway


_VPC = {"cidrBlock": "CidrBlock", "instanceTenancy": "InstanceTenancy"}
_DNS = {"enableDnsSupport": "EnableDnsSupport", "enableDnsHostnames": "EnableDnsHostnames"}


def _make_vpc(aws: Aws, given: Given) -> str:
    made = aws("ec2", "create_vpc", **sent(given, _VPC), TagSpecifications=tagged("vpc", given))["Vpc"]["VpcId"]
    _change_vpc(aws, made, {}, given)
    return str(made)


def _change_vpc(aws: Aws, object_id: str, _old: Given, new: Given) -> None:
    for ours, theirs in _DNS.items():  # one attribute a call
        if ours in new:
            aws("ec2", "modify_vpc_attribute", VpcId=object_id, **{theirs: {"Value": new[ours]}})


def _look_vpc(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    found = one(aws, "describe_vpcs", "Vpcs", VpcIds=[object_id])
    if found is None:
        return None
    of_it = [{"Name": "vpc-id", "Values": [object_id]}]
    attributes = {
        ours: aws("ec2", "describe_vpc_attribute", VpcId=object_id, Attribute=ours)[theirs]["Value"]
        for ours, theirs in _DNS.items()
    }
    default = one(
        aws,
        "describe_security_groups",
        "SecurityGroups",
        Filters=[*of_it, {"Name": "group-name", "Values": ["default"]}],
    )
    main = one(
        aws, "describe_route_tables", "RouteTables", Filters=[*of_it, {"Name": "association.main", "Values": ["true"]}]
    )
    return {
        **seen(found, _VPC),
        **attributes,
        "ownerId": found["OwnerId"],
        "arn": arn(aws, "vpc", found["OwnerId"], object_id),
        "defaultSecurityGroupId": default["GroupId"] if default else None,
        "mainRouteTableId": main["RouteTableId"] if main else None,
    }


def _make_gateway(aws: Aws, given: Given) -> str:
    answer = aws("ec2", "create_internet_gateway", TagSpecifications=tagged("internet-gateway", given))
    made = str(answer["InternetGateway"]["InternetGatewayId"])
    if "vpcId" in given:
        aws("ec2", "attach_internet_gateway", InternetGatewayId=made, VpcId=given["vpcId"])
    return made


def _look_gateway(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    found = one(aws, "describe_internet_gateways", "InternetGateways", InternetGatewayIds=[object_id])
    if found is None:
        return None
    attached = [each["VpcId"] for each in found["Attachments"]]
    return {
        "vpcId": attached[0] if attached else None,
        "ownerId": found["OwnerId"],
        "arn": arn(aws, "internet-gateway", found["OwnerId"], object_id),
    }


def _drop_gateway(aws: Aws, object_id: str, _state: Given) -> None:
    found = _look_gateway(aws, object_id, {})
    if found and found["vpcId"]:
        aws("ec2", "detach_internet_gateway", InternetGatewayId=object_id, VpcId=found["vpcId"])
    aws("ec2", "delete_internet_gateway", InternetGatewayId=object_id)


# Subnets and routes


_SUBNET = {"vpcId": "VpcId", "cidrBlock": "CidrBlock", "availabilityZone": "AvailabilityZone"}


def _make_subnet(aws: Aws, given: Given) -> str:
    answer = aws("ec2", "create_subnet", **sent(given, _SUBNET), TagSpecifications=tagged("subnet", given))
    made = str(answer["Subnet"]["SubnetId"])
    if given.get("mapPublicIpOnLaunch"):
        _change_subnet(aws, made, {}, given)
    return made


def _change_subnet(aws: Aws, object_id: str, _old: Given, new: Given) -> None:
    public = {"Value": bool(new.get("mapPublicIpOnLaunch"))}
    aws("ec2", "modify_subnet_attribute", SubnetId=object_id, MapPublicIpOnLaunch=public)


def _look_subnet(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    found = one(aws, "describe_subnets", "Subnets", SubnetIds=[object_id])
    more = {**_SUBNET, "mapPublicIpOnLaunch": "MapPublicIpOnLaunch", "arn": "SubnetArn", "ownerId": "OwnerId"}
    return seen(found, more) if found else None


_ROUTE = {
    "cidrBlock": "DestinationCidrBlock",
    "destinationCidrBlock": "DestinationCidrBlock",
    "gatewayId": "GatewayId",
    "natGatewayId": "NatGatewayId",
}


def _make_table(aws: Aws, given: Given) -> str:
    answer = aws("ec2", "create_route_table", VpcId=given["vpcId"], TagSpecifications=tagged("route-table", given))
    made = str(answer["RouteTable"]["RouteTableId"])
    _change_table(aws, made, {}, given)
    return made


def _change_table(aws: Aws, object_id: str, old: Given, new: Given) -> None:
    for route in old.get("routes") or ():
        if route not in (new.get("routes") or ()):
            aws("ec2", "delete_route", RouteTableId=object_id, DestinationCidrBlock=route["cidrBlock"])
    for route in new.get("routes") or ():
        if route not in (old.get("routes") or ()):
            aws("ec2", "create_route", RouteTableId=object_id, **sent(route, _ROUTE))


def _look_table(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    found = one(aws, "describe_route_tables", "RouteTables", RouteTableIds=[object_id])
    if found is None:
        return None
    return {
        "vpcId": found["VpcId"],
        "ownerId": found.get("OwnerId"),
        "arn": arn(aws, "route-table", found.get("OwnerId", ""), object_id),
    }


def _make_route(aws: Aws, given: Given) -> str:
    aws("ec2", "create_route", RouteTableId=given["routeTableId"], **sent(given, _ROUTE))
    return f"r-{given['routeTableId']}{zlib.crc32(given['destinationCidrBlock'].encode())}"


def _look_route(aws: Aws, _id: str, given: Given) -> dict[str, Any] | None:
    found = one(aws, "describe_route_tables", "RouteTables", RouteTableIds=[given["routeTableId"]])
    routes = found["Routes"] if found else []
    wanted = given["destinationCidrBlock"]
    return next(
        (
            seen(each, {"gatewayId": "GatewayId", "natGatewayId": "NatGatewayId", "state": "State"})
            for each in routes
            if each.get("DestinationCidrBlock") == wanted
        ),
        None,
    )


def _look_association(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    by_id = [{"Name": "association.route-table-association-id", "Values": [object_id]}]
    found = one(aws, "describe_route_tables", "RouteTables", Filters=by_id)
    mine = [a for a in (found or {}).get("Associations", ()) if a["RouteTableAssociationId"] == object_id]
    return seen(mine[0], {"routeTableId": "RouteTableId", "subnetId": "SubnetId"}) if mine else None


# Ways out


def _look_eip(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    found = one(aws, "describe_addresses", "Addresses", AllocationIds=[object_id])
    names = {"allocationId": "AllocationId", "publicIp": "PublicIp", "domain": "Domain"}
    return {**seen(found, names), "arn": arn(aws, "elastic-ip", "", object_id)} if found else None


_NAT = {"allocationId": "AllocationId", "subnetId": "SubnetId", "connectivityType": "ConnectivityType"}


def _look_nat(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    found = one(aws, "describe_nat_gateways", "NatGateways", NatGatewayIds=[object_id])
    if found is None or found["State"] == "deleted":
        return None
    address = found["NatGatewayAddresses"][0] if found.get("NatGatewayAddresses") else {}
    return {
        **seen(found, {"subnetId": "SubnetId", "connectivityType": "ConnectivityType"}),
        **seen(address, {"publicIp": "PublicIp", "privateIp": "PrivateIp", "allocationId": "AllocationId"}),
    }


_ENDPOINT = {
    "vpcId": "VpcId",
    "serviceName": "ServiceName",
    "vpcEndpointType": "VpcEndpointType",
    "routeTableIds": "RouteTableIds",
    "subnetIds": "SubnetIds",
    "securityGroupIds": "SecurityGroupIds",
    "privateDnsEnabled": "PrivateDnsEnabled",
    "policy": "PolicyDocument",
}


def _make_endpoint(aws: Aws, given: Given) -> str:
    make = _create("create_vpc_endpoint", "vpc-endpoint", _ENDPOINT, "VpcEndpoint", "VpcEndpointId")
    return make(aws, {"vpcEndpointType": "Gateway", **given})  # AWS's default, which moto does not know


def _look_endpoint(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    found = one(aws, "describe_vpc_endpoints", "VpcEndpoints", VpcEndpointIds=[object_id])
    if found is None or found.get("State") == "deleted":
        return None
    return seen(found, {"vpcId": "VpcId", "serviceName": "ServiceName", "state": "State"})


def _create(
    operation: str, kind: str, fields: Mapping[str, str], *path: str, **more: Any
) -> Callable[[Aws, Given], str]:
    """A creation in one call; `path` leads to the id in its answer."""

    def make(aws: Aws, given: Given) -> str:
        found: Any = aws("ec2", operation, **sent(given, fields), **more, TagSpecifications=tagged(kind, given))
        for step in path:
            found = found[step]
        return str(found)

    return make


def _delete(operation: str, parameter: str, *, listed: bool = False) -> Callable[[Aws, str, Given], None]:
    def drop(aws: Aws, object_id: str, _state: Given) -> None:
        aws("ec2", operation, **{parameter: [object_id] if listed else object_id})

    return drop


NETWORK = (
    Resource(
        token="aws:ec2/vpc:Vpc",
        takes="cidrBlock instanceTenancy enableDnsSupport enableDnsHostnames",
        settles="enableDnsSupport enableDnsHostnames",
        make=_make_vpc,
        look=_look_vpc,
        change=_change_vpc,
        drop=_delete("delete_vpc", "VpcId"),
        tagging=tags_of("ec2"),
        outputs="arn ownerId defaultSecurityGroupId mainRouteTableId",
    ),
    Resource(
        token="aws:ec2/internetGateway:InternetGateway",
        takes="vpcId",
        make=_make_gateway,
        look=_look_gateway,
        drop=_drop_gateway,
        tagging=tags_of("ec2"),
        outputs="arn ownerId",
    ),
    Resource(
        token="aws:ec2/subnet:Subnet",
        takes="vpcId cidrBlock availabilityZone mapPublicIpOnLaunch",
        settles="mapPublicIpOnLaunch",
        make=_make_subnet,
        look=_look_subnet,
        change=_change_subnet,
        drop=_delete("delete_subnet", "SubnetId"),
        tagging=tags_of("ec2"),
        outputs="arn ownerId",
    ),
    Resource(
        token="aws:ec2/routeTable:RouteTable",
        takes="vpcId routes",
        settles="routes",
        make=_make_table,
        look=_look_table,
        change=_change_table,
        drop=_delete("delete_route_table", "RouteTableId"),
        tagging=tags_of("ec2"),
        outputs="arn ownerId",
    ),
    Resource(
        token="aws:ec2/routeTableAssociation:RouteTableAssociation",
        takes="routeTableId subnetId",
        make=lambda aws, given: str(
            aws("ec2", "associate_route_table", RouteTableId=given["routeTableId"], SubnetId=given["subnetId"])[
                "AssociationId"
            ]
        ),
        look=_look_association,
        drop=_delete("disassociate_route_table", "AssociationId"),
        outputs="",
    ),
    Resource(
        token="aws:ec2/route:Route",
        takes="routeTableId destinationCidrBlock gatewayId natGatewayId",
        make=_make_route,
        look=_look_route,
        drop=lambda aws, _id, state: aws(
            "ec2",
            "delete_route",
            RouteTableId=state["routeTableId"],
            DestinationCidrBlock=state["destinationCidrBlock"],
        ),
        outputs="state",
    ),
    Resource(
        token="aws:ec2/eip:Eip",
        takes="domain",
        make=_create("allocate_address", "elastic-ip", {"domain": "Domain"}, "AllocationId"),
        look=_look_eip,
        drop=_delete("release_address", "AllocationId"),
        tagging=tags_of("ec2"),
        outputs="arn allocationId publicIp",
    ),
    Resource(
        token="aws:ec2/natGateway:NatGateway",
        takes="allocationId subnetId connectivityType",
        make=_create("create_nat_gateway", "natgateway", _NAT, "NatGateway", "NatGatewayId"),
        look=_look_nat,
        drop=_delete("delete_nat_gateway", "NatGatewayId"),
        tagging=tags_of("ec2"),
        outputs="publicIp privateIp",
    ),
    Resource(
        token="aws:ec2/vpcEndpoint:VpcEndpoint",
        takes=" ".join(_ENDPOINT),
        make=_make_endpoint,
        look=_look_endpoint,
        drop=_delete("delete_vpc_endpoints", "VpcEndpointIds", listed=True),
        tagging=tags_of("ec2"),
        outputs="state",
    ),
)
