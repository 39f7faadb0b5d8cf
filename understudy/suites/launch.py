"""How a prepared suite becomes a process: what it is told, where its files lie, and who starts it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from understudy.files import write_file
from understudy.suites.contract import Contract
from understudy.suites.interpreter import PreparedSuite
from understudy.suites.process import PlainProcess, SuiteProcess
from understudy.suites.supervised import SupervisedProcess

__all__ = ["HostLauncher", "Launcher", "Private", "host_process"]


class Launcher(Protocol):
    """Where suites run."""

    def start(self, prepared: PreparedSuite, command: Sequence[str], folder: Path) -> SuiteProcess:
        """Start a suite whose files go to `folder`: `output.log`, `results.jsonl`, `reported.xml`.

        Raises:
            OSError: it could not be started.
        """


@dataclass(frozen=True, slots=True)
class Private:
    """What suites are told, outside the run folder: the plugins, and the contract with its secrets."""

    folder: Path
    variables: Mapping[str, str]

    @classmethod
    def create(cls, folder: Path, contract: Contract, seen: str = "", order: bytes = b"") -> Private:
        """Write the plugins and the contract's document into `folder`, which is the caller's to remove.

        `seen` is the path by which the suites see that folder; empty: its own. `order` is what pytest suites are told
        of the order and the part of their tests.

        Raises:
            UsageError: names of the contract clash.
        """
        base = seen or str(folder)
        document, authority = f"{base}/contract.json", f"{base}/ca.pem"
        variables = contract.variables(document, authority)
        for source, plugin in (
            ("pytest_plugin.py", "understudy_pytest.py"),
            ("pytest_order.py", "understudy_order.py"),
        ):
            (folder / plugin).write_bytes(Path(__file__).with_name(source).read_bytes())
        write_file(folder / "contract.json", json.dumps(contract.document(authority), indent=1).encode())
        if contract.authority:
            write_file(folder / "ca.pem", contract.authority.encode())
        if order:
            write_file(folder / "order.json", order)
            variables = {**variables, "UNDERSTUDY_ARRANGEMENT": f"{base}/order.json"}
        return cls(folder, variables)


@dataclass(frozen=True, slots=True)
class HostLauncher:
    """Suites as processes of this machine, which have `held` open for as long as anything of them runs."""

    private: Private
    held: int | None = None

    def start(self, prepared: PreparedSuite, command: Sequence[str], folder: Path) -> SuiteProcess:
        """Start a suite, with the contract's variables beside its own.

        Raises:
            OSError: it could not be started.
        """
        environment = dict(prepared.environment or {})
        environment.update(self.private.variables)
        environment["UNDERSTUDY_SUITE"] = prepared.suite.name
        environment["UNDERSTUDY_RESULTS"] = str(folder / "results.jsonl")
        environment["UNDERSTUDY_JUNIT"] = str(folder / "reported.xml")
        if prepared.interpreter:
            paths = (str(self.private.folder), environment.get("PYTHONPATH", ""))
            environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        log = folder / "output.log"
        return host_process(command, folder=prepared.folder, environment=environment, log=log, held=self.held)


def host_process(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path, held: int | None = None
) -> SuiteProcess:
    """Start a suite's command on the host: under a supervisor on Linux, elsewhere as a session of its own.

    `held` is a descriptor that stays open as long as the supervisor lives, and so as the suite does.

    Raises:
        OSError: the log cannot be created, or the command not be started.
    """
    if sys.platform == "linux" and sys.executable:
        return SupervisedProcess(command, folder=folder, environment=environment, log=log, held=held)
    return PlainProcess(command, folder=folder, environment=environment, log=log)
