"""Production read from where it runs, beside a commit's topology: what such a production cannot say is the commit's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

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
    production keeps sealed is the commit's, and so is how an image is built: what runs does not say it. A service
    that names the image by which production's containers were started, runs the very image that they run.

    Args:
        production: as it was read.
        candidate: the topology at the commit.
        references: service -> the image's name that production was started with.
        unsaid: fields that the source has no word for in every service, such as `expose` in a Pulumi stack; where
            they are empty the commit's stand.
    """
    sealed = {
        change.path.split(".")[1]
        for change in production.changes
        if change.production == "(secret)" and re.fullmatch(r"services\.[^.]+\.environment(?:\[\d+\])?", change.path)
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
    changes = tuple(c for c in production.changes if not _resolved(c.path, sealed & set(candidate.services)))
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


def _resolved(path: str, sealed: set[str]) -> bool:
    parts = path.split(".")
    return len(parts) == 3 and parts[1] in sealed and parts[2].startswith("environment")  # noqa: PLR2004 - the path's


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
    return replace(map_texts(production, rename), secrets=secrets)


def _pairs(ours: Service, theirs: Service) -> Iterator[tuple[str, str]]:
    """The secrets' names in texts of one environment key that are the same but for them."""
    for key, text in ours.environment.items():
        other = theirs.environment.get(key, "")
        if _TOKEN.sub("\0", text) == _TOKEN.sub("\0", other):
            yield from zip(_rules(text), _rules(other), strict=True)


def _rules(text: str) -> list[str]:
    return [match[1] for match in _TOKEN.finditer(text)]
