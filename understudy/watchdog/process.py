"""The watchdog's process: waits for owners to die, ends their children, runs their last command until it succeeds.

This file is run alone, by our own interpreter with `-I -S`, with `FOLDER NAME`, and returns once the watchdog listens
on `FOLDER/NAME.sock`: 0, or `HELD` where another one has the lock. An owner connects, says in one JSON line what is to
be run, and keeps the connection. Its end without a release says that the owner is gone, in whatever way; nothing of the
dying process is needed for that. What is run comes from the owner, so a watchdog serves owners of other versions.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

__all__ = ["HELD", "PROTOCOL", "main"]

PROTOCOL = 1
HELD = 3
"""The exit code where another watchdog has the lock: it listens, is about to, or is ending."""

LINGER = 5.0
"""Seconds without an owner and without work after which it ends."""

GRACE = 3.0
"""Seconds between the SIGTERM and the SIGKILL of what a dead owner has left running."""

PAUSES = (1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60)
"""Seconds between two runs of a last command that failed; after the last pause and run it is given up: the lease stays,
and the next command on the same backend takes it up."""

LIMIT = 300.0
"""Seconds for one run of it, where the owner says no other."""

LONGEST = 4 << 20
OWNERS = 400  # with what is run for them, fewer than the 1,024 files that a process may usually open
AT_ONCE = 2 * (os.cpu_count() or 1)
LOG = 1 << 20
SAID = 8192
TICK = 0.05


class Log:
    """A file of mode 0600 that is begun anew when it is full."""

    def __init__(self, path: str) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def __call__(self, text: str) -> None:
        """Append a line; a disk that is full keeps nobody from work."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        try:
            if os.fstat(self._handle).st_size > LOG:
                os.ftruncate(self._handle, 0)
            os.write(self._handle, f"{stamp} {os.getpid()} {text}\n".encode("utf-8", "replace"))
        except OSError:
            pass


class Owner:
    """A connected owner: what it has sent so far, and what is to be done when it is gone."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.connection, self.pid = connection, pid
        self.unread = b""
        self.argv: list[str] = []
        self.env: dict[str, str] = {}
        self.children: dict[int, int] = {}
        self.limit = LIMIT

    def take(self, line: bytes) -> None:
        """Do what a line says, and answer by its number; a line that says nothing known is refused."""
        number = 0
        try:
            said = json.loads(line)
            number = int(said["number"])
            known = self._do(said)
        except (ValueError, KeyError, TypeError, AttributeError):
            known = False
        self.answer(number, ok=known)

    def _do(self, said: dict[str, Any]) -> bool:
        match said["verb"]:
            case "own":
                self.argv = [str(word) for word in said["argv"]]
                self.env = {str(name): str(value) for name, value in said["env"].items()}
                self.children = {int(pid): int(started) for pid, started in said["children"]}
                self.limit = float(said.get("limit", LIMIT))
            case "child":
                self.children[int(said["pid"])] = int(said["started"])
            case "ended":
                self.children.pop(int(said["pid"]), None)
            case "release":
                self.argv, self.children = [], {}
            case _:
                return False
        return True

    def answer(self, number: int, *, ok: bool) -> None:
        """One line; an owner that is gone does not hear it, and one that does not read is not waited for."""
        with contextlib.suppress(OSError):
            self.connection.send(json.dumps({"protocol": PROTOCOL, "number": number, "ok": ok}).encode() + b"\n")


class Watchdog:
    """Waits for owners and works for those that are gone, until there is neither."""

    def __init__(self, listener: socket.socket, path: str, log: Log) -> None:
        self._listener, self._path, self._log = listener, path, log
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._owners: set[Owner] = set()
        self._left: list[Owner] = []
        self._works: list[threading.Thread] = []
        self._places = threading.Semaphore(AT_ONCE)

    def run(self) -> None:
        """Until nobody is left. Who connects from now on gets no answer, and starts the next one."""
        idle = time.monotonic()
        while time.monotonic() - idle < LINGER:
            for key, _ in self._selector.select(1.0):
                if key.data is None:
                    self._accept()
                else:
                    self._read(key.data)
            self._set_to_work()
            self._works = [work for work in self._works if work.is_alive()]
            if self._owners or self._works or self._left:
                idle = time.monotonic()
        os.unlink(self._path)
        self._listener.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it has too many files open just now: who connects waits, and the others are not lost
            time.sleep(TICK)
            return
        pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid != os.getuid() or len(self._owners) >= OWNERS:
            self._log(f"refused process {pid} of user {uid}")
            connection.close()
            return
        connection.setblocking(False)
        owner = Owner(connection, pid)
        self._owners.add(owner)
        self._selector.register(connection, selectors.EVENT_READ, owner)

    def _read(self, owner: Owner) -> None:
        try:
            piece = owner.connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        owner.unread += piece
        *lines, owner.unread = owner.unread.split(b"\n")
        for line in lines:
            owner.take(line)
        if not piece or len(owner.unread) > LONGEST:
            self._gone(owner)

    def _gone(self, owner: Owner) -> None:
        self._selector.unregister(owner.connection)
        owner.connection.close()
        self._owners.discard(owner)
        if owner.argv or owner.children:
            self._left.append(owner)

    def _set_to_work(self) -> None:
        """Begin with what dead owners have left; a machine that gives no thread just now is asked again."""
        while self._left:
            work = threading.Thread(target=self._finish, args=(self._left[0],))
            try:
                work.start()
            except RuntimeError as error:
                self._log(f"process {self._left[0].pid} is gone; {error}")
                return
            self._works.append(work)
            del self._left[0]

    def _finish(self, owner: Owner) -> None:
        self._log(f"process {owner.pid} is gone; it has left {sorted(owner.children)}")
        end_groups(owner.children)
        if not owner.argv:
            return
        for pause in (*PAUSES, 0):
            with self._places:
                code, said = run(owner.argv, owner.env, owner.limit)
            self._log(f"{owner.argv[-1]}: exit code {code}\n{said}".rstrip())
            if code == 0:
                return
            time.sleep(pause)
        self._log(f"{owner.argv[-1]}: given up")


def run(argv: list[str], env: dict[str, str], limit: float) -> tuple[int, str]:
    """Run a command to its end, or to the limit: its exit code, and the end of what it printed."""
    try:
        output = os.memfd_create("output", os.MFD_CLOEXEC)
    except OSError as error:
        return -1, str(error)
    try:
        process = subprocess.Popen(
            argv, cwd="/", env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            end_groups({process.pid: start_time(process.pid)})
            code = process.wait()
        size = os.lseek(output, 0, os.SEEK_END)
        return code, os.pread(output, SAID, max(0, size - SAID)).decode("utf-8", "replace").strip()
    except OSError as error:
        return -1, str(error)
    finally:
        os.close(output)


def end_groups(leaders: dict[int, int]) -> None:
    """End process groups by their leaders (pid -> start time): SIGTERM, then SIGKILL. No other process is touched.

    A pid that is another process's by now has another start time. What a group held when it was told to end is known
    by pid and start time too, so that it is ended even when its leader is gone first.
    """
    leaders = {pid: started for pid, started in leaders.items() if started and start_time(pid) == started}
    held = members(leaders)
    for pid in leaders:
        send(pid, signal.SIGTERM, group=True)
    end = time.monotonic() + GRACE
    while time.monotonic() < end and any(start_time(pid) == started for pid, started in held.items()):
        time.sleep(TICK)
    held |= members({pid: started for pid, started in leaders.items() if start_time(pid) == started})
    for pid, started in held.items():
        if start_time(pid) == started:
            send(pid, signal.SIGKILL, group=False)


def members(leaders: dict[int, int]) -> dict[int, int]:
    """Every process of the groups, the leaders too: pid -> start time."""
    found = {}
    for name in os.listdir("/proc") if leaders else ():
        if name.isdigit() and (fields := stat_of(int(name))) and int(fields[2]) in leaders:
            found[int(name)] = int(fields[19])
    return found


def start_time(pid: int) -> int:
    """Field 22 of /proc/PID/stat (proc(5)); 0: there is no such process, or it has ended."""
    fields = stat_of(pid)
    return 0 if not fields or fields[0] in "ZX" else int(fields[19])


def stat_of(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()
    except OSError:
        return []


def send(pid: int, number: signal.Signals, *, group: bool) -> None:
    """A signal to a process or its group; one that is gone or another user's is left."""
    with contextlib.suppress(OSError):
        os.killpg(pid, number) if group else os.kill(pid, number)


def lock(path: str) -> bool:
    """Take the lock that the one watchdog has, for as long as this process, or what it forks, lives."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if os.path.exists(path) and os.path.samestat(os.fstat(handle), os.stat(path)):
            return True
        os.close(handle)  # another one has ended just now, and taken its lock file with it


def listen(path: str) -> socket.socket:
    """A socket of mode 0600 that listens before it can be found; what a killed watchdog left is replaced."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    staged = f"{path}.new"
    if os.path.lexists(staged):
        os.unlink(staged)
    listener.bind(staged)
    listener.listen(128)
    listener.setblocking(False)
    os.rename(staged, path)
    return listener


def detach() -> bool:
    """Leave whoever started this: its session, its process tree; True in the process that goes on."""
    if os.fork():
        return False
    os.setsid()
    if os.fork():
        os._exit(0)
    return True


def main(arguments: list[str]) -> int:
    """Listen, then go on in the background."""
    folder, name = arguments
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # and not SIG_IGN, which a command that is run would inherit
    os.chdir(folder)  # the path of a socket has 107 characters at most, so it is named from here
    if not lock(f"{name}.lock"):
        return HELD
    log = Log("log")
    listener = listen(f"{name}.sock")
    place = os.getcwd()
    if not detach():
        return 0
    os.chdir("/")
    try:
        Watchdog(listener, os.path.join(place, f"{name}.sock"), log).run()
    except BaseException as error:  # noqa: BLE001 - nobody else would hear of it
        log(f"{type(error).__name__}: {error}")
        return 1
    finally:
        os.unlink(os.path.join(place, f"{name}.lock"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
