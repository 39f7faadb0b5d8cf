"""A recorder in the engine's place: what the components declare, as it would go over the wire."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pulumi
import pytest
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.mocks import MockMonitor, MockResourceArgs, Mocks, set_mocks

from understudy.components.environment import Environment, EnvironmentArgs
from understudy.components.images import ImageRef
from understudy.stacks import identity
from understudy.stacks.clone import Clone
from understudy.stacks.identity import LABEL

SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105 - Pulumi's mark of a secret on the wire


@dataclass(frozen=True)
class Declared:
    """One resource as it was registered. `inputs` are plain, secrets opened; `wire` is what was sent."""

    name: str
    type: str
    urn: str
    parent: str
    inputs: Mapping[str, Any]
    wire: Mapping[str, Any]
    dependencies: frozenset[str]
    delete_before_replace: bool
    aliases: tuple[str, ...]

    @property
    def labels(self) -> dict[str, str]:
        return {entry["label"]: entry["value"] for entry in self.inputs["labels"]}

    def label(self, key: str) -> str:
        return self.labels[LABEL + key]


@dataclass
class Recording:
    """Everything that one program declared."""

    resources: list[Declared] = field(default_factory=list)
    result: Any = None

    def of(self, kind: str) -> list[Declared]:
        token = f"docker:index/{kind[0].lower()}{kind[1:]}:{kind}"
        return [resource for resource in self.resources if resource.type == token]

    def container(self, docker_name: str) -> Declared:
        (found,) = [c for c in self.of("Container") if c.inputs["name"] == docker_name]
        return found

    def one(self, urn: str) -> Declared:
        (found,) = [resource for resource in self.resources if resource.urn == urn]
        return found


class _Answers(Mocks):
    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        state = dict(args.inputs)
        if args.typ == "docker:index/container:Container":
            state["ports"] = [
                {**port, "external": 40000 + int(port["internal"])} for port in args.inputs.get("ports", [])
            ]
        if args.typ == "docker:index/remoteImage:RemoteImage":
            state["imageId"] = f"sha256:id-of-{args.inputs['name']}"
        return f"{args.name}-id", state

    def call(self, _args: Any) -> tuple[dict[str, Any], None]:
        return {}, None


class _Recorder(MockMonitor):
    def __init__(self) -> None:
        super().__init__(_Answers())
        self.recording = Recording()
        self._lock = threading.Lock()

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the name of the RPC
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]  # pulumi types no mocks
        wire = MessageToDict(request.object)
        with self._lock:
            self.recording.resources.append(
                Declared(
                    name=request.name,
                    type=request.type,
                    urn=response.urn,
                    parent=request.parent,
                    inputs=_opened(wire),
                    wire=wire,
                    dependencies=frozenset(request.dependencies),
                    delete_before_replace=request.deleteBeforeReplace,
                    aliases=tuple(alias.spec.type for alias in request.aliases),
                )
            )
        return response


def _opened(value: Any) -> Any:
    if isinstance(value, dict):
        return _opened(value["value"]) if SECRET in value else {key: _opened(item) for key, item in value.items()}
    return [_opened(item) for item in value] if isinstance(value, list) else value


ENV = identity.Environment("eabc", "docker:d", "shop", datetime(2030, 1, 2, tzinfo=UTC), "b1")
"""The environment of every test here."""


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
        monitor = _Recorder()
        set_mocks(monitor.mocks, project="understudy", stack="tests", preview=False, monitor=monitor)
        images = {
            name: ImageRef("sha256:built", built=True) if found.image is None else ImageRef(found.image)
            for name, found in clone.topology.services.items()
        }
        given = {"environment": ENV, "images": images, "tree": str(tree), "seed": b"seed", **fields}
        given.setdefault("mock_tree", given["tree"])

        def body() -> pulumi.Output[Any]:
            endpoints = Environment("shop", EnvironmentArgs(clone=clone, **given)).endpoints
            return endpoints.apply(lambda result: setattr(monitor.recording, "result", result))

        pulumi.runtime.test(body)()
        return monitor.recording

    return run
