"""Drift: an environment as it was provisioned beside what its target shows now; looking changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from understudy import __version__
from understudy.diff.properties import differing
from understudy.diff.record import DiffRecord, DriftRecord, SideRecord
from understudy.diff.side import Side
from understudy.diff.values import between, meant
from understudy.engine.interface import Seen, StackRef
from understudy.errors import NotFoundError, UsageError
from understudy.lease import Lease
from understudy.provider.check import labels_of
from understudy.session import Session
from understudy.stacks.aws_names import logicals
from understudy.stacks.identity import LABEL
from understudy.targets.choose import elsewhere
from understudy.targets.interface import Noted

__all__ = ["drift_of", "drifted", "hold_drifting", "kind_of_type", "name_of"]

_NAMES = ("name", "family", "identifier", "clusterIdentifier", "userId", "bucket", "role")
"""Properties that name a resource on its target, or what it is a part of."""

_NOTHING = Noted()


def hold_drifting(side: Side) -> Lease:
    """Hold that it is an environment, which alone can drift; returns its lease.

    Raises:
        UsageError: it is none.
    """
    if side.lease is None:
        raise UsageError(f"Drift was asked of {side.record.title}, and only an environment can drift.")
    return side.lease


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
    observed = session.target.observe(lease.whose, seen)
    services = logicals(lease.id, lease.target, side.compared.topology.services)
    found = [
        record
        for each in seen
        if (record := drifted(each, observed.noted.get(each.urn, _NOTHING), lease.id, services)) is not None
    ]
    unchanged = len(seen) - len(found)
    found += [DriftRecord(stray.kind, stray.name, "added", detail=stray.detail) for stray in observed.strays]
    after = SideRecord("target", here, environment=lease.id)
    return DiffRecord(
        "drift",
        side.record,
        after,
        project=lease.name,
        different=bool(found),
        unchanged=unchanged,
        drift=tuple(sorted(found, key=lambda each: (each.kind, each.name))),
        warnings=side.warnings,
        version=__version__,
    )


def drifted(
    seen: Seen, noted: Noted = _NOTHING, environment: str = "", services: Mapping[str, str] | None = None
) -> DriftRecord | None:
    """How one resource stands; None: as it was provisioned.

    Args:
        seen: the resource as the engine's state has it and its provider shows it.
        noted: what its target shows beside.
        environment: the environment's id.
        services: name on the target -> the service that has it.
    """
    kind, name = kind_of_type(seen.type), name_of(seen, environment)
    service = _service(seen, services or {})
    if seen.now is None:
        return DriftRecord(kind, name, "gone", service=service)
    shown = ((path, meant(old, path), meant(new, path)) for path, old, new in noted.properties)
    found = (*differing(seen), *(record for each in shown for record in between(*each)))
    if not noted.state and not found:
        return None
    return DriftRecord(kind, name, noted.state or "changed", found, noted.detail, service)


def kind_of_type(token: str) -> str:
    """A type for people: `Container` of Docker, of others with the SDK's own module, such as `ecs.Service`."""
    package, _, rest = token.partition(":")
    module, _, name = rest.rpartition(":")
    if package == "docker":
        return name
    part = module.partition("/")[0]
    return f"{package if part in {'', 'index'} else part}.{name}"


def name_of(seen: Seen, environment: str) -> str:
    """The name on the target, where it is the environment's, else the resource's logical one in Pulumi."""
    values = {**seen.inputs, **seen.outputs}
    if seen.type.startswith("docker:") and values.get("name"):
        return str(values["name"])
    named = next((str(values[key]) for key in _NAMES if values.get(key)), "")
    return named if environment and environment in named else seen.urn.rpartition("::")[2]


def _service(seen: Seen, services: Mapping[str, str]) -> str:
    """The service that a resource is of: by its label, else by a name that only that service's things have."""
    if (label := labels_of(seen.inputs).get(f"{LABEL}service")) is not None:
        return str(label)
    values = {**seen.inputs, **seen.outputs}
    return next((services[name] for key in _NAMES if (name := str(values.get(key))) in services), "")
