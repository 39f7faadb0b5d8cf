"""The limit of seconds until all is as before: within it a trial holds, past it the trial has failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from faults.inventory import Inventory
from faults.lane import Lane
from faults.trial import KINDS, Kind, attempt

NOBODY: Any = None


class Scene(Lane):
    """A lane without a daemon, in which something is left for so many looks."""

    left = 0
    cleared = 0
    stubborn = False

    def look(self) -> Inventory:
        self.left -= 1
        return Inventory({"containers": frozenset({"web"} if self.left >= 0 else ())})

    def cpu(self) -> float:
        return 0.0

    def clear(self) -> None:
        self.cleared += 1
        if self.stubborn:
            raise RuntimeError("a network that is in use")


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Scene:
    monkeypatch.setitem(KINDS, "nothing", Kind("nothing", 1, 0, lambda *_: None, "Nothing is done"))
    return Scene(tmp_path, NOBODY, NOBODY, NOBODY, before=Inventory({"containers": frozenset()}))


def test_what_goes_within_the_limit_holds(scene: Scene) -> None:
    scene.left = 2
    trial = attempt(scene, "nothing", 1, 0)
    assert trial.ok, trial.why
    assert trial.seconds is not None
    assert scene.cleared == 0


def test_what_stays_past_the_limit_has_failed_and_is_cleared(scene: Scene) -> None:
    scene.alone, scene.left = 0.1, 1000
    trial = attempt(scene, "nothing", 1, 0)
    assert not trial.ok
    assert trial.why == "0.1 s later: {'more containers': ['web']}"
    assert (scene.cleared, trial.lane_lost) == (1, False)


def test_what_is_gone_by_the_look_after_the_limit_has_failed_too(scene: Scene) -> None:
    scene.alone, scene.left = 0.1, 1
    trial = attempt(scene, "nothing", 1, 0)
    assert not trial.ok
    assert "nothing any more" in trial.why


def test_a_lane_that_cannot_be_cleared_is_lost_with_its_trial_s_record_kept(scene: Scene) -> None:
    scene.alone, scene.left, scene.stubborn = 0.1, 1000, True
    trial = attempt(scene, "nothing", 1, 0)
    assert trial.lane_lost
    assert "more containers" in trial.why
    assert "a network that is in use" in trial.why
