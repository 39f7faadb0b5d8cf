"""`understudy init`: look, show what would be written, ask, write all of it or nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from understudy.console import printable
from understudy.init.ci_files import ci_file
from understudy.init.found import CI, Findings, look
from understudy.init.proposal import Proposal, propose
from understudy.init.writing import write_all

__all__ = ["Wanted", "run"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for. `ci` is `auto`, `none` or a name; `yes` writes without a question; `form` is text or json."""

    file: tuple[str, ...] = ()
    ci: str = "auto"
    pulumi: bool = True
    yes: bool = False
    form: str = "text"


def run(here: Path, wanted: Wanted, ask: Callable[[str], bool] | None) -> int:
    """Propose and, if it is wanted, write; returns 0.

    Args:
        here: the folder of the project.
        wanted: the options.
        ask: puts a question to a person; None: nobody is there to answer, and without `yes` nothing is written.

    Raises:
        UsageError: there is no repository or Compose file, or a file cannot be written; then none was.
    """
    found = look(here, wanted.file, os.environ)
    name, note = _ci(found, wanted.ci)
    proposal = propose(found, pulumi=wanted.pulumi, ci=ci_file(name) if name else None, ci_note=note)
    if wanted.form == "text":
        _show(found, proposal)
    write = bool(proposal.files) and (
        wanted.yes or (wanted.form == "text" and ask is not None and ask(_question(proposal)))
    )
    if write:
        write_all(found.root, proposal.files)
    if wanted.form == "json":
        files = [{"path": f.path, "appended": f.appended, "text": f.text} for f in proposal.files]
        click.echo(json.dumps({"files": files, "notes": list(proposal.notes), "written": write}, indent=1))
    elif write:
        _say("written; next: commit them, then `understudy plan` and `understudy run`")
    elif proposal.files:
        _say("nothing was written" + ("" if ask else "; `--yes` writes it"))
    return 0


_NOTES: Mapping[CI, str] = {
    "github": "put the commit of Understudy that you have reviewed in place of OWNER/understudy@0000... in the "
    "workflow; docs/ci.md has the others: comments for forks, what closes, and plain `pulumi up`",
    "gitlab": "add to .gitlab-ci.yml: include: [{local: .gitlab/understudy.gitlab-ci.yml}], and say in the variable "
    "UNDERSTUDY_SOURCE which version or commit of Understudy you have reviewed",
}


def _ci(found: Findings, wanted: str) -> tuple[CI | None, str]:
    """Whose CI file is proposed, and what a person should know of it."""
    named: Mapping[str, CI | None] = {"auto": found.ci, "github": "github", "gitlab": "gitlab", "none": None}
    ci = named[wanted]
    if ci is not None:
        return ci, _NOTES[ci]
    unknown = "nothing says where the CI runs: `--ci github` or `--ci gitlab` proposes its file"
    return None, unknown if wanted == "auto" else ""


def _question(proposal: Proposal) -> str:
    count = len(proposal.files)
    return f"Write {'this file' if count == 1 else f'these {count} files'}?"


def _show(found: Findings, proposal: Proposal) -> None:
    services = "" if found.topology is None else f", {len(found.topology.services)} services"
    suites = ", ".join(f"{' '.join(suite.command)} in {suite.folder}" for suite in found.suites) or "none found"
    _say(f"Compose file  {found.file}{services}")
    _say(f"tests         {suites}")
    _say(f"CI            {found.ci or 'not known'}")
    for file in proposal.files:
        _say(f"\n{file.path} ({'appended' if file.appended else 'new'})")
        for line in file.text.strip().splitlines():
            _say(f"  | {line}".rstrip())
    _say("")
    for note in proposal.notes:
        _say(f"note: {note}")


def _say(text: str) -> None:
    click.echo(printable(text))
