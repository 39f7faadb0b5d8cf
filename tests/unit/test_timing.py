from __future__ import annotations

import threading

import pytest

from understudy.export.checkpoints import Checkpoints
from understudy.progress import Phase, Progress, State
from understudy.report import PhaseRecord, ResourceRecord, RunRecord, utc
from understudy.timing import Timing


def event(phase: Phase, state: State, subject: str = "", *, at: float) -> Progress:
    """An event at a second of the run, which began at 100 by the wall and at 5 by the monotonic clock."""
    return Progress(phase, state, subject, at=100 + at, clock=5 + at)


def test_phases_and_what_is_made_in_them_have_their_offset_and_length() -> None:
    timing = Timing(5.0)
    heard = [
        event(Phase.PROVISION, State.STARTED, at=1),
        event(Phase.PROVISION, State.STARTED, "container db", at=2),
        event(Phase.BUILD, State.STARTED, "web", at=2.5),
        event(Phase.BUILD, State.FAILED, "web", at=3),
        event(Phase.PROVISION, State.DONE, "container db", at=4),
        event(Phase.PROVISION, State.DONE, at=6),
    ]
    assert [found for each in heard if (found := timing.hear(each)) is not None] == [
        ResourceRecord("web", "build", utc(102.5), 2.5, 0.5, ok=False),
        ResourceRecord("db", "container", utc(102), 2, 2),
        PhaseRecord("provision", utc(101), 1, 5),
    ]


def test_phases_under_way_are_named_in_the_order_in_which_they_began() -> None:
    timing = Timing(5.0)
    for phase in (Phase.PROVISION, Phase.TEST):
        timing.hear(event(phase, State.STARTED, at=1))
    timing.hear(event(Phase.TEST, State.STARTED, "integration", at=1))
    assert timing.running == ("provision", "test")
    timing.hear(event(Phase.PROVISION, State.STOPPED, at=2))
    assert timing.running == ("test",)


@pytest.mark.parametrize("state", [State.DONE, State.FAILED, State.STOPPED, State.INFO, State.WARNING])
def test_what_never_began_does_not_end(state: State) -> None:
    assert Timing(0.0).hear(event(Phase.EXPORT, state, at=1)) is None


def test_the_newest_record_is_written_and_none_after_the_end() -> None:
    first_begun, go_on, written = threading.Event(), threading.Event(), list[str]()

    def write(record: RunRecord) -> None:
        written.append(record.run)
        first_begun.set()
        go_on.wait(30)

    checkpoints = Checkpoints(write, every=0.0)
    checkpoints.take(record("1"))
    assert first_begun.wait(30)
    for name in ("2", "3"):
        checkpoints.take(record(name))
    go_on.set()
    while len(written) < 2:
        assert checkpoints.alive
    checkpoints.close()
    checkpoints.take(record("4"))
    assert written == ["1", "3"]
    assert not checkpoints.alive


def record(name: str) -> RunRecord:
    return RunRecord(name, "e", "t", "p", "", "", "", "", production_ref="", started=utc(0))
