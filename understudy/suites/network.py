"""Suites on the environment's network: each in a container of its own, told of production's names and ports."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from understudy.errors import ToolError, UsageError
from understudy.stacks import identity, trust
from understudy.stacks.clone import Clone
from understudy.stacks.identity import LABEL
from understudy.stacks.inside import inside
from understudy.suites import process, pytest_boot
from understudy.suites.contract import Contract, EndpointAddress, box_environment
from understudy.suites.interpreter import BASE, PreparedSuite
from understudy.suites.launch import Private
from understudy.suites.process import SuiteProcess
from understudy.targets.docker_pull import obtain
from understudy.targets.docker_suite import SuiteContainer
from understudy.targets.docker_suite_box import Box, image_of, networks_of, trust_volume
from understudy.targets.suite_marks import SUITE

__all__ = ["CONTRACT", "FILES", "RESULTS", "Network", "NetworkLauncher", "hold_images", "inner", "meaning", "told"]

FILES, RESULTS, CONTRACT = f"{BASE}/files", f"{BASE}/results", f"{BASE}/contract"
"""The commit's tree and the suite's folder of the run, both to be written to; and, read-only, plugin and contract."""

_LOCAL = ("unix:", "npipe:")
"""How the address of a daemon begins that shares this machine's files."""

_MAKING = 20.0
"""Seconds that the environment's networks have to be made, which depend on nothing, once a suite wants to join them."""

_NOT_FOUND = 127
"""The exit code of a container's init process where there is no such program in the image."""


def hold_images(clone: Clone, stop: threading.Event) -> None:
    """Hold that the images which suites run in are here, before anything is made for them; pull those that are not.

    Raises:
        UsageError: the daemon runs elsewhere, where the commit's files are not.
        ProvisionError: an image is not here, and cannot be pulled.
        InterruptedRunError: `stop` was set.
    """
    from understudy.targets.docker_client import client, daemon_host

    suites = [suite for suite in clone.topology.suites if suite.runs_on == "network"]
    if suites and not daemon_host().startswith(_LOCAL):
        raise UsageError(
            f"Suite {suites[0].name!r} runs in a container that mounts files of this machine, and the Docker daemon "
            f"is at {daemon_host()}.",
            hint="Run Understudy where the daemon runs, or the suite on the host.",
        )
    named = (suite.image for suite in suites)
    for image in dict.fromkeys(image for image in named if image and image not in clone.topology.services):
        obtain(client(), image, stop)


@dataclass(frozen=True, slots=True)
class Network:
    """Where suites run that run on the network: an environment, what is in it, and the limit of processes for each.

    `closed`: they get none of this process's variables, as the commit is untrusted.
    """

    environment: identity.Environment
    clone: Clone
    pids: int
    closed: bool = False

    def contract(self, outside: Contract) -> Contract:
        """The contract as it holds inside: production's names and ports, of services that are not published too."""
        found = (EndpointAddress(e.service, e.port, host, e.port, e.scheme) for e, host in inside(self.clone))
        return replace(outside, endpoints=tuple(found))

    def open(self, folder: Path, contract: Contract, tree: Path, order: bytes) -> NetworkLauncher:
        """What starts suites there; `folder` is for what they are told, and the caller's to remove.

        Raises:
            UsageError: names of the contract clash.
        """
        folder.mkdir(mode=0o700)
        private = Private.create(folder, self.contract(contract), CONTRACT, order)
        (folder / "understudy_boot.py").write_bytes(Path(pytest_boot.__file__).read_bytes())
        return NetworkLauncher(self, private, tree)


@dataclass(slots=True)
class NetworkLauncher:
    """Suites in containers on an environment's networks. `tree` is the commit's tree on this machine."""

    network: Network
    private: Private
    tree: Path
    _started: list[SuiteContainer] = field(default_factory=list)

    def start(self, prepared: PreparedSuite, command: Sequence[str], folder: Path) -> SuiteProcess:
        """Start a suite. What the daemon refuses is known later, by the process's `problem`.

        Raises:
            OSError: its log cannot be created.
        """
        from understudy.targets.docker_client import client

        out = os.fdopen(process.open_log(folder / "output.log"), "wb", buffering=0)
        started = SuiteContainer(
            client(),
            lambda: self.box(prepared, tuple(command), folder),
            out,
            grace=process.GRACE,
            patience=process.PATIENCE,
            meaning=meaning(prepared),
        )
        self._started.append(started)
        return started

    def close(self) -> None:
        """Wait until all containers are removed."""
        for container in self._started:
            container.close()

    def box(self, prepared: PreparedSuite, command: tuple[str, ...], folder: Path) -> Box:
        """The container of a suite, from what the daemon has of the environment now.

        Raises:
            ToolError: the daemon does not say, or what the suite needs is not there.
        """
        from understudy.targets.docker_client import client

        suite, here = prepared.suite, self.network.environment
        certificates = trust_volume(client(), here.whose)
        own = box_environment(suite.environment, {}) if self.network.closed else prepared.environment
        labels = {LABEL + "service": f"suite {suite.name}", LABEL + "kind": SUITE, identity.PROTECT: "false"}
        return Box(
            name=identity.name(here.id, f"understudy.suite.{suite.name}"),
            image=self._image(suite.image or ""),
            command=command,
            environment=told(prepared, own, self.private, trusted=certificates is not None),
            labels={**identity.ownership_labels(here), **labels},
            networks=self._networks(),
            binds={
                self.tree.resolve(): (FILES, True),
                folder.resolve(): (RESULTS, True),
                self.private.folder.resolve(): (CONTRACT, False),
            },
            volumes={} if certificates is None else {certificates: trust.FOLDER},
            working_dir=inner(prepared, self.tree),
            pids=self.network.pids,
        )

    def _networks(self) -> tuple[str, ...]:
        """The networks of production; a suite that starts early waits for those that are still being made."""
        from understudy.targets.docker_client import client

        deadline = time.monotonic() + _MAKING
        while True:
            try:
                return networks_of(
                    client(), self.network.environment.whose, tuple(self.network.clone.topology.networks)
                )
            except ToolError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _image(self, named: str) -> str:
        """The image itself, or the one that the service of that name runs."""
        from understudy.targets.docker_client import client

        if named not in self.network.clone.topology.services:
            return named
        found = image_of(client(), self.network.environment.whose, named)
        if found is None:
            raise ToolError(
                f"it runs in the image of service {named!r}, which has no container yet",
                hint=f"Name {named!r} among the suite's `needs`.",
            )
        return found


def told(prepared: PreparedSuite, own: Mapping[str, str] | None, private: Private, *, trusted: bool) -> dict[str, str]:
    """The variables of a suite in a container: its own, the contract's, and where it finds what.

    `trusted`: the certificates of the environment's authority are there too.
    """
    environment = {**(own or {}), **private.variables}
    if trusted:
        environment.update(trust.trusting(environment))
    environment["UNDERSTUDY_SUITE"] = prepared.suite.name
    environment["UNDERSTUDY_RESULTS"] = f"{RESULTS}/results.jsonl"
    environment["UNDERSTUDY_JUNIT"] = f"{RESULTS}/reported.xml"
    if prepared.interpreter:
        paths = (CONTRACT, environment.get("PYTHONPATH", ""))
        environment["PYTHONPATH"] = ":".join(path for path in paths if path)
    return environment


def inner(prepared: PreparedSuite, tree: Path) -> str:
    """A suite's folder in its container."""
    return str(PurePosixPath(FILES, prepared.folder.relative_to(tree.resolve()).as_posix()))


def meaning(prepared: PreparedSuite) -> dict[int, str]:
    """What the exit codes say by which a container tells that pytest could not begin."""
    if prepared.interpreter is None:
        return {}
    image, interpreter = prepared.suite.image, prepared.interpreter
    return {
        _NOT_FOUND: f"image {image} has no {interpreter}; name an interpreter of the image as the suite's `python`",
        pytest_boot.NO_PYTEST: f"{interpreter} of image {image} has no pytest",
        pytest_boot.TOO_OLD: f"{interpreter} of image {image} is older than Python 3.8",
    }
