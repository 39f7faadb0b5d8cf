"""One build by the docker CLI: its own process group, its output in a file, ended at once when asked."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from understudy.errors import InterruptedRunError, ProvisionError, ToolError
from understudy.groups import group
from understudy.stacks.identity import RESERVED_LABELS
from understudy.stacks.topology import Build

__all__ = ["Builder", "last_lines"]

GRACE = 5.0
"""Seconds between the signal that asks a build to end and the one that ends it."""

_OURS = frozenset(
    ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_ACCESS_TOKEN", "UNDERSTUDY_SEED", "UNDERSTUDY_HISTORY", "GITHUB_TOKEN")
)
"""What no build needs; credential helpers of registries need what clouds' SDKs read."""

_LINES = 15
"""Lines of a failed build's output that go into its error: enough for a compiler's or a package manager's last word."""

_NO_BASE = re.compile(
    r"pull access denied|manifest (?:for .* )?(?:unknown|not found)|failed to resolve source metadata"
    r"|repository does not exist|dial tcp|no such host|error pulling image|failed to resolve reference"
)
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Builder:
    """Builds through buildx where it answers, else through the classic builder."""

    def __init__(self, docker: str, *, buildx: bool) -> None:
        self._docker = docker
        self.buildx = buildx

    @classmethod
    def find(cls) -> Builder:
        """The builder of the docker CLI on PATH.

        Raises:
            ToolError: there is no docker CLI.
        """
        docker = shutil.which("docker")
        if docker is None:
            raise ToolError(
                "Looked for the docker CLI on PATH to build images, and found none.",
                hint="Install the docker CLI (it brings buildx and the registry logins); `understudy doctor` checks.",
            )
        try:
            answer = subprocess.run(
                [docker, "buildx", "version"], env=_environment(), capture_output=True, check=False, timeout=20
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ToolError(f"Ran `docker buildx version`, and it failed: {error}.") from error
        return cls(docker, buildx=answer.returncode == 0)

    def command(
        self,
        context: Path,
        dockerfile: Path,
        build: Build,
        tag: str,
        labels: Mapping[str, str],
        *,
        contexts: Mapping[str, str] | None = None,
        secrets: Mapping[str, Path] | None = None,
        platform: str | None = None,
    ) -> list[str]:
        """The argument vector of one build. Values stand in the same argument as their option.

        Raises:
            ToolError: the build needs what only buildx can do.
        """
        only_buildx = {
            "further contexts": contexts,
            "secrets": secrets,
            "SSH keys": build.ssh,
            "entitlements": build.entitlements,
        }
        needs = [what for what, given in only_buildx.items() if given]
        if needs and not self.buildx:
            raise ToolError(
                f"A build needs {' and '.join(needs)}, and the docker CLI here has the classic builder only.",
                hint="Install buildx (the package docker-buildx-plugin, or docker-buildx); `understudy doctor` checks.",
            )
        head = ["buildx", "build", "--load", "--progress=plain"] if self.buildx else ["build", "--force-rm"]
        return [
            self._docker,
            *head,
            f"--tag={tag}",
            f"--file={dockerfile}",
            *(f"--label={key}={value}" for key, value in {**_own(build.labels), **labels}.items()),
            *(f"--build-arg={key}={value}" for key, value in build.args.items()),
            *([f"--target={build.target}"] if build.target else []),
            *([f"--platform={platform}"] if platform else []),
            *([f"--network={build.network}"] if build.network else []),
            *(f"--add-host={host}:{address}" for host, address in build.extra_hosts),
            *([f"--shm-size={build.shm}"] if build.shm else []),
            *(f"--ulimit={limit.name}={limit.soft}:{limit.hard}" for limit in build.ulimits),
            *(f"--build-context={name}={place}" for name, place in (contexts or {}).items()),
            *(f"--secret=id={name},src={path}" for name, path in (secrets or {}).items()),
            *(f"--ssh={key}" for key in build.ssh),
            *(f"--allow={right}" for right in build.entitlements),
            "--",
            str(context),
        ]

    def run(
        self, service: str, command: Sequence[str], log: Path, stops: Sequence[threading.Event], within: float
    ) -> None:
        """Run a build to its end, its output into `log`.

        Args:
            service: for messages.
            command: from `command`.
            log: the file for what it prints; its folder is made.
            stops: any of these set ends the build.
            within: seconds it may take.

        Raises:
            ProvisionError: the build failed or took too long; the message has its last lines.
            InterruptedRunError: a stop was set.
            ToolError: the docker CLI cannot be started.
        """
        environment = _environment() | {
            "DOCKER_BUILDKIT": "1" if self.buildx else "0",
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",  # an attestation makes an index of what has to be an image
            "BUILDKIT_COLORS": "",
            "NO_COLOR": "1",
        }
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    start_new_session=True,
                )
            except OSError as error:
                raise ToolError(f"Started the docker CLI for service {service!r}, and it failed: {error}.") from error
            with group(process.pid):
                code = _wait(process, stops, within)
        if code is None:
            if any(stop.is_set() for stop in stops):
                raise InterruptedRunError(f"The build of service {service!r} was ended before it was done.")
            raise ProvisionError(
                f"Built the image of service {service!r} for {within:.0f} s, and it was not done.\n{last_lines(log)}"
            )
        if code != 0:
            raise ProvisionError(
                f"Built the image of service {service!r}, and it failed with exit {code}. Its last lines:\n"
                f"{last_lines(log)}",
                hint=_hint(log),
            )


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _OURS}


def _own(labels: Mapping[str, str]) -> dict[str, str]:
    """The build's labels without those that say whose an object is."""
    return {key: value for key, value in labels.items() if not key.startswith(RESERVED_LABELS)}


def _wait(process: subprocess.Popen[bytes], stops: Sequence[threading.Event], within: float) -> int | None:
    """The exit code; None when the process was ended by us."""
    deadline = time.monotonic() + within
    try:
        while time.monotonic() < deadline and not any(stop.is_set() for stop in stops):
            try:
                return process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
    finally:
        _end(process)
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and what it started; one that has ended is left alone, since its group may be another's now."""
    for number, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
        if process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue


def last_lines(log: Path, count: int = _LINES) -> str:
    """The last lines of a build's output, indented, without control characters (it is a stranger's text)."""
    try:
        with log.open("rb") as output:
            output.seek(max(0, log.stat().st_size - 16_384))
            text = output.read().decode("utf-8", "replace")
    except OSError as error:
        return f"    (its output cannot be read: {error})"
    lines = [_CONTROL.sub("", line.rstrip()) for line in text.splitlines()]
    return "\n".join(f"    {line[:300]}" for line in [line for line in lines if line.strip()][-count:])


def _hint(log: Path) -> str:
    if _NO_BASE.search(last_lines(log, 40)):
        return "A base image can neither be found here nor be pulled: check its name, or pull or import it first."
    return f"All of its output: {log}"
