"""What the setup steps share: commands that leave their output in a log, Debian's packages, and one kind of failure."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

__all__ = [
    "ROOT",
    "RUNS",
    "Problem",
    "Runs",
    "cache_folder",
    "can_install",
    "download",
    "exclusive",
    "install",
    "log_file",
    "run",
    "state_folder",
]

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""


class Problem(Exception):  # noqa: N818 - it is shown to a person as a sentence, never as a class name
    """A step could not be done; the message says what was tried, what happened and what to do."""


def _folder(variable: str, default: str) -> Path:
    named = os.environ.get(variable, "")
    return (Path(named) if Path(named).is_absolute() else Path.home() / default) / "understudy"


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/understudy`, or `~/.cache/understudy`: what can be made again."""
    return _folder("XDG_CACHE_HOME", ".cache")


def state_folder() -> Path:
    """`$XDG_STATE_HOME/understudy`, or `~/.local/state/understudy`: logs of setup and of a daemon that it started."""
    return _folder("XDG_STATE_HOME", ".local/state")


def log_file() -> Path:
    """Where the output of setup's commands goes."""
    return state_folder() / "setup.log"


@contextlib.contextmanager
def exclusive() -> Iterator[None]:
    """One setup at a time for this user; a second one waits and says so."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    state_folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    with (cache_folder() / "setup.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("setup: another setup is at work; waiting for it", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


class Runs:
    """The commands that run now, in whichever thread: one interrupt ends all of them, and no more begin."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[str]] = set()
        self._ended = False

    @contextlib.contextmanager
    def started(self, start: Callable[[], subprocess.Popen[str]]) -> Iterator[subprocess.Popen[str]]:
        """What `start` starts, which has ended afterwards.

        Raises:
            Problem: `end` was called before.
        """
        with self._lock:
            if self._ended:
                raise Problem("setup was interrupted")
            process = start()
            self._processes.add(process)
        try:
            yield process
        finally:
            _end(process)
            with self._lock:
                self._processes.discard(process)

    def end(self) -> None:
        """End them."""
        with self._lock:
            self._ended = True
            for process in self._processes:
                _kill(process)


RUNS = Runs()
_PACKAGES = threading.Lock()
"""Debian's tools wait for each other's locks in part only: `apt-get update` fails at once where another one works."""


def run(
    command: Sequence[str],
    *,
    limit: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> str:
    """Run a command to its end within `limit` seconds and return its standard output; what it says goes to the log.

    Raises:
        Problem: it is missing, fails or takes too long.
    """
    with log_file().open("a", encoding="utf-8") as log, tempfile.TemporaryFile("w+", errors="replace") as errors:
        log.write(f"\n$ {shlex.join(command)}\n")
        log.flush()

        def start() -> subprocess.Popen[str]:
            try:
                return subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    errors="replace",
                    env={**os.environ, **(environment or {})},
                    cwd=folder or ROOT,
                    start_new_session=True,
                )
            except OSError as error:
                raise Problem(f"`{command[0]}` could not be started: {error}") from error

        with RUNS.started(start) as process:
            try:
                output, _ = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                raise Problem(f"`{command[0]} {command[1]}` took longer than {limit:g} s") from None
        errors.seek(0)
        said = errors.read()
        log.write(output + said)
    if process.returncode != 0:
        lines = (said.strip() or output.strip() or f"exit code {process.returncode}").splitlines()
        raise Problem(f"`{' '.join(command[:3])}` failed: {lines[-1].strip()} (log: {log_file()})")
    return output


def _end(process: subprocess.Popen[str]) -> None:
    """End a command that still runs, with all that it started: its children would go on otherwise."""
    if process.poll() is None:
        _kill(process)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _kill(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def can_install() -> bool:
    """Whether Debian's packages can be installed here: Debian or a derivative, and root."""
    try:
        words = Path("/etc/os-release").read_text(encoding="utf-8").replace('"', "")
    except OSError:
        return False
    named = {
        word
        for line in words.splitlines()
        if line.startswith(("ID=", "ID_LIKE="))
        for word in line.split("=")[1].split()
    }
    return "debian" in named and os.geteuid() == 0


_LOCK = ("-o", "DPkg::Lock::Timeout=120")


def install(*packages: str) -> None:
    """Install Debian packages; the lists are brought up to date only when they turn out to be missing or old.

    Raises:
        Problem: apt-get fails.
    """
    _apt("install", "-y", *_LOCK, "--no-install-recommends", *packages)


def download(package: str, folder: Path) -> Path:
    """Download a Debian package into an empty folder, and return its file; the lists as `install` has them.

    Raises:
        Problem: apt-get fails.
    """
    _apt("download", package, folder=folder)
    (found,) = folder.glob("*.deb")
    return found


def _apt(*words: str, folder: Path | None = None) -> None:
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    command = ("apt-get", words[0], "-q", *words[1:])
    with _PACKAGES:
        try:
            run(command, limit=600, environment=environment, folder=folder)
        except Problem:
            run(("apt-get", "update", "-q", "-y", *_LOCK), limit=300, environment=environment)
            run(command, limit=600, environment=environment, folder=folder)
