"""Peer: calls are served only to processes of our own user, whoever else can reach the port."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import grpc

__all__ = ["OwnUserOnly", "peer_uid"]

_LOG = logging.getLogger(__name__)
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED = "01"
_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


class OwnUserOnly(grpc.ServerInterceptor):
    """Refuses each call whose connection does not belong to our own user.

    A port on 127.0.0.1 is open to every user of the machine, and the kernel's table of connections says whose
    each is (proc(5), /proc/net/tcp). Every call is looked up again, as a port may pass to another process.
    Where there is no such table calls are let through, with one warning.

    Set `port` to the server's own port once it is bound; until then nothing is served.
    """

    def __init__(self, *, tables: tuple[Path, ...] = _TABLES, uid: int | None = None) -> None:
        self.port: int | None = None
        self._tables = tables
        self._uid = os.geteuid() if uid is None else uid
        self._warned = threading.Event()

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[_Request, _Response] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[_Request, _Response] | None:
        """Wrap the handler of a call, as only the call's own context knows its peer."""
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        for kind in ("unary_unary", "unary_stream", "stream_unary", "stream_stream"):
            behaviour = getattr(handler, kind)
            if behaviour is not None:
                make = getattr(grpc, f"{kind}_rpc_method_handler")
                guarded: grpc.RpcMethodHandler[_Request, _Response] = make(
                    self._guarded(behaviour),
                    request_deserializer=handler.request_deserializer,
                    response_serializer=handler.response_serializer,
                )
                return guarded
        return handler

    def _guarded(self, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        def call(request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401 - any message
            if not self._allowed(context.peer()):
                context.abort(
                    grpc.StatusCode.PERMISSION_DENIED,
                    "This port serves only processes of the user who started it.",
                )
            return behaviour(request, context)

        return call

    def _allowed(self, peer: str) -> bool:
        if not any(table.exists() for table in self._tables):
            if not self._warned.is_set():
                self._warned.set()
                _LOG.warning(
                    "This system has no %s, so calls on port %s are served to every local user.",
                    self._tables[0],
                    self.port,
                )
            return True
        return self.port is not None and peer_uid(peer, self.port, self._tables) == self._uid


def peer_uid(peer: str, port: int, tables: tuple[Path, ...] = _TABLES) -> int | None:
    """The user whose established connection `peer` (`ipv4:127.0.0.1:PORT`) to our 127.0.0.1:`port` is.

    None when the peer is not on 127.0.0.1 or has no such connection.
    """
    scheme, _, rest = peer.partition(":")
    host, _, peer_port = rest.rpartition(":")
    if (scheme, host) != ("ipv4", "127.0.0.1") or not peer_port.isdigit():
        return None
    near, far = f":{int(peer_port):04X}", f":{port:04X}"
    for table in tables:
        try:
            lines = table.read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _ESTABLISHED and _is_local(fields[1], near) and _is_local(fields[2], far):
                return int(fields[7])
    return None


def _is_local(address: str, port: str) -> bool:
    """Whether a table's address is 127.0.0.1 with that port, also as an IPv4 address in IPv6 (::ffff:127.0.0.1)."""
    return address in {f"0100007F{port}", f"0000000000000000FFFF00000100007F{port}"}
