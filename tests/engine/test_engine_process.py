from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from understudy.engine.process import Finished, run
from understudy.errors import ToolError

LIMIT = 20.0

COUNTS_SIGNALS = """
import signal, sys, time
from pathlib import Path
seen = Path(sys.argv[1])
def count(number, frame):
    with seen.open("a") as out:
        out.write("TERM\\n")
signal.signal(signal.SIGTERM, count)
seen.with_suffix(".ready").touch()
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end and not (seen.exists() and time.sleep(0.3) is None):
    time.sleep(0.01)
"""

NEVER_ENDS = """
import os, signal, subprocess, sys, time
from pathlib import Path
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
ready = Path(sys.argv[1])
ready.with_suffix(".part").write_text(str(child.pid))
ready.with_suffix(".part").rename(ready)
time.sleep(60)
"""


def until(condition: Callable[[], object]) -> None:
    limit = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def start(tmp_path: Path, *argv: str, **options: object) -> Finished:
    return run([sys.executable, *argv], env=dict(os.environ), cwd=tmp_path, folder=tmp_path, **options)  # type: ignore[arg-type]  # options of run by name


def test_code_and_texts_come_back_and_the_files_go(tmp_path: Path) -> None:
    code = "import sys; print('out'); sys.stderr.buffer.write(b'err\\xff'); sys.exit(3)"
    done = start(tmp_path, "-c", code)
    assert (done.code, done.stdout, done.stderr) == (3, "out\n", "err\ufffd")
    assert not done.stopped
    assert list(tmp_path.iterdir()) == []


def test_it_has_its_own_session_no_input_and_files_for_output(tmp_path: Path) -> None:
    code = (
        "import os, stat, sys; s = [os.fstat(n).st_mode for n in (0, 1, 2)];"
        "print(os.getsid(0) == os.getpid(), sys.stdin.read() == '', [stat.S_ISREG(m) for m in s[1:]])"
    )
    assert start(tmp_path, "-c", code).stdout.strip() == "True True [True, True]"


def test_a_cli_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="/nowhere/pulumi"):
        run(["/nowhere/pulumi"], env={}, cwd=tmp_path, folder=tmp_path)


def test_stop_sends_exactly_one_sigterm(tmp_path: Path) -> None:
    seen, stop = tmp_path / "seen", threading.Event()
    ready = seen.with_suffix(".ready")
    threading.Thread(target=lambda: (until(ready.exists), stop.set()), daemon=True).start()
    done = start(tmp_path, "-c", COUNTS_SIGNALS, str(seen), "30", stop=stop, grace=20)
    assert seen.read_text() == "TERM\n"
    assert done.stopped
    assert not done.killed
    assert done.code == 0


def test_a_watch_that_says_enough_sends_one_sigterm_and_is_no_stop(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    ready = seen.with_suffix(".ready")
    done = start(tmp_path, "-c", COUNTS_SIGNALS, str(seen), "30", watch=ready.exists, grace=20)
    assert seen.read_text() == "TERM\n"
    assert not done.stopped


def test_what_does_not_end_in_time_is_killed_with_its_group(tmp_path: Path) -> None:
    ready, stop = tmp_path / "ready", threading.Event()
    threading.Thread(target=lambda: (until(ready.exists), stop.set()), daemon=True).start()
    done = start(tmp_path, "-c", NEVER_ENDS, str(ready), stop=stop, grace=0.2)
    assert done.killed
    assert done.code == -signal.SIGKILL
    until(lambda: not alive(int(ready.read_text())))


def test_a_listener_that_raises_ends_the_process_first(tmp_path: Path) -> None:
    ready = tmp_path / "ready"

    def watch() -> bool:
        if ready.exists():
            raise KeyError("listener")
        return False

    with pytest.raises(KeyError, match="listener"):
        start(tmp_path, "-c", NEVER_ENDS, str(ready), watch=watch, grace=0.2)
    until(lambda: not alive(int(ready.read_text())))


def test_the_last_events_are_seen_after_the_end(tmp_path: Path) -> None:
    written = tmp_path / "written"
    seen: list[bool] = []
    start(
        tmp_path,
        "-c",
        "import sys; open(sys.argv[1], 'w')",
        str(written),
        watch=lambda: bool(seen.append(written.exists())),
    )
    assert seen[-1]


def test_a_limit_ends_it_and_is_told(tmp_path: Path) -> None:
    done = start(tmp_path, "-c", "import time; time.sleep(60)", limit=0.3)
    assert done.overran == 0.3
    assert done.code == -signal.SIGTERM
    assert not done.stopped
    assert start(tmp_path, "-c", "", limit=20).overran == 0


def test_without_a_process_handle_it_is_asked_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    assert start(tmp_path, "-c", "print(1)").stdout == "1\n"
