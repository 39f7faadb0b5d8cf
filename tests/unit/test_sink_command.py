from __future__ import annotations

import json
import os
import shlex
import sys
import threading
from pathlib import Path

import pytest
from support import wait_for

from understudy.errors import UsageError
from understudy.export.sinks import Outbox, Sink, SinkError, Stage, open_outbox
from understudy.export.sinks.budget import Budget
from understudy.export.sinks.interface import Delivery
from understudy.options import Options, resolve
from understudy.progress import Progress, State, silent
from understudy.redact import Redactor


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "understudy-runs" / "20260102T030405Z-e1"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    return folder


def python(code: str, *arguments: str) -> str:
    return shlex.join([sys.executable, "-c", code, *arguments])


def outbox(folder: Path, *exports: str, host: dict[str, str] | None = None, **options: object) -> Outbox:
    made = Options(export=exports, **options)  # type: ignore[arg-type]  # options by name
    return open_outbox(made, folder, {**os.environ, **(host or {})})


def send(box: Outbox, run: Path, stage: Stage = Stage.FINAL, secret: str = "") -> list[str]:
    redactor = Redactor([secret] if secret else [])
    errors = box.send(run, stage, stop=threading.Event(), listener=silent, redactor=redactor)
    return [str(error) for error in errors]


TELL = "import json, os, sys; json.dump([sys.argv[1:], dict(os.environ)], open('told.json', 'w'))"


def test_a_command_gets_the_folder_and_an_allow_list_of_variables(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not yours")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "nor this")
    box = outbox(
        tmp_path, python(TELL, "$(touch x); `touch y`"), host={"TOKEN": "hunter22"}, export_variable=("TOKEN",)
    )
    assert send(box, run) == []
    arguments, variables = json.loads((tmp_path / "told.json").read_text())
    assert arguments == ["$(touch x); `touch y`", str(run)]
    assert variables["UNDERSTUDY_RUN"] == str(run)
    assert variables["UNDERSTUDY_EXPORT_STAGE"] == "final"
    assert ("TOKEN", "hunter22") in variables.items()
    assert not {"AWS_SECRET_ACCESS_KEY", "PULUMI_CONFIG_PASSPHRASE"} & variables.keys()
    send(outbox(tmp_path, python(TELL, "--from={run}", "there")), run)
    assert json.loads((tmp_path / "told.json").read_text())[0] == [f"--from={run}", "there"]


def test_its_output_lies_in_the_folder_without_secrets(run: Path, tmp_path: Path) -> None:
    code = "import os, sys; print('of the run: generated', 'given:', os.environ['TOKEN']); sys.exit(3)"
    box = outbox(tmp_path, python(code), host={"TOKEN": "hunter22"}, export_variable=("TOKEN",), export_retries=0)
    (error,) = send(box, run, secret="generated")
    log = (run / "exports" / f"1-{Path(sys.executable).name}.log").read_text()
    for text in (error, log, box.records[0].message):
        assert "of the run: [secret] given: [secret]" in text
    assert "exit code 3" in error
    assert f"understudy export {run.name}" in error
    assert "import os" not in box.records[0].sink, "arguments may hold what others must not read"


FLAKY = """
import pathlib, sys
tries = pathlib.Path("tries")
tries.write_text((tries.read_text() if tries.exists() else "") + "x")
sys.exit(len(tries.read_text()) < 3)
"""


def test_a_command_that_fails_is_tried_again(run: Path, tmp_path: Path) -> None:
    box = outbox(tmp_path, python(FLAKY))
    heard: list[Progress] = []
    assert box.send(run, Stage.FINAL, stop=threading.Event(), listener=heard.append) == ()
    assert (box.records[0].ok, box.records[0].attempts) == (True, 3)
    assert [event.state for event in heard] == [State.STARTED, State.WARNING, State.WARNING, State.DONE]


HANG = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child: open("pids", "w").write(f"{os.getpid()} {child} ")
time.sleep(600)
"""


@pytest.mark.parametrize("how", ["timeout", "signal"])
def test_a_command_that_hangs_is_ended_with_all_that_it_started(
    run: Path, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.export.sinks.budget.HURRY", 1.0)
    box = outbox(tmp_path, python(HANG), export_timeout=5.0 if how == "timeout" else 120.0)
    pids = tmp_path / "pids"
    stop = threading.Event()

    def signal_once_both_run() -> None:
        wait_for(lambda: pids.exists() and pids.read_text().endswith(" "))
        stop.set()

    if how == "signal":
        threading.Thread(target=signal_once_both_run, daemon=True).start()
    (error,) = box.send(run, Stage.FINAL, stop=stop, listener=silent)
    assert ("its 5 s are over" if how == "timeout" else "a signal came") in str(error)
    started = [int(pid) for pid in pids.read_text().split()]
    wait_for(lambda: not any(map(alive, started)), what="the end of what was killed")  # nobody waits for a grandchild
    assert not box.records[0].ok


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_one_that_failed_is_not_asked_again_and_the_others_are(run: Path, tmp_path: Path) -> None:
    fails = python("import sys; open('failed', 'a').write('x'); sys.exit(1)")
    works = python("import os; open('worked', 'a').write(os.environ['UNDERSTUDY_EXPORT_STAGE'] + ' ')")
    box = outbox(tmp_path, fails, works, export_retries=0)
    assert len(send(box, run, Stage.EVIDENCE)) == 1
    assert send(box, run, Stage.FINAL) == []
    assert (tmp_path / "failed").read_text() == "x"
    assert (tmp_path / "worked").read_text() == "evidence final "
    assert [record.ok for record in box.records] == [False, True]


class Stuck:
    """A sink that hangs in the kernel, as a file system of a network may."""

    name = "stuck"

    def __init__(self) -> None:
        self.free = threading.Event()

    def check(self) -> str:
        return ""

    def send(self, _delivery: Delivery, _budget: Budget) -> None:
        self.free.wait()


class Broken(Stuck):
    """A sink with a defect."""

    name = "broken"

    def send(self, _delivery: Delivery, _budget: Budget) -> None:
        raise KeyError("ETag")


def test_whatever_a_sink_does_the_work_goes_on(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.export.sinks.outbox._OVERRUN", 0.0)
    stuck: Sink = Stuck()
    box = Outbox([stuck, Broken()], timeout=0.2)
    assert len(send(box, run)) == 2
    assert ["left behind" in record.message or "ETag" in record.message for record in box.records] == [True, True]
    stuck.free.set()  # type: ignore[attr-defined]  # of the stand-in


def test_tries_stop_when_time_is_over() -> None:
    spent = Budget(retries=1000, timeout=0.1, stop=threading.Event(), first=0.01)
    tried = []

    def step() -> None:
        tried.append(1)
        raise SinkError("no", again=True)

    with pytest.raises(SinkError, match="no"):
        spent.run(step, again=lambda _error: True)
    assert 1 <= len(tried) < 1000


@pytest.mark.parametrize(
    ("export", "said"),
    [
        ("ftp://host/x", "only s3:// is known"),
        ("'open", "No closing quotation"),
        ("''", "it is empty"),
        ("no-such-program-of-any-kind --x", "is not there"),
        ("./none", "is not there"),
    ],
)
def test_an_unusable_sink_is_refused(tmp_path: Path, export: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        outbox(tmp_path, export).check()


def test_variables_that_are_never_handed_on_or_not_set_are_refused(tmp_path: Path) -> None:
    for name, said in (("PULUMI_CONFIG_PASSPHRASE", "never are"), ("NOT_SET_ANYWHERE", "is not set")):
        with pytest.raises(UsageError, match=said):
            outbox(tmp_path, "true", export_variable=(name,))


def test_the_file_may_name_a_command_as_a_list(tmp_path: Path) -> None:
    config = tmp_path / "understudy.toml"
    config.write_text('export = ["s3://bucket/ci", ["rclone", "copy", "{run}", "remote:a b"]]\nexport_retries = 0\n')
    options = resolve({}, {}, config)
    assert options.export == ("s3://bucket/ci", "rclone copy '{run}' 'remote:a b'")
    assert options.export_retries == 0
    assert resolve({}, {"UNDERSTUDY_EXPORT": "s3://a,true"}, None).export == ("s3://a", "true")
