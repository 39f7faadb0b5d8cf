"""The Docker Engine: one that runs is used; as root on Debian it is installed and started."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from machine import Problem, can_install, install, run, state_folder

__all__ = ["Daemon", "ensure", "server_version"]

SYSTEMD = Path("/run/systemd/system")


@dataclass(frozen=True)
class Daemon:
    """A dockerd that can be started: its program with options, its socket, its run folder, its log."""

    command: tuple[str, ...] = ("dockerd",)
    host: str = ""
    pid_file: Path = Path("/var/run/docker.pid")
    run_folder: Path = Path("/var/run/docker")
    log: Path = field(default_factory=lambda: state_folder() / "dockerd.log")

    def answers(self) -> str:
        """The server's version, or "" if it does not answer now."""
        return server_version(self.host)[0]

    def start(self, limit: float = 90) -> subprocess.Popen[bytes] | None:
        """Start it in a session of its own, so that it outlives this one, and wait until it answers.

        Returns:
            The process, or None where one ran already and only had to be waited for.

        Raises:
            Problem: see `wait`.
        """
        process = None
        if not _alive(self.pid_file, "dockerd"):
            # A pid file that outlived its machine names whatever has that number now, and the daemon believes it.
            self.pid_file.unlink(missing_ok=True)
            containerd = self.run_folder / "containerd" / "containerd.pid"
            if not _alive(containerd, "containerd"):
                containerd.unlink(missing_ok=True)
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("wb") as log:
                process = subprocess.Popen(
                    self.command,
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        self.wait(process, limit)
        return process

    def wait(self, process: subprocess.Popen[bytes] | None = None, limit: float = 90) -> None:
        """Wait until it answers; `process`, where it is ours, may end first.

        Raises:
            Problem: it ends, or does not answer within `limit` seconds.
        """
        end = time.monotonic() + limit
        while not self.answers():
            if process is not None and process.poll() is not None:
                raise Problem(f"dockerd was started and ended at once: {self._last_words()} (log: {self.log})")
            if time.monotonic() > end:
                raise Problem(f"dockerd was started and did not answer within {limit:g} s; its log is {self.log}")
            time.sleep(0.2)

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "it said nothing"


def server_version(host: str = "") -> tuple[str, str]:
    """The version of the Docker Engine that the docker CLI reaches and "", or "" and why there is no answer."""
    command = ["docker", *(["-H", host] if host else []), "version", "--format", "{{.Server.Version}}"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=20)
    except OSError:
        return "", "there is no docker CLI on PATH"
    except subprocess.TimeoutExpired:
        return "", "it did not answer within 20 s"
    if asked.returncode == 0 and asked.stdout.strip():
        return asked.stdout.strip(), ""
    said = asked.stderr.strip().splitlines()
    return "", said[-1] if said else "it gave no version"


def ensure() -> str:
    """A Docker Engine that answers; returns what was done.

    Raises:
        Problem: none answers and none can be started.
    """
    version, why = server_version()
    if version:
        return f"{version} answers"
    if os.environ.get("DOCKER_HOST"):
        raise Problem(f"DOCKER_HOST is {os.environ['DOCKER_HOST']}, and no Docker Engine answers there: {why}")
    if not can_install():
        raise Problem(
            f"no Docker Engine answers ({why}); install and start Docker Engine "
            "(https://docs.docker.com/engine/install/), or run this as root on Debian"
        )
    done = "started"
    if not all(shutil.which(name) for name in ("docker", "dockerd", "iptables")):
        install("docker.io", "iptables")
        done = "installed and started"
    daemon = Daemon()
    if not daemon.answers():
        if SYSTEMD.is_dir():
            run(("systemctl", "start", "docker"), limit=120)
            daemon.wait()
        else:
            daemon.start()
    return f"{daemon.answers()} {done}"


def _alive(pid_file: Path, name: str) -> bool:
    """Whether the process that a pid file names is there and is a `name`."""
    try:
        pid = int(pid_file.read_text(encoding="ascii").strip())
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == name
    except (OSError, ValueError):
        return False
