"""Classification: every verdict has the reason that makes it, doubt keeps, and no clock or time zone takes too much."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leases import BACKEND
from reap_world import DEAD, ELSEWHERE, HERE, labels, lease

from understudy.engine.interface import StackRef
from understudy.lease import Lease, LeaseState
from understudy.reap import Facts, Judgement, LeaseFact, Policy, StackFact, Verdict, classify
from understudy.stacks.identity import LABEL, format_time
from understudy.targets.interface import Owned

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
KEEP, REAP, HOLD, UNKNOWN = Judgement.KEEP, Judgement.REAP, Judgement.HOLD, Judgement.UNKNOWN


def at(hours: float) -> str:
    return format_time(NOW + timedelta(hours=hours))


def made(**changes: object) -> Lease:
    return replace(lease("e1", created=at(-2), expires=at(-1), not_after=at(5)), **changes)  # type: ignore[arg-type]  # fields by name


def facts(*leases: LeaseFact, **changes: object) -> Facts:
    return replace(Facts(HERE, NOW, NOW, leases, stacks=(), backend=BACKEND), **changes)  # type: ignore[arg-type]  # fields by name


def one(found: tuple[Verdict, ...]) -> Verdict:
    assert len(found) == 1, found
    return found[0]


def judged(found: Lease, *, alive: bool | None = False, **changes: object) -> Verdict:
    return one(classify(facts(LeaseFact(found, alive), **changes)))


OTHER = "bbbbbbbbbbbbbbbbb"


WORKING = {"state": LeaseState.TESTING, "expires": at(1)}

LEASES = [
    ("over", made(), False, REAP, "its time ended at"),
    ("young", made(expires=at(1)), False, KEEP, "it may live until"),
    ("idle", made(expires=at(1), idle=600.0), False, REAP, "nobody used it since"),
    ("hard limit", made(expires=at(1), not_after=at(-1)), False, REAP, "the hard limit"),
    ("dead owner", made(**WORKING), False, REAP, "ended while it was testing"),
    ("ready without an owner", made(state=LeaseState.READY, expires=at(1)), False, REAP, "ended while it was ready"),
    ("live owner", made(**WORKING), True, KEEP, "testing by process"),
    ("live owner past its time", made(state=LeaseState.TESTING), True, KEEP, "testing by process"),
    ("heard of elsewhere", made(owner=ELSEWHERE, renewed=at(-0.05), **WORKING), None, KEEP, "testing by process"),
    ("silent, less than a skew more", made(owner=ELSEWHERE, renewed=at(-0.15), **WORKING), None, KEEP, "by process"),
    ("lost elsewhere", made(owner=ELSEWHERE, renewed=at(-0.3), **WORKING), None, REAP, "ended while"),
    ("over by less than a skew, elsewhere", made(owner=ELSEWHERE, expires=at(-0.05)), None, KEEP, "may live"),
    ("over by less than a skew, here", made(expires=at(-0.05)), False, REAP, "its time ended"),
    ("another target", made(target="docker:two"), False, HOLD, "on docker:two"),
]


@pytest.mark.parametrize(("found", "alive", "kind", "reason"), [row[1:] for row in LEASES], ids=[r[0] for r in LEASES])
def test_a_lease_is_judged_by_its_owner_and_its_time(
    found: Lease, *, alive: bool | None, kind: Judgement, reason: str
) -> None:
    verdict = judged(found, alive=alive)
    assert verdict.kind is kind
    assert reason in verdict.reason
    assert not verdict.doubt


def test_an_owner_past_the_hard_limit_is_kept_and_asked_to_stop() -> None:
    overdue = judged(made(state=LeaseState.TESTING, not_after=at(-0.2)), alive=True)
    assert overdue.kind is KEEP
    assert "hard limit" in overdue.ask
    assert not judged(made(**WORKING), alive=True).ask


ODD = [
    ("ends before it began", made(expires=at(-3))),
    ("not-after in 1970", made(not_after="1970-01-01T00:00:00Z")),
    (
        "all in 1970",
        made(created="1970-01-01T00:00:00Z", expires="1970-01-01T01:00:00Z", not_after="1970-01-02T00:00:00Z"),
    ),
    ("not-after in 2100", made(not_after="2100-01-01T00:00:00Z")),
    ("made the day after tomorrow", made(created=at(48), expires=at(49), not_after=at(50))),
    ("used the day after tomorrow", made(renewed=at(48))),
]


@pytest.mark.parametrize("found", [row[1] for row in ODD], ids=[row[0] for row in ODD])
def test_a_lease_that_cannot_be_true_is_kept_and_reported(found: Lease) -> None:
    verdict = judged(found)
    assert verdict.kind is UNKNOWN
    assert verdict.doubt


def test_an_environment_goes_with_its_branch_or_by_its_age_when_asked() -> None:
    young = made(expires=at(1))
    assert one(classify(facts(LeaseFact(young, alive=False, branch_gone=True)))).kind is REAP
    assert one(classify(facts(LeaseFact(young, alive=False, branch_gone=None)))).kind is KEEP
    assert one(classify(facts(LeaseFact(young, alive=False)), Policy(older_than=3600.0))).kind is REAP
    assert one(classify(facts(LeaseFact(young, alive=False)), Policy(older_than=3 * 3600.0))).kind is KEEP
    assert one(classify(facts(LeaseFact(made(**WORKING), alive=True)), Policy(older_than=60.0))).kind is KEEP


def container(name: str, **changes: str) -> Owned:
    return Owned("container", name, name, labels(changes.pop("of", "e1"), changes.pop("until", at(-1.5)), **changes))


OBJECTS = [
    ("past not-after and an hour", container("web"), REAP, False),
    ("within the hour", container("web", until=at(-0.9)), KEEP, False),
    ("alive", container("web", until=at(2)), KEEP, False),
    ("half a set", container("web", until=""), KEEP, True),
    ("an empty value", Owned("network", "n", "n", {**labels("e1", at(-9)), LABEL + "project": ""}), KEEP, True),
    ("another case", Owned("volume", "v", "v", {k.upper(): v for k, v in labels("e1", at(-9)).items()}), KEEP, True),
    ("another target", container("web", target="docker:two"), KEEP, True),
    ("no moment", container("web", until="yesterday"), KEEP, True),
    ("a local time", container("web", until="2026-03-20T00:00:00"), KEEP, True),
    ("an offset", container("web", until="2026-03-20T00:00:00+09:00"), KEEP, True),
    ("1970", container("web", until="1970-01-01T00:00:00Z"), KEEP, True),
    ("2100", container("web", until="2100-01-01T00:00:00Z"), KEEP, True),
    ("no id", container("web", of="../../etc"), KEEP, True),
    ("protected", container("web", protect="yes"), KEEP, True),
    ("protected with an odd word", container("web", protect="0"), KEEP, True),
    ("not protected", container("web", protect="False"), REAP, False),
    ("only protected", Owned("volume", "v", "v", {LABEL + "protect": "true"}), KEEP, False),
]


@pytest.mark.parametrize(("item", "kind", "doubt"), [row[1:] for row in OBJECTS], ids=[row[0] for row in OBJECTS])
def test_an_object_without_a_lease_is_judged_by_its_labels(item: Owned, kind: Judgement, *, doubt: bool) -> None:
    verdict = one(classify(facts(objects=(item,))))
    assert (verdict.kind, verdict.doubt) == (kind, doubt)


def test_the_object_that_lives_longest_keeps_all_of_its_environment() -> None:
    items = (container("web"), container("db", until=at(2)))
    assert one(classify(facts(objects=items))).kind is KEEP


def test_a_live_lease_keeps_objects_whose_labels_are_past() -> None:
    verdict = judged(made(**WORKING), alive=True, objects=(container("web"),))
    assert (verdict.kind, verdict.objects) == (KEEP, 1)


def test_a_protected_object_keeps_its_environment_whose_time_is_over() -> None:
    verdict = judged(made(), objects=(container("web", protect="true"),))
    assert verdict.kind is KEEP
    assert verdict.doubt
    assert "container web" in verdict.reason


def test_a_lease_that_cannot_be_read_gives_way_to_labels_only_when_they_are_past() -> None:
    past = one(classify(facts(broken=("e1",), objects=(container("web"),))))
    assert past.kind is REAP
    young = one(classify(facts(broken=("e1",), objects=(container("web", until=at(1)),))))
    assert (young.kind, young.doubt) == (KEEP, True)
    alone = one(classify(facts(broken=("e1",))))
    assert (alone.kind, alone.doubt) == (KEEP, True)


OWN = StackRef("understudy", "e1")
STACKS = [
    ("empty", StackFact(OWN, 0), REAP),
    ("empty and locked", StackFact(OWN, 0, locked="process 1"), HOLD),
    ("past", StackFact(OWN, 3, target=HERE, not_after=at(-1.5)), REAP),
    ("alive", StackFact(OWN, 3, target=HERE, not_after=at(1)), KEEP),
    ("of another target", StackFact(OWN, 3, target="docker:two", not_after=at(-99)), HOLD),
    ("whose state says nothing", StackFact(OWN, 3), UNKNOWN),
    ("whose count is unknown", StackFact(OWN, None), UNKNOWN),
]


@pytest.mark.parametrize(("stack", "kind"), [row[1:] for row in STACKS], ids=[row[0] for row in STACKS])
def test_a_stack_without_a_lease_is_judged_by_its_state(stack: StackFact, kind: Judgement) -> None:
    assert one(classify(facts(stacks=(stack,)))).kind is kind


def test_a_stack_of_another_project_is_none_of_our_business() -> None:
    assert (
        classify(facts(stacks=(StackFact(StackRef("shop", "e1"), 0), StackFact(StackRef("Understudy", "e1"), 0)))) == ()
    )


def test_a_stack_goes_with_the_objects_of_its_name() -> None:
    found = one(classify(facts(stacks=(StackFact(OWN, 3),), objects=(container("web"),))))
    assert (found.kind, found.subject.kind) == (REAP, "environment")


def test_what_could_not_be_listed_takes_nothing() -> None:
    for blind in (
        facts(LeaseFact(made(), alive=False), problems=("429",)),
        facts(LeaseFact(made(), alive=False), target=""),
    ):
        assert all(verdict.kind in {UNKNOWN, HOLD} for verdict in classify(blind))


@pytest.mark.parametrize("hours", [-24.1, 24.1, -24 * 365, 24 * 365 * 74])
def test_clocks_that_are_a_day_apart_take_nothing(hours: float) -> None:
    given_up = facts(
        LeaseFact(made(), alive=False), objects=(container("db", of="e2"),), clock=NOW + timedelta(hours=hours)
    )
    found = classify(given_up)
    assert len(found) == 3
    assert all(verdict.kind is UNKNOWN and verdict.doubt for verdict in found)
    assert "skew" in found[0].reason


@pytest.mark.parametrize("seconds", [-300, -262, 262, 300])
def test_clocks_that_are_minutes_apart_change_no_verdict(seconds: int) -> None:
    apart = timedelta(seconds=seconds)
    for name, found, alive, kind, _ in LEASES:
        skewed = facts(LeaseFact(found, alive), clock=NOW + apart)
        if name != "over by less than a skew, here":
            assert one(classify(skewed)).kind is kind


@pytest.fixture
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles", "Pacific/Chatham"], indirect=True)
def test_the_verdict_is_the_same_in_every_time_zone(zone: str) -> None:
    local = NOW.astimezone()
    for _, found, alive, kind, _ in LEASES:
        assert one(classify(facts(LeaseFact(found, alive), now=local, clock=local))).kind is kind, zone
    for _, item, kind, _ in OBJECTS:
        assert one(classify(facts(objects=(item,), now=local, clock=local))).kind is kind, zone


@given(
    left=st.floats(-200, 200).filter(lambda hours: abs(hours) > 0.001),
    skew=st.floats(-23.9, 23.9),
    ours_is_right=st.booleans(),
    leased=st.booleans(),
)
def test_nothing_goes_before_its_time_by_the_clock_that_is_right(
    left: float, skew: float, *, ours_is_right: bool, leased: bool
) -> None:
    ours = NOW if ours_is_right else NOW + timedelta(hours=skew)
    theirs = NOW + timedelta(hours=skew) if ours_is_right else NOW
    item = Owned("container", "c", "c", labels("e1", at(left)))
    alive = LeaseFact(made(created=at(min(left, 0) - 1), expires=at(left), not_after=at(left), owner=DEAD), alive=False)
    found = facts(*([alive] if leased else []), objects=(item,), now=ours, clock=theirs)
    for verdict in classify(found):
        assert verdict.kind is not REAP or left < 0


def test_what_another_backend_has_under_our_id_is_kept_in_doubt_until_its_cap_and_an_hour() -> None:
    """Our own of that id is judged by our own lease all the same."""
    young = Owned("container", "2", "e1-db", labels("e1", at(1), backend=OTHER))
    over = Owned("container", "2", "e1-db", labels("e1", at(-1.1), backend=OTHER))
    mine = LeaseFact(made(), alive=False)
    ours, theirs = classify(facts(mine, objects=(container("web"), young)))
    assert (ours.kind, ours.objects, ours.subject.backend) == (REAP, 1, "")
    assert (theirs.kind, theirs.doubt, theirs.subject.name, theirs.subject.backend) == (KEEP, True, "e1", OTHER)
    assert "an environment of the same id" in theirs.reason
    assert "--name" in theirs.reason
    alone = one(classify(facts(objects=(young,))))
    assert (alone.kind, alone.doubt) == (KEEP, False)
    lost = one(classify(facts(objects=(over,), backend="")))
    assert (lost.kind, lost.subject.backend) == (REAP, OTHER)


def test_an_object_from_before_backends_had_ids_is_claimed_and_never_removed() -> None:
    kept = one(classify(facts(objects=(Owned("container", "2", "e1-db", labels("e1", at(-200), backend="")),))))
    assert (kept.kind, kept.doubt) == (KEEP, True)
    assert "lacks the ownership labels backend" in kept.reason
