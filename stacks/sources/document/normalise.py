"""What a document means without saying it: the default network, what services depend on, the names of resources.

The reference is compose-go v2.9.0, loader/normalize.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .keys import RESOURCES
from .merging import filled
from .short_forms import clean
from .tree import entries, get, is_text, items, made, put
from .yaml_text import Node

__all__ = ["listed_environment", "normalise"]

_NAMESPACES = ("network_mode", "ipc", "pid", "uts", "cgroup")


def normalise(root: Node, name: str, variables: Mapping[str, str]) -> Node:
    """The document with what Compose takes for granted written out.

    Args:
        root: the document in long form.
        name: the project's name.
        variables: what keys without a value in `environment` and `build.args` take theirs from.
    """
    services = {key: _with_network(service) for key, service in entries(get(root, "services")).items()}
    services = {key: _service(service, variables) for key, service in services.items()}
    changes = {"name": made(name, root)}
    if (section := get(root, "services")) is not None:
        changes["services"] = made(services, section)
    root = put(root, changes)
    root = _default_network(root, services)
    for key in RESOURCES:
        section = get(root, key)
        if section is not None and isinstance(section.value, Mapping):
            root = put(root, {key: made({k: _name(k, v, name) for k, v in section.value.items()}, section)})
    return root


def _with_network(service: Node) -> Node:
    """Who joins no network joins the default one."""
    known = entries(service)
    if "provider" in known or "network_mode" in known or entries(known.get("networks")):
        return service
    return put(service, {"networks": made({"default": made(None, service)}, known.get("networks", service))})


def _default_network(root: Node, services: Mapping[str, Node]) -> Node:
    networks = get(root, "networks")
    joined = any("default" in entries(get(s, "networks")) and not _elsewhere(s) for s in services.values())
    if not joined or "default" in entries(networks):
        return root
    default = {**entries(networks), "default": made(None, root)}
    return put(root, {"networks": made(default, networks or root)})


def _elsewhere(service: Node) -> bool:
    return bool({"provider", "network_mode"} & entries(service).keys())


def _service(service: Node, variables: Mapping[str, str]) -> Node:
    known = entries(service)
    changes: dict[str, Node] = {}
    policy = known.get("pull_policy")
    if policy is not None and policy.value == "if_not_present":
        changes["pull_policy"] = made("missing", policy)
    if "build" in known:
        changes["build"] = _build(known["build"], variables)
    if "environment" in known:
        changes["environment"] = _filled_in(known["environment"], variables, keep=True)
    if "volumes" in known:
        changes["volumes"] = made((_clean_target(mount) for mount in items(known["volumes"])), known["volumes"])
    dependencies = dict(entries(known.get("depends_on")))
    for other, restart, where in _implied(known):
        if other not in dependencies:
            condition: dict[str, Any] = {"condition": "service_started", "restart": restart, "required": True}
            dependencies[other] = filled(condition, where)
    if dependencies:
        changes["depends_on"] = made(dependencies, known.get("depends_on", service))
    return put(service, changes)


def _build(build: Node, variables: Mapping[str, str]) -> Node:
    known = entries(build)
    changes: dict[str, Node] = {}
    if "context" not in known:
        changes["context"] = made(".", build)
    if "dockerfile" not in known and "dockerfile_inline" not in known:
        changes["dockerfile"] = made("Dockerfile", build)
    if "args" in known:
        changes["args"] = _filled_in(known["args"], variables, keep=False)
    return put(build, changes)


def _filled_in(node: Node, variables: Mapping[str, str], *, keep: bool) -> Node:
    """Keys without a value with that of the variable of their name; without one they stay (`keep`) or go."""
    if isinstance(node.value, Mapping):
        found = {}
        for key, child in node.value.items():
            value = variables.get(key) if child.value is None else None
            if child.value is not None or value is not None or keep:
                found[key] = child if value is None else made(value, child)
        return made(found, node)
    kept = []
    for item in items(node):
        key = str(item.value)
        if not is_text(item) or "=" in key:
            kept.append(item)
        elif key in variables:
            kept.append(made(f"{key}={variables[key]}", item))
        elif keep:
            kept.append(item)
    return made(kept, node) if isinstance(node.value, tuple) else node


def listed_environment(root: Node, variables: Mapping[str, str]) -> Node:
    """The document with the entries of a service's `environment` that are only a variable's name given its value."""
    section = get(root, "services")
    if section is None:
        return root
    services = {}
    for name, service in entries(section).items():
        environment = get(service, "environment")
        if environment is not None and isinstance(environment.value, tuple):
            services[name] = put(service, {"environment": _named(environment, variables)})
    return put(root, {"services": put(section, services)})


def _named(environment: Node, variables: Mapping[str, str]) -> Node:
    found = []
    for item in items(environment):
        key = str(item.value)
        found.append(made(f"{key}={variables[key]}", item) if key in variables else item)
    return made(found, environment)


def _clean_target(mount: Node) -> Node:
    target = get(mount, "target")
    return put(mount, {"target": made(clean(str(target.value)), target)}) if target is not None else mount


def _implied(known: Mapping[str, Node]) -> Iterator[tuple[str, bool, Node]]:
    """Each service that another key needs, whether its restart restarts this one, and where that is said."""
    for link in items(known.get("links")):
        parts = str(link.value).split(":")
        yield parts[0] if len(parts) == 2 else str(link.value), True, link  # noqa: PLR2004 - service and alias
    for key in _NAMESPACES:
        shared = known.get(key)
        if shared is not None and str(shared.value).startswith("service:"):
            yield str(shared.value).removeprefix("service:"), True, shared
    for source in items(known.get("volumes_from")):
        if not str(source.value).startswith("container:"):
            yield str(source.value).split(":", maxsplit=1)[0], False, source


def _name(key: str, resource: Node, project: str) -> Node:
    """The resource with a name; of an external one that is its key."""
    if get(resource, "name") is not None:
        return resource
    external = get(resource, "external")
    own = key if external is not None and external.value is True else f"{project}_{key}"
    named = made(own, resource)
    return made({"name": named, **entries(resource)}, resource)
