"""The platform: what an account and region have once, and every environment there stands on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from understudy.errors import UsageError
from understudy.stacks.aws_names import role
from understudy.stacks.identity import LABEL, PROTECT

__all__ = [
    "HOST_SUFFIX",
    "PLATFORM",
    "TAG",
    "Platform",
    "SharedCache",
    "SharedDatabase",
    "execution_role",
    "owner_named",
    "partition_of",
    "platform_of",
    "platform_tags",
    "target_of",
]

PLATFORM = "understudy"
"""What the physical names of a platform that is made here begin with, and the value of a tag that says no owner."""

TAG = LABEL + "platform"
"""The tag of all that such a platform has: its value says which stack of which backend owns it."""

HOST_SUFFIX = "preview.internal"
"""The domain below which each environment's endpoint has its host name, unless the platform says another."""

_LISTS = frozenset({"subnet_ids"})


@dataclass(frozen=True, slots=True)
class SharedDatabase:
    """The instance on which environments may have a database of their own.

    `secret_arn` is a secret whose value is a JSON object with `username` and `password`, of a role that may create
    databases and roles. `template` is the golden database that new ones are copied from; nobody may be connected to it.
    """

    id: str
    endpoint: str
    port: int
    secret_arn: str
    engine: str = "postgres"
    template: str = "golden"


@dataclass(frozen=True, slots=True)
class SharedCache:
    """The node on which environments may have a user and a key prefix of their own; it speaks TLS."""

    endpoint: str
    port: int
    user_group_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """The outputs of the stack `understudy-platform/<region>`, or the ids of what is there already.

    `private`: the subnets have no public addresses. `listener_arn` is where each environment has its host rule,
    `alb_security_group_id` whose members may call the gateways. `bucket` keeps state and results, `host_suffix` is the
    domain of the endpoints, which answer HTTPS where `https` says so. `namespace_arn` is a Cloud Map namespace that all
    may use; for names of production each environment has its own, since a Service Connect name is unique in its
    namespace. `permissions_boundary` is the policy that limits every role of an environment; empty: none.
    `registry` is the repository that images which are built are pushed to, without a tag; empty: none are built.
    """

    account: str
    region: str
    vpc_id: str
    subnet_ids: tuple[str, ...]
    cluster_arn: str
    listener_arn: str
    execution_role_arn: str
    alb_arn: str
    alb_dns_name: str
    alb_security_group_id: str
    bucket: str
    private: bool = False
    namespace_arn: str = ""
    db_subnet_group: str = ""
    cache_subnet_group: str = ""
    shared_database: SharedDatabase | None = None
    shared_cache: SharedCache | None = None
    host_suffix: str = HOST_SUFFIX
    permissions_boundary: str = ""
    registry: str = ""
    https: bool = False

    @property
    def target(self) -> str:
        """The identity of the target: `aws:<account>:<region>`."""
        return target_of(self.account, self.region)

    @property
    def partition(self) -> str:
        """The part of ARNs that says which of AWS's clouds it is."""
        return partition_of(self.region)

    @property
    def domain(self) -> str:
        """The domain of AWS's own endpoints in this partition."""
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"

    def host(self, environment: str) -> str:
        """The host name at which an environment's gateway answers."""
        return f"{environment}.{self.host_suffix}"

    def url(self, environment: str) -> str:
        """The URL of an environment's gateway."""
        return f"{'https' if self.https else 'http'}://{self.host(environment)}"

    def outputs(self) -> dict[str, Any]:
        """The platform as the outputs of its stack, which `platform_of` reads."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}


def partition_of(region: str) -> str:
    """The part of ARNs that says which of AWS's clouds a region is of."""
    return next((partition for start, partition in _PARTITIONS.items() if region.startswith(start)), "aws")


def target_of(account: str, region: str) -> str:
    """The identity of an AWS target.

    Raises:
        ValueError: the account is not twelve digits, or the region's name cannot be one.
    """
    if not re.fullmatch(r"[0-9]{12}", account):
        raise ValueError(f"{account!r} is no AWS account: it has twelve digits")
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]", region):
        raise ValueError(f"{region!r} is no AWS region")
    return f"aws:{account}:{region}"


def platform_of(outputs: Mapping[str, Any], origin: str) -> Platform:
    """The platform that a stack's outputs, or the ids of the configuration, describe.

    Args:
        outputs: by the names of the fields.
        origin: where they are from, for messages: a stack's name, or a file.

    Raises:
        UsageError: one is missing, unknown, or not of its type.
    """
    given = {key: value for key, value in outputs.items() if value is not None}
    shared = {"shared_database": SharedDatabase, "shared_cache": SharedCache}
    made: dict[str, Any] = _checked(Platform, given, origin, nested=frozenset(shared))
    for key, kind in shared.items():
        if key in given:
            if not isinstance(given[key], Mapping):
                raise UsageError(f"The platform of {origin} has a {key} that is no table.", hint=_HINT)
            made[key] = kind(**_checked(kind, given[key], f"{origin}, {key}"))
    platform = Platform(**made)
    try:
        target_of(platform.account, platform.region)
    except ValueError as error:
        raise UsageError(f"The platform of {origin} cannot be used: {error}.", hint=_HINT) from error
    return platform


_HINT = "`understudy platform up` makes a platform; docs/aws.md lists what one that is there already has to say."


def _checked(
    kind: type[Platform | SharedDatabase | SharedCache],
    given: Mapping[str, Any],
    origin: str,
    nested: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """The plain fields of a class that are given, each of its type."""
    known = {field.name: field for field in fields(kind)}
    if unknown := sorted(given.keys() - known.keys()):
        raise UsageError(
            f"The platform of {origin} has {', '.join(unknown)}, which no platform has; there are {', '.join(known)}.",
            hint=_HINT,
        )
    if missing := [name for name, field in known.items() if field.default is MISSING and not given.get(name)]:
        raise UsageError(f"The platform of {origin} lacks {', '.join(missing)}.", hint=_HINT)
    return {
        name: _typed(name, given[name], str(field.type), origin)
        for name, field in known.items()
        if name in given and name not in nested
    }


def _typed(name: str, value: object, kind: str, origin: str) -> object:
    if name in _LISTS and isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
        return tuple(value)
    if kind == "int" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return int(value)  # the engine's numbers are floats
    if (kind == "str" and isinstance(value, str)) or (kind == "bool" and isinstance(value, bool)):
        return value
    raise UsageError(f"The platform of {origin} has {name} = {value!r}, which is no {kind}.", hint=_HINT)


def platform_tags(owner: str = PLATFORM) -> dict[str, str]:
    """What everything of a platform carries: no environment's, and protected from every removal by those.

    Args:
        owner: which stack's it is, as `owner_named` says it.
    """
    return {TAG: owner, PROTECT: "true"}


def owner_named(stack: str, backend: str) -> str:
    """The value of the tag on all that a stack's platform has.

    Args:
        stack: the stack's name.
        backend: its backend's id.
    """
    return f"{stack}@{backend}"


def execution_role(region: str) -> str:
    """The physical name of a platform's execution role: one account has those of all its regions."""
    return role(PLATFORM, f"execution-{region}")
