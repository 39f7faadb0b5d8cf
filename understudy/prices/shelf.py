"""Where tables of prices lie: those that were refreshed in the user's state folder, before those that are shipped."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from understudy.errors import ToolError, UsageError
from understudy.files import write_file
from understudy.report.codec import RecordError, encode, read_version
from understudy.stacks.cost.table import SCHEMA, PriceTable, checked_region, no_prices

__all__ = ["SHIPPED", "Found", "find", "keep", "known"]

SHIPPED = "shipped with Understudy"
"""What the place of a table is called that nobody refreshed."""


@dataclass(frozen=True, slots=True)
class Found:
    """A table, and the file that it was read from, or `SHIPPED`."""

    table: PriceTable
    place: str


def find(region: str, state: Path) -> PriceTable:
    """The prices of a region: refreshed, else shipped, else none.

    Args:
        region: such as us-east-1.
        state: the user's state folder.

    Raises:
        UsageError: it is no region, or the table that is there cannot be used.
    """
    checked_region(region)
    return next((found.table for found in known(state, region)), no_prices(region))


def known(state: Path, region: str = "") -> Iterator[Found]:
    """Every table that counts, by region; where one is named, only that.

    Raises:
        UsageError: one cannot be used.
    """
    own = {path.stem: path for path in _folder(state).glob("*.json")}
    tables = importlib.resources.files("understudy").joinpath("prices/tables")
    shipped = {each.name.removesuffix(".json"): each for each in tables.iterdir() if each.name.endswith(".json")}
    for name in sorted(own.keys() | shipped.keys()):
        if region not in ("", name):
            continue
        place = str(own[name]) if name in own else SHIPPED
        try:
            text = (own[name] if name in own else shipped[name]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"Read the prices of {place}, and it failed: {error}.") from error
        yield Found(_table(text, name, place), place)


def _table(text: str, region: str, place: str) -> PriceTable:
    try:
        table = read_version(PriceTable, text, SCHEMA).hold(place)
    except RecordError as error:
        raise UsageError(
            f"Read the prices of {place}, and they are no table of prices: {error}.",
            hint="`understudy prices refresh` writes it anew; without it the one that is shipped counts, if any.",
        ) from error
    if table.region != region:
        raise UsageError(f"Read the prices of {place}, and they are those of {table.region}.")
    return table


def keep(table: PriceTable, state: Path) -> Path:
    """Write a table whole or not at all; from then on it comes before the one that is shipped. Returns its file.

    Raises:
        UsageError: something in it cannot be reckoned with.
        ToolError: it cannot be written; what was there before still is.
    """
    place = _folder(state) / f"{checked_region(table.region)}.json"
    data = json.dumps(encode(table.hold(str(place))), indent=1) + "\n"
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_file(place, data.encode())
    except OSError as error:
        raise ToolError(
            f"Wrote the prices to {place}, and it failed: {error}.", hint="Name another folder with XDG_STATE_HOME."
        ) from error
    return place


def _folder(state: Path) -> Path:
    return state / "prices"
