"""Looking without touching: the environments of a backend, their logs, and the variables that plain `pulumi` needs."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime

import click

from understudy.console import printable
from understudy.engine.factory import make_engine
from understudy.errors import LeftoversError, NotFoundError, UnderstudyError
from understudy.lease import Lease, LeaseStore, ends
from understudy.options import Options
from understudy.progress import silent
from understudy.report.visible import plural
from understudy.session import find_lease, lease_store, read_settings
from understudy.stacks.identity import LABEL, parse_time
from understudy.targets.choose import elsewhere, kind_of, target_of
from understudy.targets.interface import Owned, Target
from understudy.targets.ownership import whose_of
from understudy.teardown import settle

__all__ = ["logs", "names", "shell_environment", "show"]

_UNSEEN = "Only leases are shown: whether their environments are there, and what is there without one, is not known."


def show(options: Options, *, form: str) -> int:
    """Print every environment of the backend, and objects on the target that no lease names.

    Leases of environments that `pulumi destroy` removed are closed on the way. Returns the exit code: 0, or 4 when
    the target could not be asked; the leases are printed all the same.
    """
    settings = read_settings(silent)
    store = lease_store(options, settings)
    target = target_of(options)
    problem = ""
    strays: tuple[Owned, ...] = ()
    here = ""
    try:
        here = target.identity()
        settle(make_engine(settings, {}), target, store, silent)
        strays = _strays(target, store)
    except UnderstudyError as error:
        problem = str(error)
    leases, broken = store.list()
    if form == "json":
        _print_json(leases, strays, broken, problem)
    else:
        _print_table(leases, here)
        for environment, kinds in _by_environment(strays).items():
            held = ", ".join(plural(count, kind) for kind, count in kinds.items())
            click.echo(
                f"{printable(environment)}: {held} on this target, and no lease on this backend; another backend "
                f"(PULUMI_BACKEND_URL) may have it",
                err=True,
            )
        for path in broken:
            click.echo(f"{path} is no readable lease: look at it, and remove it once nothing of it is left", err=True)
        if problem:
            click.echo(f"understudy: {printable(problem)}\n{_UNSEEN}", err=True)
            for other in sorted({lease.target for lease in leases if kind_of(lease.target) != options.target}):
                click.echo(f"To look at {printable(other)}: {elsewhere(other)}", err=True)
    return LeftoversError.exit_code if problem else 0


def names(options: Options) -> list[str]:
    """What the environments of the backend can be called: their ids, and their branches.

    Raises:
        UsageError: the backend's leases cannot be found.
    """
    leases, _ = lease_store(options, read_settings(silent)).list()
    return [*(lease.id for lease in leases), *dict.fromkeys(lease.branch for lease in leases if lease.branch)]


def logs(options: Options, environment: str, services: tuple[str, ...], *, follow: bool, form: str) -> int:
    """Print what the services of an environment said, with time stamps, and what they say from now on with `follow`.

    Raises:
        NotFoundError: there is no such environment.
    """
    store = lease_store(options, read_settings(silent))
    lease = find_lease(store, environment)
    target = target_of(options, of=lease.target)
    here = target.identity()
    if here != lease.target:
        raise NotFoundError(
            f"Environment {lease.id} is on {lease.target}, and this is {here}.", hint=elsewhere(lease.target)
        )
    store.use(lease)
    for service, line in target.lines(lease.whose, services, follow=follow):
        plain = printable(f"{service} | {line}")
        sys.stdout.write(f"{json.dumps({'service': service, 'line': line}) if form == 'json' else plain}\n")
    sys.stdout.flush()
    return 0


def shell_environment(form: str) -> str:
    """`export` lines for a POSIX shell, or a JSON object of the variables."""
    exports = read_settings(silent).shell_exports()
    if form == "json":
        return json.dumps(exports, indent=1, sort_keys=True)
    return "\n".join(f"export {key}={shlex.quote(value)}" for key, value in sorted(exports.items()))


def _strays(target: Target, store: LeaseStore) -> tuple[Owned, ...]:
    known = {lease.whose for lease in store.list()[0]}
    return tuple(owned for owned in target.inventory() if whose_of(owned.labels) not in known)


def _by_environment(strays: tuple[Owned, ...]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for owned in strays:
        found.setdefault(owned.labels[LABEL + "environment"], Counter())[owned.kind] += 1
    return found


def _print_json(leases: tuple[Lease, ...], strays: tuple[Owned, ...], broken: tuple[str, ...], problem: str) -> None:
    data = {
        "environments": [{**asdict(lease), "owner_alive": lease.owner.alive()} for lease in leases],
        "without_lease": [{"kind": o.kind, "name": o.name, "id": o.id} for o in strays],
        "unreadable_leases": list(broken),
        "problem": problem,
    }
    click.echo(json.dumps(data, indent=1))


def _print_table(leases: tuple[Lease, ...], here: str) -> None:
    if not leases:
        click.echo("no environments")
        return
    now = datetime.now(UTC)
    rows = [("ID", "STATE", "BRANCH", "COMMIT", "STACK", "AGE", "EXPIRES IN", "TARGET")]
    rows += [
        (
            lease.id,
            str(lease.state),
            _short(lease.branch) or "-",
            lease.commit[:10],
            f"{lease.project}/{lease.stack}",
            _span((now - parse_time(lease.created)).total_seconds()),
            _span((ends(lease)[0] - now).total_seconds()),
            "here" if lease.target == here else lease.target,
        )
        for lease in leases
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(printable(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _short(text: str, limit: int = 32) -> str:
    text = printable(text.replace("\n", " "))
    return text if len(text) <= limit else text[: limit - 1] + "\u2026"


def _span(seconds: float) -> str:
    if seconds < 0:
        return "over"
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"
