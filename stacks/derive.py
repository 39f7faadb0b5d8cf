"""Derivation: production and the topology at a commit become a clone, step by step, each difference on the record.

Every step is a pure function from clone to clone that appends the Changes it is responsible for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from . import builds, steps
from .clone import Clone, Fidelity, worst
from .commit_changes import commit_changes
from .secret_values import literals_of, refuse_literals
from .topology import Topology, TopologyError

__all__ = ["DEFAULT_PROFILE", "derive", "fidelity", "profile_named"]

DEFAULT_PROFILE: Mapping[str, object] = {"replicas": 1, "network": "closed"}
"""What `default` means where the document does not say."""

Step = Callable[[Clone], Clone]


def profile_named(topology: Topology, name: str = "default") -> Mapping[str, object]:
    """The profile of that name; `default` exists in every topology.

    Raises:
        TopologyError: there is no such profile.
    """
    known = {"default": DEFAULT_PROFILE, **topology.profiles}
    if name not in known:
        raise TopologyError(f"there is no profile {name!r}; profiles are {', '.join(known)}", topology.where)
    return known[name]


def derive(
    production: Topology,
    candidate: Topology,
    *,
    commit: str,
    profile: Mapping[str, object],
    unchanged_builds: Mapping[str, str],
) -> Clone:
    """The clone of one commit.

    Args:
        production: what stands for production.
        candidate: the topology at the commit.
        commit: its id.
        profile: `replicas` (the most of any service; absent: production's number), `network` (closed or open).
        unchanged_builds: service -> production's image (`""`: it names none), where the build context is the same as
            in production.

    Raises:
        TopologyError: names of the clone collide, a secret stands where none can, or the profile is none.
    """
    if unknown := set(profile) - {"replicas", "network"}:
        raise TopologyError(f"a profile has no {sorted(unknown)}; allowed are replicas and network", candidate.where)
    every = tuple(dict.fromkeys((*production.secrets, *candidate.secrets)))
    literals = literals_of(candidate, production)
    refuse_literals(candidate, literals)
    before, _ = builds.shared_builds(literals.apply(replace(production, secrets=every)))
    after, shared = builds.shared_builds(literals.apply(candidate))
    unchanged = dict(unchanged_builds)
    unchanged |= {name: unchanged[owner] for name, owner in shared.items() if owner in unchanged}
    order: tuple[Step, ...] = (
        lambda clone: replace(clone, changes=commit_changes(before, after, commit, literals)),
        lambda clone: steps.left_out(clone, before, commit),
        lambda clone: builds.sharing(clone, shared),
        lambda clone: builds.images(clone, before, commit, unchanged),
        lambda clone: steps.scale(clone, profile.get("replicas")),
        steps.jobs,
        steps.secrets,
        steps.labels,
        steps.host_sides,
        lambda clone: steps.networks(clone, str(profile.get("network", "closed"))),
        steps.third_parties,
        steps.volumes,
        steps.endpoints,
        steps.once,
    )
    clone = Clone(after)
    for step in order:
        clone = step(clone)
    return clone


def fidelity(clone: Clone) -> Mapping[str, Fidelity]:
    """How each service and third party of the clone stands to production: the worst of its Changes.

    A volume that starts empty is on the volume's own path and counts for no service.
    """
    result = dict.fromkeys(clone.topology.services, Fidelity.FAITHFUL)
    result |= dict.fromkeys(clone.topology.externals, Fidelity.MISSING)
    result |= {mock.name: Fidelity.MOCKED for mock in clone.mocks}
    if clone.open_network:
        result |= {n: Fidelity.FAITHFUL for n, e in clone.topology.externals.items() if e.mock is None}
    for name in clone.topology.services:
        path = f"services.{name}"
        own = [change.fidelity for change in clone.changes if f"{change.path}.".startswith(f"{path}.")]
        result[name] = worst([result[name], *own])
    return result
