"""Compose files as the source of a topology: one canonical document, read key by key, with nothing lost in silence."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from understudy.stacks.allowed import NOTHING, Allowed, rights
from understudy.stacks.change import Change, Fidelity
from understudy.stacks.endpoints import unreachable
from understudy.stacks.needs import hold_needs
from understudy.stacks.secret_values import Literals, map_texts, refuse_literals, shown, welcomed
from understudy.stacks.topology import Topology, TopologyError

from .compose_extension import read_extension
from .compose_files import definitions
from .compose_secrets import Declared, hold_secrets, scrubbed
from .compose_top import host_names, networks, services, volumes
from .document.load import Document, load, peek
from .nodes import Fields, Reading, Refusal
from .suites_file import read_suites, together
from .trusted import Trusted

__all__ = ["RefusedError", "read", "read_files"]


class RefusedError(TopologyError):
    """A document of which a clone must not have everything; `refusals` are all that it must not have.

    `changes` are what went on the record beside them.
    """

    def __init__(self, refusals: Sequence[Refusal], changes: Sequence[Change] = ()) -> None:
        first, more = refusals[0], len(refusals) - 1
        hint = f"; `--allow {first.allow}` clones it" if first.allow else ""
        others = f" ({more} more: `understudy topology check` lists them)" if more else ""
        super().__init__(f"{first.message}{hint}{others}", first.where)
        self.refusals = tuple(refusals)
        self.changes = tuple(changes)


def read(
    text: str,
    file: str,
    *,
    variables: Mapping[str, str],
    read_file: Callable[[str], bytes | None],
    project: str | None = None,
    secrets: tuple[str, ...] = (),
    allow: Allowed = NOTHING,
    provisioned: bool = True,
) -> Topology:
    """The topology that the text of one Compose file describes; everything else is as in `read_files`.

    Args:
        text: the document.
        file: its path from the root of its tree.
        variables: as in `read_files`.
        read_file: the bytes of any other file named relative to the document's folder.
        project: as in `read_files`.
        secrets: as in `read_files`.
        allow: as in `read_files`.
        provisioned: as in `read_files`.

    Raises:
        TopologyError: the document is no valid topology; with file, line, column and the path inside.
    """
    name = PurePosixPath(file).name or "compose.yaml"
    return read_files(
        (name,),
        folder=str(PurePosixPath(file).parent),
        variables=variables,
        read_file=lambda path: text.encode("utf-8", "surrogatepass") if path == name else read_file(path),
        project=project,
        secrets=secrets,
        allow=allow,
        provisioned=provisioned,
    )


def read_files(
    files: Sequence[str],
    *,
    folder: str,
    variables: Mapping[str, str],
    read_file: Callable[[str], bytes | None],
    project: str | None = None,
    profiles: Iterable[str] = (),
    secrets: tuple[str, ...] = (),
    allow: Allowed = NOTHING,
    provisioned: bool = True,
    shown: Callable[[str], str] | None = None,
    suites: str = "",
    trusted: Trusted | None = None,
) -> Topology:
    """The topology that Compose files describe, merged in their order.

    Args:
        files: their names, relative to the project's folder.
        folder: the project's folder from the root of its tree. Relative paths in the documents may climb to that root
            (of an absolute folder the root is unknown: they may not climb).
        variables: what is interpolated, as `project_variables` gives it.
        read_file: the bytes of a file named relative to the project's folder; None where there is none.
        project: the name of a project that neither a document nor `COMPOSE_PROJECT_NAME` names. None: the folder's.
        profiles: Compose's own profiles that are active.
        secrets: further names of secrets, that another version of the documents declares. This one need not have
            them, and they may stand anywhere in it.
        allow: what is cloned although it would be refused.
        provisioned: False for what is only compared with the topology that is provisioned: nothing in it is refused.
        shown: a file's name as errors and places give it; by default its path from the root of the tree.
        suites: a TOML file with further suites, named relative to the project's folder; empty: there is none.
        trusted: the documents whose extension keys and suites count in the place of these ones' own.

    Raises:
        RefusedError: a clone must not have all of it.
        TopologyError: the documents are no valid topology; with file, line, column and the path inside.
    """
    named = shown or (lambda name: posixpath.normpath(posixpath.join(folder, name)))
    peeked = peek(files, read_file=read_file, shown=named)
    declared = Declared.of(peeked if trusted is None else trusted.peek(peeked), secrets)
    values = scrubbed(variables, declared, declared.literals(variables))
    usual = project or PurePosixPath(folder).name or "project"
    document = load(files, read_file=read_file, variables=values, folder=usual, profiles=profiles, shown=named)
    reading = Reading(named(files[0]), _depth(folder), document.variables, read_file, allow, provisioned)
    toml = read_file(suites) if suites else None
    if trusted is not None:
        values = scrubbed(trusted.variables, declared, declared.literals(trusted.variables))
        document, differing = trusted.graft(document, values, named)
        toml, other = trusted.toml(toml)
        reading.changes += [*differing, *other]
    topology, literals = _topology(document, declared, variables, reading, all_used=trusted is None)
    if toml is not None:
        more = read_suites(toml, named(suites or "understudy.toml"), values, reading)
        topology = replace(topology, suites=together(topology.suites, more, reading))
    if provisioned:
        hold_needs(topology, document.inactive)
        for suite, need in unreachable(topology):
            said = f"suite {suite.name!r} needs {need.name!r}, which declares no TCP port: it is waited for, "
            reading.warn(need.where, f"{said}and cannot be called; `{need.name}:PORT` publishes one")
    _hold_rights(topology, reading)
    if reading.refusals:
        raise RefusedError(reading.refusals, tuple(_recorded(reading.changes, literals)))
    own = replace(topology, secrets=tuple(name for name in topology.secrets if name not in declared.others))
    refuse_literals(own, literals)
    return replace(
        map_texts(topology, lambda text, key: literals.replace(welcomed(text), key)),
        secret_aliases=literals.aliases,
        warnings=tuple(dict.fromkeys((*document.warnings, *reading.warnings))),
        changes=tuple(dict.fromkeys(_recorded(reading.changes, literals))),
        allowed=tuple(sorted(allow.names)),
    )


def _depth(folder: str) -> int:
    parts = PurePosixPath(folder).parts
    return 0 if folder.startswith("/") or ".." in parts else len(parts)


def _topology(
    document: Document, declared: Declared, variables: Mapping[str, str], reading: Reading, *, all_used: bool
) -> tuple[Topology, Literals]:
    """The topology as the document says it, and the values of secrets that are known.

    `all_used`: each declared secret has to stand somewhere.
    """
    root = document.root
    files = definitions(root, declared.own, variables, reading)
    fields = Fields(root, reading)
    found = services(root, files, reading)
    for name, why in document.inactive.items():
        reason = f"{why}, and no such profile is asked for (--compose-profile)"
        reading.changes.append(Change(f"services.{name}", "declared", None, reason, Fidelity.MISSING))
    extension = read_extension(fields.take("x-understudy"), found, reading)
    for key in ("name", "services", "networks", "volumes", "configs", "secrets"):
        fields.take(key)
    fields.finish()
    hosts = dict(host_names(found))
    for external in extension.externals.values():
        if external.host in hosts:
            raise TopologyError(
                f"the third party's host {external.host!r} is the name of service {hosts[external.host]!r}",
                external.where,
            )
    rules = tuple(files.rules.values())
    topology = Topology(
        name=document.name,
        services=found,
        networks=networks(root, document.name, found, reading),
        volumes=volumes(root, document.name, found, reading),
        externals=extension.externals,
        secrets=tuple(dict.fromkeys((*declared.all, *rules))),
        suites=extension.suites,
        profiles=extension.profiles,
        secret_rules=extension.secret_rules,
        secret_stores=extension.secret_stores,
        endpoints=extension.endpoints,
        places=extension.places,
        where=root.where,
    )
    if all_used:
        hold_secrets(root, topology, document.named, rules)
    return topology, declared.literals(variables, files.literals, _spoken(topology))


def _spoken(topology: Topology) -> Iterator[str]:
    """The words of a topology that are no values: keys of environments, names and places of files."""
    for service in topology.services.values():
        yield from service.environment
        for file in service.files:
            yield from (file.name, file.target)


def _hold_rights(topology: Topology, reading: Reading) -> None:
    """Refuse each right over the host that nobody allowed by name; put those that were allowed on the record."""
    for right in rights(topology):
        service = topology.services.get(right.path.split(".")[1])
        where = reading.places.get(right.path) or (topology.where if service is None else service.where)
        if reading.allowed.has(right.allow):
            reason = f"allowed by name (--allow {right.allow}): {right.why}"
            reading.change(where, right.value, right.value, reason, Fidelity.FAITHFUL)
        else:
            reading.refuse(where, f"{right.value!r} is refused: {right.why}", right.allow)


def _recorded(changes: Iterable[Change], literals: Literals) -> Iterator[Change]:
    """The Changes without any value of a secret."""
    for change in changes:
        before, after = (
            None if text is None else shown(literals.replace(text), "secret")
            for text in (change.production, change.clone)
        )
        yield replace(change, production=before, clone=after)
