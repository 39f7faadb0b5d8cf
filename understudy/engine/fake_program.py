"""What a Pulumi program declares, found out without an engine: it runs under Pulumi's own mocks, in its own context."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from understudy.engine.event_log import ROOT, plain
from understudy.engine.interface import Program, StackRef

__all__ = ["Declaration", "Declared", "declare"]

Declared = tuple[str, dict[str, Any]]
"""A resource's type and inputs, secrets as `[secret]`."""


@dataclass(slots=True)
class Declaration:
    """What a program declared.

    Attributes:
        resources: URN -> type and inputs, in the order of their registration.
        outputs: The stack's outputs.
        messages: What it logged, as severity (info, warning, error), text and URN.
    """

    resources: dict[str, Declared] = field(default_factory=dict)
    outputs: dict[str, object] = field(default_factory=dict)
    messages: list[tuple[str, str, str]] = field(default_factory=list)


def declare(program: Program, ref: StackRef, config: Mapping[str, str], *, preview: bool = False) -> Declaration:
    """Run a program and say what it declared. Whatever it raises is raised here.

    It runs in a thread and a context of its own, so that neither an event loop of the caller nor another program is
    touched. A resource's outputs are its inputs, and its id is its name.
    """
    from pulumi.runtime.stack import run_in_stack

    declaration = Declaration()
    raised: list[BaseException] = []

    def work() -> None:
        try:
            _configure(declaration, ref, config, preview=preview)
            asyncio.run(run_in_stack(program))
        except BaseException as error:  # noqa: BLE001 - it is raised again in the caller's thread
            raised.append(error)

    thread = threading.Thread(target=contextvars.Context().run, args=(work,), daemon=True)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
    return declaration


def _configure(declaration: Declaration, ref: StackRef, config: Mapping[str, str], *, preview: bool) -> None:
    """As `reset_options` of the SDK does it for a program under the real engine, with our monitor and engine."""
    from pulumi.runtime import set_all_config, settings

    settings.ROOT.set(None)
    settings.configure(
        settings.Settings(
            project=ref.project,
            stack=ref.name,
            monitor=_monitor(declaration, ref),
            engine=_Log(declaration),
            dry_run=preview,
            organization="organization",
        )
    )
    set_all_config({key if ":" in key else f"{ref.project}:{key}": value for key, value in config.items()})


def _monitor(declaration: Declaration, ref: StackRef) -> object:
    from google.protobuf import empty_pb2
    from pulumi.runtime.mocks import MockMonitor
    from pulumi.runtime.proto import resource_pb2

    class Monitor(MockMonitor):
        """Mirrors what is registered. The base's own methods leave an open event loop in each thread they run in."""

        def __init__(self) -> None:
            self._stack_transforms, self._stack_invoke_transforms = [], []

        def RegisterResource(  # noqa: N802 - gRPC's name
            self, request: resource_pb2.RegisterResourceRequest
        ) -> resource_pb2.RegisterResourceResponse:
            urn = _urn(ref, request.parent, request.type, request.name)
            declaration.resources[urn] = (request.type, _data(request.object))
            return resource_pb2.RegisterResourceResponse(urn=urn, id=request.name, object=request.object)

        def ReadResource(  # noqa: N802 - gRPC's name
            self, request: resource_pb2.ReadResourceRequest
        ) -> resource_pb2.ReadResourceResponse:
            urn = _urn(ref, request.parent, request.type, request.name)
            return resource_pb2.ReadResourceResponse(urn=urn, properties=request.properties)

        def Invoke(  # noqa: N802 - gRPC's name
            self, request: resource_pb2.ResourceInvokeRequest
        ) -> resource_pb2.ResourceInvokeResponse:
            answer = resource_pb2.ResourceInvokeResponse()
            getattr(answer, "return").CopyFrom(request.args)
            return answer

        def RegisterResourceOutputs(  # noqa: N802 - gRPC's name
            self, request: resource_pb2.RegisterResourceOutputsRequest
        ) -> empty_pb2.Empty:
            if f"::{ROOT}::" in request.urn:
                declaration.outputs.update(_data(request.outputs))
            return empty_pb2.Empty()

    return Monitor()


class _Log:
    """The engine's service for messages."""

    def __init__(self, declaration: Declaration) -> None:
        self._declaration = declaration

    def Log(self, request: Any) -> None:  # noqa: ANN401, N802 - a message and a name of gRPC
        """Take one message; those for debugging are dropped."""
        severity = ("debug", "info", "warning", "error")[request.severity]
        if severity != "debug":
            self._declaration.messages.append((severity, request.message, request.urn))


def _urn(ref: StackRef, parent: str, kind: str, name: str) -> str:
    """As the engine makes it (sdk/go/common/resource/urn): the types of the parents but the stack, then the own."""
    above = parent.split("::")[2] if parent else ROOT
    qualified = kind if above == ROOT else f"{above}${kind}"
    return f"urn:pulumi:{ref.name}::{ref.project}::{qualified}::{name}"


def _data(struct: Any) -> dict[str, Any]:  # noqa: ANN401 - a protobuf Struct
    from google.protobuf import json_format

    data: dict[str, Any] = plain(_whole(json_format.MessageToDict(struct)))
    return data


def _whole(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Numbers of a protobuf Struct are doubles; those without a fraction become ints again."""
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
