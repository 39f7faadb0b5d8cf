from __future__ import annotations

import threading
import time

import pytest

from understudy.engine.errors import InterruptedOperationError, ResourceFailedError, StackLockedError
from understudy.engine.fake import Call, FakeEngine
from understudy.engine.interface import Engine, StackRef

REF = StackRef("p", "s")


def _nothing() -> None:
    raise AssertionError("programs are not run")


def test_it_is_an_engine() -> None:
    assert isinstance(FakeEngine(), Engine)


def test_any_verb_can_be_told_to_fail_and_calls_are_kept() -> None:
    failed = ResourceFailedError("urn:pulumi:s::p::t::db", "no")
    engine = FakeEngine(fail={"up": failed, "destroy": StackLockedError("locked")}, run_programs=False)
    with pytest.raises(ResourceFailedError) as caught:
        engine.up(REF, _nothing, config={"a": "b"})
    assert caught.value is failed
    assert [summary.resources for summary in engine.list()] == [0]
    with pytest.raises(StackLockedError):
        engine.destroy(REF)
    assert len(engine.list()) == 1
    del engine.fail["destroy"]
    engine.destroy(REF)
    assert engine.calls[:2] == [Call("up", REF, {"a": "b"}), Call("list", None)]
    assert engine.list() == ()


@pytest.mark.parametrize("verb", ["preview", "refresh", "export_state", "list", "cancel", "remove"])
def test_the_other_verbs_fail_too(verb: str) -> None:
    engine = FakeEngine(fail={verb: StackLockedError("locked")}, run_programs=False)
    args = {"preview": (REF, _nothing), "list": ()}.get(verb, (REF,))
    with pytest.raises(StackLockedError):
        getattr(engine, verb)(*args)


def test_a_held_verb_waits_for_its_event() -> None:
    gate = threading.Event()
    engine = FakeEngine(hold={"up": gate}, run_programs=False)
    thread = threading.Thread(target=lambda: engine.up(REF, _nothing), daemon=True)
    thread.start()
    limit = time.monotonic() + 10
    while not engine.calls and time.monotonic() < limit:
        time.sleep(0.001)
    assert engine.list() == ()
    gate.set()
    thread.join(10)
    assert [summary.ref for summary in engine.list()] == [REF]


def test_stop_ends_a_held_verb() -> None:
    stop = threading.Event()
    engine = FakeEngine(hold={"up": threading.Event()}, run_programs=False)
    raised: list[BaseException] = []

    def work() -> None:
        try:
            engine.up(REF, _nothing, stop=stop)
        except InterruptedOperationError as error:
            raised.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    stop.set()
    thread.join(10)
    assert len(raised) == 1
