"""The commands on the platform of an AWS account and region: parse, call one function, exit with its code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from understudy.command_line import declared, printed_as, resolved

__all__ = ["platform"]

Command = Callable[..., Any]
_ON = ("aws_region", "aws_accounts", "aws_platform")


def _described(command: Command) -> Command:
    """Declare what a platform is to be."""
    for option in reversed(
        (
            click.option(
                "--private", is_flag=True, help="Tasks have no public addresses, and go out by a NAT gateway."
            ),
            click.option("--internal", is_flag=True, help="The load balancer answers inside the network only."),
            click.option("--certificate", default="", metavar="ARN", help="The wildcard certificate of the endpoints."),
            click.option(
                "--host-suffix", metavar="DOMAIN", help="The domain of endpoints. [default: preview.internal]"
            ),
            click.option("--caller", "callers", multiple=True, metavar="CIDR", help="Who may call; several count."),
            click.option(
                "--permissions-boundary", default="", metavar="ARN", help="The policy that limits environments' roles."
            ),
            click.option("--shared-database", is_flag=True, help="Make an instance that environments may share."),
            click.option("--shared-cache", is_flag=True, help="Make a node that environments may share."),
        )
    ):
        command = option(command)
    return command


@click.group()
def platform() -> None:
    """Make, show and remove what environments on AWS stand on, once for an account and region."""


@platform.command()
@_described
@printed_as("text", "json")
@declared(*_ON, "parallel")
def up(form: str, **flags: object) -> None:
    """Make or update the platform: network, load balancer, cluster, registry, bucket. It costs while it is there."""
    from understudy.platforms import up as work

    wanted = _wanted(flags)
    sys.exit(work(resolved(flags), Path.cwd(), wanted, form=form))


@platform.command()
@_described
@printed_as("text", "json")
@declared(*_ON)
def show(form: str, **flags: object) -> None:
    """Show the platform that environments stand on, and what `up` with the same options would change.

    Nothing is changed. A platform that the configuration names by its ids is shown as that.
    """
    from understudy.platforms import show as work

    wanted = _wanted(flags)
    sys.exit(work(resolved(flags), Path.cwd(), wanted, form=form))


@platform.command()
@click.option("--yes", is_flag=True, help="Remove; without it nothing is changed.")
@click.option(
    "--delete-data", "data", is_flag=True, help="The bucket and the shared database go too, with all in them."
)
@printed_as("text", "json")
@declared(*_ON, "lease_dir", "lock_timeout")
def down(yes: bool, data: bool, form: str, **flags: object) -> None:  # noqa: FBT001 - by name
    """Remove the platform; what keeps data stays, unless --delete-data.

    A dry run unless --yes. Refused while an environment is in the account and region, of this backend or another.
    """
    from understudy.platform_removal import down as work

    sys.exit(work(resolved(flags), Path.cwd(), yes=yes, data=data, form=form))


def _wanted(flags: dict[str, object]) -> Any:  # noqa: ANN401 - a class that is imported late
    """What of the flags says what a platform is to be, taken out of them."""
    from understudy.platform_wanted import Wanted

    own = {name: flags.pop(name) for name in Wanted.__dataclass_fields__}
    return Wanted(**{name: value for name, value in own.items() if value is not None})  # type: ignore[arg-type]  # as declared above
