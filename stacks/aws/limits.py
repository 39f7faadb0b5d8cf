"""Room on the shared load balancer: looked for before anything is created, with a free priority for the host rule."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from understudy.errors import LimitError

__all__ = ["HIGHEST", "MOST", "hold_room", "priority"]

MOST = 100
"""Target groups of one load balancer, which AWS does not raise, and rules (Elastic Load Balancing, ALB quotas)."""

HIGHEST = 49999
"""The last priority that rules are given: one at 50000 leaves no number for those that ask for the next."""


def hold_room(target_groups: int, rules: int, *, most_rules: int = MOST) -> None:
    """Hold that one more environment fits on the load balancer.

    Args:
        target_groups: how many it has.
        rules: how many it has, the default ones not counted.
        most_rules: the account's quota of rules.

    Raises:
        LimitError: it does not; nothing was created.
    """
    for what, has, most in (("target groups", target_groups, MOST), ("rules", rules, most_rules)):
        if has >= most:
            raise LimitError(
                f"The platform's load balancer has {has} {what}, and {most} are the most that it can have.",
                hint="`understudy reap` removes environments that nobody needs; another region or account has room for "
                "a platform of its own.",
            )


def priority(environment: str, taken: Collection[int]) -> int:
    """A priority from 1 to HIGHEST for the environment's rule: by its hash, or the next that nobody has.

    Raises:
        LimitError: there is none left.
    """
    held = frozenset(taken)
    first = int.from_bytes(hashlib.sha256(environment.encode()).digest()[:8], "big")
    for step in range(HIGHEST):
        chosen = 1 + (first + step) % HIGHEST
        if chosen not in held:
            return chosen
    raise LimitError("Every priority of the platform's listener is taken.", hint="`understudy reap` removes old rules.")
