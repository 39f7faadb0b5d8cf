from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from support import ROOT

pytestmark = pytest.mark.xdist_group("wheel")

PLUGIN = "share/understudy/plugins/pulumi-resource-docker"
HEAVY = {"docker", "grpc", "jsonschema", "pulumi", "pulumi_docker", "rich", "ruamel"}


def call(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout; with hatchling at hand no index is asked."""
    folder = tmp_path_factory.mktemp("wheel")
    here = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps")
    call(*pip, *here, "--wheel-dir", folder, "--", ROOT, cwd=folder)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment's `bin`: the wheel as pip installs it, its dependencies from the environment of the tests."""
    venv = tmp_path_factory.mktemp("fresh") / "venv"
    call(sys.executable, "-m", "venv", "--without-pip", venv, cwd=venv.parent)
    python = venv / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, "install", "--quiet")
    call(*pip, "--no-deps", "--no-index", "--", wheel, cwd=venv.parent)
    where = call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=venv.parent).strip()
    # The .pth files in there are not followed: the editable install of this checkout stays out of sight.
    (Path(where) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return python.parent


def of_the_checkout() -> set[str]:
    found = set()
    for folder, inner, files in os.walk(ROOT / "understudy", followlinks=True):
        inner[:] = [name for name in inner if name != "__pycache__"]
        found |= {str((Path(folder) / name).relative_to(ROOT)) for name in files}
    return found


def test_the_wheel_holds_the_package_whole_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        infos = {info.filename: info for info in archive.infolist() if not info.is_dir()}
    release = "-".join(wheel.name.split("-")[:2])
    assert {name.partition("/")[0] for name in infos} == {"understudy", f"{release}.dist-info", f"{release}.data"}
    packed = {name for name in infos if name.startswith("understudy/")}
    assert packed == of_the_checkout()
    assert packed >= {
        "understudy/stacks/topology.py",
        "understudy/stacks/sources/compose.py",
        "understudy/components/environment.py",
        "understudy/schemas/run.schema.json",
        "understudy/schemas/topology.schema.json",
        "understudy/engine/pulumi-language-python",
        "understudy/suites/pytest_plugin.py",
    }
    assert [name for name in infos if name.startswith(f"{release}.data/")] == [f"{release}.data/data/{PLUGIN}"]
    mode = infos[f"{release}.data/data/{PLUGIN}"].external_attr >> 16
    assert mode & 0o111 == 0o111, oct(mode)


def test_the_installed_command_works_from_another_folder(installed: Path, tmp_path: Path) -> None:
    where = "import understudy.stacks, understudy.components; print(understudy.__file__)"
    assert str(installed.parent) in call(installed / "python", "-c", where, cwd=tmp_path)
    assert call(installed / "understudy", "--version", cwd=tmp_path).startswith("understudy 0.")
    shown = call(installed / "understudy", "--help", cwd=tmp_path)
    assert all(f"\n  {command} " in shown for command in ("run", "up", "test", "down", "list", "logs", "doctor", "env"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.docker
def test_the_installed_doctor_finds_nothing_missing(installed: Path, tmp_path: Path) -> None:
    shown = call(installed / "understudy", "doctor", cwd=tmp_path)
    assert str(installed) in shown
    assert "MISSING" not in shown


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["down", "--help"]])
def test_help_imports_nothing_heavy(installed: Path, tmp_path: Path, arguments: list[str]) -> None:
    script = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: sys.stderr.write(json.dumps(sorted(sys.modules))))\n"
        "from understudy.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [installed / "python", "-c", script, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    imported = {name.partition(".")[0] for name in json.loads(done.stderr)}
    assert "click" in imported
    assert imported & HEAVY == set()


def test_the_installed_plugin_serves(installed: Path, tmp_path: Path) -> None:
    """Pulumi starts it with the engine's address and reads the port from the first line it prints."""
    plugin = installed.parent / PLUGIN
    with subprocess.Popen([plugin, "127.0.0.1:9"], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert 0 < int(process.stdout.readline()) < 65536
        finally:
            process.terminate()
            process.wait(timeout=20)
