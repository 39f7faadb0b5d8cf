"""A pytest with xdist that is told to end after its workers died: it starts no other one in their place."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from support import ROOT, wait_for

PLUGINS = {"understudy_pytest.py": "pytest_plugin.py", "understudy_order.py": "pytest_order.py"}
TESTS = """
    import os, signal, time
    def test_dies():
        os.kill(os.getpid(), signal.SIGKILL)
    def test_slow():
        time.sleep(60)
"""


def test_the_controller_ends_although_a_dead_worker_has_failed_its_session(tmp_path: Path) -> None:
    for name, source in PLUGINS.items():
        shutil.copy(ROOT / "understudy" / "suites" / source, tmp_path / name)
    for name in ("test_a.py", "test_b.py"):
        (tmp_path / name).write_text(textwrap.dedent(TESTS))
    results = tmp_path / "results.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-p", "understudy_pytest", "-n", "2", "--maxfail", "1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "UNDERSTUDY_RESULTS": str(results)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )

    def events() -> list[dict[str, object]]:
        whole = results.read_text().splitlines() if results.exists() else []
        return [json.loads(line) for line in whole]

    def slow_begun() -> bool:
        return any(event["event"] == "start" and "test_slow" in str(event["id"]) for event in events())

    try:
        wait_for(slow_begun, 40, "a worker in the place of one that died")
        assert any(event.get("when") == "crash" for event in events())
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) != 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert not any(event["event"] == "finish" and "test_slow" in str(event["id"]) for event in events())
