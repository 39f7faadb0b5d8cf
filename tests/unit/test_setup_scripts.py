from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from setup_modules import load, own_folders, script
from support import ROOT

machine, images, docker, setup = (load(f) for f in ("machine", "setup_images", "setup_docker", "setup"))


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return own_folders(tmp_path, monkeypatch)


def test_a_command_gives_its_output_and_leaves_it_in_the_log() -> None:
    assert machine.run(("sh", "-c", "echo out; echo err >&2"), limit=10) == "out\n"
    log = machine.log_file().read_text(encoding="utf-8")
    assert "$ sh -c 'echo out; echo err >&2'\nout\nerr\n" in log


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("sh", "-c", "echo first; echo 'no space left' >&2; exit 3"), "no space left"),
        (("sh", "-c", "exit 7"), "exit code 7"),
        (("no-such-program", "x"), "could not be started"),
        (("sleep", "30"), "took longer than 0.3 s"),
    ],
)
def test_a_command_that_fails_is_one_sentence(command: tuple[str, ...], told: str) -> None:
    with pytest.raises(machine.Problem, match=told) as caught:
        machine.run(command, limit=10 if command[0] != "sleep" else 0.3)
    assert "\n" not in str(caught.value)


def test_a_command_that_takes_too_long_ends_with_what_it_started(folders: Path) -> None:
    script = f"sleep 60 & echo $! > {folders}/part; mv {folders}/part {folders}/pid; wait"
    with pytest.raises(machine.Problem, match="took longer"):
        machine.run(("sh", "-c", script), limit=3)
    child = Path(f"/proc/{int((folders / 'pid').read_text())}/stat")
    end = time.monotonic() + 20
    while alive(child):
        assert time.monotonic() < end, "what the command started still runs"
        time.sleep(0.05)


def alive(stat: Path) -> bool:
    """Whether a process is there and no zombie, by its line in /proc."""
    try:
        return stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_an_image_of_half_a_file_system_gets_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    debian_root, done = load("debian_root"), []
    pipe, sink = debian_root._pipe, ("sh", "-c", "cat > /dev/null; echo sha256:1")
    monkeypatch.setattr(debian_root, "run", lambda command, limit: done.append(command))  # noqa: ARG005 - as run is called
    monkeypatch.setattr(debian_root, "_pipe", lambda *_: pipe(("sh", "-c", "echo half; exit 2"), sink))
    with pytest.raises(machine.Problem, match="2 and 0"):
        debian_root._import(Path("/root-of-debian"), "debian:x", {})
    assert done == [("docker", "rmi", "--", "sha256:1")]
    monkeypatch.setattr(debian_root, "_pipe", lambda *_: pipe(("echo", "whole"), sink))
    debian_root._import(Path("/root-of-debian"), "debian:x", {})
    assert done[1:] == [("docker", "tag", "--", "sha256:1", "debian:x")]


def test_every_image_of_the_manifest_has_a_recipe_and_comes_after_its_base() -> None:
    seen: list[str] = []
    for image in images.read_manifest():
        folder = ROOT / "images" / image.recipe
        assert folder.is_dir()
        if image.base:
            text = (folder / "Dockerfile").read_text(encoding="utf-8")
            named = {line.split()[1] for line in text.splitlines() if line.startswith("FROM ")}
            assert named <= {image.base, "scratch"}
            assert image.base in seen
        seen.append(image.tag)
    assert len(set(seen)) == len(seen)


@pytest.fixture
def recipes(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    for name in ("base", "one", "two"):
        (folder / name).mkdir(parents=True)
        (folder / name / "Dockerfile").write_text(name, encoding="utf-8")
    entries = [{"tag": "base:1", "recipe": "base"}] + [
        {"tag": f"{name}:1", "recipe": name, "base": "base:1"} for name in ("one", "two")
    ]
    (folder / "manifest.json").write_text(json.dumps(entries), encoding="utf-8")
    return folder


def inspected(folder: Path, *tags: str) -> list[dict[str, object]]:
    """What the daemon tells of images that this very recipe made."""
    listed = images.read_manifest(folder)
    return [
        {
            "RepoTags": [image.tag, "other:2"],
            "Config": {
                "Labels": {images.CACHE_LABEL: "base", images.RECIPE_LABEL: images.recipe(image, listed, folder)}
            },
        }
        for image in listed
        if image.tag in tags
    ]


def lacking(folder: Path, facts: list[dict[str, object]]) -> list[str]:
    return [image.tag for image in images.missing(images.read_manifest(folder), facts, folder)]


def test_what_the_daemon_lacks_is_missing(recipes: Path) -> None:
    assert lacking(recipes, []) == ["base:1", "one:1", "two:1"]
    assert lacking(recipes, inspected(recipes, "base:1", "two:1")) == ["one:1"]
    assert lacking(recipes, inspected(recipes, "base:1", "one:1", "two:1")) == []


def test_one_of_ours_is_made_again_when_its_recipe_or_its_base_changed(recipes: Path) -> None:
    facts = inspected(recipes, "base:1", "one:1", "two:1")
    (recipes / "one" / "Dockerfile").write_text("changed", encoding="utf-8")
    assert lacking(recipes, facts) == ["one:1"]
    (recipes / "base" / "apt.conf").write_text("new", encoding="utf-8")
    assert lacking(recipes, facts) == ["base:1", "one:1", "two:1"]


def test_a_script_that_may_be_run_is_another_recipe(recipes: Path) -> None:
    facts = inspected(recipes, "base:1", "one:1", "two:1")
    (recipes / "two" / "Dockerfile").chmod(0o755)
    assert lacking(recipes, facts) == ["two:1"]


@pytest.mark.parametrize("config", [{"Labels": None}, {"Labels": {"maintainer": "someone"}}, {}])
def test_a_published_image_is_never_made_again(recipes: Path, config: dict[str, object]) -> None:
    facts: list[dict[str, object]] = [{"RepoTags": [tag], "Config": config} for tag in ("base:1", "one:1", "two:1")]
    assert lacking(recipes, facts) == []


def test_no_engine_where_docker_host_points_is_told_and_nothing_is_started(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(folders / "bin" / "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    script(folders / "bin" / "dockerd", f"touch {folders}/started")
    monkeypatch.setenv("PATH", str(folders / "bin"))
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:1")
    with pytest.raises(machine.Problem, match=r"DOCKER_HOST is tcp://10\.0\.0\.1:1.*Cannot connect"):
        docker.ensure()
    assert not (folders / "started").exists()


def test_a_running_engine_is_used(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(folders / "bin" / "docker", "echo 20.10.24")
    monkeypatch.setenv("PATH", str(folders / "bin"))
    assert docker.ensure() == "20.10.24 answers"


@pytest.fixture
def daemon(folders: Path, monkeypatch: pytest.MonkeyPatch) -> docker.Daemon:
    """A stand-in dockerd that refuses a pid file, and a docker CLI that asks whether it is there."""
    ready, pid_file = folders / "ready", folders / "run" / "docker.pid"
    runs = f'[ "$(cat /proc/$(cat {pid_file})/comm)" = dockerd ]'
    script(folders / "bin" / "docker", f"[ -e {ready} ] && {runs} && echo 1.2.3")
    shutil.copy("/bin/sleep", folders / "bin" / "dockerd")  # the process's name is what is looked at
    start = (
        f"[ -e {pid_file} ] && echo 'pid file found' && exit 1; echo $$ > {pid_file}; touch {ready}; exec dockerd 60"
    )
    monkeypatch.setenv("PATH", f"{folders / 'bin'}:{os.environ['PATH']}")
    (folders / "run" / "containerd").mkdir(parents=True)
    return docker.Daemon(("sh", "-c", start), "", pid_file, folders / "run", folders / "logs" / "dockerd.log")


@contextlib.contextmanager
def started(daemon: docker.Daemon) -> Iterator[subprocess.Popen[bytes]]:
    process = daemon.start(limit=20)
    assert process is not None
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_daemon_is_started_past_pid_files_of_another_boot(daemon: docker.Daemon) -> None:
    containerd = daemon.run_folder / "containerd" / "containerd.pid"
    for stale in (daemon.pid_file, containerd):
        stale.write_text(f"{os.getpid()}\n", encoding="ascii")  # it runs, and is no dockerd
    with started(daemon) as process:
        assert daemon.answers() == "1.2.3"
        assert not containerd.exists()
        assert int(daemon.pid_file.read_text(encoding="ascii")) == process.pid
        assert os.getsid(process.pid) == process.pid


def test_one_that_runs_already_is_waited_for(daemon: docker.Daemon) -> None:
    with started(daemon):
        before = daemon.pid_file.read_text(encoding="ascii")
        assert daemon.start(limit=20) is None
        assert daemon.pid_file.read_text(encoding="ascii") == before


def test_a_daemon_that_ends_is_quoted(folders: Path, daemon: docker.Daemon) -> None:
    broken = docker.Daemon(
        ("sh", "-c", "echo starting; echo 'failed to start daemon: no cgroups' >&2; exit 1"),
        pid_file=daemon.pid_file,
        run_folder=daemon.run_folder,
        log=folders / "d.log",
    )
    with pytest.raises(machine.Problem, match="failed to start daemon: no cgroups"):
        broken.start(limit=20)


@pytest.mark.parametrize("arguments", [[], ["--no-test-tools"]])
def test_setup_goes_on_without_the_tools_of_tests_and_says_so(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> str:
        raise machine.Problem("no such thing here")

    monkeypatch.setattr(setup, "LANES", ((), ()))
    monkeypatch.setattr(setup.setup_compose, "ensure", fails)
    monkeypatch.setattr(setup.setup_actionlint, "ensure", fails)
    monkeypatch.setattr(setup.setup_chromium, "ensure", fails)
    monkeypatch.setattr(setup.setup_registry, "ensure", fails)
    assert setup.main(arguments) == 0
    said = capsys.readouterr().out
    for tool in ("Compose CLI", "actionlint", "Chromium", "registry"):
        told = f"setup: {tool}: not made, so that the tests which need it cannot run: no such thing here"
        assert (told in said) == (not arguments)


def test_a_chromium_on_path_is_taken_and_a_missing_one_installed_where_that_can_be(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chromium, installed = load("setup_chromium"), []
    monkeypatch.setenv("PATH", str(folders / "bin"))
    monkeypatch.setattr(chromium, "can_install", lambda: False)
    with pytest.raises(machine.Problem, match="no Chromium is on PATH"):
        chromium.ensure()
    monkeypatch.setattr(chromium, "can_install", lambda: True)
    monkeypatch.setattr(chromium, "install", installed.append)
    with pytest.raises(machine.Problem, match="not on PATH"):
        chromium.ensure()
    monkeypatch.setattr(chromium, "install", lambda _: script(folders / "bin" / "chromium", "exit 0"))
    assert chromium.ensure() == f"{folders}/bin/chromium installed"
    assert chromium.ensure() == f"{folders}/bin/chromium"
    assert installed == ["chromium"]


def test_the_registry_is_unpacked_once_and_not_installed(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry, asked = load("setup_registry"), folders / "asked"
    monkeypatch.setenv("PATH", f"{folders / 'bin'}:/usr/bin:/bin")
    script(folders / "bin" / "apt-get", f'echo "$@" >> {asked}; test "$1" = update || touch docker-registry_1_all.deb')
    script(
        folders / "bin" / "dpkg-deb",
        'mkdir -p "$3/usr/bin" && cd "$3/usr/bin" && echo "#!/bin/sh" > docker-registry && chmod +x docker-registry',
    )
    monkeypatch.setattr(registry, "can_install", lambda: False)
    with pytest.raises(machine.Problem, match="Debian's package docker-registry"):
        registry.ensure()
    monkeypatch.setattr(registry, "can_install", lambda: True)
    place = registry.command_path()
    assert registry.ensure() == f"{place} unpacked"
    assert registry.ensure() == str(place)
    assert [each.name for each in place.parent.iterdir()] == ["docker-registry"]
    assert asked.read_text(encoding="utf-8") == "download -q docker-registry\n"
