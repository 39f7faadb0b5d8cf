"""The virtual environment of setup: left alone, brought up to date, made anew, and what of it is compiled."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from setup_modules import load, own_folders
from support import ROOT

machine, venv, aws_e2e = load("machine"), load("setup_venv"), load("setup_aws_e2e")


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return own_folders(tmp_path, monkeypatch)


def checkout(folder: Path, pins: str = "") -> Path:
    folder.mkdir()
    (folder / "requirements.txt").write_text(pins, encoding="utf-8")
    (folder / "requirements-dev.txt").write_text("-r requirements.txt\n", encoding="utf-8")
    (folder / "share" / "understudy" / "plugins").mkdir(parents=True)
    (folder / "share" / "understudy" / "plugins" / "pulumi-resource-docker").write_text("#!/bin/sh\n", encoding="utf-8")
    (folder / "pyproject.toml").write_text("", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a finished environment whose Python is this one, made without pip's seconds."""
    root = checkout(tmp_path_factory.mktemp("venv") / "checkout")
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (root / ".venv" / ".understudy-stamp").write_text(venv.fingerprint(root), encoding="utf-8")
    return root


def test_an_environment_is_left_alone_while_the_pins_stay(finished: Path) -> None:
    assert venv.ensure(finished) == "up to date"


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would be run, in short, instead of running it."""
    done: list[str] = []

    def run(command: tuple[str, ...], **_rest: object) -> str:
        done.append(command[2])
        if command[2] == "venv":
            target = Path(command[3]) / "bin" / "python"
            target.parent.mkdir(parents=True)
            target.symlink_to(sys.executable)
        return ""

    monkeypatch.setattr(venv, "run", run)
    return done


def copied(finished: Path, target: Path) -> Path:
    shutil.copytree(finished, target, symlinks=True)
    (target / ".venv" / ".understudy-stamp").write_text(venv.fingerprint(target), encoding="utf-8")
    return target


def test_changed_pins_are_installed_into_it(finished: Path, tmp_path: Path, steps: list[str]) -> None:
    root = copied(finished, tmp_path / "c")
    (root / "requirements.txt").write_text("six==1\n", encoding="utf-8")
    assert venv.ensure(root) == "brought up to date"
    assert steps == ["pip"]
    assert venv.ensure(root) == "up to date"


@pytest.mark.parametrize("damage", ["half-made", "moved", "no python", "absent"])
def test_what_cannot_be_trusted_is_made_anew(finished: Path, tmp_path: Path, steps: list[str], damage: str) -> None:
    root = copied(finished, tmp_path / "c")
    if damage == "half-made":
        (root / ".venv" / ".understudy-making").touch()
    elif damage == "moved":
        root = root.rename(tmp_path / "d")
    elif damage == "no python":
        (root / ".venv" / "bin" / "python").unlink()
    else:
        shutil.rmtree(root / ".venv")
    assert venv.ensure(root) == "made"
    assert steps == ["venv", "pip"]
    assert venv.ensure(root) == "up to date"


def test_a_failed_installation_is_begun_anew(
    finished: Path, tmp_path: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = copied(finished, tmp_path / "c")
    (root / "pyproject.toml").write_text("# new\n", encoding="utf-8")
    works = venv.run

    def fails(_command: tuple[str, ...], **_rest: object) -> str:
        raise machine.Problem("no network")

    monkeypatch.setattr(venv, "run", fails)
    with pytest.raises(machine.Problem):
        venv.ensure(root)
    monkeypatch.setattr(venv, "run", works)
    assert venv.ensure(root) == "made"
    assert steps == ["venv", "pip"]


def test_an_environment_that_was_made_by_hand_is_kept(finished: Path, tmp_path: Path, steps: list[str]) -> None:
    root = copied(finished, tmp_path / "c")
    (root / ".venv" / ".understudy-stamp").unlink()
    assert venv.ensure(root) == "brought up to date"
    assert steps == ["pip"]


def test_what_is_installed_is_compiled_but_the_parts_of_aws_that_nobody_imports(
    finished: Path, tmp_path: Path, steps: list[str]
) -> None:
    root = copied(finished, tmp_path / "c")
    package = root / ".venv" / "lib" / "site-packages" / "pulumi_aws"
    for name in ("__init__.py", "ecs/service.py", "ec2transitgateway/route.py", "../boto3/ec2/deep.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("x = 1\n", encoding="utf-8")
    (package / "broken.py").write_text("x =\n", encoding="utf-8")
    (root / ".venv" / ".understudy-stamp").unlink()
    assert venv.ensure(root) == "brought up to date"
    assert steps == ["pip"]
    made = {path.name.partition(".")[0] for path in package.parent.rglob("*.pyc")}
    assert made == {"__init__", "service", "deep"}


def test_what_was_changed_of_ours_is_compiled_at_each_setup(finished: Path, tmp_path: Path) -> None:
    root = copied(finished, tmp_path / "c")
    module = root / "stacks" / "plain.py"
    module.parent.mkdir()
    module.write_text("x = 1\n", encoding="utf-8")
    assert venv.ensure(root) == "up to date"
    (compiled,) = root.rglob("plain.*.pyc")
    first = compiled.read_bytes()
    module.write_text("x = 1\ny = 2\n", encoding="utf-8")
    os.utime(module, (2e9, 2e9))  # it goes by whole seconds
    assert venv.ensure(root) == "up to date"
    assert compiled.read_bytes() != first


def test_the_parts_of_aws_that_are_compiled_are_those_that_components_and_tests_import() -> None:
    folders = (ROOT / "components" / "aws", ROOT / "tests" / "aws" / "provider")
    texts = "".join(path.read_text(encoding="utf-8") for folder in folders for path in folder.glob("*.py"))
    named = re.findall(r"\baws\.(\w+)\.[A-Z]|\"aws:(\w+)/", texts)
    assert {each for pair in named for each in pair if each} == set(venv.AWS)


def test_ministack_has_an_environment_and_pins_of_its_own(finished: Path, tmp_path: Path, steps: list[str]) -> None:
    root = copied(finished, tmp_path / "c")
    pins = root / aws_e2e.PINS
    pins.parent.mkdir(parents=True)
    pins.write_text("ministack==1\n", encoding="utf-8")
    assert aws_e2e.ensure(root) == "made"
    assert aws_e2e.python(root).is_file()
    assert (aws_e2e.ensure(root), venv.ensure(root)) == ("up to date", "up to date")
    pins.write_text("ministack==2\n", encoding="utf-8")
    assert (aws_e2e.ensure(root), venv.ensure(root)) == ("brought up to date", "up to date")
    assert steps == ["venv", "pip", "pip"]
