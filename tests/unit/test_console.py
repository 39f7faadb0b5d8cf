from __future__ import annotations

import io
import json
import threading

import pytest

from understudy.console import LiveConsole, PlainConsole, line_of, make_console, printable
from understudy.progress import Phase, Progress, State, stoppable


def test_plain_lines_leave_out_the_start_of_single_subjects() -> None:
    out = io.StringIO()
    with make_console("auto", out) as console:
        console(Progress(Phase.BUILD, State.STARTED))
        console(Progress(Phase.BUILD, State.STARTED, "web"))
        console(Progress(Phase.BUILD, State.DONE, "web", "built", 1.25))
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[1].endswith("build      ok web (1.2 s): built")


def test_text_that_would_steer_a_terminal_is_defused() -> None:
    hostile = "a\x1b[2Jb\rc\x9b1md\u202ee"
    assert printable(hostile + "\nf") == "a·[2Jb·c·1md·e\nf"
    out = io.StringIO()
    PlainConsole(out)(Progress(Phase.TEST, State.FAILED, detail=hostile))
    assert "\x1b" not in out.getvalue()


def test_json_lines_are_the_events(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    with make_console("json", out) as console:
        console(Progress(Phase.READY, State.DONE, "db", seconds=0.5, at=1.0))
        console.say("for people")
    event = json.loads(out.getvalue())
    expected = {"phase": "ready", "state": "done", "subject": "db", "detail": "", "seconds": 0.5, "at": 1.0}
    assert event == expected
    assert capsys.readouterr().err == "for people\n"


def test_live_shows_phases_and_keeps_failures_above() -> None:
    out = io.StringIO()
    with LiveConsole(out) as console:
        console(Progress(Phase.PROVISION, State.STARTED))
        console(Progress(Phase.PROVISION, State.STARTED, "container db"))
        console(Progress(Phase.PROVISION, State.FAILED, "container db", "died [red]x[/red]"))
        console(Progress(Phase.PROVISION, State.FAILED, seconds=2.0))
        console(Progress(Phase.TEST, State.INFO, "integration", "3 of 16 tests"))
        console.say("the result")
    text = out.getvalue()
    assert text.rstrip().endswith("the result")
    assert "integration: 3 of 16 tests" in text
    assert "FAILED container db: died [red]x[/red]" in text
    assert "provision" in text


def test_a_line_says_it_all() -> None:
    assert line_of(Progress(Phase.RECEIPT, State.DONE, detail="CLEAN")) == "ok: CLEAN"


def test_what_fails_after_it_was_told_to_stop_has_stopped() -> None:
    out, stop = io.StringIO(), threading.Event()
    console = PlainConsole(out)
    tell = stoppable(console, stop)
    for subject in ("container web", "container db"):
        tell(Progress(Phase.PROVISION, State.FAILED, subject))
        stop.set()
    tell(Progress(Phase.PROVISION, State.DONE, "container cache"))
    lines = [line.split() for line in out.getvalue().splitlines()]
    assert [line[-3] for line in lines] == ["FAILED", "stopped", "ok"]
