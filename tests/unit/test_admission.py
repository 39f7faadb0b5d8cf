from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leases import a_lease

from understudy.admission.limits import Limits, amount, doubts, no_memory, no_place
from understudy.admission.order import course, is_newer, rivals
from understudy.admission.places import before, taken
from understudy.lease import Lease, LeaseState
from understudy.owner import Owner, this_process
from understudy.stacks.identity import format_time
from understudy.targets.docker_capacity import Capacity

NOW = datetime.now(UTC)
ELSEWHERE = Owner("elsewhere", "another-boot", 7, 7, "ci")
DEAD = replace(this_process(), started=1)


def unknown(_older: str, _newer: str) -> bool:
    return False


def lease(name: str, commit: str = "", **changes: object) -> Lease:
    """A run of `main` at work on another machine, heard of just now."""
    own = {"backend": "s3://leases", "repository": "https://git.example/shop.git", "branch": "main", "run": True}
    hours = {"created": 0, "renewed": 0, "expires": 1, "not_after": 2}
    times = {each: format_time(NOW + timedelta(hours=far)) for each, far in hours.items()}
    return a_lease(name, **{**own, **times, "commit": commit or name, "owner": ELSEWHERE, **changes})


def at(second: int) -> str:
    return format_time(NOW + timedelta(seconds=second))


def test_git_says_which_commit_is_newer_and_else_the_time_of_commit() -> None:
    one, two = lease("a", committed=at(5)), lease("b", committed=at(0))
    assert is_newer(one, two, unknown)
    assert not is_newer(two, one, unknown)
    assert is_newer(two, one, lambda older, newer: (older, newer) == ("a", "b"))
    assert not is_newer(one, two, lambda older, newer: (older, newer) == ("a", "b"))


def test_a_commit_is_never_newer_than_itself() -> None:
    assert not is_newer(lease("a", "same", committed=at(9)), lease("b", "same"), lambda *_: True)
    assert rivals(lease("a", "same"), [lease("b", "same")]) == ()


COMMITS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=5)


@given(COMMITS)
def test_of_runs_of_different_commits_one_is_the_newest_for_all(times: list[tuple[int, int]]) -> None:
    runs = [lease(f"e{n}", committed=at(made), created=at(came)) for n, (made, came) in enumerate(times)]
    for one, other in itertools.permutations(runs, 2):
        assert is_newer(one, other, unknown) != is_newer(other, one, unknown)
    newest = [one for one in runs if all(one is other or is_newer(one, other, unknown) for other in runs)]
    assert len(newest) == 1
    for one in runs:
        others = [other for other in runs if other is not one]
        assert (course(one, others, "supersede", unknown).give_way is None) == (one is newest[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"branch": "other"},
        {"repository": "https://git.example/fork.git"},
        {"topology": "other.yaml"},
        {"run": False},
        {"state": LeaseState.KEPT},
        {"owner": DEAD},
        {"renewed": format_time(NOW - timedelta(hours=1))},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_who_is_no_rival(changes: dict[str, object]) -> None:
    other = lease("b")
    assert rivals(lease("a"), [other]) == (other,)
    assert rivals(lease("a"), [replace(other, **changes)]) == ()  # type: ignore[arg-type]  # fields of Lease by name


def test_a_fork_s_branch_of_the_same_name_neither_stops_ours_nor_another_fork_s() -> None:
    ours, stranger, another = lease("a"), lease("b", fork=True), lease("c", fork=True)
    assert rivals(stranger, [ours, another]) == ()
    assert rivals(ours, [stranger, another]) == ()


def test_without_a_branch_there_are_no_rivals() -> None:
    assert rivals(lease("a", branch=""), [lease("b", branch="")]) == ()


def test_a_newer_run_asks_once_and_waits_only_for_what_has_made_something() -> None:
    mine = lease("new", committed=at(9))
    testing, waits = lease("old", state=LeaseState.TESTING), lease("older", state=LeaseState.WAITING)
    asked, over = lease("asked", asked_to_stop="understudy down"), lease("over", state=LeaseState.EXPORTING)
    now = course(mine, (testing, waits, asked, over), "supersede", unknown)
    assert now.give_way is None
    assert now.stop == (testing, waits)
    assert now.wait == (testing, asked, over)


def test_one_that_has_to_stop_itself_supersedes_nobody() -> None:
    newer = lease("new", committed=at(9), asked_to_stop="understudy down")
    assert course(lease("old"), (newer,), "supersede", unknown).give_way is None


def test_a_queue_is_in_the_order_of_arrival() -> None:
    runs = [lease(f"e{n}", created=at(n), state=LeaseState.WAITING) for n in range(3)]
    working = lease("w", created=at(9))
    for number, mine in enumerate(runs):
        others = [working, *(other for other in runs if other is not mine)]
        assert course(mine, others, "queue", unknown).wait == (working, *runs[:number])
        assert course(mine, others, "parallel", unknown) == course(mine, (), "supersede", unknown)


def test_places_are_held_by_leases_and_by_what_is_there() -> None:
    mine = lease("me", state=LeaseState.WAITING)
    others = [
        lease("works"),
        lease("kept", state=LeaseState.KEPT, owner=DEAD),
        lease("over", state=LeaseState.KEPT, owner=DEAD, expires=at(-1)),
        lease("unused", state=LeaseState.KEPT, owner=DEAD, idle=60.0, renewed=at(-90), created=at(-90)),
        lease("limit", state=LeaseState.KEPT, owner=DEAD, not_after=at(-1)),
        lease("to rest", state=LeaseState.TESTING, owner=DEAD, rests_as=LeaseState.KEPT),
        lease("dead", owner=DEAD),
        lease("waits", state=LeaseState.WAITING),
        lease("far", target="docker:two"),
    ]
    assert taken(mine, others, {"orphan", "works", "me"}) == {"works", "kept", "to rest", "orphan"}


def test_who_came_before_is_counted_unless_it_takes_the_place_of_its_own_branch() -> None:
    mine = lease("m", state=LeaseState.WAITING, created=at(5))
    early = lease("early", state=LeaseState.WAITING, created=at(1), branch="one")
    late = lease("late", state=LeaseState.WAITING, created=at(9), branch="two")
    heir = lease("heir", state=LeaseState.WAITING, created=at(1), branch="three")
    assert before(mine, [mine, early, late, heir, lease("old", branch="three")]) == {"early"}


class Comer:
    """One run on its way in, a step of `take_place` at a time."""

    def __init__(self, number: int, board: dict[str, Lease], places: int) -> None:
        self.board, self.places = board, places
        self.lease = lease(f"e{number}", created=at(number % 2), branch=f"b{number}", state=LeaseState.WAITING)
        self.done = self.written = self.claimed = False

    def _full(self, *, waiting: bool) -> bool:
        listed = tuple(self.board.values())
        others = taken(self.lease, listed, ()) | (before(self.lease, listed) if waiting else frozenset())
        return bool(list(no_place(Limits(self.places), others)))

    def step(self) -> None:
        if not self.written:
            self.written = True
            self.board[self.lease.id] = self.lease
        elif self.claimed:
            self.claimed = False
            if self._full(waiting=False):
                self.board[self.lease.id] = self.lease
            else:
                self.done = True
        elif not self._full(waiting=True):
            self.board[self.lease.id] = replace(self.lease, state=LeaseState.PROVISIONING)
            self.claimed = True


@given(st.integers(1, 3), st.integers(2, 5), st.lists(st.integers(0, 4), max_size=60))
def test_however_runs_interleave_no_more_get_in_than_there_are_places_and_no_place_stays_empty(
    places: int, many: int, steps: list[int]
) -> None:
    board: dict[str, Lease] = {}
    comers = [Comer(number, board, places) for number in range(many)]
    for number in steps:
        comer = comers[number % many]
        if not comer.done:
            comer.step()
        assert sum(comer.done for comer in comers) <= places
    for _ in range(4 * many):
        for comer in comers:
            if not comer.done:
                comer.step()
    assert sum(comer.done for comer in comers) == min(places, many)


GIB = 1 << 30


def test_memory_and_disk_are_held_by_what_can_be_known() -> None:
    here = Capacity(8 * GIB, 7 * GIB, 2, available=6 * GIB, disk=3 * GIB, root="/var/lib/docker")
    told = list(no_memory(Limits(memory=2 * GIB, disk=4 * GIB), here))
    assert told == [
        "--min-free-memory asks for 2.0 GiB, and of 8.0 GiB the limits of running containers leave 1.0 GiB",
        "--min-free-disk asks for 4.0 GiB, and 3.0 GiB are free in /var/lib/docker",
    ]
    assert list(no_memory(Limits(memory=GIB, disk=GIB), here)) == []
    assert list(no_memory(Limits(memory=GIB), replace(here, available=GIB // 2)))
    assert list(doubts(Limits(memory=GIB, disk=GIB), here)) == []


def test_what_cannot_be_known_of_a_remote_daemon_is_said() -> None:
    remote = Capacity(8 * GIB, 0, 3, available=None, disk=None, root="/var/lib/docker")
    limits = Limits(memory=GIB, disk=GIB)
    assert list(no_memory(limits, remote)) == []
    assert len(list(doubts(limits, remote))) == 2
    assert len(list(doubts(limits, replace(remote, memory=0, unlimited=0)))) == 2


def test_amounts_are_for_people() -> None:
    assert [amount(size) for size in (0, 1023, 1024, 5 * GIB)] == ["0 bytes", "1023 bytes", "1.0 KiB", "5.0 GiB"]
