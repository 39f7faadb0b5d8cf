"""Resource options of what an environment on AWS has: its names are fixed, and it must be easy to destroy."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

__all__ = ["child", "fixed", "named", "steady"]


def child(parent: pulumi.Resource, depends_on: Sequence[pulumi.Resource] = ()) -> pulumi.ResourceOptions:
    """A child of a component, with its provider."""
    return pulumi.ResourceOptions(parent=parent, depends_on=list(depends_on))


def fixed(parent: pulumi.Resource, depends_on: Sequence[pulumi.Resource] = ()) -> pulumi.ResourceOptions:
    """A child with a physical name of ours: two of that name cannot be at once."""
    return pulumi.ResourceOptions(parent=parent, delete_before_replace=True, depends_on=list(depends_on))


def named(parent: pulumi.Resource, provider: pulumi.ProviderResource) -> pulumi.ResourceOptions:
    """A component in a component, whose children have this provider."""
    return pulumi.ResourceOptions(parent=parent, providers=[provider])


def steady(parent: pulumi.Resource, depends_on: Sequence[pulumi.Resource]) -> pulumi.ResourceOptions:
    """An ECS service: it may take minutes to get steady, and to drain."""
    return pulumi.ResourceOptions.merge(
        fixed(parent, depends_on),
        pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="15m", update="15m", delete="10m")),
    )
