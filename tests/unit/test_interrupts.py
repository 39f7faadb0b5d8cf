"""A signal that comes while the main thread waits for the stop ends the wait, at whatever moment it comes."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

HOLDING = """
import os, signal
from understudy.interrupts import Interrupts

with Interrupts(lambda text: None) as interrupts:
    with interrupts.stop._cond:  # as wait() does for a moment
        os.kill(os.getpid(), signal.SIGINT)
    print("heard" if interrupts.stop.wait(30) else "not heard")
"""


def test_a_signal_is_heard_whatever_the_main_thread_holds() -> None:
    done = subprocess.run([sys.executable, "-c", HOLDING], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "heard"), done.stderr


def test_the_handlers_of_before_are_back() -> None:
    from understudy.interrupts import Interrupts

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with Interrupts(lambda _: None):
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


ALONE = """
import os, signal, sys
from understudy.interrupts import Interrupts, alone

number = getattr(signal, sys.argv[1])
alone()
if sys.argv[2] == "before":
    os.kill(os.getpid(), number)
with Interrupts(lambda text: None):
    pass
os.kill(os.getpid(), number)
print("done")
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_in_a_process_of_its_own_a_signal_after_the_command_takes_nothing_of_its_result(name: str) -> None:
    def end(when: str) -> tuple[int, str]:
        words = [sys.executable, "-c", ALONE, name, when]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, done.stdout.strip()

    assert end("after") == (0, "done")
    assert end("before") == (-getattr(signal, name), "")


RESTING = """
import os, signal, sys, time
from understudy import interrupts
from understudy.interrupts import Interrupts, Rest

class Left(Rest):
    def hand_over(self, *, asked):
        print("asked" if asked else "due", flush=True)
        return sys.argv[1]
    def flush(self, handed):
        print("flushed:", handed, flush=True)
        time.sleep(float(sys.argv[2]))
    def remains(self):
        return "much remains."

interrupts.TOGETHER = float(sys.argv[4])
with Interrupts(lambda text: None, deadline=float(sys.argv[3])) as interrupts:
    interrupts.rest = Left()
    for number in map(int, sys.argv[5:]):
        os.kill(os.getpid(), number)
        interrupts.stop.wait(30)
    time.sleep(3 + float(sys.argv[2]))
    print("went on", flush=True)
"""


def left(
    handed: str, *signals: signal.Signals, flush: float = 0.0, deadline: float = 60.0, together: float = 60.0
) -> tuple[int, str, str]:
    """A process that gets signals, and whose rest is taken by `handed`; its exit code and what it printed."""
    arguments = [handed, str(flush), str(deadline), str(together), *(str(int(number)) for number in signals)]
    done = subprocess.run(
        [sys.executable, "-c", RESTING, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr.strip()


def test_at_the_deadline_the_rest_is_handed_over() -> None:
    code, out, said = left("to her", signal.SIGTERM, deadline=0.1)
    assert (code, out) == (130, "due\nflushed: to her\n")
    assert said == "0.1 s after SIGTERM: to her"


def test_at_the_deadline_a_rest_that_nobody_takes_goes_on() -> None:
    assert left("", signal.SIGTERM, deadline=0.1) == (0, "due\nwent on\n", "")


def test_a_second_ctrl_c_hands_over_at_once_however_long_the_evidence_takes() -> None:
    code, out, said = left("to her", signal.SIGINT, signal.SIGINT, flush=50.0)
    assert (code, out) == (130, "asked\nflushed: to her\n")
    assert said == "SIGINT again: to her"


def test_a_second_ctrl_c_that_nobody_answers_says_what_remains() -> None:
    code, _, said = left("", signal.SIGINT, signal.SIGINT)
    assert (code, said) == (130, "SIGINT again: ending at once. much remains.")


def test_a_terminal_that_closes_tells_twice_and_means_once() -> None:
    assert left("to her", signal.SIGHUP, signal.SIGHUP, signal.SIGTERM) == (0, "went on\n", "")


def test_a_runner_that_sends_sigterm_a_while_after_sigint_waits_no_longer() -> None:
    code, out, said = left("to her", signal.SIGINT, signal.SIGTERM, together=0.0)
    assert (code, out, said) == (130, "asked\nflushed: to her\n", "SIGTERM again: to her")


LATE = """
import os, signal
from understudy.interrupts import Interrupts

with Interrupts(lambda text: None) as interrupts:
    os.kill(os.getpid(), signal.SIGINT)
    interrupts.stop.wait(30)
os.kill(os.getpid(), signal.SIGTERM)
os.kill(os.getpid(), signal.SIGINT)
raise SystemExit(130)
"""


def test_a_signal_after_an_interrupted_command_has_done_its_work_changes_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (130, "")
