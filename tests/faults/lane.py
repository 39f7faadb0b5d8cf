"""A lane: one daemon, one state folder, one repository, in which one trial after the other is made and judged."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docker import DockerClient
from faults.inventory import Inventory, descendants, look
from private_daemon import PrivateDaemon, private_daemon
from support import UNDERSTUDY, Done, Project, make_project

__all__ = ["Lane", "Run", "hear_signals", "open_lane"]

_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER (prctl(2))."""

COMPOSE = """\
services:
  web:
    image: busybox:1.35
    command: [sh, -c, "{command}"]
    {reached}: ["8080"]
    volumes: [data:/data]
volumes:
  data: {{}}
x-understudy:
  tests:
    unit: {{command: [python3, suite.py]}}
"""
DISK = 512
"""MiB for the images (95), layers and containers of a lane, in memory: faster, and full when a trial wants it."""

SERVES = "httpd -f -p 8080"
SUITE = """\
import time
time.sleep({seconds})
raise SystemExit({code})
"""


@dataclass
class Run:
    """A command that is being watched: its events as they come, and how it ended."""

    process: subprocess.Popen[bytes]
    output: Path
    _read: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)

    def look(self) -> list[dict[str, Any]]:
        """All events so far."""
        with self.output.open("rb") as file:
            file.seek(self._read)
            whole, _, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + bool(whole)
        for line in whole.splitlines():
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and "phase" in event:
                    self.events.append(event)
        return self.events

    def began(self, phase: str) -> bool:
        """Whether a phase has begun."""
        return any(event["phase"] == phase for event in self.look())

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def text(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")


@dataclass(frozen=True)
class Filler:
    """Takes all the room on a file system, and gives it back."""

    folder: Path

    def fill(self) -> None:
        """Leave no byte."""
        with (self.folder / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 65536)

    @property
    def free(self) -> int:
        """Bytes that are left."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def empty(self) -> None:
        """Give it back."""
        (self.folder / "filler").unlink(missing_ok=True)


@dataclass
class Lane:
    """What the trials of one lane share.

    `patience` stretches every limit on a machine that is busy, but for `alone`: the seconds in which all is gone with
    no command given (the promise of `docs/guarantees.md`).
    """

    folder: Path
    daemon: PrivateDaemon
    project: Project
    client: DockerClient
    patience: float = 1.0
    alone: float = 15.0
    before: Inventory = field(default_factory=lambda: Inventory({}))
    _runs: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def backend(self) -> Path:
        return self.state / "understudy" / "backend"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def env(self) -> dict[str, str]:
        return self.project.env | self.daemon.env

    def shape(self, *, command: str = SERVES, seconds: float = 0.5, code: int = 0, relay: bool = True) -> None:
        """Make the next runs' topology (with a second container and network, or not) and suite, as a commit."""
        compose = COMPOSE.format(command=command, reached="ports" if relay else "expose")
        (self.project.folder / "compose.yaml").write_text(compose, encoding="utf-8")
        (self.project.folder / "suite.py").write_text(SUITE.format(seconds=seconds, code=code), encoding="utf-8")
        if self.project.git("status", "--porcelain"):
            self.project.commit("Shape the next runs")

    def start(self, *arguments: str, env: Mapping[str, str] | None = None) -> Run:
        """A command in the daemon's network, the leader of a session; its output goes to a file."""
        output = self.folder / "out" / f"{len(self._runs) + 1}.txt"
        output.parent.mkdir(exist_ok=True)
        with output.open("wb") as out:
            process = subprocess.Popen(
                self.daemon.inside([UNDERSTUDY, *arguments]),
                cwd=self.project.folder,
                env=self.env | (env or {}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._runs.append(process)
        return Run(process, output)

    def run(self, *, env: Mapping[str, str] | None = None) -> Run:
        """`understudy run`, telling its events."""
        return self.start("run", "--progress", "json", env=env)

    def finish(self, run: Run, limit: float = 120) -> int:
        """The exit code of a command; it has to come within `limit` seconds, times the patience."""
        return run.process.wait(limit * self.patience)

    def command(self, *arguments: str, env: Mapping[str, str] | None = None, limit: float = 120) -> Done:
        """A command from beginning to end."""
        run = self.start(*arguments, env=env)
        try:
            return Done(self.finish(run, limit), run.text, "")
        except subprocess.TimeoutExpired:
            run.process.send_signal(signal.SIGKILL)
            run.process.wait()
            return Done(-9, f"{run.text}\n(no end within {limit * self.patience:g} s)", "")

    def started(self) -> set[int]:
        """The pids of what this process started itself and waits for."""
        own = {process.pid for process in self._runs if process.returncode is None}
        daemon = {self.daemon.process.pid} if self.daemon.process else set()
        return own | daemon | {self.daemon.holder.pid}

    def leases(self) -> list[str]:
        """The ids of the environments that have a lease."""
        return sorted(path.stem for path in (self.backend / ".understudy" / "leases").glob("*.json"))

    def stacks(self) -> list[Path]:
        """The state files of environments."""
        return sorted((self.backend / ".pulumi" / "stacks" / "understudy").glob("*.json"))

    def look(self) -> Inventory:
        """The whole inventory of this lane."""
        return look(self.daemon, self.client, self.state, self.temporary)

    def something(self) -> list[str]:
        """What there is now of a run: a kill counts only where there was something to leave behind."""
        differences = self.look().differences(self.before)
        return [kind for kind in differences if kind.startswith("more ") and kind != "more processes"]

    def cpu(self) -> float:
        """Seconds of processor time of this lane so far: its own, of its commands that ended, and of its daemon."""
        own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(each.ru_utime + each.ru_stime for each in own) + self.daemon.cpu()

    def settled(self, limit: float) -> tuple[float | None, dict[str, list[str]]]:
        """Wait until all is as before; seconds it took (None: it never was), and what differed at the end."""
        began = time.monotonic()
        while True:
            differences = self.look().differences(self.before)
            passed = time.monotonic() - began
            if passed > limit:
                return None, differences or {"nothing any more": [f"after {passed:.1f} s"]}
            if not differences:
                return passed, {}
            time.sleep(0.25)

    def restore_foreign(self) -> None:
        """Start again what a restart of the daemon ended of somebody else's."""
        for container in self.client.containers.list(all=True):
            if f"/{container.name} {container.id}" in self.before.kinds["containers"]:
                container.start()

    @property
    def docker_disk(self) -> Filler:
        """The file system of this lane's daemon's data, which is only in its mount namespace."""
        return Filler(Path(f"/proc/{self.daemon.holder.pid}/root{self.daemon.folder}/data"))

    @contextmanager
    def small_disk(self, megabytes: int) -> Iterator[Filler]:
        """Meanwhile the state folder lies on a file system of this size."""
        place = str(self.state / "understudy" / "backend")
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", place], check=True)
        try:
            yield Filler(Path(place))
        finally:
            subprocess.run(["umount", "-l", place], check=True)

    def processes(self) -> dict[int, str]:
        """What runs of this lane's commands."""
        return descendants(os.getpid(), self.daemon)

    def watchdogs(self) -> list[int]:
        """The watchdog's processes."""
        return [pid for pid, words in self.processes().items() if "watchdog/process.py" in words]

    def end_all(self) -> None:
        """Kill every process of this lane's commands at once, as the loss of the machine would."""
        for _ in range(100):
            alive = self.processes()
            for pid in alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not alive:
                return
            time.sleep(0.02)

    def clear(self) -> None:
        """Bring everything back to what it was, by force, so that one failure is not the next trial's, too."""
        self.end_all()
        for container in self.client.containers.list(all=True):
            if f"/{container.name} {container.id}" not in self.before.kinds["containers"]:
                container.remove(force=True, v=True)
        for network in self.client.networks.list(filters={"type": "custom"}):
            if f"{network.name} {network.id}" not in self.before.kinds["networks"]:
                network.remove()
        for volume in self.client.volumes.list():
            if volume.name not in self.before.kinds["volumes"]:
                volume.remove(force=True)
        shutil.rmtree(self.state / "understudy" / "backend", ignore_errors=True)
        shutil.rmtree(self.state / "understudy" / "trees", ignore_errors=True)
        for path in self.temporary.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        done = self.command("list", "--format", "json")
        if done.code != 0:
            raise RuntimeError(f"the lane could not be brought back to its beginning: {done.text}")


@contextmanager
def open_lane(folder: Path, *, patience: float = 1.0, alone: float = 15.0) -> Iterator[Lane]:
    """A lane with a daemon of its own and things of somebody else on it, which must stay."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    with private_daemon(megabytes=DISK) as daemon:
        project = make_project(folder / "repository", folder / "state")
        project.env |= {"TMPDIR": str(temporary), "XDG_RUNTIME_DIR": str(folder / "state")}
        client = DockerClient(base_url=daemon.host, timeout=60)
        _foreign(daemon)
        lane = Lane(folder, daemon, project, client, patience, alone)
        with _adopting(lane.started):
            _begin(lane)
            try:
                yield lane
            finally:
                lane.end_all()
                client.close()


def hear_signals() -> None:
    """Undo what a shell does to jobs in the background, and nohup: what they ignore, all that they start ignores."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _begin(lane: Lane) -> None:
    """One run that nobody disturbs makes what stays on a machine, and shows that the rest goes."""
    lane.shape()
    lane.before = lane.look()
    first = lane.command("run", "--progress", "json")
    if first.code != 0:
        raise RuntimeError(f"a run that nobody disturbs ended with {first.code}: {first.text}")
    seconds, differences = lane.settled(30 * lane.patience)
    if seconds is None:
        raise RuntimeError(f"a run that nobody disturbed leaves {differences}")


def _foreign(daemon: PrivateDaemon) -> None:
    """Another's things: without labels, and with some of ours but not all."""
    half = (
        "--label",
        "dev.understudy.environment=e0000000000",
        "--label",
        "dev.understudy.not-after=2020-01-01T00:00:00Z",
    )
    for labels, name in (((), "foreign"), (half, "half-labelled")):
        daemon.docker("volume", "create", *labels, name)
        daemon.docker("network", "create", *labels, name)
        daemon.docker(
            "run", "-d", "--init", "--name", name, *labels, "--network", name, "busybox:1.35", "sleep", "86400"
        )


@contextmanager
def _adopting(known: Callable[[], set[int]]) -> Iterator[None]:
    """Take in the ends of adopted processes, as an init does, for else they would seem to be there still.

    A process that this one started itself (`known`, or one that is waited for at this moment) is left to its waiter.
    """
    done = threading.Event()

    def adopt() -> None:
        before: set[int] = set()
        while not done.wait(0.25):
            now = _ended_children() - known()
            for pid in now & before:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            before = now

    thread = threading.Thread(target=adopt, name="adopting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _ended_children() -> set[int]:
    found = set()
    for thread in Path("/proc/self/task").iterdir():  # proc(5): children are their thread's
        with contextlib.suppress(OSError, IndexError):
            for pid in (thread / "children").read_text(encoding="ascii").split():
                stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
                if stat.rpartition(")")[2].split()[0] == "Z":
                    found.add(int(pid))
    return found
