"""The pytest plugin that suites load: results as JSON lines, each written the moment it is known.

This file is copied beside a suite as `understudy_pytest.py` and runs in the suite's own interpreter: Python 3.8 or
newer, pytest 7 or newer, nothing else but the standard library. The environment variable `UNDERSTUDY_RESULTS`
names the file, `UNDERSTUDY_RETRIES` how often a failed test is tried again. Under pytest-xdist the workers write what
they run, and the controller writes what only it knows: the collected tests, and tests during which a worker died.
Every line has the time since the epoch (`at`) and by the machine's monotonic clock (`clock`).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest
from _pytest.runner import runtestprotocol

if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

__all__ = ["pytest_configure"]

pytest_plugins = ("understudy_order",)
"""What lies beside this file is loaded with it."""

DETAIL_LIMIT = 64 * 1024
SECTION_LIMIT = 16 * 1024
SECTIONS_LIMIT = 8
MESSAGE_LIMIT = 2 * 1024
COLLECTED_CHUNK = 500
LATE = 10.0
"""Seconds between a phase's end and its report that are believed; a clock that was set makes any number of them."""

PHASES = ("setup", "call", "teardown")


def pytest_configure(config: pytest.Config) -> None:
    """Register the reporter where a results file is named."""
    path = os.environ.get("UNDERSTUDY_RESULTS")
    if not path:
        return
    worker = str(getattr(config, "workerinput", {}).get("workerid", ""))
    controller = not worker and bool(getattr(config.option, "numprocesses", None) or getattr(config.option, "tx", None))
    reporter = Reporter(path, worker=worker, controller=controller)
    config.pluginmanager.register(reporter, "understudy-reporter")
    retries = int(os.environ.get("UNDERSTUDY_RETRIES") or 0)
    if retries > 0 and not controller:
        config.pluginmanager.register(Retrier(retries, reporter), "understudy-retrier")


def clip(text: str, limit: int) -> str:
    """The text within about `limit` characters: its beginning and its end, which is where a failure says why.

    The cuts are made at white space, so that no half of a secret is left which nobody could recognise.
    """
    if len(text) <= limit:
        return text
    half = limit // 2
    head, tail = text[:half].rsplit(None, 1)[0], text[-half:].split(None, 1)[-1]
    return f"{head}\n[... {len(text) - len(head) - len(tail)} characters left out ...]\n{tail}"


class Reporter:
    """Writes what one pytest process knows to the results file."""

    def __init__(self, path: str, *, worker: str, controller: bool) -> None:
        self.worker = worker
        self.controller = controller
        self.announced = False
        self.stopping = False
        self.session: pytest.Session | None = None
        self.finishing = False
        self.handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        if not worker and threading.current_thread() is threading.main_thread():
            self._listen()

    def _listen(self) -> None:
        """On SIGTERM end as on Ctrl-C: fixtures are torn down and the summary is printed while the grace lasts.

        A session that is about to end by itself, as after `-x`, is left to do so. Under xdist that is not enough: for
        a worker that died of the same signal the controller starts another one, which runs what is left.
        """
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            return

        def stop(_number: int, _frame: FrameType | None) -> None:
            self.stopping = True
            ending = self.session is not None and self.session.shouldfail and not self.controller
            if self.finishing or ending:
                return
            raise KeyboardInterrupt("stopped by Understudy")

        signal.signal(signal.SIGTERM, stop)

    def write(self, event: str, **fields: object) -> None:
        """Append one line in one system call, so that lines of several processes never mix."""
        fields = {"event": event, "worker": self.worker, "at": time.time(), "clock": time.monotonic(), **fields}
        os.write(self.handle, (json.dumps(fields) + "\n").encode("ascii"))

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Say that the plugin is there."""
        self.session = session
        self.write("session", pid=os.getpid(), pytest=pytest.__version__, python=sys.version.split()[0])

    def collected(self, ids: list[str]) -> None:
        """Say which tests there are, once a process."""
        if not self.announced:
            self.announced = True
            for first in range(0, len(ids), COLLECTED_CHUNK):
                self.write("collected", ids=ids[first : first + COLLECTED_CHUNK])

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Without xdist this process knows the tests."""
        if not self.worker and not self.controller:
            self.collected([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """With xdist the controller is told by its workers, all the same list."""
        self.collected(list(ids))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that was skipped or could not be collected; with xdist each worker says so, the reader keeps one."""
        if not report.passed:
            self.write("collect", id=report.nodeid or "(collection)", outcome=report.outcome, **describe(report))

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        """A test begins."""
        if not self.controller:
            self.write("start", id=nodeid, file=location[0], line=location[1])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A phase of a test ended; the controller speaks only of tests that took their worker with them."""
        known = report.when in PHASES
        if str(report.outcome) == "rerun" and not self.controller:  # pytest-rerunfailures is at work
            self.attempt(report.nodeid, [report])
            return
        if self.controller and (known or self.stopping):
            return
        self.write(
            "report",
            id=report.nodeid,
            when=report.when if known else "crash",
            outcome=report.outcome,
            seconds=getattr(report, "duration", 0.0),
            **since(report),
            **describe(report),
        )

    def attempt(self, nodeid: str, reports: list[pytest.TestReport]) -> None:
        """A test failed and is tried again."""
        bad = next((report for report in reports if report.outcome in ("failed", "rerun")), reports[-1])
        self.write(
            "attempt",
            id=nodeid,
            when=bad.when,
            seconds=sum(report.duration for report in reports),
            **describe(bad),
        )

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A test is over, teardown and all."""
        if not self.controller:
            self.write("finish", id=nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """The process is about to end."""
        self.finishing = True
        self.write("end", exit=int(exitstatus))


class Retrier:
    """Runs a failed test again in its place, its setup and teardown with it; fixtures of a wider scope stay.

    Those stay only if the test's setup passed: what failed there may be one of them, so all are made anew.
    """

    def __init__(self, retries: int, reporter: Reporter) -> None:
        self.retries = retries
        self.reporter = reporter

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Take the part of pytest's own protocol; only of the last attempt does anyone else hear."""
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for _attempt in range(self.retries):
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
            ending = self.reporter.stopping or item.session.shouldfail or item.session.shouldstop
            if ending or not any(report.failed for report in reports):
                for report in reports:
                    item.ihook.pytest_runtest_logreport(report=report)
                break
            self.reporter.attempt(item.nodeid, reports)
            if reports[0].failed:
                everything = partial(item.session._setupstate.teardown_exact, None)  # noqa: SLF001 - nothing else asks
                pytest.CallInfo.from_call(everything, when="teardown")  # a collector that failed for its setup again
            renew(item)
        else:
            runtestprotocol(item, nextitem=nextitem)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True


def renew(item: Any) -> None:  # noqa: ANN401 - what is taken from it is no part of pytest's interface
    """Take from a test what its last attempt left in it: captured output, and the instance of its class."""
    item._report_sections = []  # noqa: SLF001 - pytest has no other way
    if getattr(item, "cls", None) is not None:
        item.__dict__.pop("_instance", None)
        item._obj = None  # noqa: SLF001 - likewise


def since(report: Any) -> dict[str, float]:  # noqa: ANN401 - of every pytest since 7
    """When a phase ended: a report comes a little later, after the traceback was made into text."""
    stop = getattr(report, "stop", None)  # since pytest 7.2
    late = time.time() - stop if isinstance(stop, float) else 0.0
    return {"at": time.time() - late, "clock": time.monotonic() - late} if 0 < late < LATE else {}


def describe(report: Any) -> dict[str, object]:  # noqa: ANN401 - three kinds of report, of every pytest since 7
    """Why a report is not a plain pass: message, detail, captured output, and where it happened."""
    found: dict[str, object] = {}
    longrepr = report.longrepr
    if hasattr(report, "wasxfail"):
        found["xfail"] = clip(str(report.wasxfail), MESSAGE_LIMIT)
    elif report.outcome == "skipped":
        reason = longrepr[2] if isinstance(longrepr, tuple) else longrepr
        found["message"] = clip(str(reason or ""), MESSAGE_LIMIT)
    if report.outcome in ("failed", "rerun"):
        crash = getattr(longrepr, "reprcrash", None)
        detail = str(longrepr or "")
        last = detail.strip().splitlines()[-1:] or [""]
        found["message"] = clip(str(crash.message) if crash else last[0], MESSAGE_LIMIT)
        found["detail"] = clip(detail, DETAIL_LIMIT)
        found["sections"] = [[str(n), clip(str(t), SECTION_LIMIT)] for n, t in report.sections[-SECTIONS_LIMIT:]]
        if crash:
            found["crash"] = [str(crash.path), int(crash.lineno)]
    return found
