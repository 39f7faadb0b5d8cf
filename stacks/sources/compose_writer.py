"""A topology as a Compose file in Compose's own long form, which reads back to the same topology."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from understudy.stacks.clone import SECRET_TOKEN
from understudy.stacks.topology import FileMount, Network, Service, Topology, Volume

from .compose_writer_extension import extension
from .compose_writer_service import service_document
from .yaml_writer import dump

__all__ = ["document", "write"]

_TOKEN = re.compile(SECRET_TOKEN)


def write(topology: Topology, *, about: Iterable[str] = ()) -> str:
    """The text of the Compose file; each text of `about` becomes lines of a comment at its top."""
    lines = [line for text in about for line in (text.splitlines() or [""])]
    comment = "".join(f"# {_printable(line)}".rstrip() + "\n" for line in lines)
    return f"{comment}{dump(document(topology))}"


def _printable(line: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in line)


def document(topology: Topology) -> dict[str, object]:
    """The document as mappings, lists, texts, numbers and booleans; in values `$` is doubled, secrets are variables."""
    found: dict[str, object] = {
        "name": topology.name,
        "services": {name: service_document(service) for name, service in topology.services.items()},
    }
    if topology.networks:
        found["networks"] = {name: _network(network) for name, network in topology.networks.items()}
    if topology.volumes:
        found["volumes"] = {name: _volume(volume) for name, volume in topology.volumes.items()}
    for kind in ("config", "secret"):
        if files := _files(topology.services.values(), kind):
            found[f"{kind}s"] = files
    if extended := extension(topology):
        found["x-understudy"] = extended
    escaped = _interpolable(found)
    assert isinstance(escaped, dict)  # noqa: S101 - a mapping stays one
    return escaped


def _interpolable(value: object) -> object:
    """The value so that interpolation gives it back: a dollar sign doubled, a secret's token as its variable."""
    if isinstance(value, Mapping):
        return {key: _interpolable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_interpolable(item) for item in value]
    if isinstance(value, str):
        pieces, position = [], 0
        for match in _TOKEN.finditer(value):
            pieces += [value[position : match.start()].replace("$", "$$"), "${" + match[1] + "}"]
            position = match.end()
        return "".join([*pieces, value[position:].replace("$", "$$")])
    return value


def _file(file: FileMount) -> dict[str, str]:
    """Where the content is from; a declared secret's is a variable, as nothing else is that Compose takes for one."""
    if file.source is not None:
        return {"file": f"./{file.source}"}
    token = _TOKEN.fullmatch(file.content or "") if file.kind == "secret" else None
    return {"environment": token[1]} if token else {"content": file.content or ""}


def _network(network: Network) -> dict[str, object]:
    found = {"internal": network.internal, "external": network.external, "enable_ipv6": network.ipv6}
    return {**{key: True for key, value in found.items() if value}, **_labels(network.labels)}


def _volume(volume: Volume) -> dict[str, object]:
    found: dict[str, object] = {"external": True} if volume.external else {}
    if volume.driver is not None:
        found["driver"] = volume.driver
    if volume.options:
        found["driver_opts"] = dict(volume.options)
    return {**found, **_labels(volume.labels)}


def _labels(labels: Mapping[str, str]) -> dict[str, object]:
    return {"labels": dict(labels)} if labels else {}


def _files(services: Iterable[Service], kind: str) -> dict[str, object]:
    """The configs or secrets at the top of the document, those of the builds among the secrets."""
    found: dict[str, object] = {}
    for service in services:
        for file in service.files:
            if file.kind == kind:
                found[file.name] = _file(file)
        for name, path in service.build.secrets.items() if service.build and kind == "secret" else ():
            found[name] = {"file": f"./{path}"}
    return found
