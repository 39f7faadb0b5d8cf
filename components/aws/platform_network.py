"""The platform's network: two subnets in two zones, with public addresses, or behind a NAT gateway."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from understudy.components.aws.options import child

__all__ = ["PlatformNetwork", "PlatformNetworkArgs"]

_ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformNetworkArgs:
    """What the network is given: its addresses, two zones, and whether tasks are behind NAT."""

    cidr: str
    zones: tuple[str, str]
    region: str
    private: bool


class PlatformNetwork(pulumi.ComponentResource):
    """A VPC. `public` has the load balancer, `subnets` the tasks: the same, unless these are private.

    Example:
        >>> PlatformNetwork("net", PlatformNetworkArgs(cidr="10.64.0.0/16", **rest), opts)  # doctest: +SKIP
    """

    def __init__(self, name: str, args: PlatformNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:aws:PlatformNetwork", name, {}, opts)
        self._name, self._args = name, args
        self.vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=args.cidr,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            opts=child(self),
        )
        gateway = aws.ec2.InternetGateway(f"{name}-gateway", vpc_id=self.vpc.id, opts=child(self))
        out = aws.ec2.RouteTableRouteArgs(cidr_block=_ANYWHERE, gateway_id=gateway.id)
        self._blocks = list(ipaddress.ip_network(args.cidr).subnets(new_prefix=20))
        tables = [self._table("public", out)]
        self.public = self._subnets("public", 0, tables[0])
        self.subnets = self.public
        if args.private:
            tables.append(self._table("private", self._translated(gateway)))
            self.subnets = self._subnets("private", len(args.zones), tables[1])
        aws.ec2.VpcEndpoint(  # free, and image layers and files come from S3
            f"{name}-s3",
            vpc_id=self.vpc.id,
            service_name=f"com.amazonaws.{args.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id for table in tables],
            opts=child(self),
        )
        self.register_outputs({"vpc": self.vpc.id})

    def _table(self, kind: str, route: aws.ec2.RouteTableRouteArgs) -> aws.ec2.RouteTable:
        return aws.ec2.RouteTable(f"{self._name}-{kind}", vpc_id=self.vpc.id, routes=[route], opts=child(self))

    def _subnets(self, kind: str, first: int, table: aws.ec2.RouteTable) -> list[aws.ec2.Subnet]:
        made = []
        for number, zone in enumerate(self._args.zones):
            subnet = aws.ec2.Subnet(
                f"{self._name}-{kind}-{number + 1}",
                vpc_id=self.vpc.id,
                cidr_block=str(self._blocks[first + number]),
                availability_zone=zone,
                map_public_ip_on_launch=kind == "public",
                opts=child(self),
            )
            aws.ec2.RouteTableAssociation(
                f"{self._name}-{kind}-{number + 1}-route",
                subnet_id=subnet.id,
                route_table_id=table.id,
                opts=child(self),
            )
            made.append(subnet)
        return made

    def _translated(self, gateway: pulumi.Resource) -> aws.ec2.RouteTableRouteArgs:
        after = pulumi.ResourceOptions(parent=self, depends_on=[gateway])
        address = aws.ec2.Eip(f"{self._name}-nat-address", domain="vpc", opts=after)
        nat = aws.ec2.NatGateway(f"{self._name}-nat", allocation_id=address.id, subnet_id=self.public[0].id, opts=after)
        return aws.ec2.RouteTableRouteArgs(cidr_block=_ANYWHERE, nat_gateway_id=nat.id)
