"""What a report costs: drawing one of 10,000 tests, its size, and how long headless Chromium takes to open it."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["SECTION", "Opening", "measure", "section", "verdicts"]

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

TESTS, FAILING, SUITES, WORKERS = 10_000, 20, 4, 4
MOST_SECONDS = 3.0

SECTION = """\
## Report

A record of {tests} tests in {suites} suites, {failing} of them failed with tracebacks and logs. Drawn: `run.json` and
logs read, `report.html` written, in one process that has its modules loaded. Opened: headless Chromium, from the
navigation in a new page of a browser that runs until every part is built and a second frame has been painted, {rounds}
rounds. Goal: less than 3 s.

| | |
|---|---|
| `report.html` | {size:.1f} MB |
| drawn, median | {drawn:.2f} s |
| opened, minimum | {least:.2f} s |
| opened, median | {middle:.2f} s |
"""

_PAINTED = """() => new Promise((done) => {
  const ready = () => document.documentElement.dataset.ready === "yes"
    ? requestAnimationFrame(() => requestAnimationFrame(() => done(true))) : setTimeout(ready, 5);
  ready();
})"""


@dataclass(frozen=True, slots=True)
class Opening:
    """Bytes of the page, and the seconds of each round."""

    size: int
    drawn: tuple[float, ...]
    opened: tuple[float, ...]


def measure(rounds: int) -> Opening:
    """Draw and open the page so many times; the first of each is not counted."""
    from browser import chromium
    from playwright.sync_api import sync_playwright
    from report_records import folder_of, shop

    from understudy.report_html import write_report

    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as play:
        folder = folder_of(shop(TESTS, SUITES, FAILING, WORKERS), Path(temporary))
        drawn = []
        for _ in range(rounds + 1):
            began = time.perf_counter()
            page = write_report(folder)
            drawn.append(time.perf_counter() - began)
        browser = play.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        opened = []
        for _ in range(rounds + 1):
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            began = time.perf_counter()
            tab.goto(page.as_uri(), wait_until="commit")
            tab.evaluate(_PAINTED)
            opened.append(time.perf_counter() - began)
            tab.close()
        browser.close()
        return Opening(page.stat().st_size, tuple(drawn[1:]), tuple(opened[1:]))


def section(found: Opening) -> str:
    """The part of docs/benchmarks.md."""
    return SECTION.format(
        tests=f"{TESTS:,}",
        suites=SUITES,
        failing=FAILING,
        rounds=len(found.opened),
        size=found.size / 1e6,
        drawn=statistics.median(found.drawn),
        least=min(found.opened),
        middle=statistics.median(found.opened),
    )


def verdicts(found: Opening) -> list[tuple[str, bool]]:
    """Each goal and whether it is met, by medians."""
    return [(f"a report of {TESTS:,} tests opens in less than 3 s", statistics.median(found.opened) < MOST_SECONDS)]


if __name__ == "__main__":
    print(section(measure(7)))
