"""The plan: what `run` would build, run, mock and publish for a commit, and how near that is to production."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import click

from understudy.blueprint import Blueprint, draw
from understudy.build.digests import present
from understudy.build.images import daemon_platform
from understudy.build.keys import Origin, image_tags
from understudy.components.plan import make_plan
from understudy.console import printable
from understudy.errors import ProvisionError, ToolError
from understudy.options import Options
from understudy.preparation import with_images
from understudy.report.codec import encode
from understudy.report.fidelity_text import fidelity_lines, wrapped
from understudy.report.records import ChangeRecord, PropertyRecord
from understudy.stacks.cost.estimate import Estimate, nothing
from understudy.stacks.cost.words import headline, lines
from understudy.stacks.fidelity import fidelity, fidelity_report
from understudy.stacks.ground import ON_AWS
from understudy.targets.choose import AWS
from understudy.targets.docker_client import client

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["PlanRecord", "PlannedEndpoint", "PlannedService", "PlannedSuite", "PlannedThirdParty", "make", "show"]

_BUILD, _CACHED, _REUSE, _RUN = "build", "cached", "reuse", "run"
_RDS, _SHARED, _OWN = "rds", "shared", "own"

_SAID = {
    _BUILD: "will be built from {0}",
    _CACHED: "built before from these files, found as {0}",
    _REUSE: "runs production's image {0}",
    _RUN: "runs {0}",
    _RDS: "has a database of RDS of its own: {0}",
    _SHARED: "is on the platform's {0} instance",
    _OWN: "is {0}",
}


@dataclass(frozen=True, slots=True)
class PlannedService:
    """One service, and its image: what is done for it, why, and the digest where it is known.

    `action` and what `reference` is with it: `build` the folder that is built, `cached` the image that an earlier build
    of the same content left, `reuse` production's image, `run` the image that the service names; where it is no
    container on AWS, `rds` the form of a database of its own, `shared`, or `own` what a queue or a bucket is there.
    """

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
class PlannedSuite:
    """A suite: where it would run (in a container of `image`, if any), and what it needs; empty: everything."""

    name: str
    command: tuple[str, ...]
    where: str
    image: str
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """What is to be made for a commit, and its fidelity report.

    `daemon`: why the images are not known, else empty. `taken`: on AWS, what was taken for what only AWS knows, and
    what stands for it in names. `cost`: what it would cost by the hour, where that was asked.
    """

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
    suites: tuple[PlannedSuite, ...]
    changes: tuple[ChangeRecord, ...]
    verdicts: Mapping[str, str]
    properties: tuple[PropertyRecord, ...]
    warnings: tuple[str, ...]
    taken: str = ""
    cost: Estimate | None = None


def show(options: Options, folder: Path, *, form: str, cost: bool = False) -> int:
    """Print the plan, and if asked what it would cost; returns 0.

    Raises:
        UsageError: the input is not usable, or the topology does not allow a clone on this target.
    """
    drawn = draw(options, folder)
    estimate: Callable[[], Estimate] = nothing
    if options.target == AWS:
        from understudy.imagined import imagined

        found = imagined(options, drawn)
        blueprint, estimate = found.blueprint, found.estimate
        plan = replace(make(blueprint, options.profile, on_aws=True), taken=found.taken)
    else:
        blueprint, built, daemon = _seen(drawn)
        plan = make(blueprint, options.profile, daemon, built)
    plan = replace(plan, cost=estimate() if cost else None)
    if form == "json":
        click.echo(json.dumps({"schema": 1, **encode(plan)}, indent=1))
    else:
        _print(plan, blueprint)
    return 0


def _seen(blueprint: Blueprint) -> tuple[Blueprint, Mapping[str, str], str]:
    """The blueprint with what daemon and registries say of its images, those built before, or why nobody was asked."""
    try:
        daemon = client()
        seen = with_images(blueprint, daemon, pull=False)
        return seen, _built(seen, daemon), ""
    except ToolError as error:
        return blueprint, {}, str(error)


def _built(blueprint: Blueprint, daemon: DockerClient) -> Mapping[str, str]:
    """Service -> the image that an earlier build of the same content left on the daemon."""
    builds = any(service.build is not None for service in blueprint.clone.topology.services.values())
    if blueprint.dirty or blueprint.repository is None or not builds:
        return {}
    origin = Origin(blueprint.repository, blueprint.commit.sha, blueprint.folder)
    try:
        tags = image_tags(blueprint.clone.topology, origin, daemon_platform(daemon))
    except ProvisionError:
        return {}  # what is to be built is not in the commit: a run says so, and the plan names the folder
    here = present(daemon, tags.values())
    return {name: tag for name, tag in tags.items() if tag in here}


def make(
    blueprint: Blueprint,
    profile: str,
    daemon: str = "",
    built: Mapping[str, str] = MappingProxyType({}),
    *,
    on_aws: bool = False,
) -> PlanRecord:
    """The plan of a blueprint; `built` is service -> the image that an earlier build of the same content left.

    `on_aws`: it was held to be possible there, and what is so on Docker alone does not count.

    Raises:
        UsageError: its services cannot be made in any order, or its endpoints are not those of its services.
    """
    clone = blueprint.clone
    if not on_aws:
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
        services=tuple(
            _service(blueprint, name, built.get(name, ""), on_aws=on_aws) for name in clone.topology.services
        ),
        third_parties=_third_parties(blueprint),
        endpoints=tuple(PlannedEndpoint(e.service, e.port, e.scheme) for e in clone.endpoints),
        suites=tuple(
            PlannedSuite(s.name, s.command, s.runs_on, s.image or "", tuple(map(str, s.needs)))
            for s in clone.topology.suites
        ),
        changes=tuple(ChangeRecord.of(change) for change in clone.changes),
        verdicts={subject: kind.value for subject, kind in fidelity(findings).items()},
        properties=tuple(PropertyRecord.of(finding) for finding in findings),
        warnings=blueprint.warnings,
    )


def _service(blueprint: Blueprint, name: str, built: str, *, on_aws: bool) -> PlannedService:
    clone = blueprint.clone
    service = clone.topology.services[name]
    changes = {change.path: change for change in clone.changes}
    image = changes.get(f"services.{name}.image")
    why = image.reason if image else ""
    action: str
    reference: str
    if on_aws and service.on_aws:
        action, reference = _SHARED if service.on_aws.shared else _RDS, service.on_aws.form
        why = "its x-understudy says so with on_aws"
    elif on_aws and image is not None and service.managed and service.managed.service in ON_AWS.kept:
        action, reference = _OWN, image.clone or ""
        why = changes[f"services.{name}.managed"].reason
    elif clone.unchanged_builds.get(name):
        action, reference = _REUSE, clone.unchanged_builds[name]
    elif built:
        action, reference = _CACHED, built
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


class _Page:
    """What stands on the terminal, in lines that it has room for; elsewhere 80 columns."""

    def __init__(self) -> None:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 80
        self.width = max(40, min(width, 120))

    def say(self, text: str, indent: str = "", more: str = "") -> None:
        for line in wrapped(text, indent, self.width, indent + more):
            click.echo(printable(line))

    def head(self, text: str) -> None:
        click.echo()
        self.say(text)


def _print(plan: PlanRecord, blueprint: Blueprint) -> None:
    page = _Page()
    what = "the working folder" if plan.dirty else f"commit {plan.commit[:12]}"
    branch = f" on {plan.branch}" if plan.branch else ""
    beside = plan.production_ref or "the same"
    page.say(f"{plan.project}: {plan.topology} of {what}{branch}, beside production at {beside}")
    page.say(
        f"profile {plan.profile}; networks {'open: services reach the outside' if plan.open_network else 'closed'}"
    )
    if plan.daemon:
        page.say(f"which images are there already, and their digests, is not known: {plan.daemon}")
    if plan.taken:
        page.say(plan.taken)
    page.head("services")
    for service in plan.services:
        said = _SAID[service.action].format(service.reference)
        page.say(f"{service.name} x{service.replicas} ({service.kind}): {said}", "  ", "  ")
        page.say(service.why + (f" [{service.digest}]" if service.digest else ""), "    ")
    _print_reached(plan, page)
    _print_suites(plan, page)
    counts = Counter(plan.verdicts.values())
    page.head("fidelity: " + ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
    for line in fidelity_lines(fidelity_report(blueprint.production, blueprint.clone), width=page.width - 2):
        click.echo(f"  {printable(line)}")
    if plan.warnings:
        page.head("warnings")
    for warning in plan.warnings:
        page.say(warning, "  ", "  ")
    _print_cost(plan, page)
    page.head("Nothing was created.")


def _print_reached(plan: PlanRecord, page: _Page) -> None:
    if plan.third_parties:
        page.head("third parties")
    for party in plan.third_parties:
        page.say(f"{party.name} {party.host}:{party.port}: {party.state}", "  ", "  ")
        page.say(party.why, "    ")
    if plan.endpoints:
        page.head("endpoints")
    for endpoint in plan.endpoints:
        page.say(f"{endpoint.service}:{endpoint.port} {endpoint.scheme}", "  ", "  ")


def _print_suites(plan: PlanRecord, page: _Page) -> None:
    if plan.suites:
        page.head("suites")
    for suite in plan.suites:
        where = f"on the {suite.where}" + (f" in {suite.image}" if suite.image else "")
        page.say(f"{suite.name} {where}, needs {', '.join(suite.needs) or 'everything'}", "  ", "  ")
        page.say(shlex.join(suite.command), "    ")


def _print_cost(plan: PlanRecord, page: _Page) -> None:
    if plan.cost is None:
        return
    page.head(headline(plan.cost))
    for line in lines(plan.cost):
        page.say(line, "  ", "  ")
