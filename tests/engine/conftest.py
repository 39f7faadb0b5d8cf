"""A driver that speaks the provider protocol as the engine does, and leaves nothing behind on the daemon."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from leases import BACKEND

from understudy.stacks.identity import LABEL, Environment, ownership_labels

from .suite_stages import stage
from .worlds import world

__all__ = ["Driver", "stage", "world"]

NETWORK = "docker:index/network:Network"
VOLUME = "docker:index/volume:Volume"
CONTAINER = "docker:index/container:Container"
IMAGE = "docker:index/remoteImage:RemoteImage"
BUSYBOX = "busybox:1.35"


@dataclass
class Driver:
    """One connection to a provider server, as one operation of the engine has it."""

    stub: Any
    environment: Environment
    client: Any
    urn: str = field(default="urn:pulumi:test::test::")

    def labels(self, **extra: str) -> list[dict[str, str]]:
        given = {LABEL + key: value for key, value in extra.items()}
        return [{"label": k, "value": v} for k, v in {**ownership_labels(self.environment), **given}.items()]

    def name(self, logical: str) -> str:
        return f"{self.environment.id}-{logical}"

    def container(self, logical: str, command: list[str], labels: dict[str, str] | None = None, **more: Any) -> dict:
        return {
            "name": self.name(logical),
            "image": BUSYBOX,
            "command": command,
            "labels": self.labels(**(labels or {})),
            **more,
        }

    def check(self, token: str, inputs: dict, olds: dict | None = None, logical: str = "x", seed: bytes = b"s") -> Any:
        from pulumi.runtime.proto import provider_pb2

        from understudy.provider.values import to_struct

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
        from pulumi.runtime.proto import provider_pb2

        from understudy.provider.values import from_struct, to_struct

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
        from pulumi.runtime.proto import provider_pb2

        from understudy.provider.values import from_struct, to_struct

        found = self.stub.Read(
            provider_pb2.ReadRequest(id=object_id, urn=f"{self.urn}{token}::x", type=token, inputs=to_struct(inputs))
        )
        return (from_struct(found.inputs), from_struct(found.properties)) if found.id else None

    def diff(self, token: str, old: dict, new: dict) -> Any:
        from pulumi.runtime.proto import provider_pb2

        from understudy.provider.values import to_struct

        return self.stub.Diff(
            provider_pb2.DiffRequest(
                urn=f"{self.urn}{token}::x",
                type=token,
                olds=to_struct(old),
                old_inputs=to_struct(old),
                news=to_struct(new),
            )
        )

    def update(self, token: str, object_id: str, old: dict, new: dict) -> dict:
        from pulumi.runtime.proto import provider_pb2

        from understudy.provider.values import from_struct, to_struct

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
        from pulumi.runtime.proto import provider_pb2

        from understudy.provider.values import to_struct

        self.stub.Delete(
            provider_pb2.DeleteRequest(
                id=object_id, urn=f"{self.urn}{token}::x", type=token, properties=to_struct(state)
            )
        )

    def cancel(self) -> None:
        from google.protobuf.empty_pb2 import Empty

        self.stub.Cancel(Empty())

    def exists(self, logical: str) -> bool:
        return bool(self.client.api.containers(all=True, filters={"name": f"^{self.name(logical)}$"}))


def _sweep(client: Any, environment: str) -> None:
    from docker.errors import APIError

    wanted = {"label": f"{LABEL}environment={environment}"}
    for container in client.containers.list(all=True, filters=wanted):
        with contextlib.suppress(APIError):
            container.remove(v=True, force=True)
    for kind in (client.networks, client.volumes):
        for found in kind.list(filters=wanted):
            with contextlib.suppress(APIError):
                found.remove()


@pytest.fixture
def environment() -> Environment:
    from understudy.targets.docker_client import client, daemon_identity

    return Environment(
        id=f"etest{secrets.token_hex(3)}",
        target=daemon_identity(client()),
        project="provider-tests",
        backend=BACKEND,
        not_after=datetime.now(UTC) + timedelta(hours=1),
    )


@pytest.fixture
def provider(environment: Environment) -> Iterator[Any]:
    """A server with its own limits; all that the test's environment made is removed afterwards."""
    from understudy.provider.server import ProviderServer
    from understudy.targets.docker_client import client

    try:
        with ProviderServer() as server:
            yield server
    finally:
        _sweep(client(), environment.id)


@pytest.fixture
def connect(provider: Any, environment: Environment) -> Iterator[Callable[[], Driver]]:
    """Make further connections, each an instance of its own."""
    import grpc
    from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

    from understudy.targets.docker_client import client

    channels = []

    def make() -> Driver:
        # One subchannel a connection: gRPC would share one between channels with the same arguments.
        channel = grpc.insecure_channel(f"127.0.0.1:{provider.port}", options=[("grpc.use_local_subchannel_pool", 1)])
        channels.append(channel)
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        stub.Handshake(provider_pb2.ProviderHandshakeRequest())
        stub.Attach(plugin_pb2.PluginAttach())
        return Driver(stub, environment, client())

    yield make
    for channel in channels:
        channel.close()


@pytest.fixture
def driver(connect: Callable[[], Driver]) -> Driver:
    return connect()
