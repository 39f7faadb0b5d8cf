"""The resources of a deployment: their properties with each secret sealed, and how they depend on each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from understudy.stacks.topology import TopologyError, Where

__all__ = ["SECRET", "Resource", "Secret", "State", "name_of", "resources_of"]

_SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key that marks a special value in a state (sdk/go/common/resource/properties.go, SigKey)."""

_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the mark of a secret, no secret (SecretSig, ibidem)
_DEPTH = 64

_NOT_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
"""What a logical name may have, and a name in a Compose file may not."""


@dataclass(frozen=True, slots=True)
class Secret:
    """What stands for a secret of the stack: neither its text nor its ciphertext is kept."""

    def __str__(self) -> str:
        return "(secret)"


SECRET = Secret()


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of a deployment; `property_dependencies` are URNs by property.

    `name` is its logical name as a Compose file can have it.
    """

    urn: str
    type: str
    name: str
    id: str
    custom: bool
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    dependencies: tuple[str, ...]
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def get(self, key: str) -> Any:  # noqa: ANN401 - JSON
        """What the program gave for a property, else what the platform made of it."""
        given = self.inputs.get(key)
        return self.outputs.get(key) if given is None else given

    def text(self, key: str) -> str | None:
        """A property as a text; None where there is none, or a secret."""
        value = self.get(key)
        return str(value) if isinstance(value, str | int | float) and value != "" else None


class State:
    """The resources of a deployment, and the ways to find one.

    Args:
        resources: in the deployment's order, in which a resource follows what it depends on.
        folder: the absolute folder below which a bind's path on the host is the project's.
    """

    def __init__(self, resources: tuple[Resource, ...], folder: str = "") -> None:
        self.resources = resources
        self.folder = folder
        self.memory: dict[str, Any] = {}
        """What a mapper works out once for all its resources."""

        self._by_urn = {resource.urn: resource for resource in resources}
        first = resources[0].urn.split("::") if resources else []
        self.project = first[1] if len(first) > 1 else ""
        self._by_type: dict[str, list[Resource]] = {}
        for resource in resources:
            self._by_type.setdefault(resource.type, []).append(resource)
        self._by_value: dict[tuple[str, str], Resource] = {}
        for resource in resources:
            for key in ("id", "arn", "name", "url", "imageId", "repoDigest", "imageName", "bucket"):
                value = resource.id if key == "id" else resource.outputs.get(key) or resource.inputs.get(key)
                if isinstance(value, str) and value:
                    self._by_value.setdefault((resource.type, value), resource)

    def of(self, *types: str) -> tuple[Resource, ...]:
        """All resources of these types."""
        return tuple(resource for kind in types for resource in self._by_type.get(kind, ()))

    def behind(self, resource: Resource, key: str, value: object, *types: str) -> Resource | None:
        """The resource of one of the types that a property names: by its id, ARN or name, else by the dependency."""
        if isinstance(value, str):
            for kind in types:
                if (kind, value) in self._by_value:
                    return self._by_value[kind, value]
        found = [r for r in self.depended(resource, key) if r.type in types]
        return found[0] if len(found) == 1 else None

    def depended(self, resource: Resource, *keys: str) -> tuple[Resource, ...]:
        """The resources that the resource depends on, or only that some of its properties do."""
        urns = resource.dependencies
        if keys:
            urns = tuple(urn for key in keys for urn in resource.property_dependencies.get(key, ()))
        return tuple(self._by_urn[urn] for urn in dict.fromkeys(urns) if urn in self._by_urn)

    def reached(self, *start: Resource) -> tuple[Resource, ...]:
        """The resources that these depend on, directly or through others; those themselves first."""
        found: dict[str, Resource] = {}
        waiting = list(start)
        while waiting:
            resource = waiting.pop(0)
            if resource.urn not in found:
                found[resource.urn] = resource
                waiting += self.depended(resource)
        return tuple(found.values())


def name_of(text: str) -> str:
    """A text as a name that a Compose file can have."""
    return _NOT_A_NAME.sub("-", text).strip("-._") or "resource"


def resources_of(deployment: Mapping[str, Any], where: Where) -> tuple[Resource, ...]:
    """The resources of a deployment without those that are about to be deleted or were only read.

    Raises:
        TopologyError: it has none, or one is no resource.
    """
    found = deployment.get("resources")
    if not isinstance(found, list) or not found:
        raise TopologyError("the deployment has no resources: the stack is empty", where)
    return tuple(_resources(found, where))


def _resources(found: list[Any], where: Where) -> Iterator[Resource]:
    for index, entry in enumerate(found):
        path = f"resources[{index}]"
        if not isinstance(entry, dict) or not isinstance(entry.get("urn"), str):
            raise TopologyError("it is no resource: it has no urn", Where(where.file, path=path))
        if entry.get("delete") is True or entry.get("pendingReplacement") is True or entry.get("external") is True:
            continue
        inputs, outputs = (_sealed(entry.get(key) or {}) for key in ("inputs", "outputs"))
        if not isinstance(inputs, dict) or not isinstance(outputs, dict):
            inputs, outputs = {}, {}
        depends = entry.get("propertyDependencies") or {}
        yield Resource(
            urn=entry["urn"],
            type=str(entry.get("type") or ""),
            name=name_of(entry["urn"].rsplit("::", 1)[-1]),
            id=str(entry.get("id") or ""),
            custom=bool(entry.get("custom")),
            inputs=inputs,
            outputs=outputs,
            dependencies=tuple(map(str, entry.get("dependencies") or ())),
            property_dependencies={key: tuple(map(str, urns or ())) for key, urns in depends.items()},
        )


def _sealed(value: object, depth: int = 0) -> Any:  # noqa: ANN401 - JSON
    """The value with SECRET in the place of each secret, also of one that was exported in plain text."""
    if depth > _DEPTH:
        return None
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _SECRET:
            return SECRET
        if _SIGNATURE in value and "value" in value:  # an output value, or a reference to another resource
            return _sealed(value["value"], depth + 1)
        return {str(key): _sealed(item, depth + 1) for key, item in value.items()}
    return [_sealed(item, depth + 1) for item in value] if isinstance(value, list) else value
