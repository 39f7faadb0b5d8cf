"""`make setup`: what the demo and the tests need, made if it is missing; a second when all is there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

import setup_actionlint
import setup_chromium
import setup_compose
import setup_docker
import setup_images
import setup_venv
from machine import ROOT, Problem, exclusive

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


STEPS: tuple[Step, ...] = (
    ("virtual environment", setup_venv.ensure),
    ("Docker Engine", setup_docker.ensure),
    ("Pulumi CLI", _pulumi),
    ("base images", lambda: setup_images.ensure(_say)),
)


FOR_TESTS: tuple[Step, ...] = (
    ("Compose CLI", lambda: _or_said(lambda: setup_compose.ensure(_say))),
    ("actionlint", lambda: _or_said(setup_actionlint.ensure)),
    ("Chromium", lambda: _or_said(setup_chromium.ensure)),
)


def main(arguments: list[str]) -> int:
    """Take the steps in their order (`--no-test-tools`: without those of tests and benchmark); 1 when one fails."""
    os.environ["PATH"] = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"
    with exclusive():
        for name, step in (*STEPS, *(() if "--no-test-tools" in arguments else FOR_TESTS)):
            started = time.monotonic()
            try:
                result = step()
            except Problem as problem:
                print(f"setup: {name}: {problem}", file=sys.stderr)
                return 1
            print(f"setup: {name}: {result} ({time.monotonic() - started:.1f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
