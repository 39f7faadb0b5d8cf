"""The lease: the record that exists before the first resource and is closed only after a clean receipt."""

from __future__ import annotations

import getpass
import json
import os
import socket
import tempfile
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from understudy.errors import NotFoundError, UnderstudyError, UsageError
from understudy.stacks.identity import parse_time

__all__ = ["Lease", "LeaseExistsError", "LeaseState", "LeaseStore", "Owner", "this_process"]


class LeaseState(StrEnum):
    """Where the environment stands."""

    PROVISIONING = "provisioning"
    READY = "ready"
    TESTING = "testing"
    EXPORTING = "exporting"
    DESTROYING = "destroying"
    KEPT = "kept"
    HANDED_OVER = "handed over"


class LeaseExistsError(UsageError):
    """Another lease has this id: the environment is there, or being made."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that holds a lease. `started` is the process's start time in clock ticks since boot."""

    host: str
    boot_id: str
    pid: int
    started: int
    user: str
    ci_url: str = ""

    def alive(self) -> bool | None:
        """Whether that very process runs still; None on another host or boot, where nobody here can know."""
        here = this_process()
        if (self.host, self.boot_id) != (here.host, here.boot_id):
            return None
        return _start_time(self.pid) == self.started


@dataclass(frozen=True, slots=True)
class Lease:
    """What a stranger needs to find and destroy an environment. Times are RFC 3339, UTC."""

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
    run_folder: str = ""
    tree: str = ""
    suites: list[dict[str, object]] = field(default_factory=list)

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
            lease = cls(**data)
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
        return cls(Path(parts.netloc + parts.path).expanduser() / ".understudy" / "leases")

    def _path(self, environment: str) -> Path:
        return self.folder / f"{environment}.json"

    def create(self, lease: Lease) -> None:
        """Write a new lease, whole or not at all.

        Raises:
            LeaseExistsError: there is one of this id.
            UnderstudyError: the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            staged = self._stage(lease)
            try:
                os.link(staged, self._path(lease.id))
            finally:
                staged.unlink()
        except FileExistsError as error:
            raise LeaseExistsError(
                f"Environment {lease.id} has a lease already.",
                hint=f"`understudy list` shows it; `understudy down {lease.id}` removes it.",
            ) from error
        except OSError as error:
            raise UnderstudyError(f"Wrote a lease to {self.folder}, and it failed: {error}.") from error

    def _stage(self, lease: Lease) -> Path:
        handle, path = tempfile.mkstemp(dir=self.folder, prefix=".lease-")
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(lease.to_json())
            out.flush()
            os.fsync(out.fileno())
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

    def update(self, lease: Lease, **changes: object) -> Lease:
        """Replace a lease by itself with some fields changed, and return that."""
        changed = replace(lease, **changes)  # type: ignore[arg-type]  # fields of Lease by name
        staged = self._stage(changed)
        staged.replace(self._path(lease.id))
        return changed

    def close(self, environment: str) -> None:
        """Remove a lease; one that is gone is no error."""
        self._path(environment).unlink(missing_ok=True)

    def list(self) -> tuple[tuple[Lease, ...], tuple[str, ...]]:
        """All leases, oldest first, and the files that are no readable lease (never silently skipped)."""
        leases: list[Lease] = []
        broken: list[str] = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                leases.append(Lease.from_json(path.read_text(encoding="utf-8")))
            except FileNotFoundError:
                continue
            except (OSError, ValueError):
                broken.append(str(path))
        return tuple(sorted(leases, key=lambda lease: (lease.created, lease.id))), tuple(broken)


def this_process(ci_url: str = "") -> Owner:
    """The owner record of the running process."""
    return Owner(
        host=socket.gethostname(),
        boot_id=_read("/proc/sys/kernel/random/boot_id").strip(),
        pid=os.getpid(),
        started=_start_time(os.getpid()) or 0,
        user=getpass.getuser(),
        ci_url=ci_url,
    )


def _start_time(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat (proc(5)); None when there is no such process."""
    text = _read(f"/proc/{pid}/stat")
    return int(text.rpartition(")")[2].split()[19]) if text else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
