"""The plan: what `run` would build, run, mock and publish for a commit, and how near that is to production."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from understudy.blueprint import Blueprint, draw
from understudy.components.plan import make_plan
from understudy.console import printable
from understudy.errors import ToolError
from understudy.options import Options
from understudy.preparation import with_images
from understudy.report.codec import encode
from understudy.report.fidelity_text import fidelity_lines
from understudy.report.records import ChangeRecord, PropertyRecord
from understudy.stacks.fidelity import fidelity, fidelity_report
from understudy.targets.docker_client import client

__all__ = ["PlanRecord", "PlannedEndpoint", "PlannedService", "PlannedThirdParty", "make", "show"]

_BUILD, _REUSE, _RUN = "build", "reuse", "run"


@dataclass(frozen=True, slots=True)
class PlannedService:
    """One service, and its image: `action` (build, reuse of production's, run), why, and the digest where known."""

    name: str
    kind: str
    replicas: int
    action: str
    reference: str
    digest: str
    why: str


@dataclass(frozen=True, slots=True)
class PlannedThirdParty:
    """A third party: `mocked`, `allowed` (the real one is reached) or `missing` (nothing answers), and why."""

    name: str
    host: str
    port: int
    state: str
    why: str


@dataclass(frozen=True, slots=True)
class PlannedEndpoint:
    """What tests would reach."""

    service: str
    port: int
    scheme: str


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """What is to be made for a commit, and its fidelity report. `daemon`: why the images are not known, else empty."""

    project: str
    topology: str
    commit: str
    branch: str
    dirty: bool
    production_ref: str
    profile: str
    open_network: bool
    daemon: str
    services: tuple[PlannedService, ...]
    third_parties: tuple[PlannedThirdParty, ...]
    endpoints: tuple[PlannedEndpoint, ...]
    changes: tuple[ChangeRecord, ...]
    verdicts: Mapping[str, str]
    properties: tuple[PropertyRecord, ...]
    warnings: tuple[str, ...]


def show(options: Options, folder: Path, *, form: str) -> int:
    """Print the plan; returns 0.

    Raises:
        UsageError: the input is not usable, or the topology does not allow a clone.
    """
    blueprint, daemon = _seen(draw(options, folder))
    if form == "json":
        click.echo(json.dumps({"schema": 1, **encode(make(blueprint, options.profile, daemon))}, indent=1))
    else:
        _print(make(blueprint, options.profile, daemon), blueprint)
    return 0


def _seen(blueprint: Blueprint) -> tuple[Blueprint, str]:
    """The blueprint with what the daemon and registries say of its images, and else why they could not be asked."""
    try:
        return with_images(blueprint, client(), pull=False), ""
    except ToolError as error:
        return blueprint, str(error)


def make(blueprint: Blueprint, profile: str, daemon: str = "") -> PlanRecord:
    """The plan of a blueprint.

    Raises:
        UsageError: its services cannot be made in any order, or its endpoints are not those of its services.
    """
    clone = blueprint.clone
    make_plan(clone, "plan")
    findings = fidelity_report(blueprint.production, clone)
    return PlanRecord(
        project=clone.topology.name,
        topology=blueprint.file,
        commit=blueprint.commit.sha,
        branch=blueprint.commit.branch,
        dirty=blueprint.dirty,
        production_ref=blueprint.production_name,
        profile=profile,
        open_network=clone.open_network,
        daemon=daemon,
        services=tuple(_service(blueprint, name) for name in clone.topology.services),
        third_parties=_third_parties(blueprint),
        endpoints=tuple(PlannedEndpoint(e.service, e.port, e.scheme) for e in clone.endpoints),
        changes=tuple(ChangeRecord.of(change) for change in clone.changes),
        verdicts={subject: kind.value for subject, kind in fidelity(findings).items()},
        properties=tuple(PropertyRecord.of(finding) for finding in findings),
        warnings=blueprint.warnings,
    )


def _service(blueprint: Blueprint, name: str) -> PlannedService:
    clone = blueprint.clone
    service = clone.topology.services[name]
    why = next((change.reason for change in clone.changes if change.path == f"services.{name}.image"), "")
    if clone.unchanged_builds.get(name):
        action, reference = _REUSE, clone.unchanged_builds[name]
    elif service.build is not None:
        action, reference = _BUILD, service.build.context
    else:
        action, reference = _RUN, service.image or ""
        why = why or "production runs it"
    return PlannedService(name, service.kind, service.replicas, action, reference, clone.pinned.get(name, ""), why)


def _third_parties(blueprint: Blueprint) -> tuple[PlannedThirdParty, ...]:
    clone = blueprint.clone
    mocked = {mock.name for mock in clone.mocks}
    found = []
    for name, external in clone.topology.externals.items():
        change = next((change for change in clone.changes if change.path == f"externals.{name}"), None)
        reached = change is not None and change.clone is not None
        state = "mocked" if name in mocked else "allowed" if reached else "missing"
        found.append(PlannedThirdParty(name, external.host, external.port, state, change.reason if change else ""))
    return tuple(found)


def _say(text: str) -> None:
    click.echo(printable(text))


def _print(plan: PlanRecord, blueprint: Blueprint) -> None:
    what = "the working folder" if plan.dirty else f"commit {plan.commit[:12]}"
    branch = f" on {plan.branch}" if plan.branch else ""
    _say(f"{plan.project}: {plan.topology} of {what}{branch}, beside production at {plan.production_ref or 'the same'}")
    _say(f"profile {plan.profile}; networks {'open: services reach the outside' if plan.open_network else 'closed'}")
    if plan.daemon:
        _say(f"the images' digests are not known: {plan.daemon}")
    _say("\nservices")
    for service in plan.services:
        _say(f"  {service.name} x{service.replicas} ({service.kind}): {service.action} {service.reference}")
        _say(f"    {service.why}" + (f" [{service.digest}]" if service.digest else ""))
    if plan.third_parties:
        _say("\nthird parties")
    for party in plan.third_parties:
        _say(f"  {party.name} {party.host}:{party.port}: {party.state}; {party.why}")
    if plan.endpoints:
        _say("\nendpoints")
    for endpoint in plan.endpoints:
        _say(f"  {endpoint.service}:{endpoint.port} {endpoint.scheme}")
    counts = Counter(plan.verdicts.values())
    _say("\nfidelity: " + ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
    for line in fidelity_lines(fidelity_report(blueprint.production, blueprint.clone)):
        _say(f"  {line}")
    if plan.warnings:
        _say("\nwarnings")
    for warning in plan.warnings:
        _say(f"  {warning}")
    _say("\nNothing was created.")
