"""The services, networks and volumes of a canonical Compose document, and what they say of each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from understudy.stacks.allowed import in_memory
from understudy.stacks.change import Fidelity
from understudy.stacks.topology import Dependency, Network, NetworkLink, Service, TopologyError, Volume, Where

from .compose_extension import NAME
from .compose_files import Files
from .compose_keys_parts import key_of
from .compose_network import linked
from .compose_service import Around, read_service
from .document.yaml_text import Node
from .nodes import Fields, Reading, flag, mapping, table_of, text

__all__ = ["host_names", "networks", "services", "volumes"]

_PROVIDER = key_of("services.*.provider").reason


def services(root: Node, files: Files, reading: Reading) -> dict[str, Service]:
    """The services that run; those without replicas, and those that no container provides, are left out.

    Raises:
        TopologyError: none is left, or one has no valid name or needs another that has no replicas.
    """
    declared = _section(root, "services")
    if not declared:
        raise TopologyError("the document has no services that run; name at least one under 'services'", root.where)
    absent = {name: why for name, child in declared.items() if (why := _absent(child))}
    running = {name: child for name, child in declared.items() if name not in absent}
    for name, why in absent.items():
        reading.leave_out(declared[name], why)
    if not running:
        raise TopologyError("no service is left: all have no replicas", root.where)
    around = _around(root, running, files)
    found: dict[str, Service] = {}
    for name, child in running.items():
        if not NAME.fullmatch(name):
            raise TopologyError(
                f"{name[:60]!r} is no service's name; allowed are letters, digits, dots, dashes and underscores, "
                "beginning with a letter or digit",
                child.key_where,
            )
        service = read_service(name, child, around, reading)
        found[name] = replace(service, depends_on=tuple(_kept(service, absent, child, reading)))
    return _with_links(found, running)


def _section(root: Node, key: str) -> Mapping[str, Node]:
    """What stands at a key of the top, in the order of the files."""
    node = mapping(root).get(key)
    found = {} if node is None or node.value is None else mapping(node)

    def place(item: tuple[str, Node]) -> tuple[bool, str, int, int]:
        where = item[1].key_where
        return where.file != root.where.file, where.file, where.line, where.column

    return dict(sorted(found.items(), key=place))


def _absent(node: Node) -> str | None:
    """Why no container of a service runs."""
    fields = node.value if isinstance(node.value, Mapping) else {}
    if "provider" in fields:
        return _PROVIDER
    deploy = fields.get("deploy")
    counts = [fields.get("scale")]
    if deploy is not None and isinstance(deploy.value, Mapping):
        counts.append(deploy.value.get("replicas"))
    if any(count is not None and count.value in (0, "0") and count.value is not False for count in counts):
        return "it has no replicas"
    return None


def _kept(service: Service, absent: Mapping[str, str], node: Node, reading: Reading) -> Iterator[Dependency]:
    """The dependencies of a service on others that run; one on a provided service goes with it."""
    for dependency in service.depends_on:
        why = absent.get(dependency.service)
        if why == _PROVIDER:
            place = mapping(node)["depends_on"].key_where
            reading.change(
                place, dependency.service, None, f"{dependency.service!r} is left out: {why}", Fidelity.MISSING
            )
        elif why is not None and dependency.required:
            raise TopologyError(
                f"service {service.name!r} depends on {dependency.service!r}, which is left out: {why}", node.key_where
            )
        else:
            yield dependency


def _around(root: Node, running: Mapping[str, Node], files: Files) -> Around:
    containers = {
        text(named): name
        for name, node in running.items()
        if (named := mapping(node).get("container_name")) is not None
    }
    names = {
        text(own): key
        for key, node in _section(root, "networks").items()
        if isinstance(node.value, Mapping) and (own := node.value.get("name")) is not None
    }
    return Around(containers, names, files, dict(_jobs(running)))


def _jobs(services: Mapping[str, Node]) -> Iterator[tuple[str, str]]:
    """Each service whose completion another waits for, with that other."""
    for name, node in services.items():
        dependencies = mapping(node).get("depends_on")
        if dependencies is None or not isinstance(dependencies.value, Mapping):
            continue
        for other, child in dependencies.value.items():
            condition = child.value.get("condition") if isinstance(child.value, Mapping) else None
            if condition is not None and condition.value == "service_completed_successfully":
                yield other, name


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


def host_names(services: Mapping[str, Service]) -> Iterator[tuple[str, str]]:
    """Every name under which a service answers, with the service's own."""
    for service in services.values():
        aliases = (alias for link in service.networks for alias in link.aliases)
        for host in (service.name, service.hostname, service.container_name, *aliases):
            if host:
                yield host.lower(), service.name


def networks(root: Node, project: str, services: Mapping[str, Service], reading: Reading) -> dict[str, Network]:
    """The networks that a service joins."""
    joined = {link.network for service in services.values() for link in service.networks}
    found: dict[str, Network] = {}
    for name, child in _section(root, "networks").items():
        if name not in joined:
            continue
        if child.value is None:
            found[name] = Network(name, where=child.key_where)
            continue
        fields = _own(child, f"{project}_{name}", reading)
        if (driver := fields.take("driver")) is not None and text(driver) != "bridge":
            reading.change(driver.key_where, text(driver), "bridge", key_of("networks.*.driver").reason)
        found[name] = Network(
            name,
            fields.read("internal", flag, default=False),
            fields.read("labels", table_of, {}),
            external=_external(fields, "network", reading),
            ipv6=_ipv6(fields, reading),
            where=child.key_where,
        )
        fields.finish()
    for name in joined - found.keys():
        found[name] = Network(name)
    return found


def volumes(root: Node, project: str, services: Mapping[str, Service], reading: Reading) -> dict[str, Volume]:
    """The volumes that a service mounts."""
    mounted = {m.source for s in services.values() for m in s.mounts if m.kind == "volume" and m.source is not None}
    found: dict[str, Volume] = {}
    for name, child in _section(root, "volumes").items():
        if name not in mounted:
            continue
        if child.value is None:
            found[name] = Volume(name, where=child.key_where)
            continue
        reading.places[f"volumes.{name}.driver_opts"] = child.key_where
        fields = _own(child, f"{project}_{name}", reading)
        driver = fields.take("driver")
        if driver is not None and text(driver) != "local":
            reading.change(driver.key_where, text(driver), "local", key_of("volumes.*.driver").reason)
        found[name] = Volume(
            name,
            fields.read("labels", table_of, {}),
            external=_external(fields, "volume", reading),
            driver=None if driver is None else text(driver),
            options=_options(fields, reading),
            where=child.key_where,
        )
        fields.finish()
    return found


def _own(node: Node, usual: str, reading: Reading) -> Fields:
    """The keys of a network or volume; a name that was given is changed, the usual one was not."""
    fields = Fields(node, reading)
    name, external = mapping(node).get("name"), mapping(node).get("external")
    if name is not None and external is None and text(name) != usual:
        reading.change(name.key_where, text(name), None, "a host has one of a name, so the clone's has its own")
    fields.take("name")
    return fields


def _external(fields: Fields, what: str, reading: Reading) -> bool:
    node = fields.take("external")
    if node is None or not flag(node):
        return False
    named = mapping(fields.node).get("name")
    given = "external" if named is None else f"external {text(named)}"
    reading.change(node.key_where, given, "its own", f"the clone has a {what} of its own in its place")
    return True


def _ipv6(fields: Fields, reading: Reading) -> bool:
    node = fields.take("enable_ipv6")
    if node is None or not flag(node):
        return False
    reading.leave_out(node, key_of("networks.*.enable_ipv6").reason)
    return True


def _options(fields: Fields, reading: Reading) -> dict[str, str]:
    """Options of the driver `local`: of memory, or of a path of the host that was allowed."""
    node = fields.take("driver_opts")
    if node is None:
        return {}
    options = table_of(node)
    device = options.get("device", "")
    if in_memory(options) or (device.startswith("/") and reading.allowed.has(f"bind:{device}")):
        return options
    where: Where = node.key_where
    shown = ", ".join(f"{key}={options[key]}" for key in ("type", "device") if key in options) or "declared"
    reading.warn(where, f"left out: {key_of('volumes.*.driver_opts').reason}")
    reading.change(where, shown, None, key_of("volumes.*.driver_opts").reason, Fidelity.MISSING)
    return {}
