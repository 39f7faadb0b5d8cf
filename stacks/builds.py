"""The steps of a derivation that say which image each service runs: production's, or one built from the commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from .clone import Change, Clone, Fidelity, recorded
from .topology import Topology

__all__ = ["build_after_all", "images", "pin", "references", "shared_builds", "sharing"]


def shared_builds(topology: Topology) -> tuple[Topology, Mapping[str, str]]:
    """The topology with a build for each service that only names the image that another one builds, as in Compose.

    The second value is that service -> the one whose build it shares.
    """
    owners: dict[str, str] = {}
    for service in topology.services.values():
        if service.image and service.build is not None:
            owners.setdefault(_tagged(service.image), service.name)
    shared = {
        name: owners[_tagged(service.image)]
        for name, service in topology.services.items()
        if service.build is None and service.image and _tagged(service.image) in owners
    }
    services = {
        name: replace(service, build=topology.services[shared[name]].build) if name in shared else service
        for name, service in topology.services.items()
    }
    return replace(topology, services=services), shared


def _tagged(image: str) -> str:
    """A reference with the tag that Docker assumes: `myapp` is `myapp:latest`."""
    return image if ":" in image.rpartition("/")[2] else f"{image}:latest"


def sharing(clone: Clone, shared: Mapping[str, str]) -> Clone:
    """Record which services run the image that another service builds; production does the same."""
    changes = [
        Change(
            f"services.{name}.build",
            f"that of {owner}",
            f"that of {owner}",
            f"service {owner!r} builds the image that this one names, so one build serves both",
            Fidelity.FAITHFUL,
        )
        for name, owner in shared.items()
    ]
    return recorded(clone, *changes)


def images(
    clone: Clone, production: Topology, commit: str, unchanged: Mapping[str, str], why: Mapping[str, str]
) -> Clone:
    """Say of each built service whether production's image runs or one built from the commit, and `why` it does."""
    reused: dict[str, str] = {}
    changes: list[Change] = []
    for name, service in clone.topology.services.items():
        if service.build is None:
            continue
        before = production.services.get(name)
        same = name in unchanged and before is not None and before.build == service.build
        if same and not unchanged[name]:
            tree = "built from production's tree"
            reason = "production builds the same files too, and names no image that could run in their place"
            changes.append(Change(f"services.{name}.image", tree, tree, reason, Fidelity.FAITHFUL))
            continue
        if same:
            reused[name] = unchanged[name]
            changes.append(
                Change(
                    f"services.{name}.image",
                    unchanged[name],
                    unchanged[name],
                    "production builds the same files, so its image runs and nothing is built",
                    Fidelity.FAITHFUL,
                )
            )
            continue
        old = None if before is None else before.image or "built from production's tree"
        changes.append(
            Change(
                f"services.{name}.image",
                old,
                f"built from {service.build.context} at {commit[:12]}",
                why.get(name, "its files are not known to be the same as in production"),
            )
        )
    renamed = {f"services.{name}.image" for name in reused}  # the reference is no matter where production's image runs
    kept = tuple(change for change in clone.changes if change.path not in renamed)
    return recorded(replace(clone, changes=kept, unchanged_builds=reused), *changes)


def references(clone: Clone) -> tuple[str, ...]:
    """The images that the clone's services run and that are not built for it, each once."""
    return tuple(dict.fromkeys(filter(None, map(partial(_reference, clone), clone.topology.services))))


def _reference(clone: Clone, service: str) -> str | None:
    if service in clone.unchanged_builds:
        return clone.unchanged_builds[service] or None
    known = clone.topology.services[service]
    return known.image if known.build is None else None


def pin(clone: Clone, digests: Mapping[str, str]) -> Clone:
    """Run the very images that the tags name now; `digests` maps a reference to what names the same image for good."""
    pinned: dict[str, str] = {}
    changes = {change.path: change for change in clone.changes}
    for name in clone.topology.services:
        path, reference = f"services.{name}.image", _reference(clone, name)
        if reference is None or digests.get(reference, reference) == reference:
            continue
        pinned[name] = digest = digests[reference]
        reason = "production's tag is pinned to the image that it names now"
        change = changes.get(path, Change(path, reference, reference, reason, Fidelity.FAITHFUL))
        changes[path] = replace(change, clone=f"{change.clone} ({digest})")
    return replace(clone, changes=tuple(changes.values()), pinned=pinned)


def build_after_all(clone: Clone, unobtainable: Mapping[str, str]) -> Clone:
    """Build the services whose production image cannot be had; `unobtainable` maps such images to the reason."""
    lost = {f"services.{name}.image": image for name, image in clone.unchanged_builds.items() if image in unobtainable}
    changes = tuple(
        replace(
            change,
            clone="built from the same context",
            reason=f"production's image cannot be had here ({unobtainable[lost[change.path]]})",
            fidelity=Fidelity.CHANGED,
        )
        if change.path in lost and change.fidelity is Fidelity.FAITHFUL
        else change
        for change in clone.changes
    )
    kept = {name: image for name, image in clone.unchanged_builds.items() if image not in unobtainable}
    return replace(clone, changes=changes, unchanged_builds=kept)
