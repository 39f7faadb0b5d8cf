"""The variables of a project, and what files add to a service's environment and labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from understudy.stacks.topology import TopologyError, Where

from .env_file import decode, parse_raw, read_env
from .tree import entries, fail, get, items, made, put, without
from .yaml_text import Node

__all__ = ["MAX_VALUES", "project_variables", "resolved"]

MAX_VALUES = 100_000
"""Values of all services' environments and labels with their files read: what stops one file that many name."""

ReadFile = Callable[[str], bytes | None]


def project_variables(
    process: Mapping[str, str],
    read_file: ReadFile,
    *,
    env_files: Sequence[str] = (),
    given: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The variables of a project: those given, over the process's, over those of environment files.

    Args:
        process: the process's environment.
        read_file: the bytes of a file, by a path from the project's folder; None where there is none.
        env_files: what `--env-file` names; the later ones win. Without any, `.env`, which may be missing.
        given: what `--set` names.

    Raises:
        TopologyError: a file is missing or no environment file.
    """
    known = {**process, **(given or {})}
    found: dict[str, str] = {}
    for name in env_files or (".env",):
        data = read_file(name)
        if data is not None:
            read_env(decode(data, name), name, known, found)
        elif env_files:
            raise TopologyError("there is no such environment file", Where(name))
    return {**found, **known}


def resolved(root: Node, variables: Mapping[str, str], read_file: ReadFile) -> Node:
    """The typed document with each `env_file` and `label_file` read into the environment and labels.

    Raises:
        TopologyError: a file that is required is missing, one cannot be read, or there are more than MAX_VALUES.
    """
    section = get(root, "services")
    if section is None:
        return root
    services: dict[str, Node] = {}
    total = 0
    for name, service in entries(section).items():
        services[name] = found = _with_labels(_with_environment(service, variables, read_file), read_file)
        total += sum(len(entries(get(found, key))) for key in ("environment", "labels"))
        if total > MAX_VALUES:
            fail(service, f"the services have more than {MAX_VALUES} variables and labels with their files read")
    return put(root, {"services": made(services, section)})


def _with_environment(service: Node, variables: Mapping[str, str], read_file: ReadFile) -> Node:
    declared = get(service, "environment")
    own = {key: _own(key, node, variables) for key, node in entries(declared).items()}
    values = {key: str(node.value) for key, node in own.items() if node.value is not None}
    lookup = {**values, **variables}
    places: dict[str, Node] = {}
    for entry in items(get(service, "env_file")):
        path, required, shape = get(entry, "path"), get(entry, "required"), get(entry, "format")
        name = "" if path is None else str(path.value)
        data = read_file(name)
        if data is None:
            if required is None or required.value is not False:
                raise TopologyError(
                    f"there is no file {name!r}; write 'required: false' beside its path if it may be missing",
                    entry.where,
                )
            continue
        if shape is not None and shape.value not in {"raw", ".env"}:
            raise TopologyError(f"{str(shape.value)[:60]!r} is no format of an env_file; allowed is raw", shape.where)
        before = dict(values)
        (parse_raw if shape is not None and shape.value == "raw" else read_env)(
            decode(data, name), name, lookup, values
        )
        places.update((key, entry) for key, value in values.items() if before.get(key) != value)
    merged = {key: made(value, places.get(key, service)) for key, value in values.items()}
    merged.update(own)
    service = without(service, "env_file")
    if not merged:
        return without(service, "environment")
    return put(service, {"environment": made(dict(sorted(merged.items())), declared or service)})


def _own(key: str, node: Node, variables: Mapping[str, str]) -> Node:
    return made(variables[key], node) if node.value is None and key in variables else node


def _with_labels(service: Node, read_file: ReadFile) -> Node:
    files = items(get(service, "label_file"))
    declared = get(service, "labels")
    found: dict[str, str] = {}
    places: dict[str, Node] = {}
    for file in files:
        data = read_file(str(file.value))
        if data is None:
            raise TopologyError(f"there is no file {str(file.value)!r} with labels", file.where)
        new: dict[str, str] = {}
        read_env(decode(data, str(file.value)), str(file.value), dict(found), new)
        found.update(new)
        places.update(dict.fromkeys(new, file))
    service = without(service, "label_file")
    if not files:
        return service
    labels = {**{key: made(value, places[key]) for key, value in found.items()}, **entries(declared)}
    return put(service, {"labels": made(dict(sorted(labels.items())), declared or service)}) if labels else service
