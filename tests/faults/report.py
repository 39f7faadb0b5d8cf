"""What came of the trials, as the table of `docs/guarantees.md`: one row a kind, with what was really made."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from faults.trial import KINDS, STRATUM
from support import ROOT

__all__ = ["latest", "summary", "write_guarantees"]

PAGE = ROOT / "docs" / "guarantees.md"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"

COLUMNS = (
    "kind",
    "fault",
    "asked for",
    "made",
    "failed",
    "failed before, and made again",
    "bound on the rate",
    "seconds until all was as before: min / median / max",
    "CPU s each",
    "commits",
    "days",
)


def latest(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last record of each trial; a trial that failed is made again once what it showed is mended."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for each in records:
        if each["counted"] or not each["ok"]:
            found[each["kind"], each["index"] % STRATUM] = each
    return list(found.values())


def summary(records: Sequence[dict[str, Any]], kinds: Sequence[str]) -> tuple[str, int]:
    """The table as Markdown, and the number of failures that stand.

    A failure that a later trial of the same number did not repeat stays in the table, in a column of its own.
    """
    rows = [
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
    ]
    failures = 0
    last = latest(records)
    for name in kinds:
        own = [each for each in last if each["kind"] == name]
        failed = sum(not each["ok"] for each in own)
        earlier = sum(each["kind"] == name and not each["ok"] for each in records) - failed
        failures += failed
        cells = (
            f"`{name}`",
            KINDS[name].says,
            KINDS[name].count,
            len(own),
            failed,
            earlier,
            _bound(len(own), failed + earlier),
            _times(own),
            f"{statistics.mean(each['cpu'] for each in own):.1f}" if own else "-",
            ", ".join(sorted({each["commit"] for each in own})) or "-",
            ", ".join(sorted({each["made"][:10] for each in own})) or "-",
        )
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(rows), failures


def _bound(trials: int, failed: int) -> str:
    """Zero failures in n trials bound the rate at about 3/n (95 %)."""
    if not trials or failed:
        return "-"
    return f"{min(1.0, 3 / trials):.1%}"


def _times(records: Iterable[dict[str, Any]]) -> str:
    times = [each["seconds"] for each in records if each["seconds"] is not None]
    if not times:
        return "-"
    return f"{min(times):.1f} / {statistics.median(times):.1f} / {max(times):.1f}"


def write_guarantees(table: str, seed: int) -> None:
    """Put the table into the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\nSeed {seed}.\n\n{table}\n{END}{after}", encoding="utf-8")
