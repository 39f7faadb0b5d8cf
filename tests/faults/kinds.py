"""All kinds of fault, in the order of the table."""

from faults import (
    kinds_commands,
    kinds_daemon,
    kinds_defences,
    kinds_disks,
    kinds_ends,
    kinds_inside,
    kinds_state,
    kinds_wholes,
)

__all__ = [
    "kinds_commands",
    "kinds_daemon",
    "kinds_defences",
    "kinds_disks",
    "kinds_ends",
    "kinds_inside",
    "kinds_state",
    "kinds_wholes",
]
