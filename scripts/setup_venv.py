"""The virtual environment: made once, brought up to date when the pins change, made anew when half-made or moved."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from machine import ROOT, Problem, can_install, install, run

__all__ = ["AWS", "MINIMUM", "ensure", "fingerprint"]

MINIMUM = (3, 11)
"""The oldest Python that pyproject.toml allows."""

AWS = (
    *("cloudwatch", "ec2", "ecr", "ecs", "elasticache", "iam", "lb", "rds", "s3"),
    *("secretsmanager", "servicediscovery", "sqs", "ssm", "vpc"),
)
"""The parts of pulumi_aws that components import, a fifth of its 117 MB."""

OWN = ("understudy", "stacks", "components")
"""What the commands import of ours: where Python may write no bytecode, each of them would compile it for 0.4 s."""

PINS = ("requirements.txt", "requirements-dev.txt", "pyproject.toml", "share/understudy/plugins/pulumi-resource-docker")


def fingerprint(root: Path, pins: Sequence[str] = PINS) -> str:
    """What the environment was made from: the place, and the content of the files with the pins."""
    digest = hashlib.sha256()
    for name in pins:
        digest.update((root / name).read_bytes() + b"\0")
    return f"{root}\n{digest.hexdigest()}\n"


def ensure(
    root: Path = ROOT,
    *,
    venv: Path | None = None,
    pins: Sequence[str] = PINS,
    requirements: str = "requirements-dev.txt",
) -> str:
    """Make `root/.venv` what the pins say; returns what was done.

    Args:
        root: the checkout.
        venv: another place than `.venv`.
        pins: the files that it is made anew for, once they change.
        requirements: the file of what is installed.

    Raises:
        Problem: Python is too old, or a package cannot be installed.
    """
    venv = venv or root / ".venv"
    stamp, making = venv / ".understudy-stamp", venv / ".understudy-making"
    wanted = fingerprint(root, pins)
    found = stamp.read_text(encoding="utf-8") if stamp.is_file() else ""
    runs = _runs(venv / "bin" / "python")
    if runs and found == wanted and not making.exists():
        _compile_own(root, venv)
        return "up to date"
    moved = bool(found) and found.splitlines()[0] != str(root)
    fresh = not runs or moved or making.exists()
    if fresh:
        _make(venv)
    making.touch()
    stamp.unlink(missing_ok=True)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-compile"]
    run([*pip, "-r", requirements], limit=900, folder=root)
    _compile(venv)
    _compile_own(root, venv)
    stamp.write_text(wanted, encoding="utf-8")
    making.unlink()
    return "made" if fresh else "brought up to date"


def _runs(python: Path) -> bool:
    check = f"import pip, sys; sys.exit(sys.version_info < {MINIMUM})"
    try:
        return subprocess.run([python, "-c", check], capture_output=True, check=False, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _compile(venv: Path) -> None:
    """Compile what is installed, side by side, but what is never imported of pulumi_aws: 15 s of processor time.

    What does not compile, as some packages bring such files, is left to its import.
    """
    never = rf"/pulumi_aws/(?!({'|'.join(AWS)})/)\w+/"
    command = [venv / "bin" / "python", "-m", "compileall", "-q", "-j", "0", "-x", never, venv / "lib"]
    subprocess.run(command, capture_output=True, check=False)


def _compile_own(root: Path, venv: Path) -> None:
    """Compile what was changed of ours since the last time."""
    if folders := [root / name for name in OWN if (root / name).is_dir()]:
        command = [venv / "bin" / "python", "-m", "compileall", "-q", *folders]
        subprocess.run(command, capture_output=True, check=False)


def _make(venv: Path) -> None:
    if sys.version_info < MINIMUM:
        raise Problem(
            f"{sys.executable} is Python {sys.version.split()[0]}; install 3.11 or newer, "
            "or name one: `make setup PYTHON=python3.12`"
        )
    if venv.exists():
        shutil.rmtree(venv)
    try:
        import ensurepip  # noqa: F401 - Debian leaves it out of its python3 package
    except ImportError:
        if not can_install():
            raise Problem(
                "Python has no ensurepip; install your system's package for it (Debian: python3-venv)"
            ) from None
        install("python3-venv")
    run([sys.executable, "-m", "venv", str(venv)], limit=120)
