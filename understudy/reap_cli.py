"""The command `reap`: parse, call one function, turn its result into an exit code."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from understudy.command_line import declared, duration, printed_as, resolved

__all__ = ["reap"]


@click.command()
@click.option("--older-than", callback=duration, metavar="DURATION", help="Environments made longer ago go too.")
@click.option("--yes", is_flag=True, help="Remove; without it nothing is changed.")
@click.option("--max-destroy", type=click.IntRange(0), metavar="N", help="Remove nothing if it were more than N.")
@click.option("--every", callback=duration, metavar="DURATION", help="Stay, and make a pass so often.")
@click.option("--forget-target", default="", metavar="ID", help="Close the leases of a lost host, unseen.")
@click.option("--forget-stack", default="", metavar="ID", help="Remove the state of a stack that cannot be judged.")
@printed_as("text", "json")
@declared("target", "aws_region", "aws_accounts", "lease_dir", "image_budget", "docker_provider")
def reap(form: str, **flags: object) -> None:
    """Remove what is stale on this backend and target: expired, orphaned, left by an owner that died.

    A dry run unless --yes. Each thing is judged keep, reap, hold or unknown, with the reason. No more than 20
    environments, or a quarter of what there is, go in one pass unless --max-destroy says so. Exit codes: 0 nothing is
    left to do; 4 something is left, or nobody could look; 5 something was kept that could not be judged.
    """
    from understudy.reap.command import Wanted
    from understudy.reap.command import run as work

    own = ("older_than", "yes", "max_destroy", "every", "forget_target", "forget_stack")
    wanted = Wanted(form=form, **{name: flags.pop(name) for name in own})  # type: ignore[arg-type]  # as declared above
    sys.exit(work(resolved(flags), Path.cwd(), wanted))
