"""An untrusted commit's clone: nothing of the host, no way out, no network while images are built, no suite outside."""

from __future__ import annotations

from dataclasses import replace

from .change import Change, Fidelity
from .clone import Clone, recorded
from .profile import Profile
from .topology import Service, Topology, TopologyError

__all__ = ["closed", "confined", "hold_suites"]

_WHY = "because the commit is untrusted"


def hold_suites(topology: Topology) -> None:
    """Hold that every suite runs in a container.

    Raises:
        TopologyError: one runs on the host.
    """
    for suite in topology.suites:
        if suite.runs_on == "host":
            raise TopologyError(
                f"suite {suite.name!r} runs on the host, and an untrusted commit's tests run in containers only: give "
                "it an `image` in production",
                suite.where,
            )


def closed(profile: Profile) -> Profile:
    """The profile with its networks closed, whatever production says."""
    return replace(profile, network="closed")


def confined(clone: Clone, profile: Profile) -> Clone:
    """Build without a network, and put on the record what `closed` took away; `profile` is as it was before."""
    changes = []
    if profile.network == "open":
        changes.append(Change("profile.network", "open", "closed", f"nothing outside is reached {_WHY}"))
    services: dict[str, Service] = {}
    for name, service in clone.topology.services.items():
        services[name] = service
        if service.build is not None and name not in clone.unchanged_builds and service.build.network != "none":
            services[name] = replace(service, build=replace(service.build, network="none"))
            before = service.build.network or "default"
            reason = f"it is built without a network {_WHY}"
            changes.append(Change(f"services.{name}.build.network", before, "none", reason, Fidelity.SCALED))
    return recorded(replace(clone, topology=replace(clone.topology, services=services)), *changes)
