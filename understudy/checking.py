"""`topology check`: what becomes of every key that Compose files use, and everything in them that no clone can have."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from understudy.composition import Composition
from understudy.documents import suites_file
from understudy.stacks.allowed import Allowed
from understudy.stacks.change import Change
from understudy.stacks.sources.compose import RefusedError, read_files
from understudy.stacks.sources.compose_check import Used, used_keys
from understudy.stacks.sources.compose_keys import Taken
from understudy.stacks.sources.nodes import Refusal
from understudy.stacks.topology import TopologyError, Where

__all__ = ["Report", "as_json", "as_text", "check"]


@dataclass(frozen=True)
class Report:
    """The keys of each file, what is refused, and the first thing beside it that Compose or we cannot read."""

    keys: tuple[Used, ...]
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str = ""

    @property
    def passes(self) -> bool:
        """Whether a clone can be made of the files."""
        return not self.refusals and not self.error


def check(composition: Composition, allow: Allowed) -> Report:
    """Read the files as for a clone, going on after what is refused.

    Raises:
        TopologyError: a file is no YAML.
    """
    files: tuple[str, ...] = composition.files
    refusals: tuple[Refusal, ...] = ()
    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()
    error = ""
    try:
        files = composition.load().files
        folder = _folder(Path(composition.folder))
        topology = read_files(
            composition.files,
            folder=folder,
            variables=_variables(composition),
            read_file=composition.read_file,
            project=Path(composition.folder).name,
            profiles=composition.request.profiles,
            allow=allow,
            shown=composition.shown,
            suites=suites_file(composition.read_file, folder),
        )
        changes, warnings = topology.changes, topology.warnings
    except RefusedError as refused:
        refusals, changes = refused.refusals, refused.changes
    except TopologyError as wrong:
        error = str(wrong)
    keys = used_keys(
        files,
        read_file=composition.read_file,
        shown=composition.shown,
        refusals=refusals,
        changes=changes,
        judged=not error,
    )
    return Report(keys, refusals, (*composition.warnings, *warnings), error)


def _folder(folder: Path) -> str:
    """The project's folder from the root of its repository, which paths may climb to; without one, it is the root."""
    for root in (folder, *folder.parents):
        if (root / ".git").exists():
            return folder.relative_to(root).as_posix()
    return "."


def _variables(composition: Composition) -> Mapping[str, str]:
    name = composition.request.project
    return {**composition.variables, "COMPOSE_PROJECT_NAME": name} if name else composition.variables


def as_json(report: Report) -> str:
    """The report as JSON: `passes`, `files` (name -> keys), `refusals`, `warnings`, `error`."""
    files: dict[str, list[dict[str, Any]]] = {}
    for used in report.keys:
        fields = {key: value for key, value in asdict(used).items() if key not in {"file", "path"}}
        files.setdefault(used.file, []).append({"key": used.path, **fields})
    refusals = [
        {**_place(refusal.where), "key": refusal.where.path, "message": refusal.message, "allow": refusal.allow or None}
        for refusal in report.refusals
    ]
    data = {"passes": report.passes, "files": files, "refusals": refusals, "warnings": report.warnings}
    return json.dumps({**data, "error": report.error or None}, indent=2)


def _place(where: Where) -> dict[str, Any]:
    return {"file": where.file, "line": where.line, "column": where.column}


def as_text(report: Report) -> str:
    """The report for people: each file with its keys, what is cloned in few lines, then everything that is refused."""
    lines: list[str] = []
    for file in dict.fromkeys(used.file for used in report.keys):
        own = [used for used in report.keys if used.file == file]
        lines += [file, *(line for taken in Taken for line in _section(taken, own, read=not report.error)), ""]
    for refusal in report.refusals:
        allow = f"\n  allow it: --allow {refusal.allow}" if refusal.allow else ""
        lines.append(f"{refusal.where}: {refusal.message}{allow}")
    if report.error:
        lines.append(report.error)
    count = len(report.refusals)
    verdict = "refused" if report.error else f"refused: {count}" if count else "nothing is refused"
    return os.linesep.join([*lines, verdict])


def _section(taken: Taken, keys: list[Used], *, read: bool) -> list[str]:
    own = [used for used in keys if used.taken is taken]
    if not own:
        return []
    if taken is Taken.CLONED:
        said = "cloned" if read else "cloned where no value is refused (the values could not be read)"
        return [f"  {said}: {', '.join(dict.fromkeys(used.path for used in own))}"]
    return [f"  {taken}:", *(f"    {used.line}:{used.column} {used.path}: {used.reason}" for used in own)]
