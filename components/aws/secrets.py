"""Secrets and parameters: each value that no task definition may show, of the environment's seed, gone with it."""

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
    """What keeps the secrets of an environment; `arns` are those of what has its value, by their logical names.

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
        self._name = name
        makers = {"secret": self._secret, "parameter": self._parameter}
        self.arns: dict[str, pulumi.Output[str]] = {}
        for plan in plans:
            value = pulumi.Output.secret(placed(fill(plan.template, seed), plan.template, addresses))
            self.arns[plan.logical] = makers[plan.store](plan, value)
        self.register_outputs({})

    def _secret(self, plan: SecretPlan, value: pulumi.Output[str]) -> pulumi.Output[str]:
        logical = f"{self._name}-{slug(plan.logical)}"
        made = aws.secretsmanager.Secret(
            logical,
            name=plan.name,
            description=_described(plan),
            recovery_window_in_days=0,  # else the name is taken for 7 to 30 days
            opts=fixed(self),
        )
        version = aws.secretsmanager.SecretVersion(
            f"{logical}-value", secret_id=made.id, secret_string=value, opts=child(self)
        )
        # Known once the secret has its value: a task that starts before would not.
        return pulumi.Output.all(made.arn, version.id).apply(lambda known: str(known[0]))

    def _parameter(self, plan: SecretPlan, value: pulumi.Output[str]) -> pulumi.Output[str]:
        made = aws.ssm.Parameter(
            f"{self._name}-{slug(plan.logical)}",
            name=plan.name,
            description=_described(plan),
            type="SecureString",
            value=value,
            opts=fixed(self),
        )
        arn: pulumi.Output[str] = made.arn
        return arn


def _described(plan: SecretPlan) -> str:
    return f"{plan.logical} of an environment of Understudy"
