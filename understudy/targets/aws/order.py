"""In which order kinds are removed, and what of a listing may be: pure functions over plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from understudy.stacks.identity import Whose
from understudy.targets.interface import Owned, Spare, spare_none
from understudy.targets.ownership import TARGET, refusal

__all__ = ["STAGES", "Judged", "in_another_region", "in_stages", "judge"]

STAGES: tuple[tuple[str, ...], ...] = (
    ("ecs-service",),
    ("ecs-task", "listener-rule"),
    ("target-group", "rds-instance", "cache-group"),
    ("rds-cluster", "cache-cluster", "rds-snapshot", "cache-user"),
    ("task-definition", "bucket", "queue", "log-group", "secret", "parameter", "name"),
    ("namespace", "role"),
    ("policy", "network-interface", "security-group-rule"),
    ("security-group",),
)
"""Kinds that may go together, and after those before them: a service starts tasks again, which hold target groups, log
groups, roles and network interfaces; a rule holds its target group; members come before their database cluster and a
replication group before its caches; what a network interface or another rule uses is held, so security groups are
last."""

_RANK = {kind: rank for rank, kinds in enumerate(STAGES) for kind in kinds}


@dataclass(frozen=True, slots=True)
class Judged:
    """What may be removed, and what is kept with the reason."""

    remove: tuple[Owned, ...] = ()
    kept: tuple[tuple[Owned, str], ...] = ()


def judge(items: Iterable[Owned], whose: Whose, identity: str, spare: Spare = spare_none) -> Judged:
    """Which objects may be removed for an environment on this target, by the labels they were just seen with.

    Args:
        items: with their labels.
        whose: whose they have to be.
        identity: of the target, just asked.
        spare: says of labels why an object is to be kept.
    """
    remove: list[Owned] = []
    kept: list[tuple[Owned, str]] = []
    for item in items:
        reason = refusal(item.labels, whose, identity) or spare(item.labels)
        if not reason and item.kind not in _RANK:
            reason = f"Understudy makes no {item.kind}, and cannot remove one; kept"
        if reason:
            kept.append((item, reason))
        else:
            remove.append(item)
    return Judged(tuple(remove), tuple(kept))


def in_stages(items: Iterable[Owned]) -> list[Sequence[Owned]]:
    """The objects by stages, each stage sorted by kind and id, without empty ones.

    Raises:
        KeyError: one is of a kind that no stage has; `judge` lets none through.
    """
    stages: list[list[Owned]] = [[] for _ in STAGES]
    for item in sorted(items):
        stages[_RANK[item.kind]].append(item)
    return [stage for stage in stages if stage]


def in_another_region(labels: Mapping[str, str], identity: str) -> bool:
    """Whether the labels name this account in another region: what belongs to the account is listed in every one."""
    named, here = labels.get(TARGET, "").split(":"), identity.split(":")
    return len(named) == len(here) and named[:-1] == here[:-1] and named[-1] != here[-1]
