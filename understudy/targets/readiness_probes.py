"""Probes of one container: TCP connections where its network is visible from here, else one exec in it."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["Prober", "listening"]

CONNECT_TIMEOUT = 1.0

HUNG_PROBES = 3
"""Probes of one container that may hang; Docker's API cannot end an exec, so no more are started beside them."""

_PROBES = threading.BoundedSemaphore(2 * (os.cpu_count() or 1))
"""Execs in flight in this process: one costs 50 ms of processor time, which the containers need."""

_LISTEN = "0A"
_NO_COMMAND = 126
"""The exit code of a command that cannot be run (POSIX shells, and Docker's exec)."""


class Prober:
    """Probes one container, within a deadline of `time.monotonic` and until `stop` is set."""

    def __init__(
        self,
        client: DockerClient,
        container: str,
        *,
        deadline: float,
        stop: threading.Event,
        warn: Callable[[str], None],
        host_interfaces: Path = Path("/sys/class/net"),
    ) -> None:
        self._client = client
        self._container = container
        self._deadline = deadline
        self._stop = stop
        self._warn = warn
        self._interfaces = host_interfaces
        self._visible: dict[str, bool] = {}
        self._hung: list[threading.Thread] = []

    def over(self) -> bool:
        """Whether there is no time left, or the wait was given up."""
        return self._stop.is_set() or time.monotonic() >= self._deadline

    @contextmanager
    def slot(self) -> Iterator[bool]:
        """A place for an exec among those of this process; False where none came free, or too many of ours hang."""
        self._hung = [thread for thread in self._hung if thread.is_alive()]
        if len(self._hung) >= HUNG_PROBES:
            yield False
            return
        while not _PROBES.acquire(timeout=0.1):
            if self.over():
                yield False
                return
        try:
            yield True
        finally:
            _PROBES.release()

    def accepting(self, ports: tuple[int, ...], facts: Mapping[str, Any]) -> frozenset[int]:
        """Those of the ports where the container accepts a connection from its network."""
        addresses = self.addresses(facts)
        if addresses:
            return frozenset(port for port in ports if any(_connects(address, port) for address in addresses))
        code, output = self.run(("cat", "/proc/net/tcp", "/proc/net/tcp6"), 10.0)
        if code is not None and code >= _NO_COMMAND and "not found" in output:
            self._warn(
                f"{facts['Name'].lstrip('/')}: its network is not visible from here and its image has no `cat`, so "
                f"the ports {', '.join(map(str, ports))} were not probed."
            )
            return frozenset(ports)
        return listening(output) & frozenset(ports)

    def addresses(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """The container's addresses on networks whose bridge is an interface of this very machine."""
        networks = (facts.get("NetworkSettings") or {}).get("Networks") or {}
        return tuple(
            network["IPAddress"]
            for name, network in networks.items()
            if network.get("IPAddress") and self._is_visible(name, network.get("NetworkID", ""))
        )

    def _is_visible(self, name: str, network_id: str) -> bool:
        if network_id not in self._visible:
            self._visible[network_id] = self._look_for_bridge(name, network_id)
        return self._visible[network_id]

    def _look_for_bridge(self, name: str, network_id: str) -> bool:
        """Docker names a network's bridge `br-` and 12 digits of its id unless an option names it otherwise."""
        if not self._interfaces.is_dir():
            return False
        if name == "bridge":
            return (self._interfaces / "docker0").exists()
        if (self._interfaces / f"br-{network_id[:12]}").exists():
            return True
        options = self._client.api.inspect_network(network_id).get("Options") or {}
        bridge = str(options.get("com.docker.network.bridge.name") or "")
        return bool(bridge) and (self._interfaces / bridge).exists()

    def run(self, argv: tuple[str, ...], timeout: float) -> tuple[int | None, str]:
        """Run a command in the container: its exit code and output; None as code when it did not end in time.

        A thread reads the output, as only that can be left behind on every transport that docker-py speaks.
        """
        api = self._client.api
        result: dict[str, Any] = {}

        def read() -> None:
            try:
                made = api.exec_create(self._container, list(argv))["Id"]
                result["output"] = api.exec_start(made)
                result["code"] = api.exec_inspect(made)["ExitCode"]
            except Exception as error:  # noqa: BLE001 - a probe that cannot run is a failed probe, whatever the reason
                result["output"] = str(error).encode()
                result["code"] = _NO_COMMAND

        thread = threading.Thread(target=read, daemon=True, name=f"probe-{self._container[:12]}")
        thread.start()
        deadline = min(time.monotonic() + timeout, self._deadline)
        while thread.is_alive() and not self._stop.is_set() and (left := deadline - time.monotonic()) > 0:
            thread.join(min(left, 0.2))
        if thread.is_alive():
            self._hung.append(thread)
            return None, ""
        return result["code"], result["output"].decode("utf-8", "replace")


def _connects(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=CONNECT_TIMEOUT):
            return True
    except OSError:
        return False


def listening(table: str) -> frozenset[int]:
    """The ports that /proc/net/tcp and tcp6 (proc(5)) show in state LISTEN on more than a loopback address."""
    found = set()
    for line in table.splitlines():
        match line.split():
            case [_, local, _, state, *_] if state == _LISTEN:
                address, _, port = local.rpartition(":")
                if not _is_loopback(address):
                    found.add(int(port, 16))
    return frozenset(found)


def _is_loopback(address: str) -> bool:
    """127.0.0.0/8, also as an IPv4 address in IPv6, or ::1; words are in the byte order of a little-endian host."""
    return address == "0" * 24 + "01000000" or (
        address.endswith("7F") and address[:-8] in {"", "0000000000000000FFFF0000"}
    )
