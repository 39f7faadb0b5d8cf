"""What `init` proposes: pure functions from what was found to the files that would be written, and why some are not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from understudy.init.found import Findings
from understudy.stacks.sources.document.yaml_text import documents
from understudy.stacks.third_parties import called, own_names
from understudy.stacks.topology import Service, Suite, Topology, TopologyError

__all__ = ["FOLDER", "NewFile", "Proposal", "extension_text", "propose"]

FOLDER = "environments"
"""Where the Pulumi project goes: a folder of its own, since a repository's top often has other programs."""

_STORES = frozenset({"database", "cache", "queue"})
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_RESERVED = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to write: its path from the repository's root, and what is written, behind `before` if it is there."""

    path: str
    text: str
    before: str | None = None

    @property
    def appended(self) -> bool:
        """Whether the file is there already and gets longer."""
        return self.before is not None


@dataclass(frozen=True, slots=True)
class Proposal:
    """The files that would be written, in the order in which they are shown, and what a person should know."""

    files: tuple[NewFile, ...]
    notes: tuple[str, ...]


def propose(found: Findings, *, pulumi: bool, ci: NewFile | None, ci_note: str = "") -> Proposal:
    """The proposal for what was found.

    Args:
        found: what `look` returned.
        pulumi: whether a Pulumi project is wanted.
        ci: the CI file that is wanted.
        ci_note: what to say of the CI otherwise.
    """
    files: list[NewFile] = []
    notes: list[str] = [f"{found.file} is not understood as a whole yet: {found.problem}"] if found.problem else []
    if found.extension:
        notes.append(f"{found.file} has x-understudy already, which is left as it is")
    else:
        addition = extension_text(found)
        if _takes(found.text, addition):
            files.append(NewFile(found.file, _apart(found.text) + addition, before=found.text))
        else:
            notes.append(f"{found.file} takes nothing at its end; put this into it by hand:\n{addition}")
    if pulumi:
        files += _project(found)
    others = [path for path in found.pulumi if path != f"{FOLDER}/Pulumi.yaml"]
    if others:
        notes.append(
            f"{others[0]} is a Pulumi project: if production is one of its stacks, "
            "`--from-stack PROJECT/STACK` clones what runs there"
        )
    files += [ci] if ci else []
    notes += [ci_note] if ci_note else []
    there = [file.path for file in files if file.path in found.files and not file.appended]
    notes += [f"{path} is there already and is left as it is" for path in there]
    return Proposal(tuple(file for file in files if file.path not in there), tuple(notes))


def _takes(text: str, addition: str) -> bool:
    """Whether a Compose file with an addition at its end is one document that has both."""
    try:
        read = documents(text + _apart(text) + addition, "")
    except TopologyError:
        return False
    return len(read) == 1 and isinstance(read[0].value, Mapping) and {"services", "x-understudy"} <= {*read[0].value}


def _apart(text: str) -> str:
    """What sets an addition apart from a text: an empty line."""
    return "\n" if text.endswith("\n") else "\n\n"


def extension_text(found: Findings) -> str:
    """The block `x-understudy`, with a word on each line about what it is for."""
    lines = ["x-understudy:"]
    if found.secrets:
        lines.append(f"  secrets: {_list(found.secrets)} # made anew for every environment, never copied")
    if found.topology is not None:
        if stores := _stores(found.topology):
            lines.append(f"  endpoints: {_list(stores)} # tests reach these beside every service with `ports`")
        lines += _externals(found.topology)
    lines += _tests(found.suites)
    return "\n".join(lines) + "\n"


def _tests(suites: Sequence[Suite]) -> Iterator[str]:
    yield "  tests:"
    for suite in suites:
        yield f"    {_scalar(suite.name)}: {{command: {_list(suite.command)}, folder: {_scalar(suite.folder)}}}"
    if not suites:
        yield "    # No tests were found. A suite is a command; it finds a service in UNDERSTUDY_<SERVICE>_<PORT>_URL:"
        yield "    # integration: {command: [pytest], folder: tests}"


def _externals(topology: Topology) -> Iterator[str]:
    calls: dict[tuple[str, int | None], str] = {}
    names = own_names(topology)
    for service in topology.services.values():
        for call in called(service):
            if call.host not in names and call.host.partition(".")[0] not in topology.services:
                calls.setdefault((call.host, call.port), f"services.{service.name}.{call.place}")
    if not calls:
        return
    yield "  externals: # third parties, not reached until they have `mock: FOLDER` (of WireMock) or `allow: true`"
    for (host, port), place in calls.items():
        name = _scalar(re.sub(r"[^A-Za-z0-9_-]+", "-", host).strip("-"))
        entry = f"{name}: {{host: {_scalar(host)}, port: {port}}}"
        yield (
            f"    {entry} # {_comment(place)}"
            if port
            else f"    # {_comment(place)} calls {_comment(host)}, on a port that it does not say"
        )


def _stores(topology: Topology) -> tuple[str, ...]:
    """The ports of databases, caches and queues that production does not publish."""
    return tuple(f"{s.name}:{port}" for s in topology.services.values() if s.kind in _STORES for port in _ports(s))


def _ports(service: Service) -> Iterator[int]:
    if not service.ports:
        yield from dict.fromkeys(port.target for port in service.expose if port.protocol == "tcp")


def _project(found: Findings) -> Iterator[NewFile]:
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", found.root.name).strip("-.") or "project"
    topology = "/".join([".."] * (FOLDER.count("/") + 1) + [found.file])
    project = (
        f"name: {name}-environments\n"
        "runtime: {name: python, options: {virtualenv: .venv}}\n"
        "plugins: {providers: [{name: docker, path: .venv/share/understudy/plugins}]}\n"
        "config:\n"
        f"  understudy:topology: {{value: {_scalar(topology)}}}\n"
    )
    yield NewFile(f"{FOLDER}/Pulumi.yaml", project)
    yield NewFile(f"{FOLDER}/__main__.py", "from understudy.program import main\n\nmain()\n")


def _list(items: Sequence[str]) -> str:
    return f"[{', '.join(map(_scalar, items))}]"


def _scalar(text: str) -> str:
    """A text as a YAML scalar within brackets: plain where nothing in it means anything, else in double quotes."""
    plain = _PLAIN.fullmatch(text) is not None and text.lower() not in _RESERVED
    return text if plain else json.dumps(text)


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
