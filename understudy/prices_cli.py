"""The commands `prices show` and `prices refresh`: parse, call one function, turn its result into an exit code."""

from __future__ import annotations

import sys

import click

from understudy.command_line import declared, printed_as, resolved

__all__ = ["prices"]

_REGION = "A region of AWS, such as eu-west-1. [default: {0}]"


@click.group()
def prices() -> None:
    """Show or refresh the prices by which the cost of an environment on AWS is estimated."""


@prices.command()
@click.option("--region", default="", metavar="REGION", help=_REGION.format("every one that has a table"))
@printed_as("text", "json")
@declared()
def show(region: str, form: str, **flags: object) -> None:
    """Print the tables of prices, with their dates and where each price was read."""
    resolved(flags)
    from understudy.prices.command import show as work

    sys.exit(work(region, form=form))


@prices.command()
@click.option("--region", default="", metavar="REGION", help=_REGION.format("that of the AWS SDK"))
@printed_as("text", "json")
@declared()
def refresh(region: str, form: str, **flags: object) -> None:
    """Ask AWS's price list for a region's prices and keep them; they then count before those that are shipped.

    It needs credentials that allow `pricing:GetProducts`, and the extra understudy[aws].
    """
    resolved(flags)
    from understudy.prices.command import refresh as work

    sys.exit(work(region, form=form))
