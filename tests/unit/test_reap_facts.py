from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from reap_world import World

from understudy.engine.interface import StackRef, StackSummary
from understudy.reap.facts import gather
from understudy.stacks.identity import LABEL
from understudy.teardown import OWN_PROJECT

REF = StackRef(OWN_PROJECT, "eaaaaaaaaaa")
LABELS = {LABEL + "target": "docker:one", LABEL + "not-after": "2030-01-01T00:00:00Z"}
ON_DOCKER = {"inputs": {"labels": [{"label": key, "value": value} for key, value in LABELS.items()]}}
ON_AWS = {"inputs": {"name": "web"}, "outputs": {"tagsAll": LABELS}}


class Engine:
    """One stack without a lease, of one resource."""

    def __init__(self, resource: Mapping[str, Any]) -> None:
        self.resource = {"type": "x:index/thing:Thing", "custom": True, **resource}

    def list(self) -> tuple[StackSummary, ...]:
        return (StackSummary(REF, 1, None),)

    def locks(self, _ref: StackRef) -> tuple[()]:
        return ()

    def export_state(self, _ref: StackRef) -> dict[str, Any]:
        return {"deployment": {"resources": [self.resource]}}


@pytest.mark.parametrize("resource", [ON_DOCKER, ON_AWS], ids=["docker", "aws"])
def test_a_state_says_of_which_target_its_resources_are_and_until_when(resource: Mapping[str, Any]) -> None:
    world = World()
    engine: Any = Engine(resource)
    [stack] = gather(world.target, world.store, engine, gone=lambda _: {}).stacks or ()
    assert (stack.target, stack.not_after, stack.resources) == ("docker:one", "2030-01-01T00:00:00Z", 1)
