"""A Docker Engine of the suite's own: its own network and mounts, ended and removed whole, whatever ends the suite.

The machine's daemon is never touched, so that this one can be restarted, killed and filled. One process, the holder,
keeps the namespaces; it waits on a pipe of the suite's, and at its end kills all that runs in them by pid and removes
the rest. Whoever asks for endpoints on 127.0.0.1 has to run in that network: `PrivateDaemon.inside`.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["BASE_IMAGES", "PrivateDaemon", "missing", "private_daemon"]

BASE_IMAGES = ("busybox:1.35", "haproxy:2.6")
"""What an environment of one service needs: the service and the relay."""

_NEEDED = ("docker", "dockerd", "containerd", "runc", "iptables", "ip", "nsenter", "unshare", "mount")
_CGROUPS = Path("/sys/fs/cgroup")
_PREFIX = "ud-"
"""Short: the path of a socket has at most 107 bytes (unix(7)), and containerd puts long ones below ours."""


@functools.cache
def missing() -> str:
    """Why there can be no such daemon here, or ""."""
    if os.geteuid() != 0:
        return "a Docker Engine of the suite's own needs root"
    path = _path()
    lacking = [name for name in _NEEDED if shutil.which(name, path=path) is None]
    if lacking:
        return f"a Docker Engine of the suite's own needs {', '.join(lacking)} on PATH"
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "--propagation", "private", "true"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PATH": path},
    )
    return "" if tried.returncode == 0 else f"no network namespace of the suite's own: {tried.stderr.strip()}"


def _path() -> str:
    return os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"


@dataclass
class PrivateDaemon:
    """The daemon as it runs. `restart` and `kill` leave its namespaces and its data where they are."""

    folder: Path
    holder: subprocess.Popen[str]
    process: subprocess.Popen[bytes] | None = None
    options: Sequence[str] = field(default=())

    @property
    def host(self) -> str:
        """The value of DOCKER_HOST, which is good in every network namespace."""
        return f"unix://{self.folder}/d.sock"

    @property
    def env(self) -> dict[str, str]:
        """What a command needs in its environment to use this daemon."""
        return {"DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "0", "PATH": _path()}

    @property
    def log(self) -> str:
        """What the daemon has said so far."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def inside(self, argv: Sequence[str], *, mounts: bool = False) -> list[str]:
        """The command in this daemon's network (and with `mounts` its file systems); its pid is that of `argv`."""
        namespaces = f"/proc/{self.holder.pid}/ns"
        files = [f"--mount={namespaces}/mnt", f"--wdns={Path.cwd()}"] if mounts else []
        return ["nsenter", f"--net={namespaces}/net", *files, "--", *argv]

    def owns(self, pid: int) -> bool:
        """Whether a process runs in its mounts: the holder, dockerd, containerd, shims."""
        try:
            return Path(f"/proc/{pid}/ns/mnt").readlink() == Path(f"/proc/{self.holder.pid}/ns/mnt").readlink()
        except OSError:
            return False

    def cpu(self) -> float:
        """Seconds of processor time of dockerd and containerd, and of what they started that has ended (proc(5))."""
        ticks = 0
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and self.owns(int(entry.name)):
                with contextlib.suppress(OSError):
                    if (entry / "comm").read_text(encoding="utf-8").strip() in {"dockerd", "containerd"}:
                        fields = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                        ticks += sum(map(int, fields[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def docker(self, *arguments: str) -> str:
        """What the docker CLI says of it."""
        done = subprocess.run(
            ["docker", "-H", self.host, *arguments], capture_output=True, text=True, check=True, timeout=120
        )
        return done.stdout

    def answers(self) -> bool:
        """Whether it answers now."""
        with contextlib.suppress(subprocess.SubprocessError):
            return bool(self.docker("info", "--format", "{{.ID}}").strip())
        return False

    def start(self, limit: float = 90) -> None:
        """Start the daemon and wait until it answers."""
        assert self.process is None, "it runs"
        self._forget_pids()
        dockerd = (
            *("dockerd", "--host", self.host, "--pidfile", f"{self.folder}/pid"),
            *("--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/run"),
            *("--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", f"/{self.folder.name}"),
            *self.options,
        )
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.inside(dockerd, mounts=True),
                cwd="/",
                env={name: value for name, value in os.environ.items() if name != "DOCKER_HOST"} | {"PATH": _path()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + limit
        while not self.answers():
            assert self.process.poll() is None, f"dockerd ended: {self.log[-2000:]}"
            assert time.monotonic() < end, f"dockerd did not answer within {limit} s: {self.log[-2000:]}"
            time.sleep(0.1)

    def stop(self, limit: float = 60) -> None:
        """Ask it to end, as a service manager does: its containers end with it."""
        self._end(signal.SIGTERM, limit)

    def kill(self) -> None:
        """End only the daemon at once; its containers and their shims stay."""
        self._end(signal.SIGKILL, 10)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def _end(self, number: signal.Signals, limit: float) -> None:
        assert self.process is not None, "it does not run"
        self.process.send_signal(number)
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _forget_pids(self) -> None:
        """Remove pid files whose processes ended, which a daemon believes; containerd dies with a killed daemon."""
        (self.folder / "pid").unlink(missing_ok=True)
        containerd = self.folder / "run" / "containerd" / "containerd.pid"
        if containerd.exists():
            pid, end = containerd.read_text(encoding="ascii").strip(), time.monotonic() + 10
            while _runs(pid) and time.monotonic() < end:
                time.sleep(0.05)
            containerd.unlink(missing_ok=True)

    def load(self, images: Iterable[str]) -> None:
        """Copy images of the machine's daemon into this one."""
        wanted = list(images)
        with subprocess.Popen(["docker", "save", *wanted], stdout=subprocess.PIPE) as saving:
            load = ["docker", "-H", self.host, "load", "-q"]
            subprocess.run(load, stdin=saving.stdout, check=True, capture_output=True)
        assert saving.returncode == 0, f"docker save {wanted} ended with {saving.returncode}"


@contextmanager
def private_daemon(
    *, images: Iterable[str] = BASE_IMAGES, megabytes: int = 0, options: Sequence[str] = ()
) -> Iterator[PrivateDaemon]:
    """A daemon that runs and has `images`; with `megabytes` its data lies on a file system of that size."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir="/tmp"))
    argv = ("unshare", "--net", "--mount", "--propagation", "private", sys.executable, __file__, folder, megabytes)
    holder = subprocess.Popen(
        [str(part) for part in argv],
        env=os.environ | {"PATH": _path()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    daemon = PrivateDaemon(folder, holder, options=options)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n", "no namespaces for a daemon"
        daemon.start()
        daemon.load(images)
        yield daemon
    finally:
        if daemon.process is not None:
            daemon.kill()  # what it leaves, the holder removes as after any other end
        assert holder.stdin is not None
        holder.stdin.close()
        holder.wait(60)
        holder.stdout.close()
    assert not folder.exists(), f"{folder} remains"


def _runs(pid: str) -> bool:
    """Whether a process is there and has not ended (proc(5): field 3 of stat)."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in "ZX"
    return False


def _hold(folder: Path, megabytes: int) -> None:
    """The holder: prepare the namespaces that it was started in, wait for the suite's end, remove everything."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        for name in ("etc", "data", "run"):
            (folder / name).mkdir(mode=0o700)
        for place in (Path("/etc/docker"), Path("/run/containerd")):
            place.mkdir(parents=True, exist_ok=True)
        commands = [
            ("ip", "link", "set", "lo", "up"),
            # the daemon's id lies there, and configuration that is the machine's daemon's own
            ("mount", "--bind", str(folder / "etc"), "/etc/docker"),
            # a containerd of the machine, if there is one, would be taken for ours
            ("mount", "-t", "tmpfs", "tmpfs", "/run/containerd"),
        ]
        if megabytes:
            commands.append(("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder / "data")))
        for command in commands:
            subprocess.run(command, check=True)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    """Kill what runs in our mounts (daemon, containerd, shims) and in its containers' cgroups; remove its folders."""
    cgroups = sorted(_CGROUPS.glob(f"**/{folder.name}"))
    _until_none(lambda: _members() | {pid for each in cgroups for pid in _pids(each)})
    for each in cgroups:
        for inner in sorted((path for path in each.rglob("*") if path.is_dir()), reverse=True):
            inner.rmdir()
        each.rmdir()
    _unmount_below(folder)
    shutil.rmtree(folder)


def _until_none(found: Callable[[], set[int]], limit: float = 30) -> None:
    end = time.monotonic() + limit
    while (pids := found()) and time.monotonic() < end:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _members() -> set[int]:
    """The processes in the mount namespace of this one, but for this one."""
    own = Path("/proc/self/ns/mnt").readlink()
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if (entry / "ns" / "mnt").readlink() == own:
                    found.add(int(entry.name))
    return found


def _pids(cgroup: Path) -> Iterator[int]:
    for file in cgroup.rglob("cgroup.procs"):
        with contextlib.suppress(OSError):
            yield from map(int, file.read_text().split())


def _unmount_below(folder: Path) -> None:
    """Deepest first; lazily, as a process that is just ending may hold one (umount(2), MNT_DETACH)."""
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    libc = ctypes.CDLL(None, use_errno=True)
    for place in sorted((each for each in mounted if each.startswith(f"{folder}/")), reverse=True):
        libc.umount2(place.encode(), 2)


if __name__ == "__main__":
    _hold(Path(sys.argv[1]), int(sys.argv[2]))
