"""A cache: a container of production's engine, or a user and a key prefix on the platform's shared node."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from understudy.components.aws.options import child, fixed
from understudy.components.aws.service import SERVICES, Service
from understudy.components.secrets import fill
from understudy.stacks.aws.plan import CachePlan
from understudy.stacks.secret_rules import Seed

__all__ = ["Cache", "CacheUser", "CacheUserArgs"]


@SERVICES.register("cache")
class Cache(Service):
    """The ECS service of one cache.

    Example:
        >>> Cache("shop-cache", ServiceArgs(plan=cache, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    pulumi_type = "understudy:aws:Cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheUserArgs:
    """What a user of the shared node is given."""

    plan: CachePlan
    seed: Seed


class CacheUser(pulumi.ComponentResource):
    """A user of the shared node, who reads and writes keys of one prefix and administers nothing.

    Example:
        >>> CacheUser("shop-cache", CacheUserArgs(plan=cache, seed=seed), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    def __init__(self, name: str, args: CacheUserArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:aws:CacheUser", name, {}, opts)
        plan = args.plan
        self.user = aws.elasticache.User(
            f"{name}-user",
            user_id=plan.user,
            user_name=plan.user,
            engine="valkey",
            access_string=f"on ~{plan.prefix}* &{plan.prefix}* +@all -@admin -@dangerous",
            passwords=[pulumi.Output.secret(fill(plan.password, args.seed))],
            opts=fixed(self),
        )
        self.member = aws.elasticache.UserGroupAssociation(
            f"{name}-member", user_group_id=plan.group, user_id=self.user.user_id, opts=child(self)
        )
        self.register_outputs({"user": self.user.user_id})
