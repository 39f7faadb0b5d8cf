"""The provider protocol: each call of the engine becomes one call of a kind of resource, each error one status."""

# ruff: noqa: N802, D102 - the methods are named and described by the protocol (pulumi, proto/pulumi/provider.proto)

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, NoReturn, TypeVar

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from understudy.errors import UnderstudyError

from .diff import Change, Difference
from .instance import Instances
from .package import Kind, Package
from .shape import Failure
from .status import NotReadyError, init_failed
from .values import UNKNOWN, from_struct, to_struct

__all__ = ["Servicer"]

C = TypeVar("C")
_LOG = logging.getLogger(__name__)
_KINDS: Mapping[tuple[Change, bool], provider_pb2.PropertyDiff.Kind.ValueType] = {
    (Change.ADD, False): provider_pb2.PropertyDiff.ADD,
    (Change.ADD, True): provider_pb2.PropertyDiff.ADD_REPLACE,
    (Change.DELETE, False): provider_pb2.PropertyDiff.DELETE,
    (Change.DELETE, True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    (Change.UPDATE, False): provider_pb2.PropertyDiff.UPDATE,
    (Change.UPDATE, True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


class Servicer(provider_pb2_grpc.ResourceProviderServicer, Generic[C]):
    """Serves a package to any number of engines at once; each connection is an instance of its own."""

    def __init__(self, package: Package[C]) -> None:
        self._package = package
        self.instances = Instances()
        self._kinds = {kind.table.token: kind for kind in package.kinds}

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
        return plugin_pb2.PluginInfo(version=self._package.version)

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, _context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(
            inputs=request.news, failures=_protocol_failures(self._package.check_config(from_struct(request.news)))
        )

    def DiffConfig(
        self, _request: provider_pb2.DiffRequest, _context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_UNKNOWN)  # the engine compares

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        try:
            self._package.configure(self.instances.of(context.peer()), from_struct(request.args))
        except UnderstudyError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, _told(error))
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Cancel(self, _request: Empty, context: grpc.ServicerContext) -> Empty:
        self.instances.of(context.peer()).cancel()
        return Empty()

    # Pure calls: the engine makes them one after another, so they must not wait for Docker.

    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        kind = self._kind(request.type, request.urn, context)
        inputs, olds = from_struct(request.news), from_struct(request.olds)
        logical = request.name or request.urn.rsplit("::", 1)[-1]
        inputs, failures = self._package.check(kind.table, logical, request.randomSeed, inputs, olds)
        return provider_pb2.CheckResponse(inputs=to_struct(inputs), failures=_protocol_failures(failures))

    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        kind = self._kind(request.type, request.urn, context)
        state, new = from_struct(request.olds), from_struct(request.news)
        old = from_struct(request.old_inputs) if request.HasField("old_inputs") else state
        found, one_at_a_time = self._package.diff(self.instances.of(context.peer()), kind.table, old, state, new)
        return _diff_response(found, one_at_a_time=one_at_a_time)

    def Invoke(self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext) -> NoReturn:
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            f"{self._package.title} has no functions, and {request.tok} was called. {self._package.otherwise}",
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

    def _kind(self, token: str, urn: str, context: grpc.ServicerContext) -> Kind[C]:
        name = token or urn.split("::")[2].rsplit("$", 1)[-1]
        kind = self._kinds.get(name)
        if kind is None:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"{self._package.title} has no resource {name}; it has: {', '.join(sorted(self._kinds))}. "
                f"{self._package.otherwise}",
            )
            raise AssertionError  # abort has raised
        return kind

    @contextmanager
    def _call(self, urn: str, timeout: float, context: grpc.ServicerContext, inputs: Mapping[str, Any]) -> Iterator[C]:
        """The frame of a call that works: it ends when the engine cancels or goes away, and errors become a status."""
        instance = self.instances.of(context.peer())
        with instance.call() as stop:
            if not context.add_callback(stop.set):
                stop.set()
            try:
                yield self._package.call(instance, urn, stop, timeout, lambda: not context.is_active())
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


def _told(error: BaseException) -> str:
    return "\n".join([str(error), *getattr(error, "__notes__", ())])


def _protocol_failures(failures: tuple[Failure, ...]) -> list[provider_pb2.CheckFailure]:
    return [provider_pb2.CheckFailure(property=failure.path, reason=failure.reason) for failure in failures]


def _diff_response(differences: tuple[Difference, ...], *, one_at_a_time: bool) -> provider_pb2.DiffResponse:
    replaces = [difference.path for difference in differences if difference.replace]
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if differences else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=replaces,
        diffs=[difference.path for difference in differences],
        deleteBeforeReplace=bool(replaces) and one_at_a_time,
        hasDetailedDiff=True,
        detailedDiff={
            d.path: provider_pb2.PropertyDiff(kind=_KINDS[d.change, d.replace], inputDiff=True) for d in differences
        },
    )
