"""What came of the trials, as the table of `docs/guarantees.md`."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from faults.trial import KINDS
from support import ROOT

__all__ = ["summary", "write_guarantees"]

PAGE = ROOT / "docs" / "guarantees.md"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"


def summary(records: Sequence[dict[str, Any]], seed: int, seconds: float, kinds: Iterable[str]) -> tuple[str, int]:
    """The table as Markdown, and the number of failures."""
    rows = [
        "| fault | trials | failures | bound on the rate | seconds until all was as before: min / median / max |",
        "|---|---|---|---|---|",
    ]
    failures = 0
    for name in kinds:
        own = [each for each in records if each["kind"] == name and (each["counted"] or not each["ok"])]
        failed = sum(not each["ok"] for each in own)
        failures += failed
        rows.append(f"| {KINDS[name].says} | {len(own)} | {failed} | {_bound(len(own), failed)} | {_times(own)} |")
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    rows += ["", f"Seed {seed}, commit {_commit()}, {moment}, {seconds / 60:.0f} minutes."]
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


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    return git("rev-parse", "--short=12", "HEAD") + (" with changes" if git("status", "--porcelain", "-uno") else "")


def write_guarantees(table: str) -> None:
    """Put the table into the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")
