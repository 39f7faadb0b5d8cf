"""Load balancers, NAT gateways, public addresses and endpoints of a VPC: charged as long as they are there."""

from __future__ import annotations

from .charges import Charge, Charges, Declared, How, Remark, World, choice, text

__all__ = ["address", "endpoint", "load_balancer", "nat_gateway"]


def load_balancer(declared: Declared, _world: World) -> Charges:
    """Its hours, and the public address that one which faces the internet has in each subnet."""
    inputs = declared.inputs
    kind = text(inputs.get("loadBalancerType")) or "application"
    yield Charge(f"{kind} load balancer", f"lb/{kind}", 1)
    yield Remark(How.USAGE, "capacity units", "connections, bytes and rules are charged in capacity units by the hour")
    internal = choice(inputs.get("internal"), default=False)
    places = inputs.get("subnets") or inputs.get("subnetMappings")
    if internal:
        return
    if internal is None or not isinstance(places, (list, tuple)):
        yield Remark(How.UNKNOWN, "public IPv4", "in how many subnets it has a public address is not known")
    else:
        yield Charge("public IPv4", "ipv4", len(places))


def nat_gateway(_declared: Declared, _world: World) -> Charges:
    """Its hours; its address is a resource of its own."""
    yield Charge("NAT gateway", "nat", 1)
    yield Remark(How.USAGE, "bytes through it", "what a NAT gateway carries is charged by the GB")


def address(_declared: Declared, _world: World) -> Charges:
    """A public IPv4 address, whether something uses it or not."""
    yield Charge("public IPv4", "ipv4", 1)


def endpoint(declared: Declared, _world: World) -> Charges:
    """An endpoint of a VPC: a gateway's is free, an interface is charged for in each zone."""
    kind = text(declared.inputs.get("vpcEndpointType")) or "Gateway"
    subnets = declared.inputs.get("subnetIds")
    if kind == "Gateway":
        yield Remark(How.FREE, "gateway endpoint", "a gateway's endpoint has no charge")
    elif isinstance(subnets, (list, tuple)):
        yield Charge(f"{kind.lower()} endpoint", f"vpc-endpoint/{kind.lower()}", len(subnets))
    else:
        yield Remark(How.UNKNOWN, "endpoint", "in how many zones it stands is not known")
