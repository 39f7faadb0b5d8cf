"""Who calls whom: the one name and the ports at which Service Connect lets each service be called, and in what order.

A port has one name there, which is unique in its namespace, and a task resolves only what was there before it started.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from understudy.errors import UsageError
from understudy.stacks.change import Change, Fidelity
from understudy.stacks.clone import Clone, Mock
from understudy.stacks.host_names import in_file
from understudy.stacks.third_parties import called
from understudy.stacks.topology import Service, Topology

from .grouping import Groups, grouped
from .plan import Alias, Source
from .rewrite import names_of, rehosted

__all__ = ["Calling", "calling", "order"]

_USUAL: Mapping[str, int] = {
    "postgres": 5432,
    "mysql": 3306,
    "mariadb": 3306,
    "redis": 6379,
    "valkey": 6379,
    "memcached": 11211,
    "mongo": 27017,
    "rabbitmq": 5672,
}
"""Image -> its port, where neither the service nor a caller says one (the images' own documentation)."""

_ONE = "Service Connect gives a port one name, and only a task of an ECS service resolves it"
_CALLERS = frozenset({"service", "job", "gateway"})


@dataclass(frozen=True, slots=True)
class Calling:
    """The services with the names that they are called by, and the Changes.

    `aliases` are of the tasks of services and of mocks, `hosts` the one name of each, by which others' configuration
    calls it; `answering` says which service of a task answers at one of its ports.
    """

    services: Mapping[str, Service]
    groups: Groups
    aliases: Mapping[str, tuple[Alias, ...]]
    answering: Mapping[tuple[str, int], str]
    hosts: Mapping[str, str]
    changes: tuple[Change, ...]

    def ports(self, name: str) -> tuple[int, ...]:
        """The ports of its task at which a service, or a mock, answers."""
        owner = self.groups.owner.get(name, name)
        return tuple(
            alias.port for alias in self.aliases.get(owner, ()) if self.answering.get((owner, alias.port), name) == name
        )


def calling(clone: Clone, sources: Mapping[str, Source]) -> Calling:
    """Choose a name for each service and let its callers use it.

    Raises:
        UsageError: two services would answer under one name and port, or what shares a network cannot be one task.
    """
    services = dict(clone.topology.services)
    groups = grouped(clone.topology)
    calls = {name: _calls(service, sources) for name, service in services.items()}
    aliases: dict[str, tuple[Alias, ...]] = {}
    answering: dict[tuple[str, int], str] = {}
    hosts: dict[str, str] = {}
    changes: list[Change] = []
    for name, members in groups.members.items():
        service = clone.topology.services[name]
        if service.kind == "job":
            continue
        together = [each for each in map(clone.topology.services.__getitem__, members) if each.kind != "job"]
        names = names_of(service)
        asked = [(host, port, fixed) for each in calls.values() for host, port, fixed in each if host in names]
        host = _chosen(names, asked)
        ports = _ports(together, [port for _, port, _ in asked])
        answering |= {(name, port): _answers(port, service, together, clone) for port in ports}
        hosts[name] = host
        aliases[name] = tuple(Alias(host, port) for port in ports)
        changes += _lost(service, host, names, asked)
        if not ports and asked:
            reason = "nothing says at which port it answers; name it under `expose`"
            changes.append(Change(f"services.{name}.expose", "its image's ports", None, reason, Fidelity.MISSING))
        for caller, other in services.items():
            for old in names:
                if old != host:
                    services[caller], made = rehosted(other, old, host, _ONE)
                    other = services[caller]  # noqa: PLW2901 - the next name is replaced in what came of this one
                    changes += made
    for mock in clone.mocks:
        hosts[mock.name] = mock.host
        aliases[mock.name] = (Alias(mock.host, mock.port),)
    _hold_apart(aliases)
    return Calling(services, groups, aliases, answering, hosts, tuple(changes))


_Call = tuple[str, int | None, bool]


def _calls(service: Service, sources: Mapping[str, Source]) -> list[_Call]:
    """Host, port and whether a file says so, which is not rewritten."""
    found = [(c.host, c.port, c.place.startswith(("configs.", "secrets."))) for c in called(service)]
    for mount in service.mounts:
        source = sources.get(mount.from_tree or "")
        for content in source.files.values() if source else ():
            found += [(m.host, m.port, True) for m in in_file(content.decode("utf-8", "replace"))]
    return found


def _chosen(names: tuple[str, ...], asked: list[_Call]) -> str:
    """The name that files use, which cannot be changed, or that most callers use, or the service's own."""
    fixed = [host for host, _, in_a_file in asked if in_a_file]
    used = fixed or [host for host, _, _ in asked]
    return max(names, key=lambda name: (used.count(name), -names.index(name)))


def _ports(together: Iterable[Service], asked: Iterable[int | None]) -> tuple[int, ...]:
    """The ports of the services of one task."""
    declared = [port.target for each in together for port in each.container_ports if port.protocol == "tcp"]
    found = dict.fromkeys((*declared, *(port for port in asked if port is not None)))
    if not found:
        images = ((each.image or "").partition("@")[0].rpartition("/")[2].partition(":")[0] for each in together)
        found = dict.fromkeys(_USUAL[image] for image in images if image in _USUAL)
    return tuple(found)


def _answers(port: int, owner: Service, together: Iterable[Service], clone: Clone) -> str:
    """Which of the services of a task answers at a port: the one that tests call there, publishes or exposes it."""

    def rank(service: Service) -> tuple[bool, ...]:
        return (
            all((each.service, each.port) != (service.name, port) for each in clone.endpoints),
            all(each.target != port for each in service.ports),
            all(each.target != port for each in service.expose),
            service is not owner,
        )

    return min(together, key=rank).name


def _lost(service: Service, host: str, names: tuple[str, ...], asked: list[_Call]) -> Iterator[Change]:
    others = [name for name in names if name != host]
    if not others:
        return
    path = f"services.{service.name}.networks"
    yield Change(f"{path}.names", ", ".join(names), host, f"{_ONE}; who calls it by another is told this one")
    for name in dict.fromkeys(each for each, _, fixed in asked if fixed and each != host):
        reason = f"a file calls it so, and files are not rewritten; {_ONE}"
        yield Change(f"{path}.{name}", name, None, reason, Fidelity.MISSING)


def _hold_apart(aliases: Mapping[str, tuple[Alias, ...]]) -> None:
    owners: dict[Alias, str] = {}
    for name, own in aliases.items():
        for alias in own:
            other = owners.setdefault(alias, name)
            if other != name:
                raise UsageError(
                    f"{other!r} and {name!r} both answer as {alias.host}:{alias.port}, and on AWS an environment has "
                    "one network.",
                    hint="Give one of them another alias, or run the clone on Docker: --target docker.",
                )


def order(found: Calling, topology: Topology, mocks: Iterable[Mock]) -> tuple[dict[str, tuple[str, ...]], list[Change]]:
    """What has to be there before each task and mock is created, in an order in which that can be done.

    Dependencies of the document always count; a call counts too, where it closes no circle.

    Raises:
        UsageError: a service waits for the completion of one that is no job, or two tasks for each other.
    """
    after: dict[str, list[str]] = {mock.name: [] for mock in mocks}
    stubs, owner = list(after), found.groups.owner
    after |= {name: [] for name in found.groups.members}
    for name, service in found.services.items():
        _hold_completed(service, found, topology)
        others = [owner[d.service] for d in service.depends_on if d.service in found.services]
        after[owner[name]] += [other for other in others if other != owner[name]]
    _hold_order(after)
    owners = {host: name for name, host in found.hosts.items() if name in found.services}
    changes: list[Change] = []
    for name, service in found.services.items():
        task = after[owner[name]]
        task += stubs if service.kind in _CALLERS else []
        for host in dict.fromkeys(call.host for call in called(service)):
            other_name = owners.get(host)
            if other_name is None or other_name == owner[name] or other_name in task:
                continue
            task.append(other_name)
            if _turns(after):
                task.pop()
                changes.append(_blind(name, other_name))
    ordered = TopologicalSorter({name: dict.fromkeys(before) for name, before in after.items()}).static_order()
    return {name: tuple(dict.fromkeys(after[name])) for name in ordered}, changes


def _hold_completed(service: Service, found: Calling, topology: Topology) -> None:
    """Hold that what a service waits for the completion of is a job, and a task of its own or a part of the service's.

    Of a task that goes on nobody sees from outside when a container of it has ended.
    """
    for dependency in service.depends_on:
        other = topology.services.get(dependency.service)
        if other is None or dependency.condition != "completed":
            continue
        if other.kind != "job":
            raise UsageError(
                f"Service {service.name!r} waits for {other.name!r} to complete, "
                f"which is a {other.kind} and keeps running.",
                hint="Give that service `x-understudy: {kind: job}`, or wait for it to be healthy.",
            )
        task = found.groups.owner[other.name]
        if task not in {other.name, found.groups.owner[service.name]}:
            raise UsageError(
                f"Service {service.name!r} waits for {other.name!r} to complete, which is a container in the task of "
                f"{task!r} on AWS, and of that only the whole is seen.",
                hint=f"Let it wait for {task!r}, or run the clone on Docker: --target docker.",
            )


def _hold_order(after: Mapping[str, Iterable[str]]) -> None:
    """Hold that no two tasks wait for each other, which services that share a network do where one waits for others."""
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        raise UsageError(
            f"On AWS the services that share a network are one task, and then tasks wait for each other: "
            f"{' -> '.join(error.args[1][::-1])}.",
            hint="Take one of the dependencies away, or run the clone on Docker: --target docker.",
        ) from error


def _turns(edges: Mapping[str, Iterable[str]]) -> bool:
    try:
        TopologicalSorter(edges).prepare()
    except CycleError:
        return True
    return False


def _blind(name: str, other: str) -> Change:
    reason = (
        f"{name} and {other} call each other, and a task of Service Connect resolves only what was there before it: "
        f"deploy {name} once more to let it call {other}"
    )
    return Change(f"services.{name}.calls.{other}", other, None, reason, Fidelity.MISSING)
