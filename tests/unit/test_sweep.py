"""The sweep by label, where the daemon's answers contradict each other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import NotFound
from leases import BACKEND
from reap_world import HERE, at, labels

from understudy.stacks.identity import Whose
from understudy.targets.docker_sweep import sweep

ID = "eaaaaaaaaaa"


class Daemon:
    """One container: listed, and known by its id from the given look on only; None: never, and it is listed once."""

    def __init__(self, known_from: int | None) -> None:
        self.known_from, self.looks, self.listed, self.removed = known_from, 0, 0, False
        self.labels = labels(ID, at(5))

    def containers(self, *, filters: dict[str, list[str]], **_: Any) -> list[dict[str, Any]]:
        self.listed += 1
        gone = self.removed or "id" in filters or (self.known_from is None and self.listed > 1)
        return [] if gone else [{"Id": "c1", "Names": ["/c1"], "Labels": self.labels}]

    def inspect_container(self, _id: str) -> dict[str, Any]:
        self.looks += 1
        if self.known_from is None or self.looks < self.known_from:
            raise NotFound("No such container: c1")
        return {"Id": "c1", "Config": {"Labels": self.labels}, "State": {"Running": False}}

    def remove_container(self, _id: str, **_: Any) -> None:
        self.removed = True

    def networks(self, **_: Any) -> list[Any]:
        return []

    def volumes(self, **_: Any) -> dict[str, Any]:
        return {"Volumes": []}


@pytest.mark.parametrize(
    ("known_from", "patience", "removed", "failed"),
    [(1, 0, True, 0), (3, 10, True, 0), (99, 0, False, 1), (None, 0, False, 0)],
)
def test_a_container_that_is_being_created_is_waited_for_and_not_taken_for_gone(
    known_from: int | None, patience: float, *, removed: bool, failed: int
) -> None:
    daemon = Daemon(known_from)
    swept = sweep(SimpleNamespace(api=daemon), Whose(ID, BACKEND), HERE, patience=patience)  # type: ignore[arg-type]  # a daemon of two answers
    assert (daemon.removed, len(swept.failed)) == (removed, failed)
    assert all("still being created" in reason for _, reason in swept.failed)
