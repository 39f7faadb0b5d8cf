"""The provider protocol: each call of the engine becomes one call of a kind of resource, each error one status."""

# ruff: noqa: N802, D102 - the methods are named and described by the protocol (pulumi, proto/pulumi/provider.proto)

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn, Protocol

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from understudy.errors import UnderstudyError

from .check import Failure, check, chosen_name
from .container import Containers
from .diff import Change, Difference, diff
from .image import Images
from .instance import Instances
from .network import Networks
from .room import Call, NotReadyError, Room
from .schema import Table
from .status import init_failed
from .values import UNKNOWN, from_struct, to_struct
from .volume import Volumes

__all__ = ["VERSION", "Kind", "Servicer"]

VERSION = "5.2.0"
"""The version of pulumi_docker whose schema this is; the SDK asks for it with every resource."""

_LOG = logging.getLogger(__name__)
_ENGINE_CONFIG = frozenset({"version", "pluginDownloadURL", "__internal"})
_KINDS: Mapping[tuple[Change, bool], provider_pb2.PropertyDiff.Kind.ValueType] = {
    (Change.ADD, False): provider_pb2.PropertyDiff.ADD,
    (Change.ADD, True): provider_pb2.PropertyDiff.ADD_REPLACE,
    (Change.DELETE, False): provider_pb2.PropertyDiff.DELETE,
    (Change.DELETE, True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    (Change.UPDATE, False): provider_pb2.PropertyDiff.UPDATE,
    (Change.UPDATE, True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


class Kind(Protocol):
    """One kind of resource. Inputs and outputs are plain dicts in the published schema's names."""

    table: Table

    def create(self, call: Call, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Make it: its id and outputs."""

    def read(
        self, call: Call, object_id: str, inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Inputs and outputs as they are now; None when it is gone."""

    def update(self, call: Call, object_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
        """Change it in place: its outputs then."""

    def delete(self, call: Call, object_id: str, state: Mapping[str, Any]) -> None:
        """Remove it; gone is fine."""


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Serves any number of engines at once; each connection is an instance of its own."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.instances = Instances()
        kinds: tuple[Kind, ...] = (Networks(), Volumes(), Containers(), Images())
        self._kinds = {kind.table.token: kind for kind in kinds}

    # The life of a connection.

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        self.instances.begin(context.peer()).engine_address = request.engine_address
        return provider_pb2.ProviderHandshakeResponse()

    def Attach(self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext) -> Empty:
        self.instances.of(context.peer()).engine_address = request.address
        return Empty()

    def GetPluginInfo(self, _request: Empty, _context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=VERSION)

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, _context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(
            inputs=request.news, failures=_protocol_failures(_config_failures(from_struct(request.news)))
        )

    def DiffConfig(
        self, _request: provider_pb2.DiffRequest, _context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(
        self, _request: provider_pb2.ConfigureRequest, _context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Cancel(self, _request: Empty, context: grpc.ServicerContext) -> Empty:
        self.instances.of(context.peer()).cancel()
        return Empty()

    # Pure calls: the engine makes them one after another, so they must not wait for Docker.

    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        kind = self._kind(request.type, request.urn, context)
        inputs, olds = from_struct(request.news), from_struct(request.olds)
        if kind.table.named and not inputs.get("name"):
            inputs["name"] = olds.get("name") or chosen_name(
                request.name or request.urn.rsplit("::", 1)[-1], request.randomSeed
            )
        failures = check(kind.table, inputs)
        return provider_pb2.CheckResponse(inputs=to_struct(inputs), failures=_protocol_failures(failures))

    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        kind = self._kind(request.type, request.urn, context)
        old = from_struct(request.old_inputs if request.HasField("old_inputs") else request.olds)
        return _diff_response(diff(kind.table, old, from_struct(request.news)))

    def Invoke(self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext) -> NoReturn:
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            f"The embedded Docker provider has no functions, and {request.tok} was called. Use the published provider "
            "(--docker-provider official), or ask Docker directly.",
        )
        raise AssertionError  # abort has raised

    # Calls that work.

    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        kind, inputs = self._kind(request.type, request.urn, context), from_struct(request.properties)
        if request.preview:
            outputs: dict[str, Any] = dict.fromkeys(kind.table.outputs, UNKNOWN)
            return provider_pb2.CreateResponse(properties=to_struct({**outputs, **inputs}))
        with self._call(request.urn, request.timeout, context, inputs) as call:
            object_id, outputs = kind.create(call, inputs)
        return provider_pb2.CreateResponse(id=object_id, properties=to_struct(outputs))

    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        kind = self._kind(request.type, request.urn, context)
        inputs = from_struct(request.inputs) or {
            name: value for name, value in from_struct(request.properties).items() if name in kind.table.inputs
        }
        with self._call(request.urn, 0.0, context, inputs) as call:
            if kind.table.owned:
                call.refuse_foreign_target(inputs, f"reading {_noun(kind.table)}", afresh=True)
            found = kind.read(call, request.id, inputs)
        if found is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(id=request.id, inputs=to_struct(found[0]), properties=to_struct(found[1]))

    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        kind, news = self._kind(request.type, request.urn, context), from_struct(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=to_struct({**from_struct(request.olds), **news}))
        olds = from_struct(request.old_inputs if request.HasField("old_inputs") else request.olds)
        with self._call(request.urn, request.timeout, context, news) as call:
            outputs = kind.update(call, request.id, olds, news)
        return provider_pb2.UpdateResponse(properties=to_struct(outputs))

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> Empty:
        kind, state = self._kind(request.type, request.urn, context), from_struct(request.properties)
        with self._call(request.urn, request.timeout, context, state) as call:
            kind.delete(call, request.id, state)
        return Empty()

    def _kind(self, token: str, urn: str, context: grpc.ServicerContext) -> Kind:
        name = token or urn.split("::")[2].rsplit("$", 1)[-1]
        kind = self._kinds.get(name)
        if kind is None:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"The embedded Docker provider has no resource {name}; it has: {', '.join(sorted(self._kinds))}. "
                "Use the published provider (--docker-provider official) for others.",
            )
            raise AssertionError  # abort has raised
        return kind

    @contextmanager
    def _call(
        self, urn: str, timeout: float, context: grpc.ServicerContext, inputs: Mapping[str, Any]
    ) -> Iterator[Call]:
        """The frame of a call that works: it ends when the engine cancels or goes away, and errors become a status."""
        instance = self.instances.of(context.peer())
        with instance.call() as stop:
            if not context.add_callback(stop.set):
                stop.set()
            try:
                yield Call(self._room, instance, urn, stop, timeout, lambda: not context.is_active())
            except NotReadyError as error:
                instance.failed(str(error))
                context.set_trailing_metadata((init_failed(error.object_id, [str(error)], error.outputs, inputs),))
                context.abort(grpc.StatusCode.UNKNOWN, str(error))
            except UnderstudyError as error:
                instance.failed(str(error))
                context.abort(grpc.StatusCode.ABORTED, _told(error))
            except Exception as error:  # noqa: BLE001 - the engine must get a status for every fault of ours
                instance.failed(str(error))
                _LOG.debug("A call for %s failed unexpectedly", urn, exc_info=True)  # the user is told by the engine
                context.abort(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")


def _noun(table: Table) -> str:
    return table.token.rsplit(":", 1)[-1].lower()


def _told(error: BaseException) -> str:
    return "\n".join([str(error), *getattr(error, "__notes__", ())])


def _config_failures(config: Mapping[str, Any]) -> tuple[Failure, ...]:
    """The daemon is that of the process: a host that differs, and all else that we would not heed, is refused."""
    ours = {"host": os.environ.get("DOCKER_HOST")}
    return tuple(
        Failure(
            key,
            "the embedded Docker provider takes no such configuration; the daemon is named by DOCKER_HOST or the "
            "docker context, registry logins come from `docker login`",
        )
        for key, value in config.items()
        if key not in _ENGINE_CONFIG and not (key in ours and value == ours[key])
    )


def _protocol_failures(failures: tuple[Failure, ...]) -> list[provider_pb2.CheckFailure]:
    return [provider_pb2.CheckFailure(property=failure.path, reason=failure.reason) for failure in failures]


def _diff_response(differences: tuple[Difference, ...]) -> provider_pb2.DiffResponse:
    """Everything here has a name of its own, so that a replacement can only come after its predecessor is gone."""
    replaces = [difference.path for difference in differences if difference.replace]
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if differences else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=replaces,
        diffs=[difference.path for difference in differences],
        deleteBeforeReplace=bool(replaces),
        hasDetailedDiff=True,
        detailedDiff={
            d.path: provider_pb2.PropertyDiff(kind=_KINDS[d.change, d.replace], inputDiff=True) for d in differences
        },
    )
