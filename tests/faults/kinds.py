"""All kinds of fault, in the order of the table."""

from faults import kinds_ends

__all__ = ["kinds_ends"]
