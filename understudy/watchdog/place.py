"""Where the one watchdog of a user is found on this machine, and how it is started where there is none."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from understudy import alone
from understudy.owner import this_process
from understudy.watchdog import process

__all__ = ["WatchdogError", "connect", "place", "socket_name"]

PATIENCE = 10.0
"""Seconds in which a watchdog is found or started; it takes 0.05 to 0.1 s on a machine with nothing else to do."""

_LOOK = 0.02


class WatchdogError(Exception):
    """There is no watchdog, and none can be started; the words say why."""


def place(state: Path) -> Path:
    """The folder of the watchdog below the state folder."""
    return state / "watchdog"


def socket_name() -> str:
    """A name for this boot and PID namespace: pids mean nothing to a watchdog of another one with the same folder."""
    return hashlib.sha256(this_process().boot_id.encode()).hexdigest()[:8]


def connect(state: Path, registration: bytes) -> socket.socket:
    """Connect to the watchdog, which is started if there is none, and register.

    Args:
        state: the state folder.
        registration: the first line; only when it is answered is the watchdog sure to be there, since one that is
            ending takes connections and hears nobody.

    Raises:
        WatchdogError: there is none, and none can be started.
    """
    folder, name = place(state), socket_name()
    if not this_process().boot_id:
        raise WatchdogError("this system has no /proc to tell processes by")
    end = time.monotonic() + PATIENCE
    try:
        with _opened(folder) as handle:
            while True:
                with suppress(FileNotFoundError, ConnectionError, TimeoutError):
                    return _register(f"/proc/self/fd/{handle}/{name}.sock", registration)
                if time.monotonic() > end:
                    raise WatchdogError(f"the one of {folder} has not answered within {PATIENCE:g} s")
                if _start(folder, name) != 0:
                    time.sleep(_LOOK)  # another one is starting just now, or ending
    except (OSError, subprocess.SubprocessError) as error:
        raise WatchdogError(str(error)) from error


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """A descriptor of the folder, which is ours alone: by it the socket's path is as short as it must be (unix(7))."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(handle)
        if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise WatchdogError(f"{folder} is open to other users")
        yield handle
    finally:
        os.close(handle)


def _register(path: str, registration: bytes) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(PATIENCE)
        connection.connect(path)
        connection.sendall(registration)
        with connection.makefile("rb") as answers:
            _hold_answer(answers.readline(process.LONGEST))
        connection.settimeout(None)
    except BaseException:
        connection.close()
        raise
    return connection


def _hold_answer(line: bytes) -> None:
    if not line:
        raise ConnectionResetError("it is ending")
    try:
        understood = json.loads(line)["ok"]
    except (ValueError, KeyError, TypeError):
        understood = False
    if not understood:
        raise WatchdogError("it does not know what it was told")


def _start(folder: Path, name: str) -> int:
    """Start a watchdog, with nothing of this process but its folder; 0 once it listens."""
    return subprocess.run(
        alone.command(process.__file__, folder, name),
        cwd="/",
        env=alone.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        timeout=PATIENCE,
        check=False,
    ).returncode
