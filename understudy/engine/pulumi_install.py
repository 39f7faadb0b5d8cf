"""Making a Pulumi CLI: the Automation API's installer first, then Go from a checkout; whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from understudy.engine.versions import MINIMUM, PINNED
from understudy.errors import ToolError

__all__ = ["LANGUAGE_HOST", "build", "make", "put_language_host", "run_limited"]

LANGUAGE_HOST = Path(__file__).with_name("pulumi-language-python")
"""The launcher of our Python language host; it lies only beside a CLI that we built."""

PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
STAMP = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"

INSTALL_LIMIT = 60
"""Seconds for the installer: it downloads about 100 MB, and behind a firewall that swallows packets it would hang."""

BUILD_LIMIT = 1800
"""Seconds for the build: 2 min were measured on two cores, and a slow network has to load 500 MB of modules."""

_INSTALLER = """
import sys
from pulumi.automation import PulumiCommand
from semver import VersionInfo
PulumiCommand.install(root=sys.argv[1], version=VersionInfo.parse(sys.argv[2]))
"""

Way = Callable[[Path, Callable[[str], None]], str]
"""Makes a CLI in a folder of its own and returns "", or why it could not."""


def make(folder: Path, progress: Callable[[str], None], ways: Sequence[Way] | None = None) -> None:
    """Make `folder` with `bin/pulumi` in it, by the first of `ways` that works (default: installer, then Go).

    Raises:
        ToolError: none of them works.
    """
    refusals: list[str] = []
    try:
        with _locked(folder.parent):
            if os.access(folder / "bin" / "pulumi", os.X_OK):
                return
            for way in (install, build) if ways is None else ways:
                with _staged(folder) as staged:
                    reason = way(staged, progress)
                    if not reason:
                        _publish(staged, folder)
                        return
                    refusals.append(reason)
    except OSError as error:
        refusals.append(f"{folder} cannot be written: {error}")
    raise ToolError(
        f"There is no Pulumi CLI of {MINIMUM} or newer on PATH, and none could be made: {'; '.join(refusals)}.",
        hint="Install Pulumi (https://www.pulumi.com/docs/install/), or Go 1.24+ for `make setup` in a checkout.",
    )


def install(staged: Path, progress: Callable[[str], None]) -> str:
    """Pulumi's own installer, through the Automation API, in a process that can be stopped."""
    progress(f"installing Pulumi {PINNED} with the Automation API, at most {INSTALL_LIMIT} s")
    command = [sys.executable, "-c", _INSTALLER, str(staged), PINNED]
    reason = run_limited(command, limit=INSTALL_LIMIT)
    return f"the Automation API's installer: {reason}" if reason else ""


def build(staged: Path, progress: Callable[[str], None]) -> str:
    """A pinned Go tool dependency of the checkout this file lies in, with our Python language host beside it."""
    tools = Path(__file__).resolve().parents[2] / "tools"
    if not (tools / "go.mod").is_file():
        return "building with Go: only a checkout has the pinned sources' list, tools/go.mod"
    go = shutil.which("go")
    if go is None:
        return "building with Go: there is no `go` on PATH"
    progress(f"building Pulumi {PINNED} with Go, 2 to 5 minutes the first time")
    target = staged / "bin" / "pulumi"
    flags = f"-s -w -X {STAMP}=v{PINNED}"
    command = [go, "build", "-mod=readonly", "-buildvcs=false", "-ldflags", flags, "-o", str(target), PACKAGE]
    reason = run_limited(command, limit=BUILD_LIMIT, folder=tools)
    if reason:
        return f"building with Go: {reason}"
    put_language_host(target.parent, new=True)
    return ""


def put_language_host(folder: Path, *, new: bool = False) -> None:
    """Put our launcher into the folder of a CLI that we built, or bring an older copy up to date.

    A CLI from Pulumi's installer has the real language host, which is left alone.
    """
    target = folder / LANGUAGE_HOST.name
    content = LANGUAGE_HOST.read_bytes()
    if not new:
        try:
            present = target.read_bytes()
        except OSError:
            return
        if present == content or b"understudy.provider.language_host" not in present:
            return
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".language-", delete=False) as out:
        out.write(content)
    staged = Path(out.name)
    staged.chmod(0o755)
    staged.replace(target)


def run_limited(command: Sequence[str], *, limit: float, folder: Path | None = None) -> str:
    """Run a command in its own process group; "" or one line on why it failed. Past `limit` seconds it is ended."""
    try:
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = process.wait(timeout=limit)
            except subprocess.TimeoutExpired:
                return f"took longer than {limit:g} s"
            finally:
                _end(process)
            output.seek(0)
            lines = output.read().decode("utf-8", "replace").strip().splitlines()
    except OSError as error:
        return str(error)
    return "" if code == 0 else (lines[-1].strip() if lines else f"exit code {code}")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def _locked(parent: Path) -> Iterator[None]:
    """One maker at a time on this machine; a second one waits and then finds the CLI made."""
    parent.mkdir(parents=True, exist_ok=True)
    with (parent / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder`, gone afterwards; what a killed maker left there goes first."""
    for left in folder.parent.glob(f".{folder.name}-*"):
        shutil.rmtree(left)
    staged = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _publish(staged: Path, folder: Path) -> None:
    """Rename the staged CLI to its place; a folder without a CLI in it makes room."""
    staged.chmod(0o755)  # mkdtemp's own mode shuts out other users of a shared cache
    if folder.exists():
        shutil.rmtree(folder)
    staged.rename(folder)
