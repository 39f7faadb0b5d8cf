"""The record: what a lease says of an environment, and whether somebody is at work on it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum

from understudy.errors import UsageError
from understudy.owner import Owner
from understudy.stacks.identity import Whose, parse_time

__all__ = ["HEARTBEAT_LOST", "BusyError", "Lease", "LeaseExistsError", "LeaseState", "is_id"]

HEARTBEAT_LOST = 300.0
"""Seconds after its last heartbeat from which an owner on another host counts as gone: ten beats of the slowest store
(`understudy.heartbeat`)."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""What an id may look like as a file name; every id of understudy.stacks.identity does."""

_LONGEST_IDLE = 10 * 365 * 86400.0
"""The longest duration that an option takes."""


def is_id(text: str) -> bool:
    """Whether a text may be an environment's id, and so a document's name."""
    return _ID.fullmatch(text) is not None


class LeaseState(StrEnum):
    """Where the environment stands."""

    WAITING = "waiting"
    PROVISIONING = "provisioning"
    READY = "ready"
    TESTING = "testing"
    EXPORTING = "exporting"
    DESTROYING = "destroying"
    KEPT = "kept"
    HANDED_OVER = "handed over"

    @property
    def at_rest(self) -> bool:
        """Whether the environment was handed over to its lease, on purpose; in any other state it is its owner's."""
        return self in {LeaseState.KEPT, LeaseState.HANDED_OVER}


class BusyError(UsageError):
    """Another process is at work on the environment."""

    exit_code = 7


class LeaseExistsError(UsageError):
    """Another lease has this id: the environment is there, or being made."""


@dataclass(frozen=True, slots=True)
class Lease:
    """What a stranger needs to find and destroy an environment. Times are RFC 3339, UTC.

    `backend_id` is the identity of the backend, which its objects carry (`LeaseStore.backend_id`).
    `key` is the name or branch that a user calls it by, `name` the topology's. `plain`: the stack is a user's own,
    under plain Pulumi. `dirty`: the files are those of a working folder on top of `commit`. `files` are the Compose
    files, relative to the folder of the first, which is `topology`; `env_files`, `given` (`NAME=VALUE`, less declared
    secrets), `compose_profiles` and `allow` what they were read with. `run`: the environment is a run's, and ends with
    it; `committed` is the time of commit, or empty. `untrusted`: the commit is a stranger's, and its suites do not
    count. `fork`: the branch is not one of `repository`, or may not be; `pushed`: it was, by the checkout of a CI job.

    `renewed` is its owner's last heartbeat, `active` the last time that a command or a person used the environment,
    `idle` the seconds without either after which it is over (0: never). `asked_to_stop` is why another command wants
    its owner to stop. `attempts` destroys ended not CLEAN, the last one because of `last_failure`. `rests_as` is the
    state at rest from which its owner took it, and to which it goes back if the owner dies; None: it ends then.
    """

    id: str
    target: str
    project: str
    stack: str
    backend: str
    backend_id: str
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
    renewed: str = ""
    active: str = ""
    idle: float = 0.0
    asked_to_stop: str = ""
    attempts: int = 0
    last_failure: str = ""
    run: bool = False
    committed: str = ""
    untrusted: bool = False
    rests_as: LeaseState | None = None
    fork: bool = False
    pushed: bool = False

    @property
    def whose(self) -> Whose:
        """What tells the environment's objects from those of any other."""
        return Whose(self.id, self.backend_id)

    def rests_after(self, state: LeaseState) -> LeaseState | None:
        """What `rests_as` becomes as the environment goes over to `state`: one that is being destroyed never rests."""
        if state.at_rest or state is LeaseState.DESTROYING:
            return None
        return self.state if self.state.at_rest else self.rests_as

    @property
    def stays(self) -> bool:
        """Whether it is its lease's when nobody works on it, as it was handed over once; else it is to be destroyed."""
        return self.state.at_rest or self.rests_as is not None

    @property
    def died(self) -> bool:
        """Whether its owner is known to have ended while it was at work."""
        return not self.state.at_rest and self.owner.alive() is False

    @property
    def worked_on(self) -> bool:
        """Whether another process is at work on the environment.

        One that cannot be looked at from here, as on another host, is while it was heard of less than HEARTBEAT_LOST
        seconds ago.
        """
        if self.state.at_rest or self.owner.is_this_process():
            return False
        alive = self.owner.alive()
        if alive is not None:
            return alive
        return (datetime.now(UTC) - parse_time(self.renewed or self.created)).total_seconds() < HEARTBEAT_LOST

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
            if (rest := data.get("rests_as")) is not None:
                data["rests_as"] = LeaseState(rest)
            for several in ("files", "env_files", "given", "compose_profiles", "allow"):
                data[several] = tuple(data.get(several, ()))
            lease = cls(**data)
            _hold_types(lease.owner)
            _hold_types(lease)
            if not is_id(lease.id):
                raise ValueError(f"{lease.id!r} is no id")  # noqa: TRY301 - joins the other reasons
            if not is_id(lease.backend_id):
                raise ValueError(f"{lease.backend_id!r} is no backend's id")  # noqa: TRY301 - as above
            if lease.rests_as is not None and not lease.rests_as.at_rest:
                raise ValueError(f"{lease.rests_as!r} is no state at rest")  # noqa: TRY301 - as above
            if not 0 <= lease.idle <= _LONGEST_IDLE:
                raise ValueError(f"{lease.idle!r} is no number of seconds")  # noqa: TRY301 - as above
            for moment in (lease.created, lease.expires, lease.not_after, *filter(None, (lease.renewed, lease.active))):
                parse_time(moment)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ValueError(f"not a lease: {error}") from error
        return lease


_TYPES: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "bool": bool,
    "int": int,
    "float": (int, float),
    "tuple[str, ...]": tuple,
    "Owner": Owner,
    "LeaseState": LeaseState,
    "LeaseState | None": (LeaseState, type(None)),
}


def _hold_types(record: Lease | Owner) -> None:
    """Hold that every field is what its annotation says: what comes out of a file need not be."""
    for each in fields(record):
        value = getattr(record, each.name)
        fits = isinstance(value, _TYPES[str(each.type)]) and (not isinstance(value, bool) or each.type == "bool")
        if not fits or (isinstance(value, tuple) and not all(isinstance(item, str) for item in value)):
            raise ValueError(f"{each.name} is {value!r}")
