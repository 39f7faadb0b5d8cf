"""The platform: what an account and region have once, and every environment there stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi

from understudy.components.aws.options import named
from understudy.components.aws.platform_access import Access, AccessArgs
from understudy.components.aws.platform_network import PlatformNetwork, PlatformNetworkArgs
from understudy.components.aws.platform_registry import Registry
from understudy.components.aws.platform_stores import PlatformStores, PlatformStoresArgs
from understudy.components.aws.provider import aws_provider
from understudy.stacks.aws.platform import HOST_SUFFIX, PLATFORM, platform_tags

__all__ = ["Platform", "PlatformArgs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformArgs:
    """What a platform is made of.

    Attributes:
        account: the account that it is made in.
        region: where.
        zones: two availability zones.
        cidr: the addresses of its network, 16 bits long.
        private: tasks have no public addresses, and reach out through a NAT gateway, which costs by the hour.
        internal: the load balancer answers inside the network only.
        certificate_arn: of the wildcard certificate; empty: the endpoints speak HTTP.
        host_suffix: the domain of the endpoints.
        callers: the addresses that may call the load balancer.
        permissions_boundary: the policy that limits the roles of environments; empty: none.
        shared_database: make an instance that environments may have a database on.
        database_password: of its administrator.
        shared_cache: make a node that environments may have a user on.
        owner: which stack's all of it is, by the value of its tag; without it nobody can tell.
        rules: the callers' CIDR and port -> the logical name that their rule has in the stack so far.
    """

    account: str
    region: str
    zones: tuple[str, str]
    cidr: str = "10.64.0.0/16"
    private: bool = False
    internal: bool = False
    certificate_arn: str = ""
    host_suffix: str = HOST_SUFFIX
    callers: tuple[str, ...] = ("0.0.0.0/0",)
    permissions_boundary: str = ""
    shared_database: bool = False
    database_password: pulumi.Input[str] | None = None
    shared_cache: bool = False
    owner: str = PLATFORM
    rules: Mapping[tuple[str, int], str] = field(default_factory=dict)


class Platform(pulumi.ComponentResource):
    """Network, load balancer, cluster, execution role, registry, bucket, and the shared instances that were asked for.

    `outputs` are what `stacks.aws.platform.platform_of` reads. What keeps data is protected and is not deleted.

    Example:
        >>> platform = Platform("understudy", PlatformArgs(account="123456789012", **rest))  # doctest: +SKIP
        >>> for key, value in platform.outputs.items():  # doctest: +SKIP
        ...     pulumi.export(key, value)
    """

    def __init__(self, name: str, args: PlatformArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:aws:Platform", name, {}, opts)
        self.provider = aws_provider(
            f"{name}-provider", account=args.account, region=args.region, tags=platform_tags(args.owner), parent=self
        )
        nested = named(self, self.provider)
        self.network = PlatformNetwork(
            f"{name}-network",
            PlatformNetworkArgs(cidr=args.cidr, zones=args.zones, region=args.region, private=args.private),
            nested,
        )
        self.access = Access(
            f"{name}-access",
            AccessArgs(
                vpc=self.network.vpc.id,
                subnets=[subnet.id for subnet in self.network.public],
                internal=args.internal,
                certificate_arn=args.certificate_arn,
                callers=args.callers,
                account=args.account,
                region=args.region,
                rules=args.rules,
            ),
            nested,
        )
        self.stores = PlatformStores(
            f"{name}-stores",
            PlatformStoresArgs(
                account=args.account,
                region=args.region,
                vpc=self.network.vpc.id,
                cidr=args.cidr,
                subnets=[subnet.id for subnet in self.network.subnets],
                database=args.shared_database,
                database_password=args.database_password,
                cache=args.shared_cache,
            ),
            nested,
        )
        self.registry = Registry(f"{name}-registry", nested)
        self.outputs = self._outputs(args)
        self.register_outputs(dict(self.outputs))

    def _outputs(self, args: PlatformArgs) -> Mapping[str, pulumi.Input[object]]:
        access, stores = self.access, self.stores
        found: dict[str, pulumi.Input[object]] = {
            "account": args.account,
            "region": args.region,
            "vpc_id": self.network.vpc.id,
            "subnet_ids": [subnet.id for subnet in self.network.subnets],
            "private": args.private,
            "cluster_arn": access.cluster.arn,
            "namespace_arn": access.namespace.arn,
            "alb_arn": access.balancer.arn,
            "alb_dns_name": access.balancer.dns_name,
            "alb_security_group_id": access.group.id,
            "listener_arn": access.listener.arn,
            "execution_role_arn": access.execution.arn,
            "db_subnet_group": stores.database_subnets.name,
            "cache_subnet_group": stores.cache_subnets.name,
            "bucket": stores.bucket.id,
            "host_suffix": args.host_suffix,
            "https": bool(args.certificate_arn),
            "permissions_boundary": args.permissions_boundary,
            "registry": self.registry.url,
        }
        return found | stores.shared
