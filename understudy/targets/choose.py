"""Which target a command works on: by its options, or by the identity that a lease keeps."""

from __future__ import annotations

import threading

from understudy.options import Options
from understudy.targets.interface import Target

__all__ = ["AWS", "DOCKER", "elsewhere", "kind_meant", "kind_of", "target_of"]

AWS, DOCKER = "aws", "docker"
"""What the option `target` may say, and how identities of targets begin."""


def kind_of(identity: str) -> str:
    """The kind of target that an identity, `docker:<daemon id>` or `aws:<account>:<region>`, is of."""
    return AWS if identity.partition(":")[0] == AWS else DOCKER


def kind_meant(options: Options, of: str = "") -> str:
    """The kind of target that a command works on; `of`: the identity of the target of an environment that is there."""
    return kind_of(of) if of else options.target


def target_of(options: Options, *, of: str = "", stop: threading.Event | None = None) -> Target:
    """The target, which is not asked for anything yet.

    Args:
        options: say which, and where on AWS.
        of: the identity of the target of an environment that is there, whose kind and region count then.
        stop: once set, waiting ends.
    """
    if kind_meant(options, of) == AWS:
        from understudy.targets.aws.session import AwsAccess, AwsSession
        from understudy.targets.aws.target import AwsTarget

        region = of.rpartition(":")[2] if of else options.aws_region
        return AwsTarget(AwsSession(AwsAccess(region, accounts=options.aws_accounts)), stop=stop)
    from understudy.targets.docker import DockerTarget

    return DockerTarget(stop=stop)


def elsewhere(target: str) -> str:
    """What to do to work on a target that is not the one that answers here."""
    if kind_of(target) == AWS:
        account, _, region = target.removeprefix("aws:").partition(":")
        return f"Use credentials of account {account}, with --target aws and --aws-region {region}."
    return "Set DOCKER_HOST to that daemon, and leave --target out."
