"""Understudy is killed in the middle of suites that print secrets: what lies there then, and what does not."""

from __future__ import annotations

import base64
import subprocess
import sys
import textwrap
from pathlib import Path

from support import wait_for

OWNER = """
    import pathlib, sys, threading
    from understudy.progress import silent
    from understudy.stacks.topology import Suite
    from understudy.suites.contract import Contract
    from understudy.suites.runner import run_suites
    project, folder, value = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    run_suites(
        [
            Suite("check", (sys.executable, "check.py"), timeout=60.0),
            Suite("api", ("pytest", "-q", "-s", "-p", "no:cacheprovider"), python=sys.executable, timeout=60.0),
        ],
        project=project,
        contract=Contract("e1", (), {"X": value}),
        folder=folder,
        workers=2,
        stop_after=1,
        stop=threading.Event(),
        listener=silent,
    )
"""
CHECK = """
    import base64, os, pathlib, time
    value = os.environ["UNDERSTUDY_SECRET_X"]
    pathlib.Path(os.environ["UNDERSTUDY_JUNIT"]).write_text(f"<testsuite name='{value}'>")
    pathlib.Path(os.environ["UNDERSTUDY_JUNIT"]).with_name("dump.txt").write_text(value)
    print("plain", value)
    print("encoded", base64.b64encode(f"user:{value}".encode()).decode(), "until here;", value[:12], end="", flush=True)
    time.sleep(60)
"""
API = """
    import os, time
    def test_tells():
        assert True, os.environ["UNDERSTUDY_SECRET_X"]
    def test_warns():
        import pytest
        pytest.skip(os.environ["UNDERSTUDY_SECRET_X"])
    def test_waits():
        print("in the middle of", os.environ["UNDERSTUDY_SECRET_X"], "a line", end="", flush=True)
        time.sleep(60)
"""


def test_after_sigkill_nothing_of_a_secret_lies_anywhere(tmp_path: Path) -> None:
    value = "generated-0123456789"
    project, folder, temporary = (tmp_path / name for name in ("project", "run", "tmp"))
    for each in (project, folder, temporary):
        each.mkdir()
    (project / "check.py").write_text(textwrap.dedent(CHECK))
    (project / "test_api.py").write_text(textwrap.dedent(API))
    arguments = (sys.executable, "-c", textwrap.dedent(OWNER), project, folder, value)
    log, results, output = (
        folder / "suites" / name for name in ("check/output.log", "api/results.jsonl", "api/output.log")
    )
    with subprocess.Popen(arguments, env={"TMPDIR": str(temporary), "PATH": "/usr/bin:/bin"}) as understudy:
        try:
            wait_for(lambda: log.exists() and b"until here;" in log.read_bytes(), what="the output of a command")
            wait_for(lambda: output.exists() and b"a line" in output.read_bytes(), what="the output of pytest")
            wait_for(lambda: results.exists() and b"test_warns" in results.read_bytes(), what="results")
            raw = [path for path in temporary.rglob("*") if path.is_file() and value.encode() in path.read_bytes()]
            modes = [path.stat().st_mode & 0o777 for path in temporary.iterdir()]
        finally:
            understudy.kill()

    assert {path.name for path in raw} >= {"output.log", "results.jsonl", "reported.xml", "dump.txt", "contract.json"}
    assert modes == [0o700]
    wait_for(lambda: not list(temporary.iterdir()), what="the end of the private folder")
    assert log.read_bytes() == b"plain [secret]\nencoded dXNlcjp[secret]Q== until here; "
    assert b"in the middle of [secret] a line" in output.read_bytes()
    assert results.read_bytes().count(b"[secret]") >= 1
    forms = [value.encode(), value[:12].encode(), base64.b64encode(value.encode())[:16]]
    forms += [base64.b64encode(b"user:" + value.encode())[8:24]]
    for path in folder.rglob("*"):
        if path.is_file():
            assert not [form for form in forms if form in path.read_bytes()], path
            assert path.stat().st_mode & 0o777 == 0o600, path


def test_only_the_folder_that_was_given_is_removed(tmp_path: Path) -> None:
    from understudy.suites import keeper

    mine, elsewhere = tmp_path / "mine", tmp_path / "elsewhere"
    for each in (mine, elsewhere):
        each.mkdir()
    (elsewhere / "kept").touch()
    identity = mine.stat()
    (mine / "link").symlink_to(elsewhere)
    ids = (str(identity.st_dev), str(identity.st_ino))

    def keep(path: Path) -> int:
        given = (sys.executable, "-I", "-S", keeper.__file__, "0", str(path), *ids)
        return subprocess.run(given, stdin=subprocess.DEVNULL, check=False, timeout=30).returncode

    assert keep(elsewhere) == 0  # another folder, now at that path
    (tmp_path / "to-mine").symlink_to(mine)
    assert keep(tmp_path / "to-mine") == 0
    assert (mine / "link").is_symlink()
    assert keep(mine) == 0
    assert not mine.exists()
    assert (elsewhere / "kept").exists()
