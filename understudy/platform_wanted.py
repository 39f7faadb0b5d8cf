"""What a platform is to be, and whether AWS could make it: looked at before the engine is started."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace

from understudy.errors import UsageError
from understudy.stacks.aws.platform import HOST_SUFFIX, partition_of

__all__ = ["Wanted", "checked"]

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII)

_LONGEST = 128 - len("eaaaaaaaaaa.")
"""The most characters of a domain: a rule's host has 128 with the environment's id (RulesCondition, Elastic Load
Balancing API Reference)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a platform is to be: see PlatformArgs in components/aws/platform.py."""

    private: bool = False
    internal: bool = False
    certificate: str = ""
    host_suffix: str = HOST_SUFFIX
    callers: tuple[str, ...] = ()
    permissions_boundary: str = ""
    shared_database: bool = False
    shared_cache: bool = False


def checked(wanted: Wanted, account: str, region: str) -> Wanted:
    """What is wanted, each caller once.

    Args:
        wanted: as it was given.
        account: the account that it is made in, twelve digits.
        region: where.

    Raises:
        UsageError: a value is none that AWS takes there.
    """
    partition = partition_of(region)
    if not _DOMAIN.fullmatch(wanted.host_suffix) or len(wanted.host_suffix) > _LONGEST:
        raise UsageError(
            f"--host-suffix is {wanted.host_suffix!r}, which is no domain that environments can have names below.",
            hint="Labels of small letters, digits and dashes with dots between, such as preview.example.com: 63 "
            f"characters each at most, {_LONGEST} in all.",
        )
    _hold(
        wanted.permissions_boundary,
        rf"arn:{partition}:iam::({account}|aws):policy/[\w+=,.@/-]+",
        "--permissions-boundary",
        f"the ARN of a policy of account {account}, arn:{partition}:iam::{account}:policy/NAME, or of AWS's own, "
        f"arn:{partition}:iam::aws:policy/NAME",
    )
    _hold(
        wanted.certificate,
        rf"arn:{partition}:acm:{region}:{account}:certificate/[\w-]+",
        "--certificate",
        f"the ARN of a certificate of Certificate Manager in this account and region, "
        f"arn:{partition}:acm:{region}:{account}:certificate/ID",
    )
    for caller in wanted.callers:
        _hold_caller(caller)
    return replace(wanted, callers=tuple(dict.fromkeys(wanted.callers)))


def _hold(value: str, pattern: str, option: str, allowed: str) -> None:
    if value and not re.fullmatch(pattern, value, re.ASCII):
        raise UsageError(f"{option} is {value!r}, which no platform here can use.", hint=f"Allowed is {allowed}.")


def _hold_caller(caller: str) -> None:
    """Hold that it is a block of IPv4 addresses: EC2 would keep another text than one with an address inside it."""
    try:
        meant = str(ipaddress.IPv4Network(caller, strict=False))
    except ValueError:
        meant = ""
    if caller != meant:
        raise UsageError(
            f"--caller is {caller!r}, which is no block of IPv4 addresses.",
            hint=f"Give it as CIDR: {meant or '203.0.113.0/24, or 203.0.113.7/32 for one address'}.",
        )
