"""Docker's own DNS in what is mounted: on AWS nobody answers there, and Service Connect's names are in no DNS."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from understudy.stacks.change import Change, Fidelity
from understudy.stacks.topology import Service

from .plan import Source

__all__ = ["unanswered"]

_DOCKERS = re.compile(rb"^(?![ \t]*(?:#|;|//)).*?(?<![\w.])127\.0\.0\.11(?![\w.])", re.MULTILINE)
"""Where containers on Docker's networks find its DNS (Docker, Networking overview), outside of whole-line comments."""

_WHY = (
    "that is Docker's own DNS, and a task has none there; names of Service Connect stand in /etc/hosts, which a proxy "
    "reads as it starts"
)


def unanswered(service: Service, sources: Mapping[str, Source]) -> Iterator[Change]:
    """A Change for each file of the commit that names Docker's DNS, where a service mounts it."""
    mounted = [(f"mounts.{each.target}", each.from_tree) for each in service.mounts]
    mounted += [(f"files.{each.target}", each.source) for each in service.files]
    for place, source in mounted:
        files = sources.get(source or "", Source({})).files
        found = sorted(path for path, content in files.items() if _DOCKERS.search(content))
        for path in found:
            text = f"127.0.0.11 in {path}"
            yield Change(f"services.{service.name}.{place}", text, None, _WHY, Fidelity.MISSING)
