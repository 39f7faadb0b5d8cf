"""What can be changed inside: a fault in each phase, a kill between create and checkpoint, a clock that is wrong, and
each defence taken out. Name -> modules and what is done to each."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["PATCHES"]

Patch = Callable[[ModuleType], None]


def _fails(name: str) -> Patch:
    def patch(module: ModuleType) -> None:
        def fail(*_: object, **__: object) -> None:
            raise OSError(28, "injected: no space left on device")

        holder: Any = module
        *path, last = name.split(".")
        for part in path:
            holder = getattr(holder, part)
        setattr(holder, last, fail)

    return patch


def _does_nothing(name: str, value: object = None) -> Patch:
    def patch(module: ModuleType) -> None:
        holder: Any = module
        *path, last = name.split(".")
        for part in path:
            holder = getattr(holder, part)
        setattr(holder, last, lambda *_, **__: value)

    return patch


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
    """The clock of this process is FAULTS_SKEW seconds ahead."""
    import datetime

    skew = float(os.environ["FAULTS_SKEW"])
    real, real_time = datetime.datetime, time.time

    class Shifted(real):  # type: ignore[valid-type,misc]  # the class that others import
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
            return real.fromtimestamp(real_time() + skew, tz)

    datetime.datetime = Shifted  # type: ignore[misc]  # others import it from here
    time.time = lambda: real_time() + skew


PATCHES: dict[str, list[tuple[str, Patch]]] = {
    "fail-clone": [("understudy.stages", _fails("clone"))],
    "fail-build": [("understudy.provision", _fails("build_images"))],
    "fail-provision": [("understudy.provider.container", _fails("Containers.create"))],
    "fail-test": [("understudy.stages", _fails("_test"))],
    "fail-export": [("understudy.recorder", _fails("Recorder.export"))],
    "fail-destroy": [("understudy.engine.pulumi_engine", _fails("PulumiEngine.destroy"))],
    "fail-receipt": [("understudy.removal", _fails("Removal._look"))],
    "die-after-create": [("understudy.provider.servicer", _dies_after_create)],
    "skew": [("", _shifted)],
    # defences taken out
    "no-watchdog": [("understudy.watchdog.guard", _does_nothing("Guard._connect"))],
    "no-sweep": [("understudy.targets.docker", _does_nothing("DockerTarget.sweep"))],
}
