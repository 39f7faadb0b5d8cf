"""Every place where suites run, as one launcher: the host for some, inside the environment for others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from understudy.suites.contract import Contract
from understudy.suites.interpreter import PreparedSuite
from understudy.suites.launch import HostLauncher, Launcher, Private
from understudy.suites.private_folder import PrivateFolder
from understudy.suites.process import SuiteProcess

__all__ = ["Inside", "InsideLauncher", "Places", "open_places"]


class InsideLauncher(Launcher, Protocol):
    """What starts suites inside an environment."""

    def close(self) -> None:
        """Wait until all that was made for them is removed."""


class Inside(Protocol):
    """An environment inside which suites can run."""

    def open(self, folder: Path, contract: Contract, tree: Path, order: bytes) -> InsideLauncher:
        """What starts suites there; `folder` is for what they are told, and the caller's to remove.

        Raises:
            UsageError: names of the contract clash.
        """


@dataclass(frozen=True, slots=True)
class Places:
    """Starts each suite where it runs."""

    host: HostLauncher
    network: InsideLauncher | None

    def start(self, prepared: PreparedSuite, command: Sequence[str], folder: Path) -> SuiteProcess:
        """Start a suite whose files go to `folder`.

        Raises:
            OSError: it could not be started.
        """
        if prepared.suite.runs_on == "network":
            if self.network is None:
                raise OSError("it runs on the environment's network, and here is none")
            return self.network.start(prepared, command, folder)
        return self.host.start(prepared, command, folder)


@contextmanager
def open_places(
    prepared: Sequence[PreparedSuite],
    *,
    private: PrivateFolder,
    contract: Contract,
    network: Inside | None,
    tree: Path,
    order: bytes = b"",
) -> Iterator[Places]:
    """The places of some suites; afterwards no container of theirs is left.

    Args:
        prepared: the suites.
        private: a folder for what they are told, which is the caller's to remove.
        contract: as it holds on the host.
        network: the environment inside which suites may run; None: there is none.
        tree: the commit's tree on this machine.
        order: what pytest is told of the order and the part of the tests.

    Raises:
        UsageError: names of the contract clash.
    """
    wanted = network if any(each.suite.runs_on == "network" for each in prepared) else None
    inner = wanted.open(private.path / "network", contract, tree, order) if wanted else None
    try:
        yield Places(HostLauncher(Private.create(private.path, contract, order=order), private.held), inner)
    finally:
        if inner is not None:
            inner.close()
