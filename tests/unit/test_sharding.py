"""One run over several parts, with scripts in the place of the parts: who ends whom, and what comes of it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from history_data import a_run, suite

from understudy.cli import cli
from understudy.console import PlainConsole
from understudy.errors import HaltedError, ProvisionError, TestsFailedError, UnderstudyError, UsageError
from understudy.halts import VARIABLE, Halt, halting_line
from understudy.interrupts import Interrupts
from understudy.options import Options, resolve
from understudy.progress import Phase, Progress, State
from understudy.report import CauseRecord, RunRecord
from understudy.report.moments import Moment
from understudy.shard_process import ShardProcess, arguments_of, event_of, shares_of
from understudy.shard_tally import Tally
from understudy.sharding import Split
from understudy.suites.shards import Shard

HEAD = """\
import json, os, pathlib, signal, sys, time
given = dict(word.removeprefix("--").split("=", 1) for word in sys.argv[1:])
here = pathlib.Path(__file__).parent

def say(phase, state, subject="", detail=""):
    told = {"phase": phase, "state": state, "subject": subject, "detail": detail, "seconds": None, "at": time.time()}
    print(json.dumps(told), flush=True)

def record():
    place = pathlib.Path(given["runs"], "understudy-runs", "stamp-e" + given["shard"][0])
    place.mkdir(parents=True)
    (place / "run.json").write_text((here / ("record-" + given["shard"][0])).read_text())

def touch(name):
    (here / (name + given["shard"][0])).touch()

def halted():
    return os.read(int(os.environ["UNDERSTUDY_HALT_FD"]), 65536).decode()

def wait(name):
    until = time.monotonic() + 30
    while not (here / name).exists() and time.monotonic() < until:
        time.sleep(0.01)

"""
FAILS = 'say("test", "failed", "api: t1", "assert 0")\nrecord()\nsys.exit(1)\n'
HALTED = '(here / "said").write_text(halted())\nrecord()\nsys.exit(1)\n'


class Fake:
    """Parts that are scripts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shown = io.StringIO()

    def body(self, index: int, text: str) -> None:
        (self.folder / f"part-{index}.py").write_text(HEAD + text)

    def command(self, arguments: Any) -> list[str]:
        (shard,) = (word.partition("=")[2] for word in arguments if word.startswith("--shard="))
        return [sys.executable, str(self.folder / f"part-{shard[0]}.py"), *arguments]

    def record(self, record: RunRecord) -> None:
        (self.folder / f"record-{record.shard[0]}").write_text(record.to_json())

    def split(self, stop_after: int | None = 1, interrupts: Interrupts | None = None, patience: float = 60.0) -> Split:
        place = self.folder / "place"
        place.mkdir()
        console = PlainConsole(self.shown)
        split = Split(2, Tally(stop_after), console, interrupts or Interrupts(lambda _: None), patience=patience)
        shards = [Shard(1, 2), Shard(2, 2)]
        commands = [
            (s, self.command([f"--shard={s}", f"--runs={place / str(s).replace('/', '-of-')}"])) for s in shards
        ]
        split.run(place, iter(commands))
        return split


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    made = Fake(tmp_path)
    for index in (1, 2):
        made.record(part(index))
    return made


def part(index: int, outcome: str = "passed", **fields: Any) -> RunRecord:
    ran = suite("api", {f"t{index}": (outcome, 1.0)})
    ran = replace(ran, elsewhere=tuple({"t1", "t2"} - {f"t{index}"}))
    end = {"ended": Moment("2026-01-01T00:00:00.000000Z"), "commit": "c" * 40, "environment": f"e{index}"}
    return a_run(index, ran, shard=f"{index}/2", **{**end, **fields})


def failed(record: RunRecord, error: UnderstudyError) -> RunRecord:
    return record.with_cause(CauseRecord.of(error, "test"))


def test_a_failed_test_in_one_part_ends_the_other_with_the_cause(fake: Fake) -> None:
    fake.body(1, FAILS)
    fake.body(2, HALTED)
    split = fake.split()
    said = json.loads((fake.folder / "said").read_text())
    assert said["why"] == "part 1/2: test t1 failed in suite api"
    assert abs(time.time() - said["at"]) < 60
    assert split.codes == {Shard(1, 2): 1, Shard(2, 2): 1}
    assert "FAILED 1/2 api: t1: assert 0" in fake.shown.getvalue()


def test_without_fail_fast_no_part_ends_another(fake: Fake) -> None:
    fake.body(1, FAILS)
    fake.body(
        2,
        'time.sleep(0.2)\nos.set_blocking(int(os.environ["UNDERSTUDY_HALT_FD"]), False)\ntry:\n'
        "    halted()\nexcept BlockingIOError:\n    sys.exit(0)\nsys.exit(9)\n",
    )
    assert fake.split(stop_after=None).codes == {Shard(1, 2): 1, Shard(2, 2): 0}


def test_a_part_that_is_killed_ends_the_other_and_is_told_of_with_its_environment(fake: Fake) -> None:
    fake.body(1, "record()\nos.kill(os.getpid(), signal.SIGKILL)\n")
    fake.body(2, HALTED)
    split = fake.split()
    assert "part 1/2: its process was ended by SIGKILL" in (fake.folder / "said").read_text()
    (cause,) = split.causes()
    assert (cause.code, "Ran part 1/2" in cause.message) == (3, True)
    assert "understudy down e1" in cause.message


def test_a_signal_reaches_each_part_once(fake: Fake) -> None:
    body = (
        'got = []\nsignal.signal(signal.SIGTERM, lambda *_: got.append(1))\ntouch("ready")\n'
        "while not got:\n    time.sleep(0.01)\n"
        "time.sleep(0.2)\nsys.exit(100 + len(got))\n"
    )
    fake.body(1, body)
    fake.body(2, body)
    interrupts = Interrupts(lambda _: None)

    def strike() -> None:
        while not all((fake.folder / f"ready{index}").exists() for index in (1, 2)):
            time.sleep(0.01)
        interrupts.stop.set()

    threading.Thread(target=strike, daemon=True).start()
    assert fake.split(interrupts=interrupts).codes == {Shard(1, 2): 101, Shard(2, 2): 101}


def test_what_does_not_end_in_time_is_killed(fake: Fake) -> None:
    for index in (1, 2):
        fake.body(index, "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)\n")
    interrupts = Interrupts(lambda _: None)
    interrupts.stop.set()
    assert set(fake.split(interrupts=interrupts, patience=0.3).codes.values()) <= {-signal.SIGKILL, -signal.SIGTERM}


def test_a_second_signal_says_what_remains_of_each_part(fake: Fake) -> None:
    interrupts = Interrupts(lambda _: None)
    said: list[str] = []

    def ask() -> None:
        while not (fake.folder / "there1").exists() or not (fake.folder / "there2").exists():
            time.sleep(0.01)
        said.append(interrupts.rest.remains())
        (fake.folder / "go").touch()

    for index in (1, 2):
        fake.body(index, 'record()\ntouch("there")\nwait("go")\n')
    threading.Thread(target=ask, daemon=True).start()
    fake.split(interrupts=interrupts)
    assert [f"understudy down e{index}" in said[0] for index in (1, 2)] == [True, True]
    assert interrupts.rest.remains() == "Nothing remains."


def test_a_second_signal_makes_parts_hand_over_and_waits_for_them(fake: Fake) -> None:
    body = (
        'signal.signal(signal.SIGINT, lambda *_: (touch("asked"), sys.exit(130)))\ntouch("there")\n'
        "while True:\n    time.sleep(0.01)\n"
    )
    for index in (1, 2):
        fake.body(index, body)
    interrupts = Interrupts(lambda _: None)

    def strike() -> None:
        while not all((fake.folder / f"there{index}").exists() for index in (1, 2)):
            time.sleep(0.01)
        assert interrupts.rest.hand_over(asked=False) == ""
        assert not (fake.folder / "asked1").exists()
        interrupts.rest.hand_over(asked=True)

    threading.Thread(target=strike, daemon=True).start()
    assert fake.split(interrupts=interrupts).codes == {Shard(1, 2): 130, Shard(2, 2): 130}


@pytest.fixture
def split_run(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(fake.folder)
    monkeypatch.setattr(ShardProcess, "command", staticmethod(fake.command))
    for name in ("GITHUB_ACTIONS", "UNDERSTUDY_SHARDS", "UNDERSTUDY_SHARD"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli, ["run", "--shards", "2", "--history", "h.sqlite", *words])

    return run


def joined(fake: Fake) -> dict[str, Any]:
    data = json.loads((fake.folder / "understudy-runs/latest/run.json").read_text())
    assert isinstance(data, dict)
    return data


def test_the_parts_become_one_run(fake: Fake, split_run: Callable[..., Result]) -> None:
    for index in (1, 2):
        fake.body(index, 'record()\nassert given["shards"] == "1" and given["commit"] == "main"\n')
    done = split_run("--commit", "main", "--format", "json")
    assert done.exit_code == 0, (done.output, done.exception)
    assert json.loads(done.stdout)["run"] == joined(fake)["run"]
    runs = [
        path.name for path in (fake.folder / "understudy-runs").iterdir() if path.is_dir() and not path.is_symlink()
    ]
    assert runs == [joined(fake)["run"]]
    assert [each["folder"] for each in joined(fake)["parts"]] == ["parts/1-of-2", "parts/2-of-2"]
    assert (fake.folder / "understudy-runs/latest/parts/2-of-2/run.json").is_file()
    assert "parts/1-of-2/run.json" in joined(fake)["files"]


@pytest.mark.parametrize(
    ("first", "code", "message"),
    [
        (TestsFailedError("Tests failed."), 1, "part 1/2: Tests failed."),
        (ProvisionError("Waited for web."), 3, "part 1/2: Waited for web."),
    ],
)
def test_the_exit_code_is_that_of_the_part_that_was_the_cause(
    fake: Fake, split_run: Callable[..., Result], first: UnderstudyError, code: int, message: str
) -> None:
    fake.record(failed(part(2), HaltedError("Stopped: part 1/2.")))
    fake.record(failed(part(1), first))
    fake.body(1, f"record()\nsys.exit({code})\n")
    fake.body(2, "record()\nsys.exit(1)\n")
    assert split_run().exit_code == code
    assert joined(fake)["exit_code"] == code
    assert joined(fake)["causes"][0]["message"] == message


def test_a_part_that_dies_fails_the_whole_and_loses_nothing(fake: Fake, split_run: Callable[..., Result]) -> None:
    fake.record(part(1, ended=None))
    fake.body(1, "record()\nos.kill(os.getpid(), signal.SIGKILL)\n")
    fake.body(2, "record()\n")
    assert split_run().exit_code == 3
    told = [cause["message"] for cause in joined(fake)["causes"]]
    assert "SIGKILL" in told[0]
    assert any("part 1/2 did not end" in message for message in told)
    assert (fake.folder / "understudy-runs/latest/parts/1-of-2/run.json").is_file()


def test_parts_that_never_began_leave_nothing_but_their_reason(fake: Fake, split_run: Callable[..., Result]) -> None:
    for index in (1, 2):
        fake.body(index, 'print("understudy: no such commit", file=sys.stderr)\nsys.exit(2)\n')
    done = split_run()
    assert isinstance(done.exception, UsageError)
    assert "no such commit" in str(done.exception)
    assert [path.name for path in (fake.folder / "understudy-runs").iterdir()] == [".gitignore"]


@pytest.mark.parametrize(
    ("words", "message"),
    [(("--shard", "1/2"), "drop one"), (("--workers", "1"), "each needs one"), (("--export", "s4://x"), "s4")],
)
def test_what_cannot_be_split_is_refused_before_anything_is_made(
    fake: Fake, split_run: Callable[..., Result], words: tuple[str, ...], message: str
) -> None:
    done = split_run(*words)
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
    assert not (fake.folder / "understudy-runs").exists()


def test_a_part_is_given_what_the_whole_was_given() -> None:
    flags = {"commit": "-x", "fail_fast": False, "dirty": None, "set": ("A=1", "B=2"), "shard": "", "ttl": "2h"}
    words = arguments_of(flags, {"shards": 1, "shard": "1/2"})
    again = CliRunner().invoke(cli, ["run", *words, "--no-such"])
    assert "--no-such" in again.output, "the last is the first that is not known"
    assert sorted(words) == sorted(
        ["--set=A=1", "--set=B=2", "--commit=-x", "--ttl=2h", "--no-fail-fast", "--shards=1", "--shard=1/2"]
    )
    assert resolve({}, {"UNDERSTUDY_SHARDS": "3"}, None).shards == 3
    assert Options().shards == 1
    assert (shares_of(5, 2), shares_of(1, 3)) == ((3, 2), (1, 1, 1))


def heard(*events: tuple[int, Phase, str, str], stop_after: int | None = 1) -> str:
    tally = Tally(stop_after)
    for index, phase, subject, detail in events:
        tally.hear(Shard(index, 2), Progress(phase, State.FAILED, subject, detail))
    return tally.reason.why if tally.reason else ""


def test_failures_are_counted_over_all_parts() -> None:
    t1, t2 = (1, Phase.TEST, "api: t1", "no"), (2, Phase.TEST, "api: t2", "no")
    ends = (1, Phase.TEST, "api", "1 of 2 tests failed")
    assert heard(t1) == "part 1/2: test t1 failed in suite api"
    assert heard(t1, ends, stop_after=2) == "", "the suite's end is no second failure"
    assert heard(t1, t2, stop_after=2) == "part 2/2: 2 tests failed, the last of them: test t2 failed in suite api"
    assert heard((1, Phase.TEST, "api", "timeout")) == "part 1/2: suite api: timeout"
    assert heard((2, Phase.PROVISION, "", "web\ndid not start")) == "part 2/2: web did not start"
    assert heard((2, Phase.PROVISION, "container web", "x"), (2, Phase.DESTROY, "", "x")) == ""
    assert heard(t1, t2, stop_after=None) == ""


@pytest.mark.parametrize("line", [b"", b"{}", b"[1]", b"nonsense", b'{"phase": "dance", "state": "done"}', b"\xff"])
def test_what_is_no_event_is_none(line: bytes) -> None:
    assert event_of(line) is None


def test_a_part_hears_why_it_has_to_end_and_that_nobody_is_left() -> None:
    there, tell = os.pipe()
    lost = threading.Event()
    variables = {VARIABLE: str(there)}
    halt = Halt.of(variables, lost.set)
    assert variables == {}, "nothing that a part starts is told"
    os.write(tell, halting_line("part 2/2: x", time.time() - 1.0))
    until = time.monotonic() + 30
    while halt.said is None and time.monotonic() < until:
        time.sleep(0.01)
    assert halt.said is not None
    assert halt.said.why == "part 2/2: x"
    assert halt.said.since <= time.monotonic() - 1.0
    assert not lost.is_set()
    os.close(tell)
    assert lost.wait(30)


def test_parts_outlive_a_killed_parent_and_hear_of_it(fake: Fake) -> None:
    body = 'touch("up")\nassert halted() == ""\ntouch("end")\n'
    for index in (1, 2):
        fake.body(index, body)
    program = (
        "import pathlib, sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "from test_sharding import Fake\n"
        f"Fake(pathlib.Path({str(fake.folder)!r})).split()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program])
    appears(fake.folder / "up1", fake.folder / "up2")
    parent.kill()
    parent.wait()
    appears(fake.folder / "end1", fake.folder / "end2")


def appears(*paths: Path) -> None:
    until = time.monotonic() + 30
    while not all(path.exists() for path in paths):
        assert time.monotonic() < until, paths
        time.sleep(0.01)


def test_a_part_takes_no_module_from_the_folder_that_it_runs_in(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise SystemExit('taken')\n")
    command = ShardProcess.command(["--help"])
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "--shards" in done.stdout) == (0, True), done.stderr
