"""Hardening: the limits of containers that production does not limit, and no new privileges for any.

Each is a difference from production, and on the record. What production declares itself stays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from .change import Change, Fidelity
from .clone import Clone, recorded
from .compare import as_text
from .topology import Resources, Service

__all__ = ["CPU_LIMIT", "MEMORY_LIMIT", "NOT_HARDENED", "NO_NEW_PRIVILEGES", "PIDS_LIMIT", "Hardening", "harden"]

PIDS_LIMIT = 4096
"""Processes that a container may have where production sets no limit: a fork bomb ends before the host does."""

MEMORY_LIMIT = 4 * 1024**3
"""Bytes of memory likewise: more than a test's data needs, and a leak ends before the host's memory does."""

CPU_LIMIT = 4.0
"""Processors likewise: as many as a usual CI runner has, so that one container does not take a large host."""

NO_NEW_PRIVILEGES = "no-new-privileges:true"
"""Set-user-ID programs and file capabilities give nothing (prctl(2), PR_SET_NO_NEW_PRIVS)."""

_SAID = re.compile(r"no-new-privileges\b")


@dataclass(frozen=True, slots=True)
class Hardening:
    """What each container gets that production does not give it; None: the target has no such limit.

    `memory` is in bytes.
    """

    pids: int | None = None
    memory: int | None = None
    cpus: float | None = None
    no_new_privileges: bool = False


NOT_HARDENED = Hardening()
"""Nothing beside what production gives."""


def harden(clone: Clone, given: Hardening) -> Clone:
    """Limit what production does not limit, each on the record."""
    services: dict[str, Service] = {}
    changes: list[Change] = []
    for name, service in clone.topology.services.items():
        limited = _limited(service.resources, given)
        changes += [
            Change(
                f"services.{name}.resources.{key}",
                as_text(getattr(service.resources, key)),
                as_text(getattr(limited, key)),
                f"production sets no limit, and a clone must not take the {what} of its host",
                Fidelity.SCALED,
            )
            for key, what in (("pids", "processes"), ("memory", "memory"), ("cpus", "processors"))
            if getattr(limited, key) != getattr(service.resources, key)
        ]
        options = _options(service, given)
        if options != service.security_opt:
            reason = "what runs in a clone gains no rights by programs that give some, such as sudo"
            before, after = as_text(service.security_opt or None), as_text(options)
            changes.append(Change(f"services.{name}.security_opt", before, after, reason, Fidelity.SCALED))
        services[name] = replace(service, resources=limited, security_opt=options)
    return recorded(replace(clone, topology=replace(clone.topology, services=services)), *changes)


def _limited(own: Resources, given: Hardening) -> Resources:
    pids = given.pids if own.pids is None or own.pids <= 0 else own.pids
    return replace(
        own,
        pids=own.pids if pids is None else pids,
        memory=_memory(own, given.memory) if own.memory is None else own.memory,
        cpus=given.cpus if own.cpus is None else own.cpus,
    )


def _memory(own: Resources, limit: int | None) -> int | None:
    """The limit that Docker takes beside what production reserves, and lets a container have with swap."""
    if limit is None:
        return None
    most = own.memory_swap if own.memory_swap is not None and own.memory_swap > 0 else limit
    return max(min(limit, most), own.memory_reservation or 0)


def _options(service: Service, given: Hardening) -> tuple[str, ...]:
    if not given.no_new_privileges or any(_SAID.match(option) for option in service.security_opt):
        return service.security_opt
    return (*service.security_opt, NO_NEW_PRIVILEGES)
