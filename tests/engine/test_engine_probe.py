from __future__ import annotations

import os
from pathlib import Path

import pytest

from understudy.engine.factory import make_engine
from understudy.engine.probe import probe
from understudy.engine.pulumi_cli import find
from understudy.engine.pulumi_engine import PulumiEngine
from understudy.engine.settings import EngineSettings
from understudy.errors import ToolError

pytestmark = pytest.mark.pulumi


def settings(tmp_path: Path, script: str) -> EngineSettings:
    """Settings with a CLI that is a shell script before the real one; `log` has a line for each call."""
    cli = find()
    assert cli is not None
    path = tmp_path / "pulumi"
    real = f'exec "{cli.path}" "$@"'
    path.write_text(f'#!/bin/sh\necho "$*" >> "{tmp_path}/log"\n{script}\n{real}\n', encoding="utf-8")
    path.chmod(0o755)
    made = EngineSettings.from_environment(path, {"XDG_STATE_HOME": str(tmp_path / "state")})
    made.prepare()
    return made


def calls(tmp_path: Path) -> int:
    return len((tmp_path / "log").read_text(encoding="utf-8").splitlines())


def test_a_cli_is_probed_once_until_it_changes(tmp_path: Path) -> None:
    given = settings(tmp_path, "")
    assert isinstance(make_engine(given), PulumiEngine)
    assert calls(tmp_path) == 4  # version, stack init, up, destroy
    assert isinstance(make_engine(given), PulumiEngine)
    assert probe(given).three_process
    assert calls(tmp_path) == 4
    later = given.cli.stat().st_mtime_ns + 1_000_000_000
    os.utime(given.cli, ns=(later, later))
    probe(given)
    assert calls(tmp_path) == 8


@pytest.mark.parametrize("flag", ["--client", "--event-log"])
def test_a_cli_without_a_hidden_flag_is_remembered_as_such(tmp_path: Path, flag: str) -> None:
    refuse = f'case "$*" in *{flag}*) echo "error: unknown flag: {flag}" >&2; exit 255;; esac'
    given = settings(tmp_path, refuse)
    found = probe(given)
    assert not found.three_process
    assert flag in found.reason
    known = calls(tmp_path)
    assert probe(given) == found
    assert calls(tmp_path) == known


def test_a_failure_that_may_pass_is_not_remembered(tmp_path: Path) -> None:
    once = f'if [ ! -e "{tmp_path}/failed" ]; then case "$*" in *init*) touch "{tmp_path}/failed"; exit 1;; esac; fi'
    given = settings(tmp_path, once)
    assert not probe(given).three_process
    assert probe(given).three_process


@pytest.mark.parametrize("script", ["echo hello; exit 0", "echo broken >&2; exit 3"])
def test_what_is_no_pulumi_is_refused(tmp_path: Path, script: str) -> None:
    with pytest.raises(ToolError, match="for its version"):
        probe(settings(tmp_path, script))


def test_a_cli_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="/nowhere/pulumi"):
        probe(EngineSettings.from_environment(Path("/nowhere/pulumi"), {"XDG_STATE_HOME": str(tmp_path)}))
