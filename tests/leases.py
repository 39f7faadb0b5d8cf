"""A lease, as tests change it: of this process, on one target, over long ago."""

from __future__ import annotations

import json
from dataclasses import replace

from understudy.lease import Lease, LeaseStore
from understudy.owner import this_process

__all__ = ["BACKEND", "a_lease", "give_id"]

BACKEND = "baaaaaaaaaaaaaaaa"
"""The id of the tests' own backend."""


def a_lease(environment: str = "eaaaaaaaaaa", **changes: object) -> Lease:
    """The lease of an environment whose stack has its name; `changes` are fields."""
    made = Lease(
        id=environment,
        target="docker:one",
        project="understudy",
        stack=environment,
        backend="file:///x",
        backend_id=BACKEND,
        repository="r",
        topology="compose.yaml",
        commit="0" * 40,
        branch="feature",
        owner=this_process(),
        created="2026-01-01T00:00:00Z",
        expires="2026-01-01T01:00:00Z",
        not_after="2026-01-02T00:00:00Z",
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # fields by name


def give_id(store: LeaseStore) -> None:
    """Make the store one of the tests' own backend."""
    store.shelf.create("backend/id.json", json.dumps({"backend": BACKEND}).encode())
