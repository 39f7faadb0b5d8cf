from __future__ import annotations

from typing import Any

import pytest

from understudy.stacks.identity import LABEL
from understudy.targets.vitals import KILLED_GRACE, STOPPED_GRACE, failing_since, grace, moment, verdict
from understudy.targets.watching import How


def facts(status: str, code: int = 1, policy: str = "no", kind: str = "service", **state: Any) -> dict[str, Any]:
    return {
        "State": {"Status": status, "ExitCode": code, **state},
        "Config": {"Labels": {LABEL + "kind": kind}},
        "HostConfig": {"RestartPolicy": {"Name": policy}},
    }


@pytest.mark.parametrize(
    ("seen", "restarts", "expected"),
    [
        (facts("running"), 0, None),
        (facts("running"), 4, None),
        (facts("running", policy="always"), 5, How.EXITED),
        (facts("restarting", policy="always"), 1, None),
        (facts("exited", 0), 0, How.EXITED),
        (facts("exited", 0, kind="job"), 0, None),
        (facts("exited", 1, kind="job"), 0, How.EXITED),
        (facts("exited", 137, OOMKilled=True), 0, How.MEMORY),
        (facts("created"), 0, None),
    ],
)
def test_what_is_a_death(seen: dict[str, Any], restarts: int, expected: How | None) -> None:
    found = verdict(seen, restarts)

    assert (found[0] if found else None) is expected


@pytest.mark.parametrize(
    ("policy", "signal", "expected"),
    [
        ("no", "15", 0.0),
        ("always", "", 0.0),
        ("always", "9", KILLED_GRACE),
        ("unless-stopped", "15", STOPPED_GRACE),
        ("on-failure", "3", STOPPED_GRACE),
    ],
)
def test_who_is_given_time_to_come_back(policy: str, signal: str, expected: float) -> None:
    assert grace(facts("exited", policy=policy), signal) == expected


def test_a_sick_service_is_sick_since_its_first_failed_check_in_a_row() -> None:
    checks = [(1, "01"), (0, "02"), (1, "03.5"), (1, "04")]
    health = {"Log": [{"ExitCode": code, "Start": f"1970-01-01T00:00:{at}Z"} for code, at in checks]}

    assert failing_since(health) == 3.5
    assert failing_since({"Log": health["Log"][:2]}) is None
    assert failing_since({}) is None


def test_dockers_times() -> None:
    assert moment("1970-01-01T00:00:01.123456789Z") == pytest.approx(1.123456)
    assert moment("1970-01-01T01:00:01+01:00") == 1.0
    assert moment("0001-01-01T00:00:00Z") is None
    assert moment("") is None
