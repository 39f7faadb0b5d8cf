"""Production read from where it runs, beside a commit's topology: what such a production cannot say is the commit's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from .change import Change
from .clone import SECRET_TOKEN, secret_token
from .secret_values import map_texts
from .topology import Service, Topology

__all__ = ["aligned"]

_TOKEN = re.compile(SECRET_TOKEN)


def aligned(
    production: Topology, candidate: Topology, *, references: Mapping[str, str], unsaid: tuple[str, ...] = ()
) -> tuple[Topology, Topology]:
    """Both topologies so that what differs between them is a difference.

    Third parties, endpoints, profiles, suites, kinds and the project's name are not production's to say: the commit's
    stand. A secret that both give to one variable of one service has the commit's name. An environment that
    production keeps sealed is the commit's, and so are how an image is built, which what runs does not say, and what
    the commit binds where production binds a path of its host. A service that names the image by which production's
    containers were started, runs the very image that they run.

    Args:
        production: as it was read.
        candidate: the topology at the commit.
        references: service -> the image's name that production was started with.
        unsaid: fields that the source has no word for in every service, such as `expose` in a Pulumi stack; where
            they are empty the commit's stand.
    """
    hidden = [change.path for change in production.changes if change.production == "(secret)"]
    sealed = {
        name for name in candidate.services if any(path.partition("[")[0] == _environment(name) for path in hidden)
    }
    pinned = {
        name: replace(service, image=production.services[name].image)
        for name, service in candidate.services.items()
        if service.image is not None and service.build is None and references.get(name) == service.image
    }
    candidate = replace(candidate, services={**candidate.services, **pinned})
    services = {
        name: _beside(service, candidate.services[name], sealed=name in sealed, unsaid=unsaid)
        if name in candidate.services
        else service
        for name, service in production.services.items()
    }
    services, changes = _bound(services, candidate, production.changes)
    told_by_commit = set(map(_environment, sealed & set(services)))
    changes = tuple(change for change in changes if change.path.partition("[")[0] not in told_by_commit)
    told = replace(
        _renamed(replace(production, services=services), candidate),
        name=candidate.name,
        externals=candidate.externals,
        suites=candidate.suites,
        profiles=candidate.profiles,
        endpoints=candidate.endpoints,
        secret_rules=candidate.secret_rules,
        changes=changes,
    )
    return told, candidate


def _bound(
    services: Mapping[str, Service], candidate: Topology, changes: tuple[Change, ...]
) -> tuple[dict[str, Service], tuple[Change, ...]]:
    """The services with the commit's binds where production binds paths of its host at the same targets."""
    found, left = dict(services), []
    names = {f"services.{name}.volumes": name for name in services if name in candidate.services}
    for change in changes:
        name, target = names.get(change.path), (change.production or "").rpartition(":")[2]
        theirs = () if name is None else candidate.services[name].mounts
        same = [mount for mount in theirs if mount.kind == "bind" and mount.target == target]
        if name is not None and same:
            found[name] = replace(found[name], mounts=(*found[name].mounts, *same))
        else:
            left.append(change)
    return found, tuple(left)


def _environment(name: str) -> str:
    return f"services.{name}.environment"


def _beside(service: Service, other: Service, *, sealed: bool, unsaid: tuple[str, ...]) -> Service:
    given = {key: getattr(service, key) or getattr(other, key) for key in unsaid}
    if other.build is not None and service.build is None:
        given |= {"build": other.build, "image": other.image}
    if sealed:
        given["environment"] = {**other.environment, **service.environment}
    return replace(service, kind=other.kind, **given)


def _renamed(production: Topology, candidate: Topology) -> Topology:
    """Production with the commit's names for the secrets that stand at the same places."""
    names: dict[str, str] = {}
    for name, service in production.services.items():
        if name in candidate.services:
            for ours, theirs in _pairs(service, candidate.services[name]):
                names.setdefault(ours, theirs)

    def rename(text: str, _: str) -> str:
        return _TOKEN.sub(lambda match: secret_token(names.get(match[1], match[1])), text)

    secrets = tuple(dict.fromkeys(names.get(secret, secret) for secret in production.secrets))
    stores = {names.get(secret, secret): store for secret, store in production.secret_stores.items()}
    return replace(map_texts(production, rename), secrets=secrets, secret_stores=stores)


def _pairs(ours: Service, theirs: Service) -> Iterator[tuple[str, str]]:
    """The secrets' names in texts of one environment key that are the same but for them."""
    for key, text in ours.environment.items():
        other = theirs.environment.get(key, "")
        if _TOKEN.sub("\0", text) == _TOKEN.sub("\0", other):
            yield from zip(_rules(text), _rules(other), strict=True)


def _rules(text: str) -> list[str]:
    return [match[1] for match in _TOKEN.finditer(text)]
