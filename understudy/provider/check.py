"""Check: whether inputs keep to their table and to the rules of Docker's kinds."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from understudy.stacks.identity import LABEL, OWNERSHIP

from .container_table import CONTAINER
from .schema import Table
from .shape import Failure, shape
from .tables import NETWORK
from .values import UNKNOWN, Unknown

__all__ = ["check", "chosen_name", "labels_of"]


def check(table: Table, inputs: Mapping[str, Any]) -> tuple[Failure, ...]:
    """All failures of the inputs, unknowns being right anywhere."""
    found = [*shape(table.inputs, inputs)]
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
