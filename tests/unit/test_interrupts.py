"""A signal that comes while the main thread waits for the stop ends the wait, at whatever moment it comes."""

from __future__ import annotations

import signal
import subprocess
import sys

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
