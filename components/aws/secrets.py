"""Secrets: each value that no task definition may show, made of the environment's seed, gone at once when destroyed."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import pulumi
import pulumi_aws as aws

from understudy.components.aws.addresses import Addresses, placed
from understudy.components.aws.options import child, fixed
from understudy.components.names import slug
from understudy.components.secrets import fill
from understudy.stacks.aws.plan import SecretPlan
from understudy.stacks.secret_rules import Seed

__all__ = ["Secrets"]


class Secrets(pulumi.ComponentResource):
    """The secrets of an environment; `arns` are those of secrets that have their value, by their logical names.

    Example:
        >>> Secrets("shop-secrets", plan.secrets, seed, ResourceOptions(parent=env))  # doctest: +SKIP
    """

    def __init__(
        self,
        name: str,
        plans: Sequence[SecretPlan],
        seed: Seed,
        opts: pulumi.ResourceOptions | None = None,
        *,
        addresses: Addresses = MappingProxyType({}),
    ) -> None:
        super().__init__("understudy:aws:Secrets", name, {}, opts)
        self.arns: dict[str, pulumi.Output[str]] = {}
        for plan in plans:
            made = aws.secretsmanager.Secret(
                f"{name}-{slug(plan.logical)}",
                name=plan.name,
                description=f"{plan.logical} of an environment of Understudy",
                recovery_window_in_days=0,  # else the name is taken for 7 to 30 days
                opts=fixed(self),
            )
            version = aws.secretsmanager.SecretVersion(
                f"{name}-{slug(plan.logical)}-value",
                secret_id=made.id,
                secret_string=pulumi.Output.secret(placed(fill(plan.template, seed), plan.template, addresses)),
                opts=child(self),
            )
            # Known once the secret has its value: a task that starts before would not.
            self.arns[plan.logical] = pulumi.Output.all(made.arn, version.id).apply(lambda known: str(known[0]))
        self.register_outputs({})
