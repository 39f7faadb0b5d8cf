"""Which target is worked on: one place makes them, so that AWS costs nothing to those who work with Docker."""

from __future__ import annotations

import threading
from collections.abc import Callable

from understudy.errors import UsageError
from understudy.targets.interface import Target

__all__ = ["TARGETS", "target_of"]


def _docker(stop: threading.Event | None) -> Target:
    from understudy.targets.docker import DockerTarget

    return DockerTarget(stop=stop)


def _aws(stop: threading.Event | None) -> Target:
    from understudy.targets.aws.target import AwsTarget

    return AwsTarget(stop=stop)


TARGETS: dict[str, Callable[[threading.Event | None], Target]] = {"docker": _docker, "aws": _aws}
"""Name of a kind of target -> what makes one."""


def target_of(kind: str = "docker", *, stop: threading.Event | None = None) -> Target:
    """A target of that kind, as the environment's variables name it; it is asked nothing yet.

    Args:
        kind: one of TARGETS.
        stop: once set, its waiting ends.

    Raises:
        UsageError: there is no such kind.
    """
    if kind not in TARGETS:
        raise UsageError(f"Looked for the target {kind!r}, and there is none.", hint=f"There are {', '.join(TARGETS)}.")
    return TARGETS[kind](stop)
