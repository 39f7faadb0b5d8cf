"""A session: what every command works with - options, target, engine with its provider attached, leases, one stop."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from understudy.engine.factory import make_engine
from understudy.engine.interface import Engine
from understudy.engine.pulumi_cli import ensure
from understudy.engine.settings import EngineSettings
from understudy.errors import LeftoversError, NotFoundError, UnderstudyError
from understudy.halts import Halt
from understudy.lease import Lease, LeaseStore, is_id
from understudy.options import Options
from understudy.progress import Phase, Progress, ProgressListener, State
from understudy.stacks.aws.platform import Platform
from understudy.stacks.identity import LABEL
from understudy.stops import Stop
from understudy.targets.choose import AWS, kind_meant, target_of
from understudy.targets.interface import Target

__all__ = ["Session", "attached", "find_lease", "lease_store", "open_session", "read_settings"]


@dataclass
class Session:
    """One command at work."""

    options: Options
    folder: Path
    listener: ProgressListener
    stop: Stop
    settings: EngineSettings
    engine: Engine
    target: Target
    store: LeaseStore
    halt: Halt = field(default_factory=Halt)
    on_aws: bool = False
    """Whether the target is an AWS account and not a Docker daemon, which is asked for nothing then."""
    platform: Platform | None = None
    """On AWS, what the environments of this command stand on, once it was read: that takes a process of the CLI."""

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[Callable[[], None]]:
        """Tell the listener when a phase begins and ends, and how long it took; call what is yielded if it failed."""
        clock = time.monotonic()
        self.listener(Progress(phase, State.STARTED))
        failed = threading.Event()
        try:
            yield failed.set
        except BaseException as error:
            failed.set()
            if isinstance(error, UnderstudyError):
                error.phase = error.phase or phase
            raise
        finally:
            taken = time.monotonic() - clock
            self.listener(Progress(phase, State.FAILED if failed.is_set() else State.DONE, seconds=taken))


def read_settings(listener: ProgressListener) -> EngineSettings:
    """The engine's settings, with a Pulumi CLI that is made if there is none, and its folders.

    Raises:
        ToolError: there is no Pulumi CLI and none can be made.
        UsageError: a backend without a passphrase.
    """
    cli = ensure(lambda text: listener(Progress(Phase.CLONE, State.INFO, "pulumi", text)))
    settings = EngineSettings.from_environment(cli.path)
    settings.prepare()
    return settings


def lease_store(options: Options, settings: EngineSettings) -> LeaseStore:
    """Where leases lie: beside the state of a file:// backend, else in the folder that an option names."""
    return LeaseStore.beside(settings.backend, options.lease_dir)


@contextmanager
def open_session(
    options: Options,
    folder: Path,
    listener: ProgressListener,
    stop: Stop,
    *,
    of: Callable[[LeaseStore], Lease | None] = lambda _store: None,
) -> Iterator[Session]:
    """Connect to the target and the engine; the provider serves as long as the session is open.

    Args:
        options: of the command.
        folder: where it was called.
        listener: is told of progress.
        stop: ends the command.
        of: finds the environment that the command is about, on whose target it works; None: as the options say.

    Raises:
        ToolError: no Docker, no Pulumi; no AWS, or an account in which nothing may be made or removed.
        UsageError: a backend without a passphrase or a place for leases.
    """
    settings = read_settings(listener)
    store = lease_store(options, settings)
    lease = of(store)
    there = "" if lease is None else lease.target
    target = target_of(options, of=there, stop=stop)
    on_aws = kind_meant(options, there) == AWS
    with ExitStack() as until:
        if on_aws:
            target.reach()
            attach = attached(os.environ)
        else:
            from understudy.provider.server import ProviderServer  # with Pulumi's SDK and Docker's: 0.1 s

            provider = until.enter_context(ProviderServer(identity=target.identity()))
            attach = {"docker": provider.port} if options.docker_provider == "embedded" else {}
        engine = make_engine(settings, attach)
        yield Session(options, folder, listener, stop, settings, engine, target, store, on_aws=on_aws)


def attached(variables: Mapping[str, str]) -> dict[str, int]:
    """Providers that are served already, by Pulumi's own variable PULUMI_DEBUG_PROVIDERS: name -> port."""
    pairs = (each.partition(":") for each in variables.get("PULUMI_DEBUG_PROVIDERS", "").split(","))
    return {name: int(port) for name, _, port in pairs if name and port.isdigit()}


def find_lease(store: LeaseStore, name: str | None, branch: str = "", repository: str = "") -> Lease:
    """The lease of an environment by its id, stack, name or branch; without a name, that of this branch here.

    Raises:
        NotFoundError: none matches, or several do.
        LeftoversError: it is the id of one whose lease cannot be read.
    """
    leases, broken = store.list()
    if name is None:
        wanted = f"the environment of branch {branch!r} of this repository" if branch else "an environment to take"
        matches = [lease for lease in leases if branch and (lease.branch, lease.repository) == (branch, repository)]
    else:
        wanted = f"environment {name!r}"
        matches = [lease for lease in leases if name in {lease.id, lease.stack, f"{lease.project}/{lease.stack}"}]
        matches = matches or [lease for lease in leases if name in {lease.key, lease.branch}]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        if name is not None and is_id(name) and (place := store.shelf.place(f"{name}.json")) in broken:
            raise _broken(name, place)
        raise NotFoundError(
            f"Looked for {wanted}, and there is none.",
            hint="`understudy list` shows what is there; name one by its id.",
        )
    ids = ", ".join(f"{lease.id} ({lease.branch or lease.stack})" for lease in matches)
    raise NotFoundError(f"Looked for {wanted}, and {len(matches)} match: {ids}.", hint="Name one by its id.")


def _broken(environment: str, place: str) -> LeftoversError:
    return LeftoversError(
        f"Looked for environment {environment}, and its lease {place} is cut off or cannot be read: what there is of "
        "the environment is unknown.",
        hint="Restore that file from a copy. Without one, `understudy reap --yes` removes by label what is past its "
        f"last moment; `docker ps -a --filter label={LABEL}environment={environment}` shows what there is until then.",
    )
