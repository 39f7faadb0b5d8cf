"""Setup's two lanes: at once, ended together, and one at a time where Debian's packages are installed."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from setup_modules import load, own_folders

machine, setup = load("machine"), load("setup")


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return own_folders(tmp_path, monkeypatch)


def test_the_lanes_of_setup_go_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    both = threading.Barrier(2)

    def step() -> str:
        both.wait(timeout=60)
        return "made"

    monkeypatch.setattr(setup, "LANES", ((("one", step),), (("other", step),)))
    assert setup.main(["--no-test-tools"]) == 0
    assert {line.partition(" (")[0] for line in capsys.readouterr().out.splitlines()} == {
        "setup: one: made",
        "setup: other: made",
    }


def test_a_step_that_fails_is_told_and_no_lane_begins_another(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    both, told = threading.Barrier(2), threading.Event()

    class Shown(machine.Problem):
        def __str__(self) -> str:
            told.set()
            return "no network"

    def fails() -> str:
        both.wait(timeout=60)
        raise Shown

    def goes_on() -> str:
        both.wait(timeout=60)
        assert told.wait(timeout=60)
        return "made"

    monkeypatch.setattr(setup, "LANES", ((("one", fails), ("two", fails)), (("other", goes_on), ("last", goes_on))))
    assert setup.main(["--no-test-tools"]) == 1
    said = capsys.readouterr()
    assert said.err == "setup: one: no network\n"
    assert said.out.partition(" (")[0] == "setup: other: made"
    assert "last" not in said.out


def test_an_interrupt_ends_the_commands_of_every_lane(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = machine.Runs()
    monkeypatch.setattr(machine, "RUNS", runs)
    command = ("sh", "-c", f"echo $$ > {folders}/part; mv {folders}/part {folders}/pid; exec sleep 60")
    with ThreadPoolExecutor(1) as pool:
        lane = pool.submit(machine.run, command, limit=60)
        end = time.monotonic() + 30
        while not (folders / "pid").exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        runs.end()
        with pytest.raises(machine.Problem, match="exit code -9"):
            lane.result()
    with pytest.raises(ProcessLookupError):
        os.kill(int((folders / "pid").read_text(encoding="ascii")), 0)
    with pytest.raises(machine.Problem, match="interrupted"):
        machine.run(("true",), limit=10)


def test_packages_are_installed_one_lane_after_the_other(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folders / "bin").mkdir()
    stand_in = folders / "bin" / "apt-get"
    stand_in.write_text(
        f"#!/bin/sh\nmkdir {folders}/locked || exit 100\nsleep 0.2\nrmdir {folders}/locked\n", encoding="utf-8"
    )
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folders / 'bin'}:{os.environ['PATH']}")
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(machine.install, "chromium") for _ in range(4)]:
            done.result()
    assert "apt-get update" not in machine.log_file().read_text(encoding="utf-8")
