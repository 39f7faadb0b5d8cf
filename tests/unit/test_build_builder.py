"""One build's process: its words are kept, its failure is told, and it ends when it is told to."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from understudy.build.builder import Builder, last_lines
from understudy.errors import InterruptedRunError, ProvisionError, ToolError
from understudy.stacks.topology import Build, Ulimit

FOREVER = """
import signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


@pytest.fixture
def builder() -> Builder:
    return Builder("docker", buildx=False)


def test_values_stand_in_the_argument_of_their_option() -> None:
    build = Build("x", target="--t", args={"--a": "$(b)"})
    arguments = (Path("/c"), Path("/c/D"), build, "t:1", {"k": "v"})
    assert Builder("docker", buildx=False).command(*arguments) == [
        *("docker", "build", "--force-rm", "--tag=t:1", "--file=/c/D"),
        *("--label=k=v", "--build-arg=--a=$(b)", "--target=--t", "--", "/c"),
    ]
    assert Builder("docker", buildx=True).command(*arguments)[1:3] == ["buildx", "build"]


def test_what_only_buildx_can_do_is_asked_of_it_alone() -> None:
    build = Build("x", ssh=("default",), entitlements=("network.host",))
    arguments = (Path("/c"), Path("/c/D"), build, "t:1", {})
    more = {"contexts": {"base": "docker-image://b:1"}, "secrets": {"token": Path("/c/token")}}
    command = Builder("docker", buildx=True).command(*arguments, **more)
    assert command[7:-2] == [
        "--build-context=base=docker-image://b:1",
        "--secret=id=token,src=/c/token",
        "--ssh=default",
        "--allow=network.host",
    ]
    with pytest.raises(ToolError, match="needs further contexts and secrets and SSH keys and entitlements") as caught:
        Builder("docker", buildx=False).command(*arguments, **more)
    assert "buildx" in caught.value.hint


def test_both_builders_take_what_a_build_is_given() -> None:
    build = Build(
        "x",
        labels={"a": "b", "com.docker.compose.project": "p"},
        network="none",
        extra_hosts=(("db", "192.0.2.1"),),
        shm=1024,
        ulimits=(Ulimit("nofile", 1, 2),),
    )
    for buildx in (False, True):
        command = Builder("docker", buildx=buildx).command(
            Path("/c"), Path("/d"), build, "t:1", {"k": "v"}, platform="linux/arm64"
        )
        assert [word for word in command if word.startswith("--label")] == ["--label=a=b", "--label=k=v"]
        given = ("--platform=linux/arm64", "--network=none", "--add-host=db:192.0.2.1", "--shm-size=1024")
        assert {*given, "--ulimit=nofile=1:2"} <= set(command)


def test_output_is_kept_in_a_file(builder: Builder, tmp_path: Path) -> None:
    log = tmp_path / "logs/web.log"
    builder.run("web", python("import os; print('said', os.environ['DOCKER_BUILDKIT'])"), log, (), 30)
    assert log.read_text(encoding="utf-8") == "said 0\n"


def test_a_failure_has_its_last_lines_without_control_characters(builder: Builder, tmp_path: Path) -> None:
    text = "print('first'); print('\\n' * 3); print('\\x1b[31mred\\x07'); raise SystemExit(3)"
    with pytest.raises(ProvisionError) as caught:
        builder.run("web", python(text), tmp_path / "log", (), 30)
    assert "'web'" in str(caught.value)
    assert "exit 3" in str(caught.value)
    assert "    first\n    red\n" in str(caught.value)
    assert str(tmp_path / "log") in caught.value.hint


def test_a_missing_base_image_is_told_apart(builder: Builder, tmp_path: Path) -> None:
    text = "print('pull access denied for nope, repository does not exist'); raise SystemExit(1)"
    with pytest.raises(ProvisionError) as caught:
        builder.run("web", python(text), tmp_path / "log", (), 30)
    assert "base image" in caught.value.hint


def test_a_stop_ends_the_whole_process_group(builder: Builder, tmp_path: Path) -> None:
    stop, log, errors = threading.Event(), tmp_path / "log", []

    def build() -> None:
        try:
            builder.run("web", python(FOREVER), log, (threading.Event(), stop), 60)
        except InterruptedRunError as error:
            errors.append(error)

    thread = threading.Thread(target=build)
    thread.start()
    child = int(wait_for(lambda: log.exists() and log.read_text(encoding="utf-8").strip()))
    stop.set()
    thread.join(20)
    assert len(errors) == 1
    wait_for(lambda: ended(child))


def test_a_build_that_takes_too_long_is_ended(builder: Builder, tmp_path: Path) -> None:
    with pytest.raises(ProvisionError, match="not done"):
        builder.run("web", python("import time; print('slow', flush=True); time.sleep(60)"), tmp_path / "l", (), 0.2)


def test_a_docker_cli_that_is_missing_is_named(
    builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ToolError, match="Started the docker CLI"):
        builder.run("web", [str(tmp_path / "nope")], tmp_path / "log", (), 30)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="Install the docker CLI"):
        Builder.find()


def test_the_classic_builder_is_taken_where_buildx_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = tmp_path / "docker"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for code, expected in ((1, False), (0, True)):
        docker.write_text(f"#!/bin/sh\nexit {code}\n", encoding="utf-8")
        docker.chmod(0o755)
        assert Builder.find().buildx is expected


def test_an_unreadable_log_is_no_second_error(tmp_path: Path) -> None:
    assert "cannot be read" in last_lines(tmp_path / "nope")


def ended(pid: int) -> bool:
    """Gone, or a zombie that its new parent has not collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_for(condition: Callable[[], object], limit: float = 20.0) -> str:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return str(found)
        time.sleep(0.02)
    raise AssertionError("the condition did not come true")
