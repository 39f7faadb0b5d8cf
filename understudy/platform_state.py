"""What the state of a platform's stack says: its objects, which of them keep data, where they are, and their owner."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from understudy.console import printable
from understudy.engine.errors import StackNotFoundError
from understudy.engine.interface import Engine, StackRef
from understudy.stacks.aws.platform import PLATFORM, TAG
from understudy.targets.interface import Owned

__all__ = [
    "Holding",
    "Part",
    "Sorted",
    "holding_of",
    "is_named",
    "is_of",
    "is_own",
    "outputs_in",
    "owner_in",
    "places_in",
    "rules_in",
    "sort_out",
    "state_of",
]

_PROVIDER = "pulumi:providers:"
_BALANCER = "aws:lb/loadBalancer:LoadBalancer"
_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
_ARN = re.compile(r"arn:[^:]+:[^:]+:([^:]*):([0-9]{12}):.+", re.ASCII)

_KINDS: Mapping[str, tuple[str, str]] = {
    "aws:s3/bucket:Bucket": ("bucket", "id"),
    "aws:rds/instance:Instance": ("rds-instance", "identifier"),
    "aws:secretsmanager/secret:Secret": ("secret", "arn"),
}
"""What keeps data: the type of Pulumi -> our kind, and the output that is its id there."""

State = Mapping[str, object]
"""What `Engine.export_state` gives; empty: there is no such stack."""


@dataclass(frozen=True, slots=True)
class Part:
    """One object of a platform by its stack's state: Pulumi's type and id, and all by which AWS may name it."""

    type: str
    id: str
    names: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.type.partition(':')[2].replace('/', ' ').partition(':')[0]} {printable(self.id)}"


@dataclass(frozen=True, slots=True)
class Holding:
    """What a platform's stack has: what goes, what keeps data with what that stands on, and the data by our kinds."""

    goes: tuple[Part, ...] = ()
    stays: tuple[Part, ...] = ()
    data: tuple[tuple[str, str], ...] = ()
    roles: frozenset[str] = field(default_factory=frozenset)

    @property
    def names(self) -> frozenset[str]:
        """All by which AWS may name what it has."""
        return frozenset(name for part in (*self.goes, *self.stays) for name in part.names)


@dataclass(frozen=True, slots=True)
class Sorted:
    """What carries a platform's tag, by whose it is: this stack's, another's, or of nobody can tell whom."""

    own: tuple[Owned, ...] = ()
    others: tuple[Owned, ...] = ()
    unknown: tuple[Owned, ...] = ()


def state_of(engine: Engine, ref: StackRef) -> State:
    """The exported state of a stack; empty: there is no such stack.

    Raises:
        EngineError: it cannot be read.
    """
    try:
        return engine.export_state(ref)
    except StackNotFoundError:
        return {}


def _rows(state: State) -> list[Mapping[str, Any]]:
    deployment = state.get("deployment")
    found = deployment.get("resources") if isinstance(deployment, dict) else None
    return [row for row in found or () if isinstance(row, dict)]


def outputs_in(state: State) -> Mapping[str, object] | None:
    """What a platform's stack exports; None: there is no such stack, or no load balancer in it any more.

    A destroy that leaves what is protected leaves the outputs of the rest with it.
    """
    outputs = _exported(state)
    return outputs if outputs and any(row.get("type") == _BALANCER for row in _rows(state)) else None


def _exported(state: State) -> Mapping[str, object]:
    found = next((row.get("outputs") for row in _rows(state) if row.get("type") == "pulumi:pulumi:Stack"), None)
    return found if isinstance(found, dict) else {}


def holding_of(state: State) -> Holding:
    """What a stack has, by its exported state.

    What is protected stays, with its parents, its provider and what it depends on, as `pulumi destroy
    --exclude-protected` has it.
    """
    rows: dict[str, Mapping[str, Any]] = {row["urn"]: row for row in _rows(state)}
    kept: set[str] = set()
    ahead = [urn for urn, row in rows.items() if row.get("protect")]
    while ahead:
        urn = ahead.pop()
        if urn in rows and urn not in kept:
            kept.add(urn)
            ahead += _stands_on(rows[urn])
    custom = {urn: row for urn, row in rows.items() if row.get("custom") and not row["type"].startswith(_PROVIDER)}
    return Holding(
        tuple(_part(row) for urn, row in custom.items() if urn not in kept),
        tuple(_part(row) for urn, row in custom.items() if urn in kept),
        tuple(
            (_KINDS[row["type"]][0], str(_outputs(row)[_KINDS[row["type"]][1]]))
            for urn, row in custom.items()
            if urn in kept and row.get("protect") and row["type"] in _KINDS
        ),
        frozenset(str(row.get("id", "")) for row in custom.values() if row["type"] == "aws:iam/role:Role"),
    )


def _stands_on(row: Mapping[str, Any]) -> Iterable[str]:
    yield from row.get("dependencies") or ()
    yield from filter(None, (row.get("parent"), str(row.get("provider", "")).rpartition("::")[0]))


def _outputs(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"id": row.get("id", ""), **(row.get("outputs") or {}), "type": row["type"]}


def _part(row: Mapping[str, Any]) -> Part:
    outputs = _outputs(row)
    names = {str(outputs[name]) for name in ("id", "arn", "name", "identifier") if outputs.get(name)}
    return Part(row["type"], str(row.get("id", "")), frozenset(names))


def places_in(state: State) -> tuple[frozenset[str], frozenset[str]]:
    """The accounts and the regions that a platform is in.

    Its objects' ARNs say it first, then the outputs, and its provider last: an update that fails has written the
    provider anew, with whatever credentials it had.
    """
    objects = [row for row in _rows(state) if row.get("custom") and not str(row["type"]).startswith(_PROVIDER)]
    texts = [str(_outputs(row).get(name, "")) for row in objects for name in ("id", "arn")]
    arns = [found for text in texts if (found := _ARN.fullmatch(text))]
    outputs = _exported(state)
    inputs = list(_providers(state))
    accounts = (
        {arn[2] for arn in arns}
        or _words([outputs.get("account")])
        or _words(account for each in inputs for account in _parsed(each.get("allowedAccountIds"), []))
    )
    regions = (
        {arn[1] for arn in arns if arn[1]}
        or _words([outputs.get("region")])
        or _words(each.get("region") for each in inputs)
    )
    return frozenset(accounts), frozenset(regions)


def is_of(state: State, here: str) -> bool:
    """Whether all that a platform's state says of where it is says this account and region, a target's identity."""
    accounts, regions = places_in(state)
    _, account, region = here.split(":")
    return accounts <= {account} and regions <= {region}


def _words(found: Iterable[object]) -> set[str]:
    return {str(each) for each in found if each}


def _providers(state: State) -> Iterator[Mapping[str, Any]]:
    for row in _rows(state):
        if str(row.get("type", "")).startswith(f"{_PROVIDER}aws"):
            yield row.get("inputs") or {}


def _parsed(value: object, otherwise: Any) -> Any:  # noqa: ANN401 - whatever JSON says
    """A provider's input, which the engine keeps as JSON in a text."""
    if not isinstance(value, str):
        return value or otherwise
    try:
        return json.loads(value)
    except ValueError:
        return otherwise


def owner_in(state: State) -> str:
    """The value of the tag that its provider gives each object; `""`: none yet, or one that says nobody's name."""
    for inputs in _providers(state):
        tags = _parsed(inputs.get("defaultTags"), {}).get("tags") or {}
        if (owner := tags.get(TAG, PLATFORM)) != PLATFORM:
            return str(owner)
    return ""


def rules_in(state: State) -> Mapping[tuple[str, int], str]:
    """The callers that are let in: their CIDR and port -> the logical name of the rule."""
    return {
        (str(row["inputs"].get("cidrIpv4", "")), int(row["inputs"].get("fromPort") or 0)): row["urn"].rpartition("::")[
            2
        ]
        for row in _rows(state)
        if row.get("type") == _RULE and not row.get("delete") and row.get("inputs")
    }


def sort_out(found: Iterable[Owned], owner: str, names: Collection[str]) -> Sorted:
    """Whose each object with a platform's tag is.

    Args:
        found: the objects.
        owner: the tag's value on what is this stack's.
        names: all by which AWS may name what the stack's state has. What carries the tag as it was before it said whose
            it is, is this stack's if it is named there; else nobody can tell.
    """
    items = list(found)
    own = tuple(item for item in items if is_own(item, owner, names))
    rest = [item for item in items if item not in own]
    return Sorted(
        own,
        tuple(item for item in rest if item.labels.get(TAG) != PLATFORM),
        tuple(item for item in rest if item.labels.get(TAG) == PLATFORM),
    )


def is_own(item: Owned, owner: str, names: Collection[str]) -> bool:
    """Whether an object is this stack's, by its tag: see `sort_out`."""
    said = item.labels.get(TAG)
    return said == owner or (said == PLATFORM and is_named(item, names))


def is_named(item: Owned, names: Collection[str]) -> bool:
    """Whether an object is among these names, which may be its ARN, its id or its name."""
    return any(name in names for name in (item.id, item.name, item.id.rpartition("/")[2]))
