"""The store: the leases of one backend on a shelf beside its state, its own id, and what else belongs to them there."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from understudy.errors import NotFoundError, UnderstudyError, UsageError
from understudy.lease.folder import FolderShelf
from understudy.lease.record import Lease, LeaseExistsError, is_id
from understudy.lease.s3 import S3Shelf
from understudy.lease.shelf import Document, Shelf, UnreadableError
from understudy.s3_place import S3Place
from understudy.stacks.identity import format_time, parse_time

__all__ = ["LeaseStore"]

_FOLDER = ".understudy/leases"
"""Where leases lie in a backend."""

_BACKEND = "backend/id.json"
"""The document with the backend's own id; in a folder, so that it is never listed as a lease."""

_USED = 60.0
"""Seconds within which uses of an environment count as one."""


class LeaseStore:
    """Leases by their ids, created exclusively and changed one at a time."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    @classmethod
    def beside(cls, backend: str, override: str = "") -> LeaseStore:
        """The store beside the Pulumi state of a `file://` or `s3://` backend, or in the folder given for any other.

        Raises:
            UsageError: the backend is of another kind and no folder is given; for S3, there is no client or login.
        """
        if override:
            return cls(FolderShelf(Path(override).expanduser()))
        parts = urlsplit(backend)
        if parts.scheme == "file":
            return cls(FolderShelf(Path(unquote(parts.netloc + parts.path)).expanduser() / _FOLDER))
        if parts.scheme == "s3":
            return cls(S3Shelf(S3Place.parse(backend).below(_FOLDER)))
        raise UsageError(
            f"Leases are kept beside the Pulumi state, and a backend of {parts.scheme}:// has no place for them.",
            hint="Name a folder that every machine with this backend shares: --lease-dir or UNDERSTUDY_LEASE_DIR.",
        )

    def authority(self, environment: str) -> Document:
        """The place of an environment's certificate authority, which lies beside the lease and goes with it."""
        return Document(self.shelf, _authority(environment))

    def backend_id(self, *, write: bool = True) -> str:
        """The backend's own id, which all its environments' objects carry; made when it is first asked for.

        `write`: keep one that is made; a rehearsal creates nothing.

        Raises:
            UnderstudyError: as `find_backend_id`, or it cannot be written.
        """
        known = self.find_backend_id()
        if known is not None:
            return known
        made = _new_backend_id()
        if not write or self.shelf.create(_BACKEND, (json.dumps({"backend": made}) + "\n").encode()):
            return made
        known = self.find_backend_id()
        if known is None:
            raise self._no_backend_id("it was there and is gone again")
        return known

    def find_backend_id(self) -> str | None:
        """The backend's own id; None where it has none yet, as it has no lease either.

        Raises:
            UnderstudyError: it cannot be read, or is lost: there are leases.
        """
        data = self._backend_document()
        if data is None:
            if next(iter(self.shelf.each()), None) is None:
                return None
            data = self._backend_document()  # whoever wrote that lease meanwhile has made it before
        if data is None:
            raise self._no_backend_id("it is not there, and leases are")
        try:
            known = json.loads(data)["backend"]
        except (ValueError, KeyError, TypeError):
            known = None
        if not isinstance(known, str) or not is_id(known):
            raise self._no_backend_id("it holds no id")
        return known

    def _backend_document(self) -> bytes | None:
        try:
            return self.shelf.read(_BACKEND)
        except UnreadableError as error:
            raise self._no_backend_id(f"it cannot be read: {error.args[0]}") from error

    def _no_backend_id(self, why: str) -> UnderstudyError:
        """Without it this backend's objects cannot be told from another's."""
        named = ", ".join(sorted({lease.backend_id for lease in self.list()[0]}))
        return UnderstudyError(
            f"Read the id of this backend, {self.shelf.place(_BACKEND)}, and {why}.",
            hint="Restore that file from a copy; it is one line: "
            f'{{"backend": "{named or "b..."}"}}' + (", as the leases beside it name it." if named else "."),
        )

    def create(self, lease: Lease) -> None:
        """Write a new lease, whole or not at all.

        Raises:
            LeaseExistsError: there is one of this id.
            UnderstudyError: it cannot be written.
        """
        if not self.shelf.create(_name(lease.id), lease.to_json().encode()):
            raise LeaseExistsError(
                f"Environment {lease.id} has a lease already.",
                hint=f"`understudy list` shows it; `understudy down {lease.id}` removes it.",
            )

    def read(self, environment: str) -> Lease:
        """The lease of an environment.

        Raises:
            NotFoundError: there is none.
            UnderstudyError: it cannot be read.
        """
        data = self.shelf.read(_name(environment))
        if data is None:
            raise _not_there(environment)
        return self._heard(self._lease(environment, data))

    def _heard(self, lease: Lease) -> Lease:
        """The lease with the last sign of life of an owner on another machine in this machine's time.

        That owner has written it by its own clock; how long ago that was, the server of the shelf knows best.
        """
        if lease.state.at_rest or lease.owner.alive() is not None:
            return lease
        age = self.shelf.age(_name(lease.id))
        return lease if age is None else replace(lease, renewed=format_time(datetime.now(UTC) - timedelta(seconds=age)))

    def _lease(self, environment: str, data: bytes) -> Lease:
        try:
            return Lease.from_json(data.decode())
        except ValueError as error:
            place = self.shelf.place(_name(environment))
            raise UnderstudyError(f"Read the lease {place}, and it failed: {error}.") from error

    def find(self, environment: str) -> Lease | None:
        """The lease of an environment, None where there is none.

        Raises:
            UnderstudyError: it cannot be read.
        """
        try:
            return self.read(environment)
        except NotFoundError:
            return None

    def update(
        self,
        lease: Lease,
        *,
        check: Callable[[Lease], Mapping[str, object] | None] | None = None,
        **changes: object,
    ) -> Lease:
        """Change some fields of a lease as it is by now, atomically, and return it; others' changes are kept.

        `check` sees the lease as it is before the change, and may raise to prevent it or return further changes that
        depend on it. A change by the owner is a sign of life; a new owner uses the environment, and nobody has asked
        it to stop yet. A new state says what the environment goes back to (`Lease.rests_after`).

        Raises:
            NotFoundError: it was closed meanwhile.
            UnderstudyError: it cannot be written.
        """
        changed = lease

        def alter(data: bytes) -> bytes:
            nonlocal changed
            before = self._lease(lease.id, data)
            more = check(before) if check is not None else None
            now = format_time(datetime.now(UTC))
            fresh: dict[str, object] = {"active": now, "asked_to_stop": ""} if "owner" in changes else {}
            changed = replace(before, **{**fresh, **changes, **(more or {})})  # type: ignore[arg-type]  # fields of Lease by name
            changed = replace(changed, rests_as=before.rests_after(changed.state))
            if changed.owner.is_this_process():
                changed = replace(changed, renewed=now)
            return changed.to_json().encode()

        if not self.shelf.change(_name(lease.id), alter):
            raise _not_there(lease.id)
        return changed

    def restore(self, lease: Lease) -> None:
        """Write a new lease where there is none, or none that can be read.

        Raises:
            LeaseExistsError: there is one that can be read.
            UnderstudyError: it cannot be written.
        """

        def alter(data: bytes) -> bytes:
            if _parsed(data) is not None:
                raise LeaseExistsError(f"Environment {lease.id} has a lease already.")
            return lease.to_json().encode()

        if not self.shelf.change(_name(lease.id), alter):
            self.create(lease)

    def use(self, lease: Lease) -> None:
        """Say that somebody uses an environment, so that its idle time begins anew.

        Nothing is written more often than once a minute, nor where no limit is set.

        Raises:
            NotFoundError: it was closed meanwhile.
            UnderstudyError: it cannot be written.
        """
        now = datetime.now(UTC)
        if lease.idle and (now - parse_time(lease.active or lease.created)).total_seconds() >= _USED:
            self.update(lease, active=format_time(now))

    def close(self, lease: Lease) -> bool:
        """Remove a lease unless another process took it over meanwhile; says whether it is gone.

        One that cannot be read goes too: whoever closes it has proven that nothing is left of the environment.

        Raises:
            UnderstudyError: it cannot be removed.
        """
        gone = True

        def alter(data: bytes) -> bytes | None:
            nonlocal gone
            now = _parsed(data)
            gone = now is None or now.owner == lease.owner
            if gone:
                self.shelf.remove(_authority(lease.id))  # first: without a lease nobody would come back for it
            return None if gone else data

        if not self.shelf.change(_name(lease.id), alter):
            self.shelf.remove(_authority(lease.id))
        return gone

    def list(self) -> tuple[tuple[Lease, ...], tuple[str, ...]]:
        """All leases, oldest first, and where those lie that are no readable lease (never silently skipped).

        Raises:
            UnderstudyError: they cannot be listed, so that nothing is known.
        """
        leases: list[Lease] = []
        broken: list[str] = []
        for name, data in self.shelf.each():
            lease = None if isinstance(data, UnreadableError) else _parsed(data)
            if lease is not None and _name(lease.id) == name:
                leases.append(self._heard(lease))
            else:
                broken.append(self.shelf.place(name))
        return tuple(sorted(leases, key=lambda lease: (lease.created, lease.id))), tuple(broken)


def _new_backend_id() -> str:
    """A backend's id that no other has: `b` and 16 base-32 characters, 80 random bits."""
    return "b" + base64.b32encode(secrets.token_bytes(10)).decode().lower()


def _parsed(data: bytes) -> Lease | None:
    try:
        return Lease.from_json(data.decode())
    except ValueError:
        return None


def _name(environment: str) -> str:
    """Ids come from the command line too: one that is no file name is no environment."""
    if not is_id(environment):
        raise _not_there(environment)
    return f"{environment}.json"


def _authority(environment: str) -> str:
    return f"authorities/{_name(environment)}"


def _not_there(environment: str) -> NotFoundError:
    return NotFoundError(
        f"There is no environment {environment!r} on this backend.", hint="`understudy list` shows what is there."
    )
