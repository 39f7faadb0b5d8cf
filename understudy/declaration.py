"""The declaration of an environment on Docker, for a run's engine, a preview and plain Pulumi alike."""

from __future__ import annotations

import pulumi

from understudy.components.environment import Environment, EnvironmentArgs
from understudy.stacks import identity

__all__ = ["declare"]


def declare(args: EnvironmentArgs, *, provider: str = "embedded") -> None:
    """Declare the environment and export its id, its endpoints and what differs from production.

    The published provider (`official`) refuses to wait for a container that has no health check: there it does not
    wait, and readiness is probed after the update.
    """
    if provider == "official":
        pulumi.runtime.register_resource_transform(_wait_for_health_only)
    environment = Environment(args.environment.id, args)
    pulumi.export("environment", args.environment.id)
    pulumi.export("commit", args.commit)
    pulumi.export("endpoints", environment.endpoints)
    pulumi.export("notAfter", identity.format_time(args.environment.not_after))
    pulumi.export("changes", len(args.clone.changes))


def _wait_for_health_only(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
    if args.type_ != "docker:index/container:Container":
        return None
    check = args.props.get("healthcheck")
    if isinstance(check, dict) and (check.get("tests") or ["NONE"])[0] != "NONE":
        return None
    return pulumi.ResourceTransformResult(props={**args.props, "wait": False}, opts=args.opts)
