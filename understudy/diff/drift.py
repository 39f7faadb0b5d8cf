"""Drift: an environment as it was provisioned beside what its target shows now; looking changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from understudy import __version__
from understudy.diff.record import DiffRecord, DriftRecord, PropertyRecord, SideRecord
from understudy.diff.side import Side
from understudy.engine.interface import Seen, StackRef
from understudy.errors import NotFoundError, UsageError
from understudy.lease import Lease
from understudy.provider.settings import ProviderSettings
from understudy.session import Session
from understudy.stacks.differences import withheld
from understudy.stacks.identity import LABEL
from understudy.targets.choose import AWS, elsewhere, kind_of
from understudy.targets.interface import ContainerFacts, Owned
from understudy.targets.suite_marks import is_suite

__all__ = ["drift_of", "drifted", "hold_drifting", "leaves"]

_OUTPUTS = {"imageId", "ports"}
"""Outputs in which a change counts: a tag that names another image, a host port that the kernel chose anew."""

_KEYS = ("name", "label", "host", "target", "containerPath", "file", "internal")
"""What tells one member of a list from another, the first that it has."""


def hold_drifting(side: Side) -> Lease:
    """Hold that it is an environment whose drift can be seen; returns its lease.

    Raises:
        UsageError: it is none, or it is on AWS.
    """
    lease = side.lease
    if lease is None:
        raise UsageError(f"Drift was asked of {side.record.title}, and only an environment can drift.")
    if kind_of(lease.target) == AWS:
        raise UsageError(
            f"Drift was asked of environment {lease.id}, which is on AWS, and this version sees Docker's only.",
            hint="`pulumi refresh --preview-only` of its stack asks AWS; `understudy env` gives its variables.",
        )
    return lease


def drift_of(session: Session, side: Side, lease: Lease) -> DiffRecord:
    """What is not as it was provisioned: the engine's look at every resource, then the target's own.

    Args:
        session: the command at work.
        side: the environment as it was provisioned.
        lease: of the environment.

    Raises:
        NotFoundError: the environment is on another target.
        EngineError: the engine could not look, or has no such stack.
        ToolError: the target does not answer.
    """
    here = session.target.identity()
    if here != lease.target:
        raise NotFoundError(
            f"Environment {lease.id} is on {lease.target}, and this is {here}.", hint=elsewhere(lease.target)
        )
    seen = session.engine.look(StackRef(lease.project, lease.stack))
    facts = {fact.name: fact for fact in session.target.containers(lease.whose)}
    found = [record for each in seen if (record := drifted(each, facts)) is not None]
    found += _added(seen, session.target.inventory(lease.whose), session.target.guests(lease.whose))
    after = SideRecord("target", here, environment=lease.id)
    return DiffRecord(
        "drift",
        side.record,
        after,
        project=lease.name,
        different=bool(found),
        unchanged=len(seen) - sum(1 for each in found if each.state != "added"),
        drift=tuple(sorted(found, key=lambda each: (each.kind, each.name))),
        warnings=side.warnings,
        version=__version__,
    )


def drifted(seen: Seen, facts: Mapping[str, ContainerFacts]) -> DriftRecord | None:
    """How one resource stands; None: as it was provisioned. `facts` are the target's of each container, by name."""
    kind = seen.type.rpartition(":")[2]
    name = str(seen.outputs.get("name") or seen.inputs.get("name") or seen.urn.rpartition("::")[2])
    if seen.now is None:
        return DriftRecord(kind, name, "gone")
    inputs, outputs = seen.now
    fact = facts.get(str(inputs.get("name") or name)) if kind == "Container" else None
    found = [*_properties(seen.inputs, inputs), *_outputs(seen.outputs, outputs), *_pids(seen, fact)]
    stopped = inputs.get("mustRun", True) is False and seen.inputs.get("mustRun", True) is not False
    state = str(fact.facts["state"]) if fact else ""
    if stopped:
        told = f"{state}, exit code {fact.facts['exit_code']}" if fact else ""
        return DriftRecord(kind, name, "stopped", tuple(found), told)
    if state == "paused":
        return DriftRecord(kind, name, "paused", tuple(found))
    return DriftRecord(kind, name, "changed", tuple(found)) if found else None


def _properties(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[PropertyRecord]:
    for key in dict.fromkeys((*old, *new)):
        if key != "mustRun" and old.get(key) != new.get(key):
            yield from _between(key, old.get(key), new.get(key))


def _outputs(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[PropertyRecord]:
    for key in sorted(_OUTPUTS & old.keys() & new.keys()):
        if old[key] != new[key]:
            yield from _between(key, old[key], new[key])


def _between(key: str, old: object, new: object) -> Iterator[PropertyRecord]:
    before, after = leaves(key, old), leaves(key, new)
    for path in dict.fromkeys((*before, *after)):
        if before.get(path) != after.get(path):
            yield PropertyRecord(path, withheld(path, before.get(path)), withheld(path, after.get(path)))


def leaves(path: str, value: object) -> dict[str, str]:
    """Path -> text of every leaf of a property's value; members of a list go by their name where they have one."""
    if isinstance(value, Mapping):
        pairs = [(f"{path}.{key}", item) for key, item in value.items()]
    elif isinstance(value, list):
        pairs = [(f"{path}[{_member(item, index)}]", item) for index, item in enumerate(value)]
        if value and all(isinstance(item, str) for item in value):
            return {path: json.dumps(value, ensure_ascii=False)}
    else:
        return {} if value is None else {path: value if isinstance(value, str) else json.dumps(value)}
    return {key: text for place, item in pairs for key, text in leaves(place, item).items()}


def _member(item: object, index: int) -> str:
    named = next((str(item[key]) for key in _KEYS if item.get(key)), "") if isinstance(item, Mapping) else ""
    return named or str(index)


def _pids(seen: Seen, fact: ContainerFacts | None) -> Iterator[PropertyRecord]:
    """The limit of processes, for which the schema has no property: declared in a label, else the provider's own."""
    if fact is None or "pids_limit" not in fact.facts:
        return
    labels = seen.inputs.get("labels")
    entries = [each for each in labels if isinstance(each, Mapping)] if isinstance(labels, list) else []
    declared = next((str(each.get("value")) for each in entries if each.get("label") == LABEL + "pids"), "")
    wanted = int(declared) if declared.isascii() and declared.isdigit() else 0
    wanted = wanted or ProviderSettings.from_environment().pids_limit
    actual = fact.facts["pids_limit"]
    if actual != wanted:
        yield PropertyRecord("pids limit", str(wanted), None if actual is None else str(actual))


def _added(seen: tuple[Seen, ...], owned: tuple[Owned, ...], guests: tuple[Owned, ...]) -> Iterator[DriftRecord]:
    """What carries the environment's labels and is not in its state, and strangers' containers on its networks."""
    known = {str(value) for each in seen for value in (each.id, each.outputs.get("name"), each.inputs.get("name"))}
    for item in owned:
        if item.id not in known and item.name not in known and not is_suite(item.labels):
            yield DriftRecord(item.kind.capitalize(), item.name, "added", detail="it has the environment's labels")
    for item in guests:
        detail = "a stranger's, on a network of the environment"
        yield DriftRecord(item.kind.capitalize(), item.name, "added", detail=detail)
