"""The declaration of an environment on AWS, for a run's engine, a preview and plain Pulumi alike."""

from __future__ import annotations

import pulumi

from understudy.components.aws.environment import AwsEnvironment, AwsEnvironmentArgs
from understudy.stacks import identity

__all__ = ["declare_aws"]


def declare_aws(args: AwsEnvironmentArgs, *, changes: int) -> None:
    """Declare the environment and export what `declare` does; `changes`: how many differences it was derived with."""
    plan = args.plan
    environment = AwsEnvironment(plan.environment.id, args)
    pulumi.export("environment", plan.environment.id)
    pulumi.export("commit", args.commit)
    pulumi.export("endpoints", environment.endpoints)
    pulumi.export("notAfter", identity.format_time(plan.environment.not_after))
    pulumi.export("changes", changes + len(plan.changes))
