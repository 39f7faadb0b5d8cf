"""Following on the real daemon: whole logs, whatever becomes of the containers, their last state, what they use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from engine.stages import Stage, wait_until

from understudy.redact import MARK, Redactor
from understudy.stacks.identity import name
from understudy.targets.docker_client import client
from understudy.targets.docker_follower import DockerFollower
from understudy.targets.interface import Followed

SECRET = "hunter2hunter2"  # noqa: S105 - what must not come out

pytestmark = [pytest.mark.docker, pytest.mark.images]


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    try:
        yield made
    finally:
        made.close()


def ignore(_sample: Mapping[str, object]) -> None:
    return


def once(stage: Stage, folder: Path, docker: Any = None) -> Followed:
    return DockerFollower(docker or client(), stage.whose, folder, Redactor([SECRET]), ignore).finish()


def texts(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert all(datetime.fromisoformat(line[:19] + "Z") and line[29:31] == "Z " for line in lines)
    return [line[31:] for line in lines]


def test_logs_are_whole_stamped_and_apart(stage: Stage, tmp_path: Path) -> None:
    both = ("sh", "-c", f"i=0; while [ $i -lt 3000 ]; do echo out $i; i=$((i+1)); done; echo {SECRET} >&2")
    stage.container("web", *both)
    stage.container("web.2", "sh", "-c", "echo second")
    stage.container("../../x y", "echo", "hostile", labels=stage.labels("../../x y"))
    stage.container("never", start=False)
    stage.container("mute", "echo", "x", log_config={"type": "none"})
    stage.container("tty", "sh", "-c", f"echo terminal; {LONG}", tty=True)
    for number in (1, 2):
        stage.container("twin", "echo", f"{number}", name=name(stage.id, f"twin{number}"))
    for item in stage.target.inventory(stage.whose):
        if "never" not in item.name:
            stage.docker.api.wait(item.id)
    followed = once(stage, tmp_path / "logs")
    assert followed.problems == ()
    found = {path.name for path in followed.logs}
    assert found >= {"_.._x_y.log", "mute.log", "never.log", "tty.log", "twin.log", "web.2.log", "web.log"}
    assert len(found) == 8
    assert {path.parent for path in followed.logs} == {tmp_path / "logs"}
    assert {path.stat().st_mode & 0o777 for path in followed.logs} == {0o600}
    web = texts(tmp_path / "logs/web.log")
    assert [line for line in web if line != MARK] == [f"out {number}" for number in range(3000)]
    assert web.count(MARK) == 1
    assert (tmp_path / "logs/never.log").read_bytes() == b""
    assert "does not support reading" in (tmp_path / "logs/mute.log").read_text(encoding="utf-8")
    terminal = texts(tmp_path / "logs/tty.log")
    assert (terminal[0], terminal[1].replace(MARK, "")) == ("terminal", "a" * 16380 + "b" * 4000)
    twins = [path.read_text(encoding="utf-8")[-2:] for path in followed.logs if path.name.startswith("twin")]
    assert sorted(twins) == ["1\n", "2\n"]


LONG = f"head -c 16380 /dev/zero | tr '\\0' a; printf %s {SECRET}; head -c 4000 /dev/zero | tr '\\0' b; echo"
"""One line that Docker cuts after 16384 bytes, in the middle of the secret."""


def test_a_container_that_is_gone_before_the_end_has_its_log_state_and_use(stage: Stage, tmp_path: Path) -> None:
    samples: list[Mapping[str, object]] = []
    follower = DockerFollower(client(), stage.whose, tmp_path, Redactor([SECRET]), samples.append).start()
    steps = f"{LONG}; sleep 0.3; printf 'caf\\351\\n' >&2; while [ ! -e /go ]; do sleep 0.1; done; echo last; exit 7"
    check = {"test": ["CMD-SHELL", "echo sick; exit 1"], "interval": 1_500_000_000, "retries": 1}
    kept = {"type": "local"}  # json-file puts U+FFFD in the place of what is no UTF-8 before anybody can read it
    made = stage.container("web", "sh", "-c", steps, healthcheck=check, log_config=kept)
    log = tmp_path / "web.log"
    wait_until(lambda: log.exists() and "caf" in log.read_text(encoding="utf-8"))
    wait_until(lambda: samples)
    wait_until(lambda: stage.docker.api.inspect_container(made)["State"]["Health"]["Status"] == "unhealthy")
    stage.docker.containers.get(made).exec_run(["touch", "/go"])
    assert stage.docker.api.wait(made)["StatusCode"] == 7
    wait_until(lambda: "last" in log.read_text(encoding="utf-8"))
    stage.docker.api.remove_container(made)
    replaced = stage.container("web", "echo", "anew")
    stage.docker.api.wait(replaced)
    followed = follower.finish()
    assert followed.problems == ()
    lines = texts(log)
    assert [line[:3] for line in lines] == ["aaa", "caf", "las"]
    assert (lines[0].replace(MARK, ""), lines[1], lines[2]) == ("a" * 16380 + "b" * 4000, "caf\\xe9", "last")
    assert texts(tmp_path / f"web-{replaced[:12]}.log") == ["anew"]
    facts = {each.facts["id"]: each.facts for each in followed.containers}
    assert (facts[made]["exit_code"], facts[made]["removed"], facts[replaced]["removed"]) == (7, True, False)
    health = facts[made]["health"]
    assert isinstance(health, dict)
    assert health["last_output"] == "sick\n"
    use = next(each for each in followed.usage if each.samples)
    assert use.service == "web"
    assert use.cpu_seconds is not None
    assert use.cpu_seconds > 0
    assert use.memory_peak is not None
    assert use.memory_peak > 0
    assert samples[0]["service"] == "web"


def test_a_container_that_is_started_again_has_each_line_once(stage: Stage, tmp_path: Path) -> None:
    follower = DockerFollower(client(), stage.whose, tmp_path, Redactor(), ignore).start()
    counting = "i=0; while [ $i -lt 500 ]; do echo $i; i=$((i+1)); done; echo end; sleep 600"
    made = stage.container("web", "sh", "-c", counting)
    log = tmp_path / "web.log"
    for starts in (1, 2, 3):
        wait_until(lambda: log.exists() and log.read_text(encoding="utf-8").count("end") == starts)  # noqa: B023 - called here
        if starts < 3:
            stage.docker.api.restart(made, timeout=0)
    followed = follower.finish()
    assert texts(log) == [*map(str, range(500)), "end"] * 3
    assert followed.problems == ()


def test_one_log_that_fails_does_not_lose_the_others(stage: Stage, tmp_path: Path) -> None:
    for service in ("bad", "good"):
        stage.docker.api.wait(stage.container(service, "echo", "fine"))
    (tmp_path / "bad.log").write_text("of another run")
    followed = once(stage, tmp_path)
    assert [problem.split(":")[0] for problem in followed.problems] == ["bad"]
    assert texts(tmp_path / "good.log") == ["fine"]
    assert (tmp_path / "bad.log").read_text() == "of another run"


def test_lines_that_come_while_it_is_destroyed_are_in_its_log_at_last(stage: Stage, tmp_path: Path) -> None:
    wait = "echo up; until [ -e /bye ]; do sleep 0.05; done; echo last words; sleep 600"
    made = stage.container("web", "sh", "-c", wait)
    stage.container("kept", "sh", "-c", "echo stays; sleep 600")
    follower = DockerFollower(client(), stage.whose, tmp_path, Redactor(), ignore).start()
    log = tmp_path / "web.log"
    wait_until(lambda: log.exists() and "up" in log.read_text(encoding="utf-8"))
    followed = follower.finish()
    assert texts(log) == ["up"], "the evidence is whole before anything is destroyed"
    assert followed.problems == ()

    command = stage.docker.api.exec_create(made, ["touch", "/bye"])
    stage.docker.api.exec_start(command["Id"])
    wait_until(lambda: b"last words" in stage.docker.api.logs(made))
    stage.docker.api.remove_container(made, force=True)
    assert follower.close(destroyed=True) == ()
    assert follower.close(destroyed=False) == ()
    assert texts(log) == ["up", "last words"]
    assert texts(tmp_path / "kept.log") == ["stays"]
