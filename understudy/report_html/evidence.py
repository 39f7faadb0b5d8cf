"""What a run folder's logs say about failed tests and about services that were not well; reads, never writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from understudy.report import CaseRecord, RunRecord
from understudy.report_html.links import logs_named
from understudy.report_html.log_windows import LogLine, opened
from understudy.report_html.moments import epoch
from understudy.report_html.touched import MEANWHILE, mentions, touched
from understudy.suites.results import BAD, Outcome

__all__ = ["AFTER", "Excerpt", "Logs", "logs_of"]

AFTER = 0.5
"""Seconds after a test's end that still belong to its window: a container's line may come a little late."""

_PER_SERVICE = 200
"""Lines of one service that are taken for one test."""

_TAIL = 60
"""Last lines of a service that was not well."""

_BUDGET = 6_000_000
"""Characters of log lines in one page; what comes after that is left out, and the page says so."""

_ILL = frozenset({"starting", "restarting", "unhealthy", "exited", "oom-killed"})
_SHOWN = BAD | {Outcome.ENVIRONMENT, Outcome.FLAKY, Outcome.INTERRUPTED}


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines of one service's log: why they are shown, how many more there were, and the log's path in the folder."""

    service: str
    why: str
    file: str
    lines: tuple[LogLine, ...]
    more: int


@dataclass(slots=True)
class Logs:
    """(suite's number, test's number) -> excerpts; the tails of services that were not well; whether all had room."""

    tests: dict[tuple[int, int], tuple[Excerpt, ...]] = field(default_factory=dict)
    tails: tuple[Excerpt, ...] = ()
    whole: bool = True


def logs_of(record: RunRecord, folder: Path | None) -> Logs:
    """The excerpts of a run; without its folder there are none."""
    found = Logs()
    if folder is None:
        return found
    files = _files(record, folder)
    patterns = mentions(record, files)
    left = _BUDGET
    for number, suite in enumerate(record.suites):
        for place, case in enumerate(suite.tests):
            window = _window(case)
            if case.outcome not in _SHOWN or window is None:
                continue
            if left <= 0:
                found.whole = False
                return found
            why = touched(case, suite.needs, record.graph, patterns)
            excerpts = tuple(_excerpts(folder, files, why, window, case.part))
            left -= sum(len(each.text) + 20 for one in excerpts for each in one.lines)
            found.tests[number, place] = excerpts
    found.tails = tuple(_tails(record, folder, files))
    return found


def _files(record: RunRecord, folder: Path) -> dict[str, tuple[str, ...]]:
    """Service -> the paths of its logs in the folder or in those of its parts, for those that have one."""
    places = [part.folder for part in record.parts] or ["."]
    there = sorted(path.relative_to(folder).as_posix() for place in places for path in _logs(folder, place))
    names = dict.fromkeys([node.name for node in record.graph.nodes] + [each.service for each in record.containers])
    found = {name: logs_named(name, there) for name in names}
    return {name: paths for name, paths in found.items() if paths}


def _logs(folder: Path, place: str) -> Iterable[Path]:
    """The logs below a folder of the run; none behind a link or outside.

    A stranger's run would put files of this machine into the page.
    """
    where = PurePosixPath(place, "logs")
    way = [folder / above for above in (*reversed(where.parents), where)]
    inside = not where.is_absolute() and ".." not in where.parts
    return way[-1].glob("*.log") if inside and not any(each.is_symlink() for each in way[1:]) else ()


def _window(case: CaseRecord) -> tuple[float, float] | None:
    start = epoch(case.started)
    return None if start is None else (start, start + case.seconds + AFTER)


def _excerpts(
    folder: Path,
    files: Mapping[str, tuple[str, ...]],
    why: Mapping[str, str],
    window: tuple[float, float],
    part: str,
) -> Iterable[Excerpt]:
    """The lines of a window; of a test of a part, those of that part's containers."""
    for name, reason in why.items():
        for path in files[name] if not part else (p for p in files[name] if p.startswith(f"{part}/")):
            with opened(folder / path) as log:
                lines, more = log.window(*window, _PER_SERVICE) if log else ((), 0)
            if lines or reason != MEANWHILE:
                yield Excerpt(name, reason, path, lines, more)


def _tails(record: RunRecord, folder: Path, files: Mapping[str, tuple[str, ...]]) -> Iterable[Excerpt]:
    for node in record.graph.nodes:
        for path in files.get(node.name, ()) if node.health in _ILL else ():
            with opened(folder / path) as log:
                lines, more = log.tail(_TAIL) if log else ((), 0)
            yield Excerpt(node.name, f"was {node.health} at the end", path, lines, more)
