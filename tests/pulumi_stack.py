"""An export of a Pulumi stack that grows resource by resource, and a secret as the export writes one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from understudy.stacks.sources.pulumi_state import read
from understudy.stacks.topology import Topology

SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:c1pher:text"}


class Stack:
    """A deployment that grows resource by resource."""

    def __init__(self) -> None:
        self.resources: list[dict[str, Any]] = []

    def add(
        self,
        kind: str,
        name: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        outputs: Mapping[str, Any] | None = None,
        depends: Mapping[str, list[str]] | None = None,
        **more: Any,
    ) -> str:
        """A resource; `depends` are URNs by property, "" for those that only `dependencies` has. Returns its URN."""
        urn = f"urn:pulumi:prod::shop::{kind}::{name}"
        depends = depends or {}
        entry = {
            "urn": urn,
            "type": kind,
            "id": f"id-{name}",
            "custom": True,
            "inputs": dict(inputs or {}),
            "outputs": {**(inputs or {}), **(outputs or {})},
            "dependencies": [other for urns in depends.values() for other in urns],
            "propertyDependencies": {key: urns for key, urns in depends.items() if key},
            **more,
        }
        self.resources.append(entry if inputs is not None else {k: v for k, v in entry.items() if k != "inputs"})
        return urn

    def container(self, name: str, depends: Mapping[str, list[str]] | None = None, **inputs: Any) -> str:
        given = {"image": "busybox:1", "name": f"shop-{name}", **inputs}
        return self.add("docker:index/container:Container", name, given, depends=depends)

    def text(self) -> str:
        return json.dumps({"version": 3, "deployment": {"manifest": {}, "resources": self.resources}})

    def read(self, folder: str = "") -> Topology:
        return read(self.text(), "export.json", folder=folder)
