"""Inside on AWS: each name and port of Service Connect, which only tasks of the environment's services resolve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from understudy.stacks.clone import Clone, Endpoint
from understudy.stacks.endpoints import mock_endpoint, scheme_of

from .calling import calling
from .managed import stores
from .plan import Source
from .platform import Platform

__all__ = ["inside"]


def inside(
    clone: Clone, platform: Platform, environment: str, sources: Mapping[str, Source]
) -> tuple[tuple[Endpoint, str], ...]:
    """Each endpoint with the host name that answers: one name for each port of a service, as its callers use it.

    Args:
        clone: derived with AWS's own queues and buckets kept, which have no names here; databases with an instance of
            their own have none either.
        platform: where it stands.
        environment: its id.
        sources: path of the commit -> what lies there.

    Raises:
        UsageError: two services would answer under one name and port.
    """
    topology = stores(clone.topology, platform, environment).topology
    found = calling(replace(clone, topology=topology), sources)
    known = {
        (endpoint.service, endpoint.port): endpoint for endpoint in (*clone.endpoints, *map(mock_endpoint, clone.mocks))
    }
    answering: list[tuple[Endpoint, str]] = []
    for task, aliases in found.aliases.items():
        for alias in aliases:
            name = found.answering.get((task, alias.port), task)
            service = topology.services.get(name)
            if service is not None and service.on_aws is not None:
                continue
            made = Endpoint(name, alias.port, scheme_of(alias.port, service.kind if service else "service"))
            answering.append((known.get((name, alias.port), made), alias.host))
    return tuple(answering)
