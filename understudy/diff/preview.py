"""What Pulumi would do: a real preview of this commit's environment, on its living stack or on an empty one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from understudy import on_aws
from understudy.blueprint import Blueprint
from understudy.diff.record import PreviewRecord, StepRecord
from understudy.diff.side import Side
from understudy.engine.events import Diagnostic, EngineEvent
from understudy.engine.interface import PreviewStep, StackRef
from understudy.errors import UsageError
from understudy.lease import Lease
from understudy.options import Options, Origin
from understudy.preparation import hold_here
from understudy.provision import own_lease
from understudy.rehearsal import rehearsed
from understudy.session import Session
from understudy.stacks import identity
from understudy.targets.choose import kind_meant

__all__ = ["foreseen", "hold_previewed", "steps_of"]


def hold_previewed(options: Options, before: Side) -> None:
    """Hold that the commit is cloned as for the target that the environment is on.

    Raises:
        UsageError: the command line names another.
    """
    kind = kind_meant(options, before.lease.target if before.lease else "")
    if options.target != kind and options.origins.get("target") is Origin.FLAG:
        raise UsageError(
            f"A preview was asked of {before.record.title}, with a clone as for {options.target}: it is on {kind}.",
            hint="Leave --target out, or --engine.",
        )


def foreseen(session: Session, before: Side, after: Side) -> tuple[PreviewRecord, tuple[str, ...]]:
    """What `up` of the commit would do to the environment named as `before`, else to that of its branch.

    Nothing is created, not even a lease, and no lock is taken. The second value are warnings of the engine.

    Raises:
        UsageError: `after` is no commit.
        NotFoundError: the environment is on another target, or there is no platform.
        LimitError: the target has no room, or it would cost more than is allowed.
        EngineError: the preview failed.
    """
    blueprint = after.blueprint
    if blueprint is None:
        raise UsageError(
            f"A preview was asked of {after.record.title}, and only a commit can be provisioned.",
            hint="Name the commit second: `understudy diff --engine production HEAD`.",
        )
    lease = _lease(session, blueprint)
    known = before.lease or session.store.find(lease.id)
    if known is not None:
        hold_here(known, lease.target)
    ref = StackRef((known or lease).project, (known or lease).stack)
    told: list[str] = []

    def hear(event: EngineEvent) -> None:
        if isinstance(event, Diagnostic) and event.severity == "warning":
            told.append(event.message)

    config = on_aws.CONFIG if session.on_aws else None
    with rehearsed(session, blueprint, known or lease) as program:
        result = session.engine.preview(ref, program, config=config, listener=hear)
    if known is not None and known.plain:
        told.append(f"stack {ref.qualified} is of a program of its own: what else that declares is shown as deleted")
    return PreviewRecord(ref.qualified, known is not None, dict(result.changes), steps_of(result.steps)), tuple(told)


def _lease(session: Session, blueprint: Blueprint) -> Lease:
    """The lease that `up` would write; never written here."""
    branch = blueprint.commit.branch or blueprint.commit.sha
    key = identity.environment_key("up", name=session.options.name, branch=branch)
    return own_lease(session, blueprint, key, write=False)


def steps_of(steps: tuple[PreviewStep, ...]) -> tuple[StepRecord, ...]:
    """One record a resource: the steps that make up a replacement are one."""
    found: dict[str, StepRecord] = {}
    for step in steps:
        op = "replace" if step.op in {"create-replacement", "delete-replaced", "replace"} else step.op
        before = found.get(step.urn)
        properties: Mapping[str, str] = {**(before.properties if before else {}), **step.diff}
        _, _, types, name = (*step.urn.split("::", 3), "", "", "", "")[:4]
        made = StepRecord(op, types.rpartition("$")[2], name, step.urn, properties)
        found[step.urn] = replace(before, properties=properties) if before and before.op == "replace" else made
    return tuple(found.values())
