"""Which services are containers of one task: those that share a network, and jobs that fill a volume of theirs before.

The containers of a task of Fargate have one network and may share its disk; tasks share neither.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

from understudy.errors import UsageError
from understudy.stacks.change import Change
from understudy.stacks.topology import Service, Topology

__all__ = ["Groups", "grouped", "joined"]

_HINT = (
    "Leave one of them out in the profile (x-understudy, profiles, without), change it, or run the clone on Docker: "
    "--target docker."
)


@dataclass(frozen=True, slots=True)
class Groups:
    """The services of each task.

    Attributes:
        members: the service that the task is named after, in whose network the others are -> all, each after those that
            have to start before it.
        owner: service -> the one that its task is named after.
        shared: the named volumes that containers of several tasks have.
        within: the named volumes that several containers of one task have -> the first of them, whose image fills it.
    """

    members: Mapping[str, tuple[str, ...]]
    owner: Mapping[str, str]
    shared: frozenset[str]
    within: Mapping[str, str]


def grouped(topology: Topology) -> Groups:
    """The tasks of a topology, in its order.

    Raises:
        UsageError: a job would own the network of others, or a task would have one service's container more often than
            another's.
    """
    services = topology.services
    owner = {name: _owner(services, name) for name in services}
    while found := next(_filling(services, owner), None):
        owner[found[0]] = found[1]
    members = {
        name: _ordered(services, [each for each in services if owner[each] == name])
        for name in services
        if owner[name] == name
    }
    for name, own in members.items():
        for each in own:
            _hold(services[each], services[name])
    holders = {name: [m.source for m in each.mounts if m.kind == "volume"] for name, each in services.items()}
    count: Counter[str] = Counter()
    within: dict[str, str] = {}
    for name, own in members.items():
        has = Counter(source for each in own for source in set(holders[each]) if source)
        count.update(dict.fromkeys(has, services[name].replicas))
        within |= {
            source: next(each for each in own if source in holders[each]) for source, of in has.items() if of > 1
        }
    return Groups(members, owner, frozenset(source for source, number in count.items() if number > 1), within)


def joined(service: Service, owner: str) -> Iterator[Change]:
    """The Change of a service whose container is in another's task."""
    if service.name != owner:
        before = service.network_of or "a network of its own"
        reason = "what shares a network or a disk is one task on AWS, whose containers are placed and ended together"
        yield Change(f"services.{service.name}.network_of", before, f"a container in the task of {owner}", reason)


def _owner(services: Mapping[str, Service], name: str) -> str:
    """The service in whose network this one is; sharing does not turn in a circle (Topology holds that)."""
    while (other := services[name].network_of) is not None:
        name = other
    return name


def _filling(services: Mapping[str, Service], owner: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Jobs that have a volume together with the one task that waits for their end, and that task."""
    for name, job in services.items():
        if job.kind != "job" or [each for each in services if owner[each] == owner[name]] != [name]:
            continue
        after = {owner[other.name] for other in services.values() for d in other.depends_on if d.service == name}
        if len(after) != 1:
            continue
        (task,) = after
        theirs = {m.source for other in services.values() if owner[other.name] == task for m in other.mounts}
        fills = any(mount.kind == "volume" and mount.source in theirs for mount in job.mounts if mount.source)
        if fills and services[task].kind != "job" and services[task].replicas == job.replicas:
            yield name, task


def _ordered(services: Mapping[str, Service], names: list[str]) -> tuple[str, ...]:
    """The services of one task, each after those of them that it needs, else in the order of the document."""
    edges = {
        name: [
            other
            for other in (*services[name].shares_with, *(d.service for d in services[name].depends_on))
            if other in names
        ]
        for name in names
    }
    return tuple(TopologicalSorter(edges).static_order())


def _hold(service: Service, owner: Service) -> None:
    why = ""
    if owner.kind == "job" and service.name != owner.name:
        why = "is a job, whose task ends with it"
    elif service.replicas != owner.replicas:
        why = f"has {owner.replicas} tasks, while it has {service.replicas}"
    if why:
        raise UsageError(
            f"Service {service.name!r} cannot run on Fargate: network_mode: service (it shares the network of "
            f"{owner.name!r}, which {why}).",
            hint=_HINT,
        )
