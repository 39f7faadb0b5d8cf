"""What of a run becomes its record: its beginning, how its clone stands to production, images, mocks, a failure."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from understudy import __version__
from understudy.arranging import shard_of
from understudy.blueprint import Blueprint
from understudy.ci_job import ci_job
from understudy.errors import EnvironmentFailedError
from understudy.export import RunFolder
from understudy.export.mocks import MockCounts
from understudy.lease import Lease
from understudy.options import Options
from understudy.preparation import CLONE
from understudy.provision import Provisioned
from understudy.report import CiRecord, ImageRecord, MockRecord, RunRecord, graph_of, utc
from understudy.report.fidelity_text import fidelity_markdown
from understudy.stacks.clone import Clone
from understudy.stacks.fidelity import fidelity_report
from understudy.suites.results import SuitesResult

__all__ = ["compared", "environment_failed", "first_record", "image_records", "keep_clone", "mock_records"]


def first_record(blueprint: Blueprint, lease: Lease, options: Options, run: str, now: datetime) -> RunRecord:
    """The record of a run that begins now; `run` is its id."""
    return RunRecord(
        run=run,
        environment=lease.id,
        target=lease.target,
        project=blueprint.clone.topology.name,
        repository=lease.repository,
        topology=lease.topology,
        commit=lease.commit,
        branch=lease.branch,
        dirty=blueprint.dirty,
        production_ref=blueprint.production_name,
        started=utc(now.timestamp()),
        version=__version__,
        profile=lease.profile,
        ci=CiRecord.of(job) if (job := ci_job(os.environ)) else None,
        warnings=blueprint.warnings,
        shard=str(shard_of(options) or ""),
        documents=tuple(posixpath.normpath(f"{blueprint.folder or '.'}/{name}") for name in blueprint.documents.files),
    )


def compared(record: RunRecord, blueprint: Blueprint, folder: RunFolder) -> RunRecord:
    """The record with how the clone stands to production, which is written into the folder too."""
    clone = blueprint.clone
    findings = fidelity_report(blueprint.production, clone)
    folder.write_changes(clone.changes)
    folder.write_text("fidelity.md", fidelity_markdown(findings))
    record = record.with_changes(clone.changes).with_report(findings)
    return replace(record, graph=graph_of(clone, record.verdicts))


def keep_clone(folder: RunFolder, lease: Lease) -> None:
    """Copy the clone that lies beside an environment's tree, for comparisons; a run that made none has none."""
    kept = Path(lease.tree).parent / CLONE
    if kept.is_file():
        with folder.part(CLONE, required=False):
            folder.write_text(CLONE, kept.read_text(encoding="utf-8"), required=False)


def image_records(clone: Clone, made: Provisioned) -> tuple[ImageRecord, ...]:
    """The image of each service, and where it came from."""
    images = []
    for name, service in clone.topology.services.items():
        built, pinned = made.images.get(name), clone.pinned.get(name, "")
        if built is not None:
            origin = "built" if built.built else "reused"
            images.append(ImageRecord(name, built.reference, origin, built.seconds, built.reference))
        elif name in clone.unchanged_builds:
            images.append(ImageRecord(name, clone.unchanged_builds[name], "production", digest=pinned))
        else:
            images.append(ImageRecord(name, service.image or "", "found", digest=pinned))
    return tuple(images)


def mock_records(clone: Clone, counts: Mapping[str, MockCounts]) -> tuple[MockRecord, ...]:
    """What each mock was asked; `counts` has those that could say it, by name."""
    return tuple(
        MockRecord(
            mock.name,
            mock.host,
            mock.port,
            counts[mock.name].requests if mock.name in counts else None,
            counts[mock.name].unmatched if mock.name in counts else None,
            counts[mock.name].lost if mock.name in counts else None,
        )
        for mock in clone.mocks
    )


def environment_failed(result: SuitesResult) -> EnvironmentFailedError:
    """The error of tests that ended because the environment did."""
    told = "; ".join(map(str, result.deaths)) or result.stopped_by
    logs = "".join(f"\nLast log lines of {death.service}:\n{death.log}" for death in result.deaths if death.log)
    return EnvironmentFailedError(f"Ran the tests, and the environment failed: {told}. {result.summary()}.{logs}")
