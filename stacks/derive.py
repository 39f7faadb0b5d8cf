"""Derivation: production and the topology at a commit become a clone, step by step, each difference on the record.

Every step is a pure function from clone to clone that appends the Changes it is responsible for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from types import MappingProxyType

from . import builds, means, scaling, steps
from .clone import Clone, once
from .commit_changes import commit_changes
from .compare import hidden
from .ground import ON_DOCKER, Ground
from .hardening import NOT_HARDENED, Hardening, harden
from .profile import DEFAULT, Profile
from .secret_values import refuse_literals
from .stand_ins import stand_ins
from .third_parties import third_parties, unlisted
from .topology import Topology, TopologyError
from .trust import trust

__all__ = ["derive", "profile_named"]

Step = Callable[[Clone], Clone]


def profile_named(topology: Topology, name: str = "default") -> Profile:
    """The profile of that name; `default` exists in every topology.

    Raises:
        TopologyError: there is no such profile.
    """
    known = {"default": DEFAULT, **topology.profiles}
    if name not in known:
        raise TopologyError(f"there is no profile {name!r}; profiles are {', '.join(known)}", topology.where)
    return known[name]


def derive(
    production: Topology,
    candidate: Topology,
    *,
    commit: str,
    profile: Profile,
    unchanged_builds: Mapping[str, str],
    why_built: Mapping[str, str] = MappingProxyType({}),
    hardening: Hardening = NOT_HARDENED,
    absent_binds: Collection[str] = (),
    ground: Ground = ON_DOCKER,
) -> Clone:
    """The clone of one commit.

    Args:
        production: what stands for production.
        candidate: the topology at the commit.
        commit: its id.
        profile: how the clone is scaled.
        unchanged_builds: service -> production's image (`""`: it names none), where the build context is the same as
            in production.
        why_built: service -> what of its build is not the same as in production.
        absent_binds: sources of binds of which the commit has nothing.
        hardening: what each container gets that production does not give it.
        ground: the kind of target that it is for.

    Raises:
        TopologyError: names of the clone collide, a secret stands where none can, or the profile does not fit.
    """
    hidden_before, hidden_after, literals = hidden(production, candidate)
    refuse_literals(candidate, literals)
    before, _ = builds.shared_builds(hidden_before)
    after, shared = builds.shared_builds(hidden_after)
    after = replace(
        after,
        secret_rules={**production.secret_rules, **candidate.secret_rules},
        secret_stores={**production.secret_stores, **candidate.secret_stores},
    )
    unchanged = dict(unchanged_builds)
    unchanged |= {name: unchanged[owner] for name, owner in shared.items() if owner in unchanged}
    order: tuple[Step, ...] = (
        lambda clone: replace(clone, changes=commit_changes(before, after, commit, literals)),
        lambda clone: steps.left_out(clone, before, commit),
        lambda clone: builds.sharing(clone, shared),
        lambda clone: builds.images(clone, before, commit, unchanged, why_built),
        lambda clone: scaling.without(clone, profile),
        lambda clone: scaling.scale(clone, profile),
        lambda clone: stand_ins(clone, ground),
        steps.jobs,
        steps.secrets,
        steps.labels,
        means.names,
        means.own,
        lambda clone: means.absent(clone, absent_binds),
        means.units,
        lambda clone: harden(clone, hardening),
        lambda clone: steps.host_sides(clone, ground),
        lambda clone: steps.networks(clone, profile, ground),
        lambda clone: third_parties(clone, ground),
        lambda clone: unlisted(clone, ground),
        trust,
        steps.volumes,
        lambda clone: steps.endpoints(clone, ground),
        once,
    )
    clone = Clone(after)
    for step in order:
        clone = step(clone)
    return clone
