"""Check: whether inputs keep to their table, each failure with its path and what is allowed there."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from understudy.stacks.identity import LABEL, OWNERSHIP

from .container_table import CONTAINER
from .schema import ListOf, MapOf, Obj, Property, Scalar, Table, Type
from .tables import NETWORK
from .values import UNKNOWN, Unknown

__all__ = ["Failure", "check", "chosen_name", "labels_of"]


@dataclass(frozen=True, slots=True)
class Failure:
    """What is wrong with one property; `path` is as `uploads[0].file`."""

    path: str
    reason: str


def check(table: Table, inputs: Mapping[str, Any]) -> tuple[Failure, ...]:
    """All failures of the inputs, unknowns being right anywhere."""
    found = [*_fields(table.inputs, inputs, "")]
    if not found and table.owned:
        found.extend(_ownership(inputs))
    if not found and table is CONTAINER:
        found.extend(_container_rules(inputs))
    if not found and table is NETWORK:
        found.extend(_network_rules(inputs))
    return tuple(found)


def chosen_name(logical: str, seed: bytes) -> str:
    """A name for an object that the program gave none: its logical name, a dash, 7 hex digits of the seed's hash."""
    plain = re.sub(r"[^a-zA-Z0-9_.-]+", "-", logical).strip("-._") or "understudy"
    return f"{plain[:55]}-{hashlib.sha256(seed or logical.encode()).hexdigest()[:7]}"


def labels_of(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The `labels` property as a dict; unknown entries are left out."""
    entries = inputs.get("labels") or ()
    if isinstance(entries, Unknown):
        return {}
    return {
        entry["label"]: entry["value"]
        for entry in entries
        if isinstance(entry, Mapping) and isinstance(entry.get("label"), str)
    }


def _fields(properties: Mapping[str, Property], values: Mapping[str, Any], at: str) -> Iterator[Failure]:
    for name in values:
        if name not in properties:
            yield Failure(
                f"{at}{name}",
                f"the embedded Docker provider has no property `{name}` here; it has: " + ", ".join(sorted(properties)),
            )
    for name, declared in properties.items():
        value = values.get(name)
        if value is None:
            if declared.required:
                yield Failure(f"{at}{name}", "is required")
            continue
        found = [*_typed(declared.type, value, f"{at}{name}")]
        yield from found
        if not found and declared.rule and not isinstance(value, Unknown) and not declared.rule.allows(value):
            yield Failure(f"{at}{name}", f"is {_shown(value, f'{at}{name}')}; allowed: {declared.rule.words}")


def _typed(kind: Type, value: Any, at: str) -> Iterator[Failure]:  # noqa: ANN401 - JSON
    if isinstance(value, Unknown):
        return
    if not _has_type(kind, value):
        words = kind.value if isinstance(kind, Scalar) else _WORDS[type(kind)]
        yield Failure(at, f"is {_shown(value, at)}; allowed: {words}")
    elif isinstance(kind, ListOf):
        for index, entry in enumerate(value):
            yield from _typed(kind.item, entry, f"{at}[{index}]")
    elif isinstance(kind, MapOf):
        for key, entry in value.items():
            yield from _typed(kind.item, entry, f"{at}.{key}")
    elif isinstance(kind, Obj):
        yield from _fields(kind.fields, value, f"{at}.")


_SECRETIVE = re.compile(r"(?:^|\.)(?:envs(?:\[\d+\])?|content|contentBase64)$")
"""The paths of properties in which secrets may stand."""

_WORDS: Mapping[type, str] = {ListOf: "a list", MapOf: "a map", Obj: "an object"}


def _has_type(kind: Type, value: object) -> bool:
    if isinstance(kind, Scalar):
        return _is_scalar(kind, value)
    return isinstance(value, list if isinstance(kind, ListOf) else dict)


def _is_scalar(kind: Scalar, value: object) -> bool:
    if kind is Scalar.BOOL:
        return isinstance(value, bool)
    if kind is Scalar.INT:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str)


def _shown(value: object, at: str) -> str:
    """The value for a message, cut as it may be large; its type only where it is no scalar or may hold a secret."""
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    if _SECRETIVE.search(at):
        return {str: "a string", bool: "true or false"}.get(type(value), "a number")
    text = repr(value) if isinstance(value, str) else str(value).lower()
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004 - one line


def _ownership(inputs: Mapping[str, Any]) -> Iterator[Failure]:
    entries = inputs.get("labels")
    if isinstance(entries, Unknown) or any(_unknown_label(entry) for entry in entries or ()):
        return
    missing = [label for label in OWNERSHIP if not labels_of(inputs).get(label)]
    if missing:
        yield Failure(
            "labels",
            f"lacks {', '.join(missing)}: without its ownership labels an object could not be found again and "
            "removed. Declare them with understudy.stacks.identity.ownership_labels(environment)",
        )


def _unknown_label(entry: object) -> bool:
    return isinstance(entry, Unknown) or (isinstance(entry, Mapping) and isinstance(entry.get("label"), Unknown))


def _known(inputs: Mapping[str, Any], name: str) -> list[Any]:
    """The known entries of a list property."""
    entries = inputs.get(name)
    return [e for e in entries if not isinstance(e, Unknown)] if isinstance(entries, list) else []


_ORIGINS = ("volumeName", "hostPath", "fromContainer")
"""What a volume of a container can come from, in this order in messages."""


def _container_rules(inputs: Mapping[str, Any]) -> Iterator[Failure]:
    for index, upload in enumerate(_known(inputs, "uploads")):
        if ("content" in upload) == ("contentBase64" in upload):
            yield Failure(f"uploads[{index}]", "takes exactly one of `content` and `contentBase64`")
    for index, volume in enumerate(_known(inputs, "volumes")):
        if sum(key in volume for key in _ORIGINS) > 1:
            yield Failure(f"volumes[{index}]", f"takes at most one of {', '.join(f'`{key}`' for key in _ORIGINS)}")
        if "containerPath" not in volume and "fromContainer" not in volume:
            yield Failure(f"volumes[{index}].containerPath", "is required")
    if inputs.get("privileged") is True and labels_of(inputs).get(LABEL + "allow") != "privileged":
        yield Failure("privileged", f"is true; allowed: only where the label `{LABEL}allow` is `privileged`")
    if "networkMode" in inputs and inputs.get("networksAdvanced"):
        yield Failure("networkMode", "takes no value beside `networksAdvanced`")
    retries = inputs.get("maxRetryCount") not in (None, 0, UNKNOWN)
    if retries and inputs.get("restart", "no") not in ("on-failure", UNKNOWN):
        yield Failure("maxRetryCount", "counts for `restart: on-failure` only")
    if inputs.get("logs") is True and inputs.get("attach", False) is False:
        yield Failure("logs", "needs `attach: true`: logs are saved when the container has ended")


def _network_rules(inputs: Mapping[str, Any]) -> Iterator[Failure]:
    for index, config in enumerate(_known(inputs, "ipamConfigs")):
        for key, parse in (
            ("subnet", ipaddress.ip_network),
            ("ipRange", ipaddress.ip_network),
            ("gateway", ipaddress.ip_address),
        ):
            value = config.get(key)
            if not isinstance(value, str):
                continue
            try:
                parse(value)
            except ValueError as error:
                yield Failure(f"ipamConfigs[{index}].{key}", f"is {value!r}; allowed: {error}")
