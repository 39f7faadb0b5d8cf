"""A driver that speaks the provider protocol as the engine does, on one connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from understudy.provider.values import from_struct, to_struct

__all__ = ["ProviderDriver", "connected"]


@dataclass
class ProviderDriver:
    """One connection to a provider server, as one operation of the engine has it."""

    stub: Any
    urn: str = field(default="urn:pulumi:test::test::", kw_only=True)

    def check(self, token: str, inputs: dict, olds: dict | None = None, logical: str = "x", seed: bytes = b"s") -> Any:
        return self.stub.Check(
            provider_pb2.CheckRequest(
                urn=f"{self.urn}{token}::{logical}",
                type=token,
                name=logical,
                news=to_struct(inputs),
                olds=to_struct(olds or {}),
                randomSeed=seed,
            )
        )

    def create(self, token: str, inputs: dict, *, preview: bool = False, timeout: float | None = None) -> tuple:
        return self.create_future(token, inputs, preview=preview)(timeout)

    def create_future(self, token: str, inputs: dict, *, preview: bool = False) -> Callable[[float | None], tuple]:
        running = self.stub.Create.future(
            provider_pb2.CreateRequest(
                urn=f"{self.urn}{token}::x", type=token, properties=to_struct(inputs), preview=preview
            )
        )

        def result(timeout: float | None = None) -> tuple:
            made = running.result(timeout=timeout)
            return made.id, from_struct(made.properties)

        result.rpc = running
        return result

    def read(self, token: str, object_id: str, inputs: dict) -> tuple | None:
        found = self.stub.Read(
            provider_pb2.ReadRequest(id=object_id, urn=f"{self.urn}{token}::x", type=token, inputs=to_struct(inputs))
        )
        return (from_struct(found.inputs), from_struct(found.properties)) if found.id else None

    def diff(self, token: str, old: dict, new: dict, state: dict | None = None) -> Any:
        return self.stub.Diff(
            provider_pb2.DiffRequest(
                urn=f"{self.urn}{token}::x",
                type=token,
                olds=to_struct(old if state is None else state),
                old_inputs=to_struct(old),
                news=to_struct(new),
            )
        )

    def update(self, token: str, object_id: str, old: dict, new: dict) -> dict:
        done = self.stub.Update(
            provider_pb2.UpdateRequest(
                id=object_id,
                urn=f"{self.urn}{token}::x",
                type=token,
                olds=to_struct(old),
                old_inputs=to_struct(old),
                news=to_struct(new),
            )
        )
        return from_struct(done.properties)

    def delete(self, token: str, object_id: str, state: dict) -> None:
        self.stub.Delete(
            provider_pb2.DeleteRequest(
                id=object_id, urn=f"{self.urn}{token}::x", type=token, properties=to_struct(state)
            )
        )

    def cancel(self) -> None:
        self.stub.Cancel(Empty())


@contextmanager
def connected(port: int) -> Iterator[Any]:
    """A stub on a connection of its own: gRPC would share one between channels with the same arguments."""
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        stub.Handshake(provider_pb2.ProviderHandshakeRequest())
        stub.Attach(plugin_pb2.PluginAttach())
        yield stub
