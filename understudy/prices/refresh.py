"""Ask AWS's price list for every price of a region, page by page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from understudy.aws_failures import asking
from understudy.errors import ToolError
from understudy.prices.catalogue import QUERIES, Answers
from understudy.stacks.cost.table import PriceTable, checked_region

if TYPE_CHECKING:
    from types_boto3_pricing import PricingClient

__all__ = ["ask"]

_PAGE = 100
"""Products of one page, the most that GetProducts gives."""

_MOST_PAGES = 200
"""Pages of one question; a region has some ten of databases."""


def ask(client: PricingClient, region: str, said: Callable[[str], None]) -> PriceTable:
    """The prices of a region, as the price list has them today.

    Args:
        client: of the service `pricing`, in us-east-1.
        region: whose prices.
        said: is told what the list has no price of, and of what it has several.

    Raises:
        UsageError: it is no region.
        ToolError: AWS refuses (the action is pricing:GetProducts), does not answer, or has no price of the region.
    """
    answers = Answers(checked_region(region))
    for query in QUERIES:
        doing = f"Asked the AWS price list for {query.what} in {region} (pricing:GetProducts)"
        before = len(answers.rates)
        token = ""
        for _ in range(_MOST_PAGES):
            more = {"NextToken": token} if token else {}
            with asking(doing):
                page = client.get_products(
                    ServiceCode=query.service,
                    Filters=query.asked(region),  # type: ignore[arg-type]  # the stub's typed dictionaries
                    FormatVersion="aws_v1",
                    MaxResults=_PAGE,
                    **more,
                )
            try:
                answers.take(query, page["PriceList"])
            except (ValueError, KeyError) as error:
                raise ToolError(f"{doing}, and its answer cannot be read: {error}.") from error
            token = page.get("NextToken", "")
            if not token:
                break
        if len(answers.rates) == before:
            said(f"the price list has no price of {query.what} in {region}")
    for name in answers.unclear:
        said(f"the price list has several prices of {name} in {region}, so that none counts")
    table = answers.table(datetime.now(UTC).date().isoformat())
    if not table.prices:
        raise ToolError(
            f"Asked the AWS price list for prices in {region}, and it has none.", hint="Look at the region's name."
        )
    return table
