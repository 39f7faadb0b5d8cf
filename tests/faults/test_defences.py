"""Each defence is taken out once, in the process of the test that names it; that test must then fail."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support import ROOT

INSIDE = ROOT / "tests" / "faults" / "inside"

NAMED = {
    "no-hunted-variables": (
        "unit/test_watchdog.py::test_what_runners_hunt_by_is_taken_out_and_the_rest_is_on_no_command_line"
    ),
    "no-children-first": "unit/test_watchdog.py::test_children_are_ended_before_with_all_of_their_group",
    "no-exclusive-create": "unit/test_lease.py::test_of_twenty_only_one_creates",
    "no-owner-at-close": "unit/test_lease.py::test_a_lease_that_another_process_took_over_is_not_closed",
    "no-heartbeat": "unit/test_heartbeat.py::test_a_lease_is_renewed_while_its_owner_works",
    "no-start-time": "unit/test_lease.py::test_a_pid_that_another_process_has_now_is_not_its_owner",
    "no-hard-limit": "unit/test_lease_rule.py::test_what_comes_first_ends_it",
    "no-sweep": "unit/test_teardown.py::test_what_the_engine_did_not_know_is_swept_and_told",
    "no-second-look": "unit/test_teardown.py::test_what_cannot_be_removed_keeps_the_lease",
    "no-target-identity": "unit/test_teardown.py::test_another_target_is_left_alone",
    "no-lock-breaking": "unit/test_locks.py::test_a_hundred_stale_locks_are_broken_and_no_live_one",
    "no-lock-liveness": "unit/test_locks.py::test_a_hundred_stale_locks_are_broken_and_no_live_one",
    "no-damage": "unit/test_teardown_damage.py::test_a_mutilated_state_is_replaced_by_the_sweep_and_removed",
    "no-cap": "unit/test_reap_passes.py::test_a_cap_stops_before_anything_is_removed",
    "no-refusal": "unit/test_reap_classify.py::test_clocks_that_are_a_day_apart_take_nothing",
    "no-not-after": "unit/test_reap_classify.py::test_an_object_without_a_lease_is_judged_by_its_labels",
    "no-ownership": "unit/test_reap_classify.py::test_an_object_without_a_lease_is_judged_by_its_labels",
    "no-ownership-again": ("engine/test_target_docker.py::test_labels_that_change_before_the_removal_keep_the_object"),
    "no-protection": "unit/test_reap_classify.py::test_a_protected_object_keeps_its_environment_whose_time_is_over",
    "no-spare": "unit/test_reap_passes.py::test_an_orphan_that_came_to_life_while_it_was_removed_is_kept_for_good",
}
"""What is taken out (`faults_patches`) -> the test that must see it; of what only a kill shows, `kinds_defences`."""


CASES = [pytest.param(name, marks=[pytest.mark.docker] * test.startswith("engine/")) for name, test in NAMED.items()]


@pytest.mark.parametrize("defence", CASES)
def test_a_defence_that_is_taken_out_is_missed(defence: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"tests/{NAMED[defence]}"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(INSIDE), "FAULTS_PATCHES": defence},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1, f"exit code {done.returncode} without {defence}: {done.stdout}{done.stderr}"
    assert "1 failed" in done.stdout
