"""A service that changes its kind stays the resource that it was, on Docker as on AWS."""

from __future__ import annotations

from collections.abc import Iterable

import pulumi

__all__ = ["of_any_kind"]


def of_any_kind(own: str, kinds: Iterable[str]) -> pulumi.ResourceOptions:
    """Aliases to the other kinds of a service's component.

    Without them the engine would create what it has anew beside the old, which has its names still.

    Args:
        own: the component's type.
        kinds: the types of all kinds.
    """
    return pulumi.ResourceOptions(aliases=[pulumi.Alias(type_=other) for other in kinds if other != own])
