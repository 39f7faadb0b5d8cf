"""What Pulumi would do: a real preview of this commit's environment, on its living stack or on an empty one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace

from understudy.blueprint import Blueprint
from understudy.diff.record import PreviewRecord, StepRecord
from understudy.diff.side import Side
from understudy.engine.events import Diagnostic, EngineEvent
from understudy.engine.interface import PreviewStep, StackRef
from understudy.errors import UsageError
from understudy.lease import Lease
from understudy.options import Options
from understudy.preparation import hold_here
from understudy.provision import own_lease
from understudy.rehearsal import rehearsed
from understudy.session import Session
from understudy.stacks import identity
from understudy.targets.choose import AWS, kind_meant

__all__ = ["foreseen", "hold_previewed", "steps_of"]


def hold_previewed(options: Options, before: Side) -> None:
    """Hold that the environment is on Docker, or would be.

    Raises:
        UsageError: it is on AWS.
    """
    if kind_meant(options, before.lease.target if before.lease else "") == AWS:
        raise UsageError(
            "A preview by the engine was asked of an environment on AWS, and this version previews Docker's only.",
            hint="`understudy plan --target aws` says what would be made; plain `pulumi preview` asks the engine.",
        )


def foreseen(session: Session, before: Side, after: Side) -> tuple[PreviewRecord, tuple[str, ...]]:
    """What `up` of the commit would do to the environment named as `before`, else to that of its branch.

    Nothing is created, not even a lease, and no lock is taken. The second value are warnings of the engine.

    Raises:
        UsageError: `after` is no commit.
        NotFoundError: the environment is on another target.
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

    with ExitStack() as until:

        def program() -> None:
            until.enter_context(rehearsed(session, blueprint, known or lease))()

        result = session.engine.preview(ref, program, listener=hear)
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
