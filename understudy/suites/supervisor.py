"""The supervisor of one suite's command: whatever that starts stays a descendant of this process, and ends with it.

This file is run alone, by our own interpreter with `-I -S`, and takes nothing but the standard library. It makes
itself a child subreaper (PR_SET_CHILD_SUBREAPER, prctl(2)): a process whose parent ends, daemonised or not, becomes a
child of the supervisor, so that having no child left proves that nothing is left.

It is given two file descriptors. From the first it reads what to run, and then nothing but the end of the file, which
comes when Understudy has ended, in whatever way. On the second it says, a line each: `pid N`, or `error ERRNO TEXT`
where the command could not be started; `code N`, negative for a signal, when the command has ended; `left N...` for
what SIGKILL did not end. Its exit code is 0 when no process is left, and 1 when it cannot say that.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time

TYPE_CHECKING = False  # `typing` takes longer to import than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LENGTH", "main", "pack"]

LENGTH = 8
"""Bytes, big-endian, that say how long the message is which follows."""

PR_SET_CHILD_SUBREAPER = 36
"""linux/prctl.h."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.001, 0.05
"""Seconds between two rounds of SIGKILL: a round takes what was forked during the last one."""

ROUNDS = 50
"""Looks at the direct children in one round: each costs microseconds, and a child of a killed process is the next."""


def pack(command: list[str], environment: dict[str, str]) -> bytes:
    """The message that says what to run: neither arguments nor variables can hold a NUL (execve(2))."""
    parts = [str(len(command)), *command, *(f"{name}={value}" for name, value in environment.items())]
    body = b"\0".join(map(os.fsencode, parts))
    return len(body).to_bytes(LENGTH, "big") + body


def receive(source: int) -> tuple[list[bytes], dict[bytes, bytes]]:
    """The reverse of `pack`; an end of the file before the message's end leaves nothing to run."""
    parts = _exactly(source, int.from_bytes(_exactly(source, LENGTH), "big")).split(b"\0")
    count = int(parts[0])
    variables = (part.partition(b"=") for part in parts[count + 1 :])
    return parts[1 : count + 1], {name: value for name, _, value in variables}


def _exactly(source: int, length: int) -> bytes:
    data = b""
    while len(data) < length:
        chunk = os.read(source, length - len(data))
        if not chunk:
            raise EOFError("Understudy ended before it said what to run")
        data += chunk
    return data


class Supervisor:
    """The command's life. `grace` are the seconds between SIGTERM and SIGKILL, `patience` those after SIGKILL."""

    def __init__(self, lifeline: int, status: int, grace: float, patience: float) -> None:
        self.lifeline, self.status = lifeline, status
        self.grace, self.patience = grace, patience
        self.pid = 0
        self.kill_at = 0.0
        self.stopping = self.asked = False
        self.bell, ring = os.pipe()
        for end in (self.bell, ring):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self.ask)

    def ask(self, *_: object) -> None:
        """SIGTERM: end the suite."""
        self.asked = True

    def say(self, line: str) -> None:
        """Write a line of the status; when nobody reads any more, that is no reason to stop."""
        try:
            os.write(self.status, os.fsencode(line) + b"\n")
        except OSError:
            return

    def run(self) -> int:
        """Start the command, wait for its end, and let nothing of it remain."""
        command, environment = receive(self.lifeline)
        os.environb.clear()
        os.environb.update(environment)  # PATH of the suite finds the command
        try:
            self.pid = os.posix_spawnp(
                command[0],
                command,
                environment,
                setsid=True,
                setsigmask=(),
                setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),  # Python ignores them, and a command must not
            )
        except OSError as error:
            self.say(f"error {error.errno or 0} {error.strerror}")
            return 0
        self.say(f"pid {self.pid}")
        pause: float | None = None
        while self.reap():
            now = time.monotonic()
            if self.asked and not self.stopping:
                self.stopping, self.kill_at = True, now + self.grace
                send(signal.SIGTERM, descendants())
            if self.stopping and now >= self.kill_at:
                self.kill()
                pause = min(2 * (pause or SHORTEST_PAUSE), LONGEST_PAUSE)
                if now >= self.kill_at + self.patience:
                    self.say("left " + " ".join(map(str, sorted(descendants()))))
                    return 1
            elif self.stopping:
                pause = self.kill_at - now
            self.wait(pause)
        return 0

    def reap(self) -> bool:
        """Bury every child that has ended; whether any is left. The command's end is told, and ends the rest."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.pid:
                self.say(f"code {os.waitstatus_to_exitcode(status)}")
                self.asked = True

    def kill(self) -> None:
        """One round of SIGKILL: to all descendants, then again and again to those who became children meanwhile."""
        send(signal.SIGKILL, descendants())
        for _ in range(ROUNDS):
            found = children()
            if not found:
                return
            send(signal.SIGKILL, found)  # not reaped yet, so the ids are still their own
            if not self.reap():
                return

    def wait(self, seconds: float | None) -> None:
        """Sleep until a child ends, a signal comes, Understudy is gone, or the time is over."""
        watched = select.poll()
        watched.register(self.bell, select.POLLIN)
        if self.lifeline >= 0:
            watched.register(self.lifeline, select.POLLIN)
        ready = dict(watched.poll(None if seconds is None else max(1.0, seconds * 1000)))
        if self.bell in ready:
            os.read(self.bell, 4096)
        if self.lifeline in ready:
            os.close(self.lifeline)
            self.lifeline, self.asked = -1, True


def send(number: signal.Signals, processes: Iterable[int]) -> None:
    """Send a signal; a process that is gone, or another user's, is passed over."""
    for pid in processes:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def descendants() -> list[int]:
    """All processes below this one, by the parents that proc(5) names; a parent comes before its children.

    So a test runner hears of the end before it sees its workers end.
    """
    below: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as stat:
                    parent = int(stat.read().rpartition(b")")[2].split()[1])
            except OSError:
                continue
            below.setdefault(parent, []).append(int(name))
    own = os.getpid()
    found, known = [own], {own}
    for parent in found:
        new = [child for child in below.get(parent, ()) if child not in known]
        found += new
        known.update(new)
    return found[1:]


def children() -> list[int]:
    """The direct children (proc(5), since Linux 4.2 with CONFIG_PROC_CHILDREN); none where the kernel has no list."""
    own = os.getpid()
    try:
        with open(f"/proc/{own}/task/{own}/children", "rb") as listed:
            return [int(pid) for pid in listed.read().split()]
    except OSError:
        return []


def adopt() -> bool:
    """Become the parent of every orphan below; whether the kernel does that."""
    try:
        done: int = ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (OSError, AttributeError):
        return False
    return done == 0


def main(arguments: list[str]) -> int:
    """Run with `LIFELINE STATUS GRACE PATIENCE [HELD]`; HELD is open until the end here, and not in the suite."""
    lifeline, status = int(arguments[0]), int(arguments[1])
    for end in (lifeline, status, *map(int, arguments[4:])):
        os.set_inheritable(end, False)
    adopted = adopt()
    code = Supervisor(lifeline, status, float(arguments[2]), float(arguments[3])).run()
    return code if adopted else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
