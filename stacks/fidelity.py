"""The fidelity report: every property of production and of the clone, how the one stands to the other, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .builds import shared_builds
from .clone import Change, Clone, Fidelity, worst
from .compare import SECTIONS, Row, hidden, rows
from .topology import Topology

__all__ = ["Finding", "fidelity", "fidelity_report"]

UNRECORDED = "it differs, and no step of the derivation said why: a defect of Understudy"


@dataclass(frozen=True, slots=True)
class Finding:
    """One property, with production's value and the clone's as texts (None: absent); no secret is in any of them.

    `subject` is what it belongs to (`services.web`, `externals.payments`), `property` the rest of its path (empty: the
    subject as a whole).
    `reason` is empty for what is as in production and says nothing of itself; `rule` is the place of the key in the
    document that asked for the difference (`file:line:column`), empty where a rule of every clone did.
    """

    subject: str
    property: str
    fidelity: Fidelity
    production: str | None
    clone: str | None
    reason: str = ""
    rule: str = ""


def fidelity_report(production: Topology, clone: Clone) -> tuple[Finding, ...]:
    """Every property that production or the clone declares, in the order of production's document.

    `production` is the topology as it was read; what only the clone has comes after it.
    """
    before, after, literals = hidden(shared_builds(production)[0], clone.topology)
    changes = {change.path: change for change in clone.changes}
    names = _Subjects(before, after)
    found: list[tuple[str, Finding]] = []
    for row in rows(before, after, literals):
        change = changes.pop(row.path, None)
        if change is not None or not row.same or row.given:
            subject, rest = names.split(row.path)
            found.append((subject, _finding(subject, rest, row, change)))
    for change in changes.values():
        subject, rest = names.split(change.path)
        found.append((subject, _of_change(subject, rest, change)))
    order = {subject: number for number, subject in enumerate(dict.fromkeys((*names.known, *(s for s, _ in found))))}
    return tuple(finding for _, finding in sorted(found, key=lambda pair: order[pair[0]]))


def _finding(subject: str, rest: str, row: Row, change: Change | None) -> Finding:
    if change is not None:
        return _of_change(subject, rest, change)
    kind, reason = (Fidelity.FAITHFUL, "") if row.same else (Fidelity.CHANGED, UNRECORDED)
    return Finding(subject, rest, kind, row.left, row.right, reason)


def _of_change(subject: str, rest: str, change: Change) -> Finding:
    return Finding(subject, rest, change.fidelity, change.production, change.clone, change.reason, change.rule)


class _Subjects:
    """Which part of a path names a service, network, volume or third party; their names may have dots in them."""

    def __init__(self, *topologies: Topology) -> None:
        named = [f"{section}.{name}" for section in SECTIONS for each in topologies for name in getattr(each, section)]
        self.known = tuple(dict.fromkeys(named))

    def split(self, path: str) -> tuple[str, str]:
        """The subject, and the rest of the path."""
        fitting = (subject for subject in self.known if f"{path}.".startswith(f"{subject}."))
        subject = max(fitting, key=len, default="")
        if not subject:
            section, _, rest = path.partition(".")
            name = rest.partition(")")[0] + ")" if rest.startswith("(") else rest.partition(".")[0]
            subject = f"{section}.{name}" if section in SECTIONS and name else section
        return subject, path[len(subject) + 1 :]


def fidelity(findings: Iterable[Finding]) -> Mapping[str, Fidelity]:
    """How each subject of a report stands to production: as its property that is farthest from it.

    A volume that starts empty is a subject of its own and counts for no service.
    """
    kinds: dict[str, list[Fidelity]] = {}
    for finding in findings:
        kinds.setdefault(finding.subject, []).append(finding.fidelity)
    return {subject: worst(found) for subject, found in kinds.items()}
