"""What has to hold of a whole document: no two sources of one value, nothing that is not there, nothing in a circle.

The references are compose-go v2.9.0, package validation and loader/validate.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from .short_forms import is_address
from .tree import entries, fail, get, items, kind, plain
from .yaml_text import Node

__all__ = ["hold_document", "hold_services"]


def hold_document(root: Node) -> None:
    """Hold what can be said before names are filled in.

    Raises:
        TopologyError: a rule does not hold.
    """
    for volume in entries(get(root, "volumes")).values():
        _external(volume)
    for config in entries(get(root, "configs")).values():
        _one_source(config, ("file", "environment", "content"))
    for secret in entries(get(root, "secrets")).values():
        _one_source(secret, ("file", "environment"))
    for service in entries(get(root, "services")).values():
        _ports(service)
        _devices(service)
        for watch in items(get(service, "develop", "watch")):
            path = get(watch, "path")
            if path is not None and path.value == "":
                fail(path, "the path is empty")


def _ports(service: Node) -> None:
    for port in items(get(service, "ports")):
        address = get(port, "host_ip")
        if address is not None and not is_address(str(address.value)):
            fail(address, f"{str(address.value)[:60]!r} is no IP address")


def _devices(service: Node) -> None:
    devices = get(service, "deploy", "resources", "reservations", "devices")
    for device in (*items(devices), *items(get(service, "gpus"))):
        if {"count", "device_ids"} <= entries(device).keys():
            fail(device, "'count' and 'device_ids' exclude each other")


def _external(volume: Node) -> None:
    external = get(volume, "external")
    if external is None or external.value is not True:
        return
    for key, child in entries(volume).items():
        if key not in {"name", "external"} and not key.startswith("x-"):
            fail(child, f"{key!r} cannot stand beside 'external: true'")


def _one_source(resource: Node, keys: tuple[str, ...]) -> None:
    if not isinstance(resource.value, Mapping):
        fail(resource, f"here stands {kind(resource)}; allowed is a mapping")
    given = [key for key in keys if key in resource.value]
    if len(given) > 1:
        fail(resource.value[given[1]], f"{' and '.join(given)} exclude each other")
    if not given and "driver" not in resource.value and "external" not in resource.value:
        fail(resource, f"one of {', '.join(keys)} has to be given")


def hold_services(root: Node, inactive: Mapping[str, str]) -> None:
    """Hold what the services that run say of each other and of the rest.

    Args:
        root: the typed document, with the services that run.
        inactive: the services that do not, with the reason.

    Raises:
        TopologyError: a rule does not hold.
    """
    services = entries(get(root, "services"))
    for name, service in services.items():
        for rule in _RULES:
            rule(name, service, root, services)
        for other, dependency in entries(get(service, "depends_on")).items():
            required = get(dependency, "required")
            if other in services or (other in inactive and required is not None and required.value is False):
                continue
            why = f", which is not started: {inactive[other]}" if other in inactive else ", which is not declared"
            fail(dependency, f"service {name!r} depends on {other!r}{why}")
    for name, secret in entries(get(root, "secrets")).items():
        known = entries(secret)
        if "external" not in known and not {"file", "environment"} & known.keys():
            fail(secret, f"the secret {name!r} has neither 'file' nor 'environment'")
    _no_circle(services)
    _own_names(services)


def _image(name: str, service: Node, _root: Node, _services: Mapping[str, Node]) -> None:
    if not {"build", "image", "provider"} & entries(service).keys():
        fail(service, f"service {name!r} has neither 'image' nor 'build'")


def _build(_name: str, service: Node, _root: Node, services: Mapping[str, Node]) -> None:
    build = get(service, "build")
    known = entries(build)
    if "dockerfile" in known and "dockerfile_inline" in known:
        fail(known["dockerfile_inline"], "'dockerfile' and 'dockerfile_inline' exclude each other")
    for context in entries(known.get("additional_contexts")).values():
        target = str(context.value)
        if target.startswith("service:"):
            other = services.get(target.removeprefix("service:"))
            if other is None or "build" not in entries(other):
                fail(context, f"{target!r} is no service that is built")
    platform, platforms = get(service, "platform"), [str(item.value) for item in items(known.get("platforms"))]
    if platform is not None and platforms and platform.value not in platforms:
        fail(platform, f"{platform.value!r} is not among the platforms of 'build'")


def _declared(name: str, service: Node, root: Node, _services: Mapping[str, Node]) -> None:
    for section, named in _used(service):
        for source, where in named:
            if source not in entries(get(root, section)):
                fail(where, f"service {name!r} names {source!r}, which is not declared in {section!r}")


def _used(service: Node) -> Iterator[tuple[str, Iterator[tuple[str, Node]]]]:
    """What a service uses of each section at the top."""
    yield "networks", iter(entries(get(service, "networks")).items())
    yield "models", iter(entries(get(service, "models")).items())
    yield "volumes", _volumes(service)
    yield "configs", _sources(get(service, "configs"))
    yield "secrets", _sources(get(service, "secrets"))
    yield "secrets", _sources(get(service, "build", "secrets"))


def _volumes(service: Node) -> Iterator[tuple[str, Node]]:
    for mount in items(get(service, "volumes")):
        kind_of, source = get(mount, "type"), get(mount, "source")
        if kind_of is not None and kind_of.value == "volume" and source is not None:
            yield str(source.value), source


def _sources(node: Node | None) -> Iterator[tuple[str, Node]]:
    for item in items(node):
        source = get(item, "source")
        yield ("" if source is None else str(source.value)), item


def _network_mode(name: str, service: Node, _root: Node, services: Mapping[str, Node]) -> None:
    mode = get(service, "network_mode")
    if mode is None:
        return
    if entries(get(service, "networks")):
        fail(mode, f"service {name!r} has both 'network_mode' and 'networks', which exclude each other")
    shared = str(mode.value)
    if shared.startswith("service:") and shared.removeprefix("service:") not in services:
        fail(mode, f"{shared!r} names no service")


def _health(_name: str, service: Node, _root: Node, _services: Mapping[str, Node]) -> None:
    test = items(get(service, "healthcheck", "test"))
    if test and test[0].value not in {"CMD", "CMD-SHELL", "NONE"}:
        fail(test[0], f"{str(test[0].value)[:60]!r} is not allowed; a list begins with CMD, CMD-SHELL or NONE")


_TWICE = (
    ("cpus", ("limits", "cpus"), "0"),
    ("mem_limit", ("limits", "memory"), "0"),
    ("mem_reservation", ("reservations", "memory"), "0"),
    ("pids_limit", ("limits", "pids"), "0"),
)


def _amounts(_name: str, service: Node, _root: Node, _services: Mapping[str, Node]) -> None:
    deploy = get(service, "deploy")
    for key, (side, below), nothing in _TWICE:
        one, where = get(service, key), get(deploy, "resources", side)
        if one is None or where is None:
            continue
        other = get(where, below)
        if str(one.value) != (nothing if other is None else str(other.value)):
            fail(one, f"{key!r} and 'deploy.resources.{side}.{below}' differ")
    scale, replicas = get(service, "scale"), get(deploy, "replicas")
    if scale is not None and replicas is not None and scale.value != replicas.value:
        fail(scale, "'scale' and 'deploy.replicas' differ")
    number = scale or replicas
    if number is not None and isinstance(number.value, int):
        if number.value < 0:
            fail(number, "it has to be at least 0")
        if number.value > 1 and (container := get(service, "container_name")) is not None:
            fail(container, f"{number.value} containers cannot have one name")


def _watches(_name: str, service: Node, _root: Node, _services: Mapping[str, Node]) -> None:
    for watch in items(get(service, "develop", "watch")):
        action = get(watch, "action")
        if get(watch, "target") is None and action is not None and action.value not in {"rebuild", "restart"}:
            fail(watch, "'target' is missing, which every action but rebuild and restart needs")


def _targets(_name: str, service: Node, _root: Node, _services: Mapping[str, Node]) -> None:
    taken: dict[str, Node] = {}
    mounts = [(str(item.value).partition(":")[0], item) for item in items(get(service, "tmpfs"))]
    for mount in items(get(service, "volumes")):
        target = get(mount, "target")
        mounts.append(("" if target is None else str(target.value), mount))
    for target_path, where in mounts:
        if target_path in taken:
            fail(where, f"{target_path!r} is mounted already: {taken[target_path].where}")
        taken[target_path] = where


_RULES: tuple[Callable[[str, Node, Node, Mapping[str, Node]], None], ...] = (
    _image,
    _build,
    _network_mode,
    _declared,
    _health,
    _amounts,
    _watches,
    _targets,
)


def _no_circle(services: Mapping[str, Node]) -> None:
    needs = {name: entries(get(service, "depends_on")).keys() & services.keys() for name, service in services.items()}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle = error.args[1][::-1]
        fail(services[circle[0]], f"services depend on each other in a circle: {' -> '.join(circle)}")


def _own_names(services: Mapping[str, Node]) -> None:
    taken: dict[str, str] = {}
    for name, service in services.items():
        container = get(service, "container_name")
        if container is None:
            continue
        given = str(plain(container))
        if given in taken:
            fail(container, f"the container name {given[:60]!r} is already that of service {taken[given]!r}")
        taken[given] = name
