"""Settings of the provider: what the published schema has no property for, read from the environment."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass

from understudy.errors import UsageError
from understudy.stacks.hardening import PIDS_LIMIT

__all__ = ["ProviderSettings"]


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """How the provider works on this daemon.

    Attributes:
        pids_limit: Processes that one container may have at once.
        subnet_pool: Where subnets of networks that declare none are taken from.
        concurrency: Docker operations (create, start, remove) at once over all stacks; more bring nothing on one
            daemon (measured: 16 and 32 take the same time for 30 containers).
        threads: Calls served at once over all stacks. Waiting calls hold a thread, and a Cancel must never wait
            behind them, so this has to exceed the sum of `parallel` over all stacks. Threads start when needed.
    """

    pids_limit: int = PIDS_LIMIT
    subnet_pool: str = "10.213.0.0/16"
    concurrency: int = 16
    threads: int = 4096

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> ProviderSettings:
        """The settings that `UNDERSTUDY_PIDS_LIMIT`, `_SUBNET_POOL`, `_CONCURRENCY` and `_THREADS` give.

        Raises:
            UsageError: a value is none that the setting takes.
        """
        values = os.environ if environment is None else environment
        default = cls()
        return cls(
            pids_limit=_count(values, "UNDERSTUDY_PIDS_LIMIT", default.pids_limit, 16, 4194304),
            subnet_pool=_pool(values, "UNDERSTUDY_SUBNET_POOL", default.subnet_pool),
            concurrency=_count(values, "UNDERSTUDY_CONCURRENCY", default.concurrency, 1, 64),
            threads=_count(values, "UNDERSTUDY_THREADS", default.threads, 8, 8192),
        )


def _count(values: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = values.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise UsageError(f"{name} is {text!r}; allowed: a whole number from {low} to {high}.")
    return int(text)


def _pool(values: Mapping[str, str], name: str, default: str) -> str:
    text = values.get(name, "") or default
    try:
        pool = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise UsageError(f"{name} is {text!r}; allowed: an IPv4 network such as {default} ({error}).") from error
    if pool.prefixlen > 24:  # noqa: PLR2004 - four networks of the default size
        raise UsageError(f"{name} is {text!r}; allowed: a network of prefix /24 or shorter.")
    return str(pool)
