"""What the watchdog runs for an owner that is gone: `python -m understudy.ending ENVIRONMENT`; it needs no checkout."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from understudy.console import make_console
from understudy.errors import LeftoversError, UnderstudyError
from understudy.giving_back import give_back
from understudy.lease import Lease, LeaseState
from understudy.options import resolve
from understudy.owner import this_process
from understudy.session import Session, open_session
from understudy.stops import Stop
from understudy.targets.interface import Outcome
from understudy.teardown import tear_down

__all__ = ["end", "main"]


class _HandedOverError(UnderstudyError):
    """The lease is all that the environment needs: its owner ended on purpose."""


def end(session: Session, environment: str) -> int:
    """End what a dead owner was doing with an environment: give it back where it was kept before, or destroy it.

    What suites ran in goes in either case. Returns 0 where nothing is left to be done, also because the owner had
    handed it over before it died; 4 for any receipt but CLEAN.

    Raises:
        BusyError: a process is at work on it; its own watchdog follows.
        UnderstudyError: the lease cannot be read or written, or what suites ran in not be removed.
    """
    lease = session.store.find(environment)
    if lease is None:
        return 0
    try:
        former, lease = lease, session.store.update(lease, check=_hold_dead, owner=this_process())
    except _HandedOverError:
        return 0
    if lease.stays:
        give_back(session, lease)
        return 0
    receipt = tear_down(
        lease,
        engine=session.engine,
        target=session.target,
        store=session.store,
        listener=session.listener,
        former=former,
    )
    return 0 if receipt.outcome is Outcome.CLEAN else LeftoversError.exit_code


def _hold_dead(lease: Lease) -> dict[str, object]:
    """Hold that it is a dead owner's; one that does not stay is destroyed from now on."""
    if lease.state.at_rest:
        raise _HandedOverError(f"Environment {lease.id} was handed over to its lease.")
    lease.hold_idle()
    return {} if lease.stays else {"state": LeaseState.DESTROYING}


def main(arguments: list[str]) -> int:
    """Parse, end, and print what was done; the exit code is that of the error tree."""
    parser = argparse.ArgumentParser(prog="understudy.ending", description=__doc__)
    parser.add_argument("environment", metavar="ENVIRONMENT")
    given = parser.parse_args(arguments)
    try:
        with (
            make_console("plain", sys.stdout) as console,
            open_session(
                resolve({}, os.environ, None),
                Path("/"),
                console,
                Stop(),
                of=lambda store: store.find(given.environment),
            ) as session,
        ):
            return end(session, given.environment)
    except UnderstudyError as error:
        print(f"understudy: {error}", file=sys.stderr)  # noqa: T201 - the watchdog's log
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
