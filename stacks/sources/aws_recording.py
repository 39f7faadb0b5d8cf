"""What was asked of an account of AWS and what it answered: plain data, as JSON has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["AccountData", "Json"]

Json = Mapping[str, Any]


@dataclass(frozen=True)
class AccountData:
    """The answers of one account in one region, by kind, each entry as the API gives it.

    `label` is the tag by which it was scoped and `scope` the ARNs that have it; `unanswered` are the actions that AWS
    does not know there. Kinds are `services` and `task_definitions` (ECS), `target_groups`, `load_balancers`,
    `listeners` and `rules` (ELBv2; a rule with its `ListenerArn`), `instances` and `clusters` (RDS),
    `replication_groups`, `cache_clusters`, `serverless_caches` and `cache_subnet_groups` (ElastiCache), `queues` (URL
    and attributes), `buckets` (versioning and notifications), `vpcs`, `subnets` and `security_groups` (EC2),
    `registries` (Cloud Map services with their namespace), `targets` (Application Auto Scaling), `roles` (with the
    documents of their policies), `secrets` and `parameters` (without values).
    """

    account: str
    region: str
    label: str = ""
    scope: tuple[str, ...] = ()
    answers: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)
    unanswered: tuple[str, ...] = ()

    def of(self, kind: str) -> tuple[Json, ...]:
        """The entries of a kind."""
        return self.answers.get(kind, ())

    @property
    def name(self) -> str:
        """The account and region, for messages."""
        return f"aws:{self.account}:{self.region}"
