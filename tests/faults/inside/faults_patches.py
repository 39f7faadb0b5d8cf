"""What can be changed inside: a phase that fails, a death before a checkpoint, a wrong clock, a defence taken out."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

__all__ = ["PATCHES"]

Patch = Callable[[ModuleType], None]


def _place(module: ModuleType, name: str) -> tuple[Any, str]:
    """The object in a module that has the attribute, and the attribute's name."""
    holder: Any = module
    *path, last = name.split(".")
    for part in path:
        holder = getattr(holder, part)
    getattr(holder, last)  # what is not there any more cannot be taken out
    return holder, last


def _is(name: str, value: object) -> Patch:
    def patch(module: ModuleType) -> None:
        setattr(*_place(module, name), value)

    return patch


def _does(name: str, value: object = None) -> Patch:
    """Call nothing, and return this."""

    def stand_in(*_: object, **__: object) -> object:
        return value

    return _is(name, stand_in)


def _fails(name: str) -> Patch:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "injected: no space left on device")

    return _is(name, fail)


def _lists_nothing(module: ModuleType) -> None:
    """Docker refuses to say what there is, when the second look asks."""

    def list_kind(*_: object) -> None:
        raise module.ToolError("injected: Docker does not list anything")

    module.list_kind = list_kind


def _dies_after_create(module: ModuleType) -> None:
    """The first container is made, and before anybody is told, everything that could tell it is killed."""
    create = module.Servicer.Create

    def create_and_die(self: Any, request: Any, context: Any) -> Any:
        response = create(self, request, context)
        if "container" in request.urn.lower():
            for pid in [pid for pid, words in _processes() if b"pulumi" in words.split(b"\0")[0]]:
                if _session_parent(pid) == os.getpid():
                    os.kill(pid, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        return response

    module.Servicer.Create = create_and_die


def _processes() -> Iterator[tuple[int, bytes]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                yield int(entry.name), (entry / "cmdline").read_bytes()


def _session_parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])


def _shifted(_: ModuleType) -> None:
    """The clock of this process is FAULTS_SKEW seconds ahead, but for gRPC, which waits by the kernel's own."""
    import datetime  # noqa: ICN001 - as the modules have it that are changed

    skew = float(os.environ["FAULTS_SKEW"])
    real, real_time = datetime.datetime, time.time

    class Shifted(real):  # type: ignore[valid-type,misc]  # the class that others import
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
            return real.fromtimestamp(real_time() + skew, tz)

    datetime.datetime = Shifted  # type: ignore[misc]  # others import it from here

    def shifted() -> float:
        caller = str(sys._getframe(1).f_globals.get("__name__"))  # of C code: whoever called that
        return real_time() + (0 if caller.startswith("grpc") else skew)

    time.time = shifted


def _target_shifted(module: ModuleType) -> None:
    """The target's clock is FAULTS_SKEW seconds ahead."""
    ask, skew = module.daemon_clock, timedelta(seconds=float(os.environ["FAULTS_SKEW"]))
    module.daemon_clock = lambda client: ask(client) + skew


def _puts(module: ModuleType) -> None:
    """A lease that is there is written over."""

    def create(self: Any, name: str, data: bytes) -> bool:
        self.put(name, data)
        return True

    module.FolderShelf.create = create


def _closes_unseen(module: ModuleType) -> None:
    """A lease is removed whoever has it."""

    def close(self: Any, lease: Any) -> bool:
        self.shelf.remove(module._name(lease.id))
        return True

    module.LeaseStore.close = close


def _believes_pids(module: ModuleType) -> None:
    """Whoever has the pid is the owner."""
    module.Owner.alive = lambda self: Path(f"/proc/{self.pid}").exists()


def _ends_by_time_alone(module: ModuleType) -> None:
    module.ends = lambda lease: (module.parse_time(lease.expires), f"its time ended at {lease.expires}")


def _sees_nothing(module: ModuleType) -> None:
    """The second look is believed before it is made."""
    look = module.Removal._look
    module.Removal._look = lambda self: replace(look(self), outcome=module.Outcome.CLEAN, leftovers=())


def _holds_nowhere(module: ModuleType) -> None:
    """A receipt of another target is like any other."""
    module.Outcome = SimpleNamespace(**{each.name: each for each in module.Outcome} | {"HOLD": None})


def _spares_nothing(module: ModuleType) -> None:
    module._spared = lambda _facts: module.spare_none


PATCHES: dict[str, list[tuple[str, Patch]]] = {
    "fail-clone": [("understudy.stages", _fails("clone"))],
    "fail-build": [("understudy.on_docker", _fails("build"))],
    "fail-provision": [("understudy.provider.container", _fails("Containers.create"))],
    "fail-test": [("understudy.stages", _fails("_test"))],
    "fail-export": [("understudy.export.folder", _fails("RunFolder.collect_containers"))],
    "fail-destroy": [("understudy.engine.pulumi_engine", _fails("PulumiEngine.destroy"))],
    "fail-receipt": [("understudy.targets.docker", _lists_nothing)],
    "die-after-create": [("understudy.provider.servicer", _dies_after_create)],
    "skew": [("", _shifted)],
    "target-skew": [("understudy.targets.docker", _target_shifted)],
    # defences taken out
    "no-watchdog": [("understudy.watchdog.guard", _does("Guard._connect"))],
    "no-children-first": [("understudy.watchdog.guard", _does("Guard.child"))],
    "no-hunted-variables": [("understudy.watchdog.guard", _is("HUNTED", frozenset()))],
    "no-next-run": [("understudy.lifecycle", _does("opportune"))],
    "no-exclusive-create": [("understudy.lease.folder", _puts)],
    "no-owner-at-close": [("understudy.lease.store", _closes_unseen)],
    "no-heartbeat": [("understudy.heartbeat", _does("Heartbeat._run"))],
    "no-start-time": [("understudy.owner", _believes_pids)],
    "no-hard-limit": [("understudy.lease.rule", _ends_by_time_alone)],
    "no-sweep": [("understudy.removal", _does("Removal._sweep"))],
    "no-second-look": [("understudy.removal", _sees_nothing)],
    "no-target-identity": [("understudy.teardown", _holds_nowhere)],
    "no-lock-breaking": [("understudy.locks", _does("why_stale", ""))],
    "no-lock-liveness": [("understudy.locks", _does("why_stale", "whatever"))],
    "no-damage": [("understudy.engine.backend", _does("FileBackend.damage", ""))],
    "no-teardown": [("understudy.aftermath", _does("destroy"))],
    "no-cap": [("understudy.reap.passing", _does("cap_of", 1_000_000_000))],
    "no-refusal": [("understudy.reap.classify", _does("_refusal", ""))],
    "no-not-after": [("understudy.reap.classify", _is("LABEL_GRACE", timedelta(days=-4000)))],
    "no-ownership": [("understudy.reap.classify", _does("is_owned", value=True))],
    "no-protection": [("understudy.reap.classify", _does("protected", value=False))],
    "no-spare": [("understudy.reap.sweep", _spares_nothing)],
    "no-ownership-again": [("understudy.targets.docker_sweep", _does("refusal", ""))],
}
"""Name -> the modules, and what is done to each once it is imported; `""`: at once."""
