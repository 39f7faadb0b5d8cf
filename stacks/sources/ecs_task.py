"""The containers of one ECS task: who starts before whom, which end before others start, and whose network they share.

Docker has a task's network only as that of a container, which the others join once it runs. So the owner of the network
is one that waits for no other that keeps running, and what ends before it starts has a place of its own in the network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from understudy.stacks.change import Change
from understudy.stacks.topology import Condition, Dependency

from .ecs_container import Definition

__all__ = ["Together", "dependencies", "differences", "together"]

_CONDITIONS: Mapping[str, Condition] = {
    "START": "started",
    "HEALTHY": "healthy",
    "SUCCESS": "completed",
    "COMPLETE": "completed",
}
"""What a container waits for (Amazon ECS API, ContainerDependency) -> what a service does."""

_ENDS = frozenset({"SUCCESS", "COMPLETE"})


@dataclass(frozen=True, slots=True)
class Together:
    """How the containers of a task, by their names, stand to each other.

    Attributes:
        main: the one that the service is known by.
        owner: the one whose network the others share.
        jobs: those whose end another one waits for.
        ahead: those that `main` waits for, directly or not.
        apart: those that have ended before the owner starts, and so cannot share its network.
    """

    main: str
    owner: str
    jobs: frozenset[str]
    ahead: frozenset[str]
    apart: frozenset[str]


def together(definitions: Sequence[Definition], main: Definition) -> Together:
    """How the containers of a task stand to each other.

    The main container owns the network, unless it waits for one that keeps running, such as a proxy: then one of those
    does that wait for none themselves. Where they wait for each other in a circle, which ECS does not take, the main
    one stays the owner, and the topology says which they are.
    """
    waits = {each.name: dict(_waits(each)) for each in definitions}
    jobs = frozenset(other for waited in waits.values() for other, ends in waited.items() if ends and other in waits)
    before = {name: _before(name, waits) for name in waits}
    ranked = sorted(waits, key=lambda name: (name != main.name, name not in before[main.name]))
    free = (name for name in ranked if name not in jobs and before[name] <= jobs)
    owner = next(free, main.name)
    return Together(main.name, owner, jobs, before[main.name], before[owner])


def _waits(definition: Definition) -> Iterator[tuple[str, bool]]:
    """Whom a container waits for, and whether for its end."""
    for entry in definition.given("dependsOn"):
        yield str(entry.get("containerName")), entry.get("condition") in _ENDS


def _before(name: str, waits: Mapping[str, Mapping[str, bool]]) -> frozenset[str]:
    """The containers that one waits for, through others too."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        new = {other for other in waits[waiting.pop()] if other in waits} - found
        found |= new
        waiting += new
    return frozenset(found)


def dependencies(definition: Definition, names: Mapping[str, str]) -> Iterator[Dependency]:
    """The dependencies of a container's service on those of its task.

    Args:
        definition: the container's.
        names: container -> the service that it becomes.
    """
    for entry in definition.given("dependsOn"):
        other = names.get(str(entry.get("containerName")))
        if other is not None:
            yield Dependency(other, _CONDITIONS.get(str(entry.get("condition")), "started"))


def differences(definition: Definition, names: Mapping[str, str], apart: frozenset[str]) -> Iterator[Change]:
    """What a container's service differs in from it, because of the others of its task.

    Args:
        definition: the container's.
        names: container -> the service that it becomes.
        apart: those that have a place of their own in the network.
    """
    path = f"services.{names[definition.name]}"
    for entry in definition.given("dependsOn"):
        other = names.get(str(entry.get("containerName")))
        if other is not None and entry.get("condition") == "COMPLETE":
            reason = "a clone goes on only if it ended with exit code 0"
            yield Change(f"{path}.depends_on.{other}", f"{other} ended", f"{other} ended well", reason)
    if definition.name in apart:
        reason = "it has ended before the others of its task start that keep running, so it cannot share their network"
        yield Change(f"{path}.network_mode", "the network of its task", "an address of its own", reason)
