"""Which services a failed test touched, told from what is known of it, each with how it is known. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from understudy.report import CaseRecord, GraphRecord, RunRecord
from understudy.stacks.endpoints import variable

__all__ = ["MEANWHILE", "mentions", "touched"]

MEANWHILE = "logged something meanwhile"
"""Why a service is shown of which nothing else is known."""

_READ = 200_000
"""Characters of a traceback or of captured output that are searched, from the end."""


def mentions(record: RunRecord, services: Iterable[str]) -> Mapping[str, re.Pattern[str]]:
    """Service -> what names it in a traceback: its name as a word, its contract variables, its address."""
    found = {}
    for name in services:
        words = [rf"(?<![\w-]){re.escape(name)}(?![\w-])", re.escape(variable(name)) + "_"]
        words += [
            rf"(?<!\d){re.escape(each.host)}\D{{1,12}}{each.host_port}(?!\d)"
            for each in record.endpoints
            if each.service == name
        ]
        found[name] = re.compile("|".join(words))
    return found


def touched(
    case: CaseRecord,
    needs: tuple[str, ...],
    graph: GraphRecord,
    patterns: Mapping[str, re.Pattern[str]],
) -> dict[str, str]:
    """Service -> how it is known that the test touched it, nearest first; every service of `patterns` is in it.

    First those that the failure names, then those that its suite needs, then what either depends on; of the others
    nothing is known but that they may have logged something meanwhile.
    """
    told = "\n".join((case.id, case.message, case.detail[-_READ:], *(part.text[-_READ:] for part in case.sections)))
    found = {name: "named in the failure" for name, pattern in patterns.items() if pattern.search(told)}
    for name in needs:
        found.setdefault(name, "the suite needs it")
    targets: dict[str, list[str]] = {}
    for edge in graph.edges:
        targets.setdefault(edge.source, []).append(edge.target)
    waiting = list(found)
    for name in waiting:
        for target in targets.get(name, ()):
            if target not in found:
                found[target] = f"{name} depends on it"
                waiting.append(target)
    known = {name: why for name, why in found.items() if name in patterns}
    return known | {name: MEANWHILE for name in patterns if name not in known}
