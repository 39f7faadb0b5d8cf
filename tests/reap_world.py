"""A backend and a target in memory for the reaper's tests, and leases that are over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from leases import BACKEND, a_lease, give_id

from understudy.engine.fake import FakeEngine
from understudy.errors import ToolError
from understudy.lease import Lease, LeaseState, LeaseStore
from understudy.lease.shelf import Shelf, UnreadableError
from understudy.options import Options
from understudy.owner import Owner, this_process
from understudy.progress import Progress
from understudy.stacks.identity import LABEL, Whose, format_time
from understudy.targets.interface import Outcome, Owned, Receipt, Spare, Swept, spare_none
from understudy.targets.ownership import is_owned, refusal

HERE = "docker:one"
DEAD = replace(this_process(), pid=2**22 + 1, started=1)
ELSEWHERE = Owner("another-host", "another-boot", 1, 1, "ci")


def at(hours: float) -> str:
    return format_time(datetime.now(UTC) + timedelta(hours=hours))


def lease(name: str, **changes: object) -> Lease:
    """One that is kept, of a dead owner, and was over an hour ago."""
    times = {"created": at(-2), "expires": at(-1), "not_after": at(5)}
    own = {"target": HERE, "branch": name, "owner": DEAD, "state": LeaseState.KEPT}
    return a_lease(name, **{**own, **times, **changes})


def labels(environment: str, not_after: str, **changes: str) -> dict[str, str]:
    """All ownership labels; a change with the value `""` takes one out."""
    whole = {"environment": environment, "backend": BACKEND, "target": HERE, "project": "shop", "not-after": not_after}
    whole |= {key.replace("_", "-"): value for key, value in changes.items()}
    return {LABEL + key: value for key, value in whole.items() if value}


@dataclass
class MemoryTarget:
    """What a daemon holds, as a dictionary; `before_removal` is called before each removal is looked at."""

    objects: dict[str, Owned] = field(default_factory=dict)
    removals: list[str] = field(default_factory=list)
    stuck: set[str] = field(default_factory=set)
    silent: bool = False
    name: str = HERE
    before_removal: Callable[[str], None] = lambda _id: None
    ahead: timedelta = timedelta(0)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, with_labels: Mapping[str, str], kind: str = "container") -> None:
        self.objects[name] = Owned(kind, name, name, dict(with_labels))

    def _all(self) -> tuple[Owned, ...]:
        if self.silent:
            raise ToolError("Listed the containers of the Docker daemon, and it failed: no answer.")
        with self.lock:
            return tuple(self.objects.values())

    def reach(self) -> None:
        self.identity()

    def identity(self) -> str:
        return self.name

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def claimed(self) -> tuple[Owned, ...]:
        return tuple(item for item in self._all() if any(key.lower().startswith(LABEL) for key in item.labels))

    def inventory(self, whose: Whose | None = None) -> tuple[Owned, ...]:
        return tuple(item for item in self._all() if is_owned(item.labels, whose))

    def foresee_look(self) -> None:
        pass

    def owed(self, _whose: Whose) -> tuple[str, ...]:
        return ()

    def sweep(self, whose: Whose, spare: Spare = spare_none, _seen: Sequence[Owned] | None = None) -> Swept:
        removed, failed = [], []
        for item in self.inventory(whose):
            self.before_removal(item.id)
            with self.lock:
                now = self.objects.get(item.id)
                if now is None:
                    continue
                reason = refusal(now.labels, whose, self.name) or spare(now.labels)
                reason = reason or ("it is stuck" if item.id in self.stuck else "")
                if reason:
                    failed.append((item, reason))
                    continue
                del self.objects[item.id]
                self.removals.append(item.id)
                removed.append(item)
        return Swept(tuple(removed), tuple(failed))

    def receipt(self, whose: Whose, expected: str) -> Receipt:
        taken = format_time(datetime.now(UTC))
        try:
            left = self.inventory(whose)
        except ToolError as error:
            return Receipt(whose.environment, expected, Outcome.UNKNOWN, taken, reason=str(error))
        outcome = Outcome.LEFTOVERS if left else Outcome.CLEAN
        return Receipt(whose.environment, expected, outcome, taken, left)


class MemoryShelf:
    """Documents in a dictionary, of which threads change one at a time."""

    renew_every = look_every = 1.0

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.lock = threading.RLock()

    def place(self, name: str) -> str:
        return name

    def read(self, name: str) -> bytes | None:
        return self.documents.get(name)

    def age(self, _name: str) -> float | None:
        return None

    def each(self) -> Iterator[tuple[str, bytes | UnreadableError]]:
        with self.lock:
            documents = list(self.documents.items())
        yield from [(name, data) for name, data in documents if "/" not in name]

    def changed(self, _folder: str) -> Mapping[str, float]:
        return {}

    def create(self, name: str, data: bytes) -> bool:
        with self.lock:
            return self.documents.setdefault(name, data) is data

    def change(self, name: str, alter: Callable[[bytes], bytes | None]) -> bool:
        with self.lock:
            if name not in self.documents:
                return False
            after = alter(self.documents[name])
            if after is None:
                del self.documents[name]
            else:
                self.documents[name] = after
            return True

    def put(self, name: str, data: bytes) -> None:
        with self.lock:
            self.documents[name] = data

    def remove(self, name: str) -> None:
        with self.lock:
            self.documents.pop(name, None)


class World:
    """A session over memory, and what it heard."""

    def __init__(self, shelf: Shelf | None = None, **options: object) -> None:
        self.heard: list[Progress] = []
        self.target = MemoryTarget()
        self.store = LeaseStore(MemoryShelf() if shelf is None else shelf)
        give_id(self.store)
        self.engine = FakeEngine(run_programs=False)
        self.session: Any = SimpleNamespace(
            engine=self.engine,
            target=self.target,
            store=self.store,
            listener=self.heard.append,
            stop=threading.Event(),
            settings=SimpleNamespace(backend="s3://x", backend_folder=None, state=Path("/nowhere")),
            options=Options(**options),  # type: ignore[arg-type]  # options by name
            on_aws=False,
        )

    def ids(self) -> set[str]:
        return {each.id for each in self.store.list()[0]}
