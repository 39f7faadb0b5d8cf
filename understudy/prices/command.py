"""`understudy prices`: show the tables that estimates are made by, or write one anew from AWS's price list."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from understudy.console import printable
from understudy.engine.settings import state_folder
from understudy.errors import UsageError
from understudy.prices.shelf import Found, keep, known
from understudy.report.codec import encode
from understudy.stacks.cost.table import checked_region

__all__ = ["refresh", "show"]

_PRICING_REGION = "us-east-1"
"""Where the price list is asked, whichever region it is asked about."""


def show(region: str, *, form: str) -> int:
    """Print the tables that count, or that of one region; returns 0.

    Raises:
        UsageError: it is no region, there is no table of it, or one cannot be used.
    """
    if region:
        checked_region(region)
    found = list(known(state_folder(), region))
    if region and not found:
        raise UsageError(
            f"Looked for the prices of {region}, and there are none.",
            hint=f"`understudy prices refresh --region {region}` asks AWS for them.",
        )
    _print(found, form)
    return 0


def refresh(region: str, *, form: str) -> int:
    """Write the table of a region anew, which then comes before the one that is shipped; returns 0.

    Args:
        region: whose prices; empty: the region that the AWS SDK is set to.
        form: text or json.

    Raises:
        UsageError: it is no region.
        ToolError: boto3 or credentials are missing, AWS refuses or does not answer, or the table cannot be written;
            the table that was there counts as before.
    """
    from understudy.prices.refresh import ask
    from understudy.targets.aws.session import AwsAccess, AwsSession

    wanted = checked_region(region or AwsSession().region)
    client = AwsSession(AwsAccess(region=_PRICING_REGION)).client("pricing")
    table = ask(client, wanted, lambda text: click.echo(f"understudy: {printable(text)}", err=True))
    place = keep(table, state_folder())
    _print([Found(table, str(place))], form)
    return 0


def _print(found: list[Found], form: str) -> None:
    if form == "json":
        tables = [{"place": each.place, **encode(each.table)} for each in found]
        click.echo(json.dumps({"schema": 1, "tables": tables}, indent=1))
        return
    for each in found:
        for line in _lines(each):
            click.echo(printable(line))


def _lines(found: Found) -> Iterator[str]:
    table = found.table
    yield f"{table.region}: {len(table.prices)} prices in {table.currency} of {table.dated}, {found.place}"
    width = max(map(len, table.prices), default=0)
    for name, price in sorted(table.prices.items()):
        read = ", ".join(f"{table.sources[each].name} ({table.sources[each].dated})" for each in price.sources)
        yield f"  {name:<{width}}  {price.rate:<10g} per {price.unit:<12} {read}"
