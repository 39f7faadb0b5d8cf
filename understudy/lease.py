"""The lease: the record that exists before the first resource and is closed only after a clean receipt."""

from __future__ import annotations

import fcntl
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from understudy.errors import NotFoundError, UnderstudyError, UsageError
from understudy.owner import Owner
from understudy.stacks.identity import parse_time

__all__ = ["BusyError", "Lease", "LeaseExistsError", "LeaseState", "LeaseStore"]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""What an id may look like as a file name; every id of understudy.stacks.identity does."""


class LeaseState(StrEnum):
    """Where the environment stands."""

    PROVISIONING = "provisioning"
    TESTING = "testing"
    EXPORTING = "exporting"
    DESTROYING = "destroying"
    KEPT = "kept"
    HANDED_OVER = "handed over"


_WORK = frozenset({LeaseState.PROVISIONING, LeaseState.TESTING, LeaseState.EXPORTING, LeaseState.DESTROYING})


class BusyError(UsageError):
    """Another process is at work on the environment."""

    exit_code = 7


class LeaseExistsError(UsageError):
    """Another lease has this id: the environment is there, or being made."""


@dataclass(frozen=True, slots=True)
class Lease:
    """What a stranger needs to find and destroy an environment. Times are RFC 3339, UTC.

    `key` is the name or branch that a user calls it by, `name` the topology's. `plain`: the stack is a user's own,
    under plain Pulumi. `dirty`: the files are those of a working folder on top of `commit`. `files` are the Compose
    files, relative to the folder of the first, which is `topology`; `env_files`, `given` (`NAME=VALUE`, less declared
    secrets), `compose_profiles` and `allow` what they were read with.
    """

    id: str
    target: str
    project: str
    stack: str
    backend: str
    repository: str
    topology: str
    commit: str
    branch: str
    owner: Owner
    created: str
    expires: str
    not_after: str
    state: LeaseState = LeaseState.PROVISIONING
    key: str = ""
    name: str = ""
    profile: str = "default"
    tree: str = ""
    dirty: bool = False
    plain: bool = False
    files: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    compose_profiles: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()

    @property
    def worked_on(self) -> bool:
        """Whether a process is at work on the environment; one of another host counts until the lease expires."""
        if self.state not in _WORK or self.owner.is_this_process():
            return False
        alive = self.owner.alive()
        return datetime.now(UTC) < parse_time(self.expires) if alive is None else alive

    def hold_idle(self) -> None:
        """Hold that nobody else is at work on the environment.

        Raises:
            BusyError: somebody is.
        """
        if self.worked_on:
            raise BusyError(
                f"Environment {self.id} is {self.state} by process {self.owner.pid} of {self.owner.user} "
                f"on {self.owner.host}.",
                hint="Wait until it is done, or end that process; then run this again.",
            )

    def to_json(self) -> str:
        """The lease as JSON text."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Lease:
        """The reverse of `to_json`.

        Raises:
            ValueError: the text is no lease.
        """
        try:
            data = json.loads(text)
            data["owner"] = Owner(**data["owner"])
            data["state"] = LeaseState(data["state"])
            for several in ("files", "env_files", "given", "compose_profiles", "allow"):
                data[several] = tuple(data.get(several, ()))
            lease = cls(**data)
            if not _ID.fullmatch(lease.id):
                raise ValueError(f"{lease.id!r} is no id")  # noqa: TRY301 - joins the other reasons
            for moment in (lease.created, lease.expires, lease.not_after):
                parse_time(moment)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"not a lease: {error}") from error
        return lease


class LeaseStore:
    """Leases as files of mode 0600 in one folder, created exclusively and replaced atomically."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def beside(cls, backend: str, override: str = "") -> LeaseStore:
        """The store beside the Pulumi state of a `file://` backend, or the folder given for any other.

        Raises:
            UsageError: the backend is no `file://` and no folder is given.
        """
        if override:
            return cls(Path(override).expanduser())
        parts = urlsplit(backend)
        if parts.scheme != "file":
            raise UsageError(
                f"Leases are kept beside the Pulumi state, and {backend!r} is not a file:// backend.",
                hint="Name a folder that every machine with this backend shares: --lease-dir or UNDERSTUDY_LEASE_DIR.",
            )
        return cls(Path(unquote(parts.netloc + parts.path)).expanduser() / ".understudy" / "leases")

    def _path(self, environment: str) -> Path:
        """Ids come from the command line too: one that is no file name is no environment."""
        if not _ID.fullmatch(environment):
            raise NotFoundError(
                f"There is no environment {environment!r} on this backend.",
                hint="`understudy list` shows what is there.",
            )
        return self.folder / f"{environment}.json"

    def authority(self, environment: str) -> Path:
        """The file of an environment's certificate authority, which lies beside the lease and goes with it."""
        return self._path(environment).parent / "authorities" / f"{environment}.json"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One change at a time: an update must not bring back a lease that somebody closes meanwhile."""
        handle = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def create(self, lease: Lease) -> None:
        """Write a new lease, whole or not at all.

        Raises:
            LeaseExistsError: there is one of this id.
            UnderstudyError: the folder cannot be written.
        """
        path = self._path(lease.id)
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            staged = self._stage(lease)
            try:
                os.link(staged, path)
            except FileExistsError as error:
                raise LeaseExistsError(
                    f"Environment {lease.id} has a lease already.",
                    hint=f"`understudy list` shows it; `understudy down {lease.id}` removes it.",
                ) from error
            finally:
                staged.unlink()
        except OSError as error:
            raise UnderstudyError(f"Wrote a lease to {self.folder}, and it failed: {error}.") from error

    def _stage(self, lease: Lease) -> Path:
        handle, path = tempfile.mkstemp(dir=self.folder, prefix=".lease-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                out.write(lease.to_json())
                out.flush()
                os.fsync(out.fileno())
        except BaseException:
            Path(path).unlink(missing_ok=True)
            raise
        return Path(path)

    def read(self, environment: str) -> Lease:
        """The lease of an environment.

        Raises:
            NotFoundError: there is none.
            UnderstudyError: it cannot be read.
        """
        try:
            return Lease.from_json(self._path(environment).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise NotFoundError(
                f"There is no environment {environment!r} on this backend.",
                hint="`understudy list` shows what is there.",
            ) from error
        except (OSError, ValueError) as error:
            raise UnderstudyError(f"Read the lease {self._path(environment)}, and it failed: {error}.") from error

    def find(self, environment: str) -> Lease | None:
        """The lease of an environment, None where there is none.

        Raises:
            UnderstudyError: it cannot be read.
        """
        try:
            return self.read(environment)
        except NotFoundError:
            return None

    def update(self, lease: Lease, *, check: Callable[[Lease], None] | None = None, **changes: object) -> Lease:
        """Change some fields of a lease as it is on disk now, atomically, and return it; others' changes are kept.

        `check` sees the lease as it is before the change, and may raise to prevent it.

        Raises:
            NotFoundError: it was closed meanwhile.
            UnderstudyError: it cannot be written.
        """
        path = self._path(lease.id)
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._locked():
                now = self.read(lease.id)
                if check is not None:
                    check(now)
                changed = replace(now, **changes)  # type: ignore[arg-type]  # fields of Lease by name
                self._stage(changed).replace(path)
        except OSError as error:
            raise UnderstudyError(f"Changed the lease {path}, and it failed: {error}.") from error
        return changed

    def close(self, lease: Lease) -> bool:
        """Remove a lease unless another process took it over meanwhile; says whether it is gone.

        Raises:
            UnderstudyError: it cannot be removed.
        """
        path = self._path(lease.id)
        try:
            with self._locked():
                now = self.find(lease.id)
                if now is not None and now.owner != lease.owner:
                    return False
                self.authority(lease.id).unlink(missing_ok=True)
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            return True
        except OSError as error:
            raise UnderstudyError(f"Removed the lease {path}, and it failed: {error}.") from error
        return True

    def list(self) -> tuple[tuple[Lease, ...], tuple[str, ...]]:
        """All leases, oldest first, and the files that are no readable lease (never silently skipped).

        Raises:
            UnderstudyError: the folder cannot be listed, so that nothing is known.
        """
        leases: list[Lease] = []
        broken: list[str] = []
        for path in self._files():
            try:
                lease = Lease.from_json(path.read_text(encoding="utf-8"))
            except FileNotFoundError:
                continue
            except (OSError, ValueError):
                broken.append(str(path))
                continue
            if lease.id == path.stem:
                leases.append(lease)
            else:
                broken.append(str(path))
        return tuple(sorted(leases, key=lambda lease: (lease.created, lease.id))), tuple(broken)

    def _files(self) -> tuple[Path, ...]:
        try:
            files = sorted(self.folder.iterdir())
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise UnderstudyError(f"Listed the leases in {self.folder}, and it failed: {error}.") from error
        return tuple(path for path in files if path.suffix == ".json" and path.name[0] != ".")
