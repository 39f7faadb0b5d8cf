"""The port serves our own user only, by real connections of real users."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2_grpc

from understudy.provider.peer import OwnUserOnly, peer_uid
from understudy.provider.server import ProviderServer

CALL = """
import os, sys
import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2_grpc
if sys.argv[2]:
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
stub = provider_pb2_grpc.ResourceProviderStub(grpc.insecure_channel("127.0.0.1:" + sys.argv[1]))
try:
    print(stub.GetPluginInfo(Empty(), timeout=20).version)
except grpc.RpcError as error:
    print(error.code().name)
"""


def call(port: int, user: str = "") -> str:
    argv = [sys.executable, "-c", CALL, str(port), user]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_another_process_of_our_own_user_is_served() -> None:
    with ProviderServer() as server:
        assert call(server.port) == "5.2.0"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a connection as another user")
def test_another_user_is_refused() -> None:
    with ProviderServer() as server:
        assert call(server.port, "65534") == "PERMISSION_DENIED"
        assert call(server.port) == "5.2.0"


def test_nothing_is_served_before_the_guard_knows_its_port() -> None:
    guard = OwnUserOnly()
    assert not guard._allowed("ipv4:127.0.0.1:40000")


def test_a_system_without_the_table_is_served_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    guard = OwnUserOnly(tables=(tmp_path / "tcp",))
    guard.port = 1
    with caplog.at_level(logging.WARNING):
        assert guard._allowed("ipv4:127.0.0.1:40000")
        assert guard._allowed("ipv4:127.0.0.1:40001")
    assert len(caplog.records) == 1


HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(local: str, remote: str, state: str, uid: int) -> str:
    return f"   0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000 {uid:5d}        0 1 1\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (row("0100007F:9C40", "0100007F:1F90", "01", 1000), 1000),
        (row("0000000000000000FFFF00000100007F:9C40", "0000000000000000FFFF00000100007F:1F90", "01", 7), 7),
        (row("0100007F:9C40", "0100007F:1F91", "01", 1000), None),
        (row("0100007F:9C41", "0100007F:1F90", "01", 1000), None),
        (row("0100007F:9C40", "0100007F:1F90", "06", 1000), None),
        (row("0200007F:9C40", "0100007F:1F90", "01", 1000), None),
        (row("0100007F:1F90", "0100007F:9C40", "01", 1000), None),
    ],
)
def test_only_the_very_connection_counts(tmp_path: Path, line: str, expected: int | None) -> None:
    table = tmp_path / "tcp"
    table.write_text(HEADER + line)
    assert peer_uid("ipv4:127.0.0.1:40000", 8080, (table,)) == expected


@pytest.mark.parametrize("peer", ["ipv6:%5B::1%5D:40000", "ipv4:10.0.0.1:40000", "unix:", "ipv4:127.0.0.1:x", ""])
def test_any_other_peer_is_nobody(peer: str) -> None:
    assert peer_uid(peer, 8080) is None


def test_every_kind_of_call_is_guarded() -> None:
    class Denied:
        def peer(self) -> str:
            return "ipv4:127.0.0.1:1"

        def abort(self, code: grpc.StatusCode, _details: str) -> None:
            raise PermissionError(code)

    def never(_request: Any, _context: Any) -> None:
        raise AssertionError

    guard = OwnUserOnly()
    guard.port = 1
    for kind in ("unary_unary", "unary_stream", "stream_unary", "stream_stream"):
        handler = getattr(grpc, f"{kind}_rpc_method_handler")(never)
        guarded = guard.intercept_service(lambda _details, made=handler: made, None)
        with pytest.raises(PermissionError):
            getattr(guarded, kind)(None, Denied())


def test_functions_and_unknown_resources_are_refused_by_name() -> None:
    from pulumi.runtime.proto import provider_pb2

    with ProviderServer() as server, grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        with pytest.raises(grpc.RpcError, match="docker:index/getNetwork:getNetwork"):
            stub.Invoke(provider_pb2.InvokeRequest(tok="docker:index/getNetwork:getNetwork"))
        with pytest.raises(grpc.RpcError, match="no resource docker:index/service:Service"):
            stub.Check(provider_pb2.CheckRequest(urn="urn:pulumi:s::p::docker:index/service:Service::x"))
        assert stub.GetPluginInfo(Empty()).version == "5.2.0"
