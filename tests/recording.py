"""A recorder in the engine's place: what components declare, as it would go over the wire."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.mocks import MockMonitor, MockResourceArgs, Mocks, set_mocks

from understudy.stacks.identity import LABEL

__all__ = ["SECRET", "Declared", "Recording", "record"]

SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105 - Pulumi's mark of a secret on the wire

_STACK = "pulumi:pulumi:Stack"
"""What no program declares: Pulumi registers it once a process, before whatever program comes first."""


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
    provider: str
    protect: bool
    retain_on_delete: bool
    timeouts: Mapping[str, str]
    former: tuple[str, ...] = ()
    """The logical names that it had before."""

    @property
    def labels(self) -> dict[str, str]:
        return {entry["label"]: entry["value"] for entry in self.inputs["labels"]}

    def label(self, key: str) -> str:
        return self.labels[LABEL + key]


@dataclass
class Recording:
    """Everything that one program declared, in the order of URNs: the engine is asked in whatever order comes."""

    resources: list[Declared] = field(default_factory=list)
    result: Any = None

    def of(self, kind: str, module: str = "docker:index") -> list[Declared]:
        token = f"{module}/{kind[0].lower()}{kind[1:]}:{kind}"
        return [resource for resource in self.resources if resource.type == token]

    def container(self, docker_name: str) -> Declared:
        (found,) = [c for c in self.of("Container") if c.inputs["name"] == docker_name]
        return found

    def one(self, urn: str) -> Declared:
        (found,) = [resource for resource in self.resources if resource.urn == urn]
        return found


State = Callable[[str, str, Mapping[str, Any]], dict[str, Any]]


class _Answers(Mocks):
    def __init__(self, state: State) -> None:
        self._state = state

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        return f"{args.name}-id", {**args.inputs, **self._state(args.typ, args.name, args.inputs)}

    def call(self, _args: Any) -> tuple[dict[str, Any], None]:
        return {}, None


class _Recorder(MockMonitor):
    def __init__(self, state: State) -> None:
        super().__init__(_Answers(state))
        self.recording = Recording()
        self._lock = threading.Lock()

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the name of the RPC
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]  # pulumi types no mocks
        if request.type == _STACK:
            return response
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
                    provider=request.provider,
                    protect=request.protect,
                    retain_on_delete=request.retainOnDelete,
                    timeouts=MessageToDict(request.customTimeouts),
                    former=tuple(alias.spec.name for alias in request.aliases if alias.spec.name),
                )
            )
        return response


def _opened(value: Any) -> Any:
    if isinstance(value, dict):
        return _opened(value["value"]) if SECRET in value else {key: _opened(item) for key, item in value.items()}
    return [_opened(item) for item in value] if isinstance(value, list) else value


def record(program: Callable[[], Any], state: State = lambda _type, _name, _inputs: {}) -> Recording:
    """What a program declares; `result` is what it gives, its outputs resolved. `state`: what a provider would add."""
    monitor = _Recorder(state)
    set_mocks(monitor.mocks, project="understudy", stack="tests", preview=False, monitor=monitor)

    def body() -> pulumi.Output[Any]:
        given = pulumi.Output.from_input(program())
        return given.apply(lambda result: setattr(monitor.recording, "result", result))

    pulumi.runtime.test(body)()
    monitor.recording.resources.sort(key=lambda resource: resource.urn)
    return monitor.recording
