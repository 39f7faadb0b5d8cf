"""A suite's processes on the host: whatever they try, none is left when the suite is over."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import wait_for

from understudy.suites import process
from understudy.suites.launch import host_process
from understudy.suites.process import PlainProcess, SuiteProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="subreapers are Linux's")

ESCAPE = """
    import os, pathlib, signal, sys, time
    def daemon(name, *, clear=True, ignore=True):
        '''A process in a session of its own, its parent gone, its environment empty, deaf to SIGTERM.'''
        if os.fork():
            while not pathlib.Path(name).exists():
                time.sleep(0.005)
            return
        os.setsid()
        if os.fork():
            os._exit(0)
        code = (
            "import os, pathlib, signal, time\\n"
            + ("signal.signal(signal.SIGTERM, signal.SIG_IGN)\\n" if ignore else "")
            + f"pathlib.Path({name!r} + '.new').write_text(str(os.getpid())); os.rename({name!r} + '.new', {name!r})\\n"
            + "time.sleep(60)"
        )
        os.execve(sys.executable, [sys.executable, "-c", code], {} if clear else dict(os.environ))
"""


class Box:
    """Commands in a folder of this test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "output.log"

    def start(self, code: str, how: Callable[..., SuiteProcess] = host_process) -> SuiteProcess:
        (self.folder / "suite.py").write_text(textwrap.dedent(ESCAPE) + textwrap.dedent(code))
        mark = {process.MARK: str(self.folder / "results.jsonl"), "PATH": os.environ["PATH"]}
        return how([sys.executable, "suite.py"], folder=self.folder, environment=mark, log=self.log)

    def pid(self, name: str) -> int:
        path = self.folder / name
        wait_for(path.exists, what=name)
        return int(path.read_text())

    def alive(self, *names: str) -> list[str]:
        return [name for name in names if running(self.pid(name))]

    def everybody(self) -> list[int]:
        """All processes whose working folder is this one: a suite's cannot hide that without naming another."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and (entry / "cwd").readlink() == self.folder and running(int(entry.name)):
                    found.append(int(entry.name))
        return found


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path)
    yield box
    for pid in box.everybody():  # a test that fails leaves nothing either
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def end(suite: SuiteProcess) -> None:
    """What the test stage does with a suite that has ended or has to."""
    wait_for(lambda: suite.exit_code is not None or suite.stopping, what="the command's end")
    suite.stop()
    wait_for(suite.gone, what="the end of all processes")


def test_what_leaves_session_and_environment_does_not_survive(box: Box) -> None:
    suite = box.start("daemon('escaped')")

    end(suite)

    assert suite.exit_code == 0
    assert box.alive("escaped") == []
    assert box.everybody() == []


def test_all_get_the_grace_and_then_none_is_left(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE", 20.0)
    suite = box.start(
        """
        def last(*_):
            pathlib.Path("last").touch()
            sys.exit(7)
        signal.signal(signal.SIGTERM, last)
        daemon("polite", ignore=False)
        pathlib.Path("ready").touch()
        time.sleep(60)
        """
    )
    wait_for((box.folder / "ready").exists)

    suite.stop()
    wait_for(suite.gone)

    assert suite.exit_code == 7
    assert (box.folder / "last").exists()
    assert box.alive("polite") == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("sys.exit(0)", 0),
        ("sys.exit(255)", 255),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.abort()", -signal.SIGABRT),
    ],
)
def test_the_exit_code_is_the_commands(box: Box, code: str, expected: int) -> None:
    suite = box.start(code)

    end(suite)

    assert suite.exit_code == expected


def test_a_command_that_is_not_there_is_told_by_the_system(box: Box) -> None:
    with pytest.raises(FileNotFoundError):
        host_process(["./nothing"], folder=box.folder, environment={}, log=box.log)
    with pytest.raises(FileExistsError):
        host_process(["true"], folder=box.folder, environment={"PATH": os.environ["PATH"]}, log=box.log)


def test_a_suite_gets_its_environment_and_nothing_else(box: Box) -> None:
    code = "import os, sys; print(sorted(os.environ)); print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1])"
    given = {"PATH": os.environ["PATH"], "A": "b=\nc", "EMPTY": ""}

    suite = host_process([sys.executable, "-E", "-c", code], folder=box.folder, environment=given, log=box.log)
    end(suite)

    names, descriptors = box.log.read_text().splitlines()
    assert set(names.strip("[]").replace("'", "").split(", ")) - {"LC_CTYPE"} == {"PATH", "A", "EMPTY"}
    assert descriptors == "[0, 1, 2]"


def test_a_process_that_is_always_a_new_one_is_caught(box: Box) -> None:
    code = """
        if not os.fork():
            os.setsid()
            os.environ.clear()
            pathlib.Path("runs").touch()
            while True:
                if os.fork():
                    os._exit(0)
        while not pathlib.Path("runs").exists():
            time.sleep(0.005)
    """
    suite = box.start(code)

    end(suite)

    assert suite.survivors() == ()
    assert box.everybody() == []


def test_a_crowd_that_forks_on_is_caught(box: Box) -> None:
    code = """
        import resource
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        first = os.getpid()
        for _ in range(3):  # 27 processes
            if not os.fork() and not os.fork():
                os.setsid()
        if os.getpid() == first:
            sys.exit(0)
        while True:
            if not os.fork():
                os._exit(0)
            os.wait()
    """
    suite = box.start(code)

    end(suite)

    assert suite.survivors() == ()
    assert box.everybody() == []


def test_a_suite_that_kills_its_supervisor_does_not_outlive_it(box: Box) -> None:
    suite = box.start("daemon('marked', clear=False)\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)")

    end(suite)

    assert suite.exit_code == -signal.SIGKILL
    assert box.alive("marked") == []
    assert box.everybody() == []


def test_a_suite_that_stops_its_supervisor_is_ended_all_the_same(box: Box) -> None:
    suite = box.start("daemon('escaped')\nos.kill(os.getppid(), signal.SIGSTOP)\ntime.sleep(60)")
    box.pid("escaped")

    suite.stop()
    wait_for(suite.gone)

    assert box.everybody() == []


@pytest.mark.parametrize("forged", ["", "code x", "left 1"])
def test_a_suite_that_speaks_for_its_supervisor_is_ended_all_the_same(box: Box, forged: str) -> None:
    suite = box.start(
        f"""
        import os
        pathlib.Path("said.new").write_text(str(os.getpid()))
        os.rename("said.new", "said")
        for number in os.listdir(f"/proc/{{os.getppid()}}/fd"):
            path = f"/proc/{{os.getppid()}}/fd/{{number}}"
            if int(number) > 2 and os.readlink(path).startswith("pipe:"):
                try:
                    out = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
                except OSError:
                    continue
                os.write(out, {forged!r}.encode("latin-1") + b"\\n")
        time.sleep(60)
        """
    )
    box.pid("said")
    suite.stop()
    wait_for(suite.gone, what="the end of the suite")

    assert box.everybody() == []
    assert suite.survivors() == ()
    assert suite.exit_code == -signal.SIGTERM


@pytest.mark.parametrize("named", ["1", "{os.getpid()}"])
def test_a_suite_that_ends_its_supervisor_and_names_who_is_left_is_ended_all_the_same(box: Box, named: str) -> None:
    suite = box.start(
        f"""
        import os
        supervisor = os.getppid()
        os.kill(supervisor, signal.SIGSTOP)
        for number in os.listdir(f"/proc/{{supervisor}}/fd"):
            path = f"/proc/{{supervisor}}/fd/{{number}}"
            if int(number) > 2 and os.readlink(path).startswith("pipe:"):
                with open(os.open(path, os.O_WRONLY | os.O_NONBLOCK), "w") as out:
                    print(f"left {named}", file=out)
        os.kill(supervisor, signal.SIGKILL)
        pathlib.Path("said.new").write_text(str(os.getpid()))
        os.rename("said.new", "said")
        time.sleep(60)
        """
    )
    box.pid("said")
    end(suite)

    assert box.everybody() == []
    assert suite.survivors() == ()


def test_when_understudy_is_killed_its_suites_end(box: Box) -> None:
    owner = f"""
        import pathlib, sys, time
        from understudy.suites.launch import host_process
        folder = pathlib.Path({str(box.folder)!r})
        suite = host_process(
            [sys.executable, "suite.py"], folder=folder, environment={{"PATH": "/bin"}}, log=folder / "output.log"
        )
        time.sleep(60)
    """
    (box.folder / "suite.py").write_text(textwrap.dedent(ESCAPE) + "daemon('escaped')\ntime.sleep(60)")
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(owner)], cwd="/") as understudy:
        box.pid("escaped")
        understudy.kill()

    wait_for(lambda: not box.everybody(), what="the end of the suite")


def test_without_a_subreaper_session_and_mark_say_whose_a_process_is(box: Box) -> None:
    suite = box.start("daemon('marked', clear=False)", PlainProcess)

    end(suite)

    assert suite.exit_code == 0
    assert box.alive("marked") == []


def test_a_stop_does_not_wait_for_what_ends_at_once(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE", 300.0)  # what waited for the grace would not end within this test
    suite = box.start("pathlib.Path('ready').touch()\ntime.sleep(60)")
    wait_for((box.folder / "ready").exists)

    suite.stop()
    wait_for(suite.gone)

    assert suite.exit_code == -signal.SIGTERM
