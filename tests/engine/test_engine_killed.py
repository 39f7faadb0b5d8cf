from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from understudy.engine.interface import StackRef
from understudy.engine.pulumi_cli import find
from understudy.engine.pulumi_engine import PulumiEngine
from understudy.engine.settings import EngineSettings

pytestmark = pytest.mark.pulumi

REF = StackRef("killed", "one")
LIMIT = 30.0

PARENT = """
import os, sys, threading
from pathlib import Path
import pulumi
from understudy.engine.interface import StackRef
from understudy.engine.pulumi_engine import PulumiEngine
from understudy.engine.settings import EngineSettings

class Part(pulumi.ComponentResource):
    def __init__(self):
        super().__init__("test:index:Part", "part")
        self.register_outputs({})

def program():
    Part().urn.apply(lambda _: threading.Event().wait())

PulumiEngine(EngineSettings.from_environment(Path(sys.argv[1]))).up(StackRef("killed", "one"), program)
"""


def until(condition: Callable[[], object]) -> None:
    limit = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def test_a_killed_parent_leaves_no_lock_no_cli_and_a_stack_that_can_be_destroyed(tmp_path: Path) -> None:
    cli = find()
    assert cli is not None
    settings = EngineSettings.from_environment(cli.path, {"XDG_STATE_HOME": str(tmp_path)})
    settings.prepare()
    folder = settings.backend_folder
    assert folder is not None
    locks = folder / ".pulumi" / "locks" / "organization" / "killed" / "one"
    (tmp_path / "tmp").mkdir()
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "TMPDIR": str(tmp_path / "tmp")}

    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(cli.path)], env=environment)
    try:
        until(lambda: parent.poll() is not None or list(locks.glob("*.json")))
        until(lambda: parent.poll() is not None or "part" in _state(folder))
        (lock,) = locks.glob("*.json")
        child = json.loads(lock.read_text(encoding="utf-8"))["pid"]
        assert alive(child)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()

    until(lambda: not alive(child))
    assert list(locks.glob("*.json")) == []
    engine = PulumiEngine(settings)
    assert [summary.ref for summary in engine.list()] == [REF]
    assert '"pending_operations"' not in _state(folder)
    engine.destroy(REF)
    assert engine.list() == ()


def _state(folder: Path) -> str:
    try:
        return (folder / ".pulumi" / "stacks" / "killed" / "one.json").read_text(encoding="utf-8")
    except OSError:
        return ""
