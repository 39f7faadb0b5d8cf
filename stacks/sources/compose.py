"""A Compose file as the source of a topology: the document as a whole, and what its parts say of each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from understudy.stacks.clone import secret_token
from understudy.stacks.secret_values import (
    Literals,
    guest_token,
    map_texts,
    names_in,
    refuse_literals,
    welcomed,
)
from understudy.stacks.topology import Network, NetworkLink, Service, Topology, TopologyError, Volume, Where

from .compose_extension import NAME, read_extension, secret_names
from .compose_links import linked
from .compose_profile import secret_nodes
from .compose_run import labels
from .compose_service import left_out, read_service
from .document.env_file import variables_for
from .document.interpolate import Interpolator
from .document.yaml_text import Node, Raw, parse, place
from .nodes import Fields, Reading, flag, mapping, text

__all__ = ["read", "variables_for"]

_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*", re.ASCII)
_TOP = {
    **dict.fromkeys(("configs", "secrets", "include", "models"), "is not supported yet and left out"),
}


def read(
    text: str,
    file: str,
    *,
    variables: Mapping[str, str],
    read_file: Callable[[str], bytes | None],
    project: str | None = None,
    secrets: tuple[str, ...] = (),
) -> Topology:
    """The topology that a Compose file describes.

    Args:
        text: the document.
        file: its path from the root of its tree. Relative paths in the document are taken from its folder and may
            climb to that root (of an absolute `file` the root is unknown: they may not climb).
        variables: what is interpolated, as `variables_for` gives it.
        read_file: the bytes of a file named relative to the document's folder; None where there is none.
        project: the name of a project whose document has no `name` and that `COMPOSE_PROJECT_NAME` does not name;
            characters that Compose does not allow are taken out. None: that of the document's folder.
        secrets: further names of secrets, that another version of the document declares. This one need not have
            them, and they may stand anywhere in it: it is compared with that version, not provisioned.

    Raises:
        TopologyError: the document is no valid topology; with file, line, column and the path inside.
    """
    raw = parse(text, file)
    if not isinstance(raw.value, Mapping):
        what = "is empty" if raw.value is None else "has no mapping at its top"
        raise TopologyError(f"the document {what}; a Compose file has the key 'services'", Where(file, 1, 1))
    plain = place(_without_extensions(raw), file)
    own = secret_names(plain)
    secrets = tuple(dict.fromkeys((*own, *secrets)))
    literals = _literals(plain, secrets, variables)
    scrubbed = _scrubbed(variables, secrets, literals, frozenset(own))
    reading = Reading(file, _depth(file), scrubbed, read_file)
    name = _project(plain, project, reading)
    reading.variables = {**scrubbed, "COMPOSE_PROJECT_NAME": name}
    interpolator = Interpolator(reading.variables)
    root = place(_without_extensions(raw), file, interpolator)
    topology = _read_document(root, name, secrets, reading)
    _check_secrets(own, topology, interpolator.named, plain)
    refuse_literals(replace(topology, secrets=own), literals)
    for variable, where in interpolator.unset.items():
        reading.warn(
            where,
            f"the variable {variable} is not set; an empty text stands in its place: set it in the process's "
            "environment, in a .env that is committed beside the document, or write ${" + variable + ":-VALUE}",
        )
    return replace(
        map_texts(topology, lambda text, key: literals.replace(welcomed(text), key)),
        secret_aliases=literals.aliases,
        warnings=tuple(dict.fromkeys(reading.warnings)),
        changes=tuple(dict.fromkeys(reading.changes)),
    )


def _scrubbed(
    variables: Mapping[str, str], secrets: tuple[str, ...], literals: Literals, own: frozenset[str]
) -> dict[str, str]:
    """The variables with tokens in the place of secrets; of those that are not the document's own, guests' tokens."""
    tokens = {name: secret_token(name) if name in own else guest_token(name) for name in secrets}
    guests = [(secret_token(name), token) for name, token in tokens.items() if name not in own]

    def scrub(key: str, value: str) -> str:
        value = literals.replace(value, key)
        for token, guest in guests:
            value = value.replace(token, guest)
        return value

    return {
        **{key: scrub(key, value) for key, value in variables.items()},
        **{name: tokens[literals.aliases.get(name, name)] for name in secrets},
    }


def _without_extensions(raw: Raw) -> Raw:
    """The document without the `x-` keys that are nobody's business; what is merged from them stays."""
    assert isinstance(raw.value, Mapping)  # noqa: S101 - held by the only caller
    kept = {key: entry for key, entry in raw.value.items() if not key.startswith("x-") or key == "x-understudy"}
    return Raw(kept, raw.line, raw.column, size=raw.size)


def _depth(file: str) -> int:
    folders = PurePosixPath(file).parent.parts
    return 0 if file.startswith("/") or ".." in folders else len(folders)


def _literals(plain: Node, secrets: tuple[str, ...], variables: Mapping[str, str]) -> Literals:
    """The values that the variables give to secrets, so that none enters by another variable's value."""
    services = mapping(plain).get("services")
    nodes = services.value if services is not None and isinstance(services.value, Mapping) else {}
    images = (node.value.get("image") for node in nodes.values() if isinstance(node.value, Mapping))
    pairs = ((name, variables.get(name, "")) for name in secrets)
    return Literals.of(pairs, names_in(nodes, (str(image.value) for image in images if image is not None)))


def _project(plain: Node, given: str | None, reading: Reading) -> str:
    """The project's name, by Compose's order of precedence."""
    named = mapping(plain).get("name")
    name = reading.variables.get("COMPOSE_PROJECT_NAME")
    where = plain.where
    if not name and named is not None and named.value is not None:
        where = named.where
        name = Interpolator(reading.variables)(text(named), where)
    if not name:
        folder = (given or PurePosixPath(reading.file).parent.name).lower()
        return re.sub(r"[^a-z0-9_-]", "", folder).lstrip("_-") or "project"
    if not _PROJECT.fullmatch(name):
        raise TopologyError(
            f"{name[:60]!r} is no project's name; allowed are lower-case letters, digits, dashes and underscores, "
            "beginning with a letter or digit",
            where,
        )
    return name


def _read_document(root: Node, name: str, secrets: tuple[str, ...], reading: Reading) -> Topology:
    fields = Fields(root, reading)
    fields.take("name")
    if version := fields.take("version"):
        reading.warn(version.key_where, "is obsolete and ignored")
    services = _services(fields.take("services"), root, reading)
    networks = _networks(fields.take("networks"), services, reading)
    volumes = _volumes(fields.take("volumes"), services, reading)
    extension = read_extension(fields.take("x-understudy"), services, reading)
    fields.finish(_TOP)
    hosts = dict(_host_names(services))
    for external in extension.externals.values():
        if external.host in hosts:
            raise TopologyError(
                f"the third party's host {external.host!r} is the name of service {hosts[external.host]!r}",
                external.where,
            )
    return Topology(
        name=name,
        services=services,
        networks=networks,
        volumes=volumes,
        externals=extension.externals,
        secrets=secrets,
        suites=extension.suites,
        profiles=extension.profiles,
        secret_rules=extension.secret_rules,
        endpoints=extension.endpoints,
        places=extension.places,
        where=root.where,
    )


def _host_names(services: Mapping[str, Service]) -> Iterator[tuple[str, str]]:
    for service in services.values():
        aliases = (alias for link in service.networks for alias in link.aliases)
        for host in (service.name, service.hostname, service.container_name, *aliases):
            if host:
                yield host.lower(), service.name


def _services(node: Node | None, root: Node, reading: Reading) -> dict[str, Service]:
    declared = mapping(node) if node is not None else {}
    if not declared:
        raise TopologyError("the document has no services; name at least one under 'services'", root.where)
    skipped = {name: reason for name, child in declared.items() if (reason := left_out(child))}
    running = {name: child for name, child in declared.items() if name not in skipped}
    for name, reason in skipped.items():
        reading.leave_out(declared[name].key_where, reason)
    if not running:
        raise TopologyError("no service is left: all have profiles or no replicas", root.where)
    jobs = dict(_jobs(running))
    services: dict[str, Service] = {}
    for name, child in running.items():
        if not NAME.fullmatch(name):
            raise TopologyError(
                f"{name[:60]!r} is no service's name; allowed are letters, digits, dots, dashes and underscores, "
                "beginning with a letter or digit",
                child.key_where,
            )
        services[name] = service = read_service(name, child, reading, job=jobs.get(name))
        for dependency in service.depends_on:
            if dependency.required and dependency.service in skipped:
                raise TopologyError(
                    f"service {name!r} depends on {dependency.service!r}, which {skipped[dependency.service]}",
                    child.key_where,
                )
    return _with_links(services, running)


def _with_links(services: Mapping[str, Service], nodes: Mapping[str, Node]) -> dict[str, Service]:
    """The services, each with the names by which others link it as aliases on the networks that both are on."""
    result = dict(services)
    for name, service in services.items():
        node = mapping(nodes[name]).get("links")
        shared = {link.network for link in service.networks}
        for other, alias in () if node is None or node.value is None else linked(node):
            if alias is not None and other in result:
                links = tuple(
                    NetworkLink(x.network, tuple(dict.fromkeys((*x.aliases, alias)))) if x.network in shared else x
                    for x in result[other].networks
                )
                result[other] = replace(result[other], networks=links)
    return result


def _jobs(services: Mapping[str, Node]) -> Iterator[tuple[str, str]]:
    """Each service whose completion another waits for, with that other."""
    for name, node in services.items():
        dependencies = node.value.get("depends_on") if isinstance(node.value, Mapping) else None
        if dependencies is None or not isinstance(dependencies.value, Mapping):
            continue
        for other, child in dependencies.value.items():
            condition = child.value.get("condition") if isinstance(child.value, Mapping) else None
            if condition is not None and condition.value == "service_completed_successfully":
                yield other, name


def _networks(node: Node | None, services: Mapping[str, Service], reading: Reading) -> dict[str, Network]:
    joined = {link.network for service in services.values() for link in service.networks}
    declared = mapping(node) if node is not None else {}
    networks: dict[str, Network] = {}
    if "default" in joined and "default" not in declared:
        networks["default"] = Network("default")
    for name, child in declared.items():
        if name not in joined:
            reading.warn(child.key_where, "no service joins it, so it is left out")
            continue
        if child.value is None:
            networks[name] = Network(name, where=child.key_where)
            continue
        fields = Fields(child, reading)
        internal = fields.read("internal", flag, default=False)
        marks = fields.read("labels", lambda given: labels(given, reading), {})
        fields.finish(_own("network", "driver driver_opts ipam attachable enable_ipv6 enable_ipv4 external name"))
        networks[name] = Network(name, internal, marks, where=child.key_where)
    return networks


def _volumes(node: Node | None, services: Mapping[str, Service], reading: Reading) -> dict[str, Volume]:
    mounted = {mount.source for service in services.values() for mount in service.mounts if mount.kind == "volume"}
    volumes: dict[str, Volume] = {}
    for name, child in mapping(node).items() if node is not None else ():
        if name not in mounted:
            reading.warn(child.key_where, "no service mounts it, so it is left out")
            continue
        marks: dict[str, str] = {}
        if child.value is not None:
            fields = Fields(child, reading)
            marks = fields.read("labels", lambda given: labels(given, reading), {})
            fields.finish(_own("volume", "driver driver_opts external name"))
        volumes[name] = Volume(name, marks, where=child.key_where)
    return volumes


def _own(what: str, keys: str) -> dict[str, str]:
    return dict.fromkeys(keys.split(), f"is left out: a clone makes a {what} of its own")


def _check_secrets(secrets: tuple[str, ...], topology: Topology, named: set[str], plain: Node) -> None:
    """Each declared secret has to be a variable that was interpolated, or a key of an environment."""
    keys = {key for service in topology.services.values() for key in service.environment}
    for name in secrets:
        if name not in named and name not in keys:
            where = secret_nodes(plain)[name].key_where
            raise TopologyError(
                f"the secret {name!r} is neither a variable that the document interpolates nor a key of a service's "
                "environment",
                where,
            )
