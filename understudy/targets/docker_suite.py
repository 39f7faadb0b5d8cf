"""A suite's process in a container: made, watched and removed by threads of its own: nobody waits for Docker."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from understudy.errors import ToolError, UnderstudyError
from understudy.targets.docker_endpoints import leave_networks
from understudy.targets.docker_suite_box import Box, body
from understudy.targets.ownership import is_owned, whose_of
from understudy.targets.suite_marks import exit_code_of

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["SuiteContainer"]

_CONFLICT = 409

_PAUSE = 0.02
"""Seconds between two questions to Docker whether a container has ended."""

_LOOK = 0.5
"""Seconds that the kernel has for the end of its processes before Docker is asked again."""


class SuiteContainer:
    """A suite's command in a container of its own; when the command ends, the kernel ends all that it started.

    Args:
        client: of the daemon.
        make: says what to make; called in a thread of its own, it may ask the daemon.
        out: where both streams go, byte by byte; closed at the end.
        grace: seconds between SIGTERM and SIGKILL.
        patience: seconds after SIGKILL until the container counts as one that cannot be ended.
        meaning: exit code -> why the command did not start.
    """

    def __init__(
        self,
        client: DockerClient,
        make: Callable[[], Box],
        out: BinaryIO,
        *,
        grace: float,
        patience: float,
        meaning: Mapping[int, str],
    ) -> None:
        self._client, self._make, self._out = client, make, out
        self._grace, self._patience = grace, patience
        self._meaning = meaning
        self._lock = threading.Lock()
        self._stopping = self._running = self._killed = False
        self._kill_at = 0.0
        self._over, self._hung = threading.Event(), threading.Event()
        self._made = ""
        self._code: int | None = None
        self._pid, self._handle = 0, -1
        self.problem, self.unknown, self.idle = "", "", 0.0
        self.notices: tuple[str, ...] = ()
        self._life = threading.Thread(target=self._live, name="suite-container", daemon=True)
        self._life.start()

    @property
    def exit_code(self) -> int | None:
        """The command's exit code, negative for a signal; None while it runs, or where it did not start."""
        return self._code

    @property
    def stopping(self) -> bool:
        """Whether it was told to end."""
        return self._stopping

    def stop(self) -> None:
        """Send SIGTERM to the command, and SIGKILL to the container after the grace. A second call changes nothing."""
        if not self._stopping:
            self._stopping, self._kill_at = True, time.monotonic() + self._grace
            threading.Thread(target=self._end, name="suite-container-stop", daemon=True).start()

    def gone(self) -> bool:
        """Whether the command has ended, its output is whole, and no process of the container runs."""
        return self._over.is_set()

    def survivors(self) -> tuple[int, ...]:
        """The daemon's id of the container's first process where SIGKILL did not end it; empty before that."""
        return (self._pid,) if self._hung.is_set() and not self._over.is_set() else ()

    def close(self) -> None:
        """Wait until the container is removed; one that could not be is the environment's, and goes with it."""
        self.stop()
        self._life.join(self._grace + self._patience + self._patience)

    def _live(self) -> None:
        try:
            self._run()
        except Exception as error:  # noqa: BLE001 - in a thread nobody else hears of it
            self.problem = self.problem or _said(error)
            self._discard()
        finally:
            self._out.close()
            self._release()
            self._over.set()
            self._discard()

    def _run(self) -> None:
        from docker.utils.socket import frames_iter

        api = self._client.api
        self._made = self._create(self._make())
        socket = api.attach_socket(self._made, {"stdout": 1, "stderr": 1, "stream": 1})
        try:
            with self._lock:
                if self._stopping:
                    return
                api.start(self._made)
                self._running = True
            self._pid = int(api.inspect_container(self._made)["State"]["Pid"])
            with self._lock:
                self._handle = _handle(self._pid, self._made)
            for _, chunk in frames_iter(socket, tty=False):  # type: ignore[no-untyped-call]  # not in stubs
                self._out.write(chunk)
        finally:
            socket._response.close()  # noqa: SLF001 - docker-py keeps it there; it closes the socket too
        while not self._killed_and_gone():
            state = api.inspect_container(self._made)["State"]
            if not state["Running"]:
                self._end_with(state)
                return
            time.sleep(_PAUSE)
        self._code = -signal.SIGKILL

    def _killed_and_gone(self) -> bool:
        """Whether SIGKILL has ended the container's first process, and with it all others (pid_namespaces(7)).

        The kernel says that at once. Docker answers only when it has taken the container off its networks, too late
        for who waits for the end of processes; but it is not on every machine that its processes are seen.
        """
        return self._killed and self._handle >= 0 and _ended(self._handle, _LOOK)

    def _end_with(self, state: Mapping[str, Any]) -> None:
        code = int(state["ExitCode"])
        self.problem = self._meaning.get(code, "")
        if state.get("OOMKilled"):
            self.notices = ("the kernel killed a process of it for want of memory",)
        self._code = exit_code_of(code)

    def _create(self, box: Box) -> str:
        """Create the container, in the place of an earlier attempt's, or of one that a killed run left."""
        api, asked = self._client.api, body(box, self._client.info())
        deadline = time.monotonic() + self._patience
        while (made := self._created(asked, box)) is None and time.monotonic() < deadline:
            time.sleep(0.1)
        if made is None:
            raise ToolError(f"there is a container {box.name} already, and it could not be removed")
        identity = made
        try:
            for network in box.networks[1:]:
                api.connect_container_to_network(identity, network)
        except BaseException:
            self._remove(identity)
            raise
        return identity

    def _created(self, asked: Mapping[str, Any], box: Box) -> str | None:
        """The id of a new container; None where the environment's own of that name was in the way, and now goes."""
        from docker.errors import APIError

        try:
            made = self._client.api.create_container_from_config(asked, box.name)  # type: ignore[no-untyped-call]  # not in stubs
            return str(made["Id"])
        except APIError as error:
            if error.status_code != _CONFLICT:
                raise
        with contextlib.suppress(APIError):  # it is going already, or gone
            labels = self._client.api.inspect_container(box.name)["Config"]["Labels"]
            if not is_owned(labels, whose_of(box.labels)):
                raise ToolError(f"there is a container {box.name} that is not of this environment")
            self._remove(box.name)
        return None

    def _end(self) -> None:
        with self._lock:  # a start that is under way comes first
            running = self._running
        if running and not self._over.is_set():
            self._signal(signal.SIGTERM)
            if not self._over.wait(max(0.0, self._kill_at - time.monotonic())):
                self._killed = self._signal(signal.SIGKILL)
        if not self._over.wait(self._patience):
            self._hung.set()

    def _signal(self, number: signal.Signals) -> bool:
        """Send a signal; whether the command ran still as far as is known. One that has ended by itself needs none.

        Where its first process is one of this machine and of this user, the kernel is asked: Docker starts a program
        for that, which takes long where several suites are stopped at once.
        """
        from docker.errors import DockerException

        with self._lock, contextlib.suppress(OSError):
            if self._handle >= 0:
                if _ended(self._handle, 0):
                    return False
                signal.pidfd_send_signal(self._handle, number)
                return True
        with contextlib.suppress(DockerException, OSError):
            self._client.api.kill(self._made, number.name)
            return True
        return False

    def _release(self) -> None:
        with self._lock:
            if self._handle >= 0:
                os.close(self._handle)
            self._handle = -1

    def _discard(self) -> None:
        """Remove the container; one that stays carries the environment's labels, so that the sweep finds it."""
        with contextlib.suppress(Exception):
            if self._made:
                self._remove(self._made)

    def _remove(self, container: str) -> None:
        leave_networks(self._client, self._client.api.inspect_container(container))
        self._client.api.remove_container(container, v=True, force=True)


def _handle(pid: int, container: str) -> int:
    """A file descriptor of a container's first process (pidfd_open(2)); -1 where that is no process of this machine."""
    try:
        found = os.pidfd_open(pid)
    except (AttributeError, OSError):
        return -1
    try:
        if container in Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8"):
            return found
    except OSError:
        pass
    os.close(found)
    return -1


def _ended(handle: int, seconds: float) -> bool:
    """Whether the process of a pidfd ends within some seconds."""
    watched = select.poll()
    watched.register(handle, select.POLLIN)
    return bool(watched.poll(seconds * 1000))


def _said(error: Exception) -> str:
    """An error in the daemon's own words, as far as it has any."""
    if isinstance(error, UnderstudyError):
        return str(error)
    return str(getattr(error, "explanation", None) or "") or str(error) or type(error).__name__
