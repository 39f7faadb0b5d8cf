"""The three lists: every key of the Compose specification is cloned, changed or left out, or refused, with its reason.

Paths are those of the published schema: a name that the document chooses is `*`, and a list's items have the path of
the list. A row that holds `whole` speaks for everything below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from understudy.stacks.change import Fidelity

__all__ = ["Key", "Taken", "changed", "cloned", "idle", "missing", "refused", "schema_path", "table"]


class Taken(StrEnum):
    """What becomes of a key."""

    CLONED = "cloned"
    CHANGED = "changed"
    LEFT_OUT = "left out"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the specification.

    `fidelity` is that of the Change when the key is left out: MISSING where the clone lacks something by it, FAITHFUL
    where the key has no effect in a clone. `allow` are the names of `--allow` that lift a refusal; a refusal is of the
    values that `reason` names, any other value is cloned.
    """

    path: str
    taken: Taken
    reason: str
    fidelity: Fidelity = Fidelity.FAITHFUL
    allow: tuple[str, ...] = ()
    whole: bool = False


def cloned(path: str, reason: str) -> Key:
    """A key that the clone has as production has it."""
    return Key(path, Taken.CLONED, reason)


def changed(path: str, reason: str, *, whole: bool = False) -> Key:
    """A key that the clone has in another form, which the reading or the derivation records."""
    return Key(path, Taken.CHANGED, reason, Fidelity.CHANGED, whole=whole)


def missing(path: str, reason: str, *, whole: bool = False) -> Key:
    """A key that is left out, and that production does something with."""
    return Key(path, Taken.LEFT_OUT, reason, Fidelity.MISSING, whole=whole)


def idle(path: str, reason: str, *, whole: bool = False) -> Key:
    """A key that is left out because it has no effect in a clone."""
    return Key(path, Taken.LEFT_OUT, reason, Fidelity.FAITHFUL, whole=whole)


def refused(path: str, reason: str, *allow: str, whole: bool = False) -> Key:
    """A key of which some values are refused unless one of `allow` is named."""
    return Key(path, Taken.REFUSED, reason, Fidelity.FAITHFUL, allow, whole)


def table(rows: Iterable[Key]) -> Mapping[str, Key]:
    """The rows by path.

    Raises:
        ValueError: two rows have one path; raised at import, so that no key is in two lists unseen.
    """
    found: dict[str, Key] = {}
    for row in rows:
        if found.setdefault(row.path, row) is not row:
            raise ValueError(f"the key {row.path} stands in the table twice")
    return found


_NAMED = frozenset(
    (
        *("services", "networks", "volumes", "configs", "secrets", "models"),
        *(f"services.*.{key}" for key in ("networks", "depends_on", "ulimits", "build.ulimits", "models")),
    )
)
_FREE = frozenset(
    (
        *("environment", "labels", "args", "sysctls", "options", "driver_opts", "extra_hosts", "annotations"),
        *("additional_contexts", "ssh"),
    )
)
_STEP = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[\d+\]|([^.\[]+)')


def schema_path(path: str) -> str:
    """The path in the schema of a path in a document: `services.web.ports[0].target` is `services.*.ports.target`.

    What stands below a mapping of free keys, such as a single label, has the path of that mapping.
    """
    steps: list[str] = []
    for match in _STEP.finditer(path):
        name = match[1] if match[1] is not None else match[2]
        if name is None:
            continue
        if steps and steps[-1] in _FREE:
            break
        steps.append("*" if ".".join(steps) in _NAMED else name)
    return ".".join(steps)
