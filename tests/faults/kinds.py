"""All kinds of fault, in the order of the table."""

from faults import kinds_daemon, kinds_defences, kinds_ends, kinds_inside, kinds_state

__all__ = ["kinds_daemon", "kinds_defences", "kinds_ends", "kinds_inside", "kinds_state"]
