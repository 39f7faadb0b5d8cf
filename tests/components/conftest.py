"""A recorder in the engine's place: what the components declare, as it would go over the wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from recording import Recording, record

from understudy.components.environment import Environment, EnvironmentArgs
from understudy.components.images import ImageRef
from understudy.stacks import identity
from understudy.stacks.clone import Clone

ENV = identity.Environment("eabc", "docker:d", "shop", datetime(2030, 1, 2, tzinfo=UTC), "b1")
"""The environment of every test here."""


def _state(kind: str, _name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "docker:index/container:Container":
        return {"ports": [{**port, "external": 40000 + int(port["internal"])} for port in inputs.get("ports", [])]}
    return {"imageId": f"sha256:id-of-{inputs['name']}"} if kind == "docker:index/remoteImage:RemoteImage" else {}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The tree of a commit, with the files of one mock."""
    mappings = tmp_path / "tree" / "mocks" / "pay" / "mappings" / "deep"
    mappings.mkdir(parents=True)
    (mappings / "charge.json").write_text('{"request": {}}', encoding="utf-8")
    return tmp_path / "tree"


@pytest.fixture
def declare(tree: Path) -> Callable[..., Recording]:
    """Declare a clone's environment with the recorder in the engine's place; `result` is its endpoints."""

    def run(clone: Clone, **fields: Any) -> Recording:
        images = {
            name: ImageRef("sha256:built", built=True) if found.image is None else ImageRef(found.image)
            for name, found in clone.topology.services.items()
        }
        given = {"environment": ENV, "images": images, "tree": str(tree), "seed": b"seed", **fields}
        given.setdefault("mock_tree", given["tree"])
        return record(lambda: Environment("shop", EnvironmentArgs(clone=clone, **given)).endpoints, _state)

    return run
