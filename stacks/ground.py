"""The ground that a clone stands on: what its kind of target runs itself, how it is reached there, what it reaches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .topology import External

__all__ = ["ON_AWS", "ON_DOCKER", "Ground"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What derivation has to know of a kind of target, and the words that its Changes have for it.

    Attributes:
        kept: managed services that it runs itself, so that no container stands in for them.
        heeds_on_aws: a database or cache that says so by `on_aws` is no container there.
        published: what stands in the place of a port of the host, before the container's port.
        reason: why, of a port that production publishes.
        tests: why, of one that is an endpoint for tests only.
        closed: why a network is internal.
        out: TCP ports at which a closed clone reaches every address; None: it reaches by name what is allowed, and
            nothing else.
        way: by what a third party that is allowed is reached.
    """

    kept: frozenset[str] = frozenset()
    heeds_on_aws: bool = False
    published: str
    reason: str
    tests: str
    closed: str
    out: frozenset[int] | None = None
    way: str

    def reached(self, allowed: Iterable[External]) -> frozenset[int]:
        """The ports at which a closed clone reaches every address, with those that are open for who is allowed."""
        return frozenset() if self.out is None else self.out | {external.port for external in allowed}


ON_DOCKER = Ground(
    published="relay:",
    reason="one relay publishes every endpoint on a port that the kernel chooses, so that clones stand side by side",
    tests="published for tests only",
    closed="a clone reaches nothing outside by default",
    way="the egress relay",
)

ON_AWS = Ground(
    kept=frozenset({"sqs", "s3"}),
    heeds_on_aws=True,
    published="",
    reason="a task has no port of a host; the load balancer leads to one endpoint of the environment",
    tests="an endpoint for tests; the load balancer leads to one of them",
    closed="a clone reaches nothing outside by default, but what the ports of its security group let out",
    out=frozenset({443}),
    way="a port of its security group that is open to any address",
)
"""Over HTTPS come images, logs and secrets to a task, so that every address is reached by it (stacks/aws/make.py)."""
