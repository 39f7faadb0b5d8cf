"""The estimate of an environment: its plan, and the table of prices that counts for its region."""

from __future__ import annotations

from pathlib import Path

from understudy.prices.shelf import find
from understudy.stacks.aws.declared import chargeable
from understudy.stacks.aws.plan import AwsPlan
from understudy.stacks.cost.estimate import Estimate, estimate

__all__ = ["of_plan"]


def of_plan(plan: AwsPlan, state: Path) -> Estimate:
    """What an environment on AWS costs by the hour, without asking AWS.

    Args:
        plan: of the environment.
        state: the user's state folder, where refreshed tables lie.

    Raises:
        UsageError: the table of its region cannot be used.
    """
    return estimate(chargeable(plan), find(plan.platform.region, state))
