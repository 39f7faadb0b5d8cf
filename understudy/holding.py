"""Holding an environment: the watchdog first, then the lease, then its heartbeat; let go of when nothing is left to do.

Every command that works on an environment does it in `making` (a new one), `taking` (one that is there) or
`provisioning` (either).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from understudy.admission.admitting import admit
from understudy.blueprint import Blueprint
from understudy.engine.pulumi_cli import VARIABLE
from understudy.errors import UnderstudyError
from understudy.heartbeat import Heartbeat
from understudy.interrupts import Interrupts, Rest
from understudy.lease import Lease, LeaseExistsError
from understudy.progress import Phase, Progress, State
from understudy.session import Session
from understudy.waiting import take, wait_idle
from understudy.watchdog import LIMIT, Guard, guarded

__all__ = ["Held", "making", "provisioning", "taking"]


_FILES = frozenset(
    {
        "AWS_CA_BUNDLE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "DOCKER_CERT_PATH",
        "DOCKER_CONFIG",
    }
)
"""Variables that name a file by which the target is reached."""


_ON_AWS = 1800.0
"""Seconds for one removal on AWS by the watchdog: the engine waits for what ends there, and a sweep may follow, for
`understudy.targets.aws.sweep.PATIENCE`."""


def _nothing(_handed: str) -> None:
    """The evidence of a command that keeps none."""


@dataclass
class Held(Rest):
    """An environment that this process works on, and the watchdog that goes on where it ends.

    Where it was kept before (`Lease.stays`) the watchdog gives it back, and else destroys it. `evidence` writes what
    there is and that the rest was handed over, and to whom.
    """

    lease: Lease
    guard: Guard
    session: Session
    evidence: Callable[[str], None] = _nothing

    def second(self) -> str:
        """See Rest.second."""
        if self.guard.there:
            return "Once more, and the watchdog does the rest."
        return f"Once more, and it ends at once, and leaves environment {self.lease.id} as it is."

    def hand_over(self, *, asked: bool) -> str:  # noqa: ARG002 - the watchdog is as good at either time
        """See Rest.hand_over. The watchdog sets to work when it sees this process end."""
        if not self.guard.confirm():
            return ""
        if self.lease.stays:
            return f"the watchdog ends what runs, and leaves environment {self.lease.id} to its lease"
        return f"the watchdog removes environment {self.lease.id}; the proof: understudy receipt {self.lease.id}"

    def flush(self, handed: str) -> None:
        """See Rest.flush."""
        self.evidence(handed)

    def remains(self) -> str:
        """See Rest.remains."""
        with suppress(UnderstudyError):
            if self.session.store.find(self.lease.id) is None:
                return "Nothing remains."
        return f"What remains of environment {self.lease.id} is removed by: understudy down {self.lease.id}"


@contextmanager
def making(
    session: Session,
    blueprint: Blueprint,
    lease: Lease,
    interrupts: Interrupts,
) -> Iterator[Held]:
    """Hold a new environment, whose lease is written here, once one of the same id is gone.

    Raises:
        LeaseExistsError: there is one of this id, and nobody works on it.
        BusyError: somebody works on it still after --lock-timeout.
        SupersededError: a newer commit of the branch is at work.
        LimitError: a limit leaves no room.
    """

    def write() -> Lease:
        return admit(session, blueprint, lease)

    with _held(session, lease, write, interrupts) as held:
        yield held


@contextmanager
def provisioning(
    session: Session, blueprint: Blueprint, lease: Lease, renewed: Callable[[Lease], Lease], interrupts: Interrupts
) -> Iterator[Held]:
    """Hold the environment that `up` makes or, where it is there, updates: then `renewed` takes its lease over.

    Raises:
        BusyError: somebody works on it still after --lock-timeout.
    """
    with ExitStack() as stack:
        held: Held | None = None
        while held is None:
            known = session.store.find(lease.id)
            if known is not None:
                held = stack.enter_context(taking(session, known, renewed, interrupts))
            else:
                with suppress(LeaseExistsError):  # another `up` was faster
                    held = stack.enter_context(making(session, blueprint, lease, interrupts))
        yield held


@contextmanager
def taking(session: Session, lease: Lease, write: Callable[[Lease], Lease], interrupts: Interrupts) -> Iterator[Held]:
    """Hold an environment that is there, once nobody else works on it.

    Args:
        session: the command at work.
        lease: as it was found.
        write: takes the lease over, as it is when nobody works on the environment, and returns it as it is then.
        interrupts: of the command.

    Raises:
        BusyError: another process works on it still after --lock-timeout.
        NotFoundError: it was removed meanwhile.
    """
    wait_idle(session, lease, session.options.lock_timeout)
    with _held(session, lease, lambda: take(session, lease, write), interrupts) as held:
        yield held


@contextmanager
def _held(
    session: Session,
    lease: Lease,
    write: Callable[[], Lease],
    interrupts: Interrupts,
) -> Iterator[Held]:
    with _guard(session, lease) as guard:
        try:
            held = Held(write(), guard, session)
            interrupts.rest = held
            with Heartbeat(session.store, held.lease, interrupts.ask):
                yield held
        finally:
            with suppress(UnderstudyError):  # whoever cannot look leaves it to the watchdog
                if _over(session, lease.id):
                    guard.release()


def _over(session: Session, environment: str) -> bool:
    """Whether nothing is left to do: the lease is closed, all that the environment needs, or another process's."""
    now = session.store.find(environment)
    return now is None or now.state.at_rest or not now.owner.is_this_process()


def _rooted(variables: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The variables with each file's path taken from a folder; one that the SDK expands itself stays as it is."""
    return {
        name: str(folder / value) if name in _FILES and value and value[0] not in "~$" else value
        for name, value in variables.items()
    }


def _guard(session: Session, lease: Lease) -> Guard:
    """The guard of one environment. What it runs finds our package, state and leases wherever it is started."""

    def warn(text: str) -> None:
        session.listener(Progress(Phase.CLONE, State.WARNING, "watchdog", text))

    own = str(Path(__file__).resolve().parent.parent)
    variables = {
        **_rooted(os.environ, Path.cwd()),
        "PYTHONPATH": os.pathsep.join(filter(None, [own, os.environ.get("PYTHONPATH", "")])),
        VARIABLE: str(session.settings.cli.absolute()),
        "PULUMI_BACKEND_URL": session.settings.backend,
        "UNDERSTUDY_DOCKER_PROVIDER": session.options.docker_provider,
    }
    if session.settings.passphrase_file is not None:
        variables["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(session.settings.passphrase_file)
    if session.options.aws_accounts:
        variables["UNDERSTUDY_AWS_ACCOUNTS"] = ",".join(session.options.aws_accounts)
    if session.options.lease_dir:
        variables["UNDERSTUDY_LEASE_DIR"] = str(Path(session.options.lease_dir).expanduser().absolute())
    command = [sys.executable, "-P", "-m", "understudy.ending", lease.id]
    limit = _ON_AWS if session.on_aws else LIMIT
    return guarded(command, variables, state=session.settings.state, limit=limit, warn=warn)
