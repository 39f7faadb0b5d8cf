"""The rule of expiry: of the hard limit, the time and disuse what comes first; the same in every time zone."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from support import ROOT

from tests.unit.test_lease import a_lease
from understudy.lease import ends, over
from understudy.stacks.identity import parse_time

CREATED = parse_time("2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("fields", "minutes", "gone", "why"),
    [
        ({}, 59, None, ""),
        ({}, 60, None, "its time ended at 2026-01-01T01:00:00Z"),
        ({}, 60, True, "its time ended at 2026-01-01T01:00:00Z"),
        ({}, 1, True, "its branch 'a$(touch${IFS}x)' is gone"),
        ({}, 1, False, ""),
        (
            {"expires": "2026-01-03T00:00:00Z"},
            24 * 60,
            None,
            "the hard limit of its life, 2026-01-02T00:00:00Z, is past",
        ),
        ({"idle": 600.0}, 9, None, ""),
        ({"idle": 600.0}, 10, None, "nobody used it since 2026-01-01T00:00:00Z"),
        ({"idle": 600.0, "active": "2026-01-01T00:05:00Z"}, 14, None, ""),
        ({"idle": 600.0, "active": "2026-01-01T00:05:00Z"}, 15, None, "nobody used it since 2026-01-01T00:05:00Z"),
        ({"idle": 600.0, "renewed": "2026-01-01T00:07:00Z"}, 15, None, ""),
        ({"idle": 600.0, "active": "2026-01-01T00:55:00Z"}, 60, None, "its time ended at 2026-01-01T01:00:00Z"),
        ({"idle": 600.0, "active": "2025-01-01T00:00:00Z"}, 5, None, ""),
    ],
)
def test_what_comes_first_ends_it(fields: dict[str, object], minutes: int, gone: bool | None, why: str) -> None:  # noqa: FBT001 - a case's part
    assert over(a_lease(**fields), CREATED + timedelta(minutes=minutes), branch_gone=gone) == why


def test_the_end_is_known_ahead() -> None:
    assert ends(a_lease(idle=600.0)) == (CREATED + timedelta(minutes=10), "nobody used it since 2026-01-01T00:00:00Z")
    assert ends(a_lease())[0] == CREATED + timedelta(hours=1)


ZONED = """
import sys
from datetime import datetime, timedelta, UTC
from pathlib import Path
from leases import a_lease
from understudy.lease import FolderShelf, LeaseStore, ends, over
from understudy.owner import Owner
from understudy.stacks.identity import format_time

now = datetime.now(UTC)
store = LeaseStore(FolderShelf(Path(sys.argv[1])))
lease = a_lease(
    created=format_time(now), expires=format_time(now + timedelta(hours=1)),
    not_after=format_time(now + timedelta(days=1)), idle=3000.0, owner=Owner("elsewhere", "b", 7, 7, "x"),
)
store.create(lease)
assert store.read(lease.id) == lease
assert lease.worked_on
aged = store.update(lease, renewed=format_time(now - timedelta(seconds=310)))
assert not aged.worked_on
store.use(aged)
assert abs((ends(store.read(lease.id))[0] - now).total_seconds() - 3000) < 60
print(over(store.read(lease.id), now + timedelta(seconds=2900)) or "not over", end="; ")
print(over(store.read(lease.id), now + timedelta(seconds=3100))[:12], end="; ")
print(over(lease, now + timedelta(days=1))[:12])
"""


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles", "Pacific/Chatham"])
def test_a_time_zone_changes_nothing(zone: str, tmp_path: object) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ZONED, str(tmp_path)],
        env={**os.environ, "TZ": zone, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "not over; nobody used ; nobody used \n", done.stderr
