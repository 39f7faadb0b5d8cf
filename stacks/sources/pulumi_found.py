"""What has been found in a deployment so far: the parts of a topology, and the record of what is not in it."""

from __future__ import annotations

from dataclasses import replace

from understudy.stacks.change import Change, Fidelity
from understudy.stacks.clone import secret_token
from understudy.stacks.secret_rules import SecretStore
from understudy.stacks.topology import Dependency, Network, Service, Topology, Volume, Where

from .found_secrets import secret_name

__all__ = ["Found"]


class Found:
    """The parts of a topology by name, filled by one mapper after the other.

    Args:
        source: where the deployment was read, for messages.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.services: dict[str, Service] = {}
        self.networks: dict[str, Network] = {}
        self.volumes: dict[str, Volume] = {}
        self.of_urn: dict[str, str] = {}
        """URN of a resource -> the service that it became, or became part of."""

        self.ahead: dict[str, tuple[str, ...]] = {}
        """Service -> those that are part of the same thing in production and start before it."""

        self._secrets: dict[str, str] = {}
        self._stores: dict[str, SecretStore] = {}
        self._changes: list[Change] = []
        self._warnings: list[str] = []

    def warn(self, text: str) -> None:
        """Name something that is left out and that no clone lacks."""
        self._warnings.append(f"{self.source}: {text}")

    def leave_out(self, path: str, value: object, reason: str) -> None:
        """Put on the record what production has and the topology has not: where, what, and why not."""
        self.record(Change(path, str(value), None, reason, Fidelity.MISSING))

    def record(self, change: Change) -> None:
        """Put a Change on the record, once."""
        if change not in self._changes:
            self._changes.append(change)

    def where(self, path: str) -> Where:
        """A place in the source."""
        return Where(self.source, path=path)

    def free_name(self, wanted: str) -> str:
        """A name that no service has yet: the one that is wanted, or that with a number."""
        name, number = wanted, 1
        while name in self.services:
            number += 1
            name = f"{wanted}-{number}"
        return name

    def add(self, service: Service, *urns: str) -> None:
        """Take in a service, which the resources of these URNs became."""
        self.services[service.name] = service
        self.of_urn.update(dict.fromkeys(urns, service.name))

    def secret(self, origin: str, wanted: str, service: str, *, store: SecretStore = "secret") -> str:
        """The token of the declared secret that comes from `origin`: one name for all who get it from there.

        Args:
            origin: what tells the secret from others: a URN or an ARN, and a key in it.
            wanted: the name that it should have; if another has it, the service's name goes before it.
            service: who gets it.
            store: what keeps it.
        """
        name = self.secret_of(origin, wanted, service)
        if store != "secret":
            self._stores[name] = store
        return secret_token(name)

    def secret_of(self, origin: str, wanted: str, service: str) -> str:
        """The name of that secret."""
        if origin not in self._secrets:
            name, number = secret_name(wanted), 2
            if name in self._secrets.values():
                name = secret_name(f"{service.upper()}_{wanted}")
            while name in self._secrets.values():
                name = secret_name(f"{service.upper()}_{wanted}_{number}")
                number += 1
            self._secrets[origin] = name
        return self._secrets[origin]

    def known_password(self, urn: str) -> str | None:
        """The name of the secret that some service gets from a resource: its whole value, or its key `password`."""
        return self._secrets.get(f"{urn}#") or self._secrets.get(f"{urn}#password")

    def depend(self, name: str, *others: str) -> None:
        """Let a service, and what is ahead of it, start after others, where that is not said and turns in no circle."""
        for each in (name, *self.ahead.get(name, ())):
            service = self.services[each]
            named = {dependency.service for dependency in service.depends_on}
            more = [o for o in dict.fromkeys(others) if o not in named and o != each and each not in self._before(o)]
            self.services[each] = replace(service, depends_on=(*service.depends_on, *map(Dependency, more)))

    def _before(self, name: str) -> set[str]:
        """The services that one waits for, through others too."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            service = self.services[waiting.pop()]
            for other in (*service.shares_with, *(dependency.service for dependency in service.depends_on)):
                if other not in found and other in self.services:
                    found.add(other)
                    waiting.append(other)
        return found

    def topology(self, name: str) -> Topology:
        """What was found, with the networks that somebody joins and the volumes that somebody mounts."""
        services = self.services.values()
        joined = {link.network for service in services for link in service.networks}
        mounted = {m.source for s in services for m in s.mounts if m.kind == "volume" and m.source is not None}
        for kind, things, used in (("network", self.networks, joined), ("volume", self.volumes, mounted)):
            for other in sorted(set(things) - used):
                self.warn(f"no service uses the {kind} {other!r}: left out")
        networks = {n: self.networks.get(n) or Network(n, external=n != "default") for n in sorted(joined)}
        volumes = {n: self.volumes.get(n) or Volume(n, external=True) for n in sorted(mounted)}
        changes = tuple(self._changes)
        return Topology(
            name=name,
            services=dict(sorted(self.services.items())),
            networks=networks,
            volumes=volumes,
            secrets=tuple(dict.fromkeys(self._secrets.values())),
            secret_stores=dict(self._stores),
            warnings=(*self._warnings, *(f"{c.path}: {c.production}: {c.reason}" for c in changes)),
            changes=changes,
            where=Where(self.source),
        )
