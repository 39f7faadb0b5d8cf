"""A disk that is full while evidence is written: the environment goes all the same, and what is missing is said."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from support import UNDERSTUDY, Project

from understudy.report import RunRecord

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

LOUD = """\
services:
  loud:
    image: busybox:1.35
    command: [sh, -c, "head -c 3000000 /dev/zero | tr '\\\\0' 'x' | fold -w 1000; echo; httpd -f -p 8080"]
    ports: ["8080"]
  quiet:
    image: busybox:1.35
    command: [sh, -c, "echo here; httpd -f -p 8080"]
    expose: ["8080"]
x-understudy:
  tests:
    none: {command: ["true"]}
"""

SMALL = """\
mount -t tmpfs -o size=700k tmpfs "$1" || exit 99
"$2" run --progress plain --runs "$1"
code=$?
cp -a "$1/." "$3"
exit $code
"""
"""Runs on a disk of 700 kB that only this process and its children see, and keeps what was written there."""


def test_a_full_disk_is_exit_code_6_and_the_environment_is_gone(
    small: Callable[[str], Project], tmp_path: Path
) -> None:
    if os.getuid() != 0:
        pytest.skip("mounting a small disk needs root")
    project = small(LOUD)
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    kept.mkdir()
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", SMALL, "sh", disk, UNDERSTUDY, kept],
        cwd=project.folder,
        env=project.env,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    if done.returncode == 99:
        pytest.skip("no disk can be mounted here")
    text = done.stdout + done.stderr
    assert done.returncode == 6, text
    assert "receipt: CLEAN" in text
    assert "No space left on device" in text
    assert "loud.log could not be written" in text
    assert project.leases() == []
    folder = (kept / "understudy-runs" / "latest").resolve()
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    Draft202012Validator(RunRecord.json_schema()).validate(record)
    assert [path.name for path in folder.rglob(".*")] == [], "nothing half-written stays"
    quiet = (folder / "logs" / "quiet.log").read_text(encoding="utf-8")
    assert quiet.endswith("here\n") or "quiet.log could not be written" in text
    for path in folder.rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))
    for path in folder.rglob("*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            json.loads(line)
