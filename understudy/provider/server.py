"""The server: one gRPC server on 127.0.0.1 for every stack of this process, open to our own user only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from understudy.errors import ToolError

from .docker_package import DockerPackage
from .package import Package
from .peer import OwnUserOnly
from .room import Room
from .servicer import Servicer
from .settings import ProviderSettings

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["PackageServer", "ProviderServer"]

MESSAGE_LIMIT = 400 * 1024 * 1024
"""Bytes of one message: what the engine itself allows (pulumi sdk v3.200.0, go/common/util/rpcutil)."""


class PackageServer:
    """Serves a package while the context is open.

    Give the engine `PULUMI_DEBUG_PROVIDERS=<name of the package>:<port>`. Stacks share the server without seeing each
    other.

    Args:
        package: what is served.
        threads: calls served at once; see ProviderSettings.
    """

    def __init__(self, package: Package[Any], threads: int) -> None:
        self._title = package.title
        self._threads = threads
        self._servicer = Servicer(package)
        self._server: grpc.Server | None = None
        self._pool: ThreadPoolExecutor | None = None
        self.port = 0

    def __enter__(self) -> Self:
        """Bind a free port and serve.

        Raises:
            ToolError: no port could be bound.
        """
        guard = OwnUserOnly()
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="provider")
        server = grpc.server(
            self._pool,
            interceptors=[guard],
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", MESSAGE_LIMIT),
                ("grpc.max_send_message_length", MESSAGE_LIMIT),
            ],
        )
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(self._servicer, server)
        try:
            self.port = guard.port = server.add_insecure_port("127.0.0.1:0")
        except RuntimeError as error:
            raise ToolError(f"{self._title} opened a port on 127.0.0.1, and it failed: {error}.") from error
        server.start()
        self._server = server
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every call that still waits, and close the port."""
        self._servicer.instances.close()
        if self._server is not None:
            self._server.stop(grace=5).wait()
            self._server = None
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


class ProviderServer(PackageServer):
    """Serves the embedded Docker provider.

    Args:
        settings: how it works; those of the environment when none are given.
        docker_client: of the daemon; the process's own when none is given.
        identity: the daemon's identity, where it is known already; reading and removing ask for it again.
    """

    def __init__(
        self,
        settings: ProviderSettings | None = None,
        docker_client: DockerClient | None = None,
        identity: str | None = None,
    ) -> None:
        settings = settings or ProviderSettings.from_environment()
        super().__init__(DockerPackage(Room(settings, docker_client, identity)), settings.threads)
