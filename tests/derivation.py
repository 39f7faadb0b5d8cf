"""Clones derived from the text of a Compose file, and what is on their record."""

from understudy.stacks.clone import Change, Clone, Fidelity
from understudy.stacks.derive import derive
from understudy.stacks.fidelity import fidelity, fidelity_report
from understudy.stacks.profile import Profile
from understudy.stacks.sources.compose import read
from understudy.stacks.topology import Topology

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def load(text: str) -> Topology:
    return read(text, "compose.yaml", variables={}, read_file={}.get)


def clone_of(text: str, at_commit: str | None = None, profile: Profile | None = None, **unchanged: str) -> Clone:
    return derive(
        load(text),
        load(at_commit or text),
        commit=COMMIT,
        profile=Profile() if profile is None else profile,
        unchanged_builds=unchanged,
    )


def at(clone: Clone, path: str) -> tuple[Change, ...]:
    return tuple(change for change in clone.changes if change.path == path)


def one(clone: Clone, path: str) -> tuple[str | None, str | None, Fidelity]:
    (change,) = at(clone, path)
    assert change.reason
    return change.production, change.clone, change.fidelity


def verdicts(clone: Clone) -> dict[str, Fidelity]:
    """Of services and third parties; the clone stands for production too, so that only what is recorded counts."""
    found = fidelity(fidelity_report(clone.topology, clone))
    kept = {key: value for key, value in found.items() if key.startswith(("services.", "externals."))}
    return {key.partition(".")[2]: value for key, value in kept.items()}


QUIET = "networks: {default: {internal: true}}\n"
WEB = "services: {web: {image: x}}\n" + QUIET
