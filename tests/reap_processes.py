"""Reapers as processes over a target of files: several at once, or killed at the n-th thing that one does.

Usage: reap_processes.py FOLDER race COUNT | kill STRIDE. Prints one JSON document. Children are forked from here, so
that each has the modules loaded, and each is a process of its own as an owner of leases.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import reap_world
from reap_world import World, at, labels, lease

from understudy.build.cache import ImageCache, Pruned
from understudy.lease import FolderShelf, LeaseState
from understudy.reap import Policy, passing
from understudy.stacks.identity import Whose
from understudy.targets.interface import Owned, Spare, Swept, spare_none
from understudy.targets.ownership import refusal

passing.client = lambda: None  # type: ignore[assignment]  # there are no images here
ImageCache.prune = lambda *_, **__: Pruned((), 0)  # type: ignore[method-assign]  # as above
ENVIRONMENTS = 4


class FolderTarget(reap_world.MemoryTarget):
    """Objects are files; a removal is one unlink, and a line in a log."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def add(self, name: str, with_labels: Any, kind: str = "container") -> None:
        (self.folder / name).write_text(json.dumps([kind, dict(with_labels)]), encoding="utf-8")

    def _all(self) -> tuple[Owned, ...]:
        found = []
        for path in sorted(self.folder.iterdir()):
            try:
                kind, held = json.loads(path.read_text(encoding="utf-8"))
            except FileNotFoundError:
                continue
            found.append(Owned(kind, path.name, path.name, held))
        return tuple(found)

    def sweep(self, whose: Whose, spare: Spare = spare_none, _seen: Sequence[Owned] | None = None) -> Swept:
        removed = []
        for item in self.inventory(whose):
            if refusal(item.labels, whose, self.name) or spare(item.labels):
                continue
            try:
                (self.folder / item.name).unlink()
            except FileNotFoundError:
                continue
            with (self.folder.parent / "removals").open("a", encoding="utf-8") as log:
                log.write(f"{item.name}\n")
            removed.append(item)
        return Swept(tuple(removed))


def world_in(folder: Path) -> World:
    world = World(FolderShelf(folder / "leases"))
    (folder / "objects").mkdir(parents=True, exist_ok=True)
    world.target = world.session.target = FolderTarget(folder / "objects")
    return world


def fill(world: World) -> None:
    """Two environments whose time is over, one of a dead owner, one that has lost its lease, and one that lives."""
    for made in (lease("over1"), lease("over2"), lease("dead", state=LeaseState.TESTING, expires=at(1))):
        world.store.create(made)
        world.target.add(f"{made.id}-web", labels(made.id, made.not_after))
        world.target.add(f"{made.id}-net", labels(made.id, made.not_after), "network")
    world.target.add("lost-web", labels("lost", at(-9)))
    world.store.create(lease("young", expires=at(1)))
    world.target.add("young-web", labels("young", at(5)))


def one_pass(world: World) -> passing.Pass:
    return passing.reap(world.session, Policy(), dry=False, gone=lambda _leases: {})


def left(folder: Path) -> dict[str, list[str]]:
    world = world_in(folder)
    return {
        "leases": sorted(world.ids()),
        "broken": list(world.store.list()[1]),
        "objects": sorted(path.name for path in (folder / "objects").iterdir()),
    }


def forked(work: Any) -> int:
    """Run `work` in a child and give its pid; it never comes back here."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        code = work()
    except BaseException:  # noqa: BLE001 - a forked child must not run the rest of this program
        traceback.print_exc()
    finally:
        os._exit(code)


def race(folder: Path, count: int) -> dict[str, Any]:
    fill(world_in(folder))
    ready, go = os.pipe()

    def work() -> int:
        os.close(go)
        os.read(ready, 1)  # until the parent closes its end
        return one_pass(world_in(folder)).exit_code

    children = [forked(work) for _ in range(count)]
    os.close(ready)
    os.close(go)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    removals = (folder / "removals").read_text(encoding="utf-8").split()
    return {"codes": codes, "removals": sorted(removals), **left(folder)}


def kill(folder: Path, stride: int) -> dict[str, Any]:
    """Kill one reaper before or after every deed, or every `stride`-th, until one comes to its end; heal each time."""
    killed, unhealed = 0, []
    step = 1 - stride
    ended = False
    while not ended:
        step += stride
        place = folder / str(step)
        fill(world_in(place))

        def work(place: Path = place, step: int = step) -> int:
            world = world_in(place)
            count = [0]

            def counted(holder: Any, name: str) -> None:
                inner = getattr(holder, name)

                def deed(*arguments: Any, **named: Any) -> Any:
                    count[0] += 1
                    if count[0] == step:
                        os.kill(os.getpid(), signal.SIGKILL)
                    result = inner(*arguments, **named)
                    count[0] += 1
                    if count[0] == step:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return result

                setattr(holder, name, deed)

            for name in ("read", "create", "change", "put", "remove"):
                counted(world.store.shelf, name)
            for name in ("sweep", "receipt", "inventory", "claimed"):
                counted(world.target, name)
            return one_pass(world).exit_code

        code = os.waitstatus_to_exitcode(os.waitpid(forked(work), 0)[1])
        ended = code != -signal.SIGKILL
        killed += not ended
        healed = forked(lambda place=place: one_pass(world_in(place)).exit_code)  # type: ignore[misc]  # a default
        next_code = os.waitstatus_to_exitcode(os.waitpid(healed, 0)[1])
        if next_code or left(place) != {"leases": ["young"], "broken": [], "objects": ["young-web"]}:
            unhealed.append([step, next_code, left(place)])
    return {"killed": killed, "unhealed": unhealed, "last": code}


if __name__ == "__main__":
    where, what, *rest = sys.argv[1:]
    done = (race if what == "race" else kill)(Path(where), int(rest[0]))
    sys.stdout.write(json.dumps(done))
