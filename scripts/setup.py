"""`make setup`: what the demo and the tests need, made in two lanes if it is missing; a second when all is there."""

from __future__ import annotations

import operator
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import setup_actionlint
import setup_chromium
import setup_compose
import setup_docker
import setup_images
import setup_registry
import setup_venv
from machine import ROOT, RUNS, Problem, exclusive

__all__ = ["main"]

Step = tuple[str, Callable[[], str]]


def _pulumi() -> str:
    """In the virtual environment, since the installer is the SDK's; its progress is shown as it comes."""
    command = [str(ROOT / ".venv" / "bin" / "python"), "-m", "understudy.engine.pulumi_cli"]
    said: list[str] = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr or ():
            if line.startswith("  "):
                print(line, end="", flush=True)
            else:
                said.append(line.strip())
        path = process.stdout.read().strip() if process.stdout else ""
    if process.returncode != 0:
        raise Problem(" ".join(said))
    return path


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


def _or_said(step: Callable[[], str]) -> str:
    """Only tests and benchmark need it: where it cannot be made, those say so themselves."""
    try:
        return step()
    except Problem as problem:
        return f"not made, so that the tests which need it cannot run: {problem}"


LANES: tuple[tuple[Step, ...], ...] = (
    (("virtual environment", setup_venv.ensure), ("Pulumi CLI", _pulumi)),
    (("Docker Engine", setup_docker.ensure), ("base images", lambda: setup_images.ensure(_say))),
)
"""Neither lane needs what the other makes. Go builds stay in one: each takes all cores and gigabytes of memory."""

FOR_TESTS: tuple[tuple[Step, ...], ...] = (
    (
        ("Compose CLI", lambda: _or_said(lambda: setup_compose.ensure(_say))),
        ("actionlint", lambda: _or_said(setup_actionlint.ensure)),
    ),
    (
        ("Chromium", lambda: _or_said(setup_chromium.ensure)),
        ("registry", lambda: _or_said(setup_registry.ensure)),
    ),
)
"""What each lane goes on with."""


def main(arguments: list[str]) -> int:
    """Take both lanes at once (`--no-test-tools`: without the tools of tests and benchmark); 1 when a step fails."""
    os.environ["PATH"] = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"
    lanes = LANES if "--no-test-tools" in arguments else tuple(map(operator.add, LANES, FOR_TESTS))
    failed = threading.Event()
    with exclusive(), ThreadPoolExecutor(len(lanes)) as pool:
        try:
            for done in [pool.submit(_take, lane, failed) for lane in lanes]:
                done.result()
        except KeyboardInterrupt:
            failed.set()
            RUNS.end()
            raise
    return 1 if failed.is_set() else 0


def _take(lane: tuple[Step, ...], failed: threading.Event) -> None:
    """Take a lane's steps in their order, until one fails, here or in the other lane."""
    for name, step in lane:
        if failed.is_set():
            return
        started = time.monotonic()
        try:
            result = step()
        except Problem as problem:
            failed.set()
            print(f"setup: {name}: {problem}", file=sys.stderr)
            return
        print(f"setup: {name}: {result} ({time.monotonic() - started:.1f} s)", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
