"""The watch on a real daemon: which deaths it notices, what it says of them, and what it takes for no death."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from docker.errors import NotFound
from leases import BACKEND

from understudy.stacks.identity import LABEL, Environment, Whose, name, ownership_labels
from understudy.targets.docker_client import client, daemon_identity
from understudy.targets.docker_watch import DockerWatch, docker_watch
from understudy.targets.watching import Death, How

pytestmark = [pytest.mark.docker, pytest.mark.images]

ALWAYS = {"Name": "always"}


class Yard:
    """Containers of an environment of this test's own."""

    def __init__(self) -> None:
        self.docker = client()
        not_after = datetime.now(UTC) + timedelta(hours=1)
        self.environment = Environment(
            f"e{uuid.uuid4().hex[:10]}", daemon_identity(self.docker), "shop", not_after, BACKEND
        )
        self.made: list[Any] = []

    def start(self, service: str, script: str = "sleep 600", kind: str = "service", **options: Any) -> Any:
        labels = ownership_labels(self.environment) | {LABEL + "service": service, LABEL + "kind": kind}
        made = self.docker.containers.create(
            "busybox:1.35", ["sh", "-c", script], name=name(self.environment.id, service), labels=labels, **options
        )
        self.made.append(made)
        made.start()
        return made

    def close(self) -> None:
        for each in self.made:
            with contextlib.suppress(NotFound):
                each.remove(v=True, force=True)


@pytest.fixture
def yard() -> Iterator[Yard]:
    made = Yard()
    try:
        yield made
    finally:
        made.close()


def wait_for(watch: DockerWatch, enough: Callable[[Sequence[Death]], bool], limit: float = 30) -> dict[str, Death]:
    end = time.monotonic() + limit
    while not enough(watch.deaths()):
        assert time.monotonic() < end, watch.deaths()
        time.sleep(0.02)
    return {death.service: death for death in watch.deaths()}


def test_what_dies_is_noticed_with_its_exit_code_and_its_last_words(yard: Yard) -> None:
    yard.start("done", "exit 0", kind="job")
    crashing = yard.start("crashing", "trap 'echo farewell; exit 7' USR1; while true; do sleep 0.1; done")
    killed = yard.start("killed", restart_policy=ALWAYS)
    removed = yard.start("removed")
    sick = yard.start(
        "sick",
        "touch /well; sleep 600",
        healthcheck={"test": ["CMD-SHELL", "ls /well"], "interval": 200_000_000, "retries": 2},
    )
    began = time.time()
    with docker_watch(yard.docker, yard.environment.whose) as watch:
        crashing.kill("USR1")
        killed.kill("KILL")
        sick.exec_run("rm /well")
        removed.remove(force=True)
        found = wait_for(watch, lambda deaths: len(deaths) == 4 and all(death.log for death in deaths))

    assert set(found) == {"crashing", "killed", "removed", "sick"}
    assert (found["crashing"].how, found["crashing"].exit_code) == (How.EXITED, 7)
    assert found["crashing"].log == "farewell"
    assert str(found["crashing"]) == "service crashing exited with code 7 (restart policy: no)"
    assert (found["killed"].how, found["killed"].exit_code) == (How.EXITED, 137)
    assert found["sick"].how is How.UNHEALTHY
    assert "/well" in found["sick"].health
    assert all(began - 1 <= death.at <= time.time() for death in found.values())


def test_what_comes_back_is_no_death(yard: Yard) -> None:
    restarted = yard.start("restarted", "trap 'exit 0' TERM; while true; do sleep 0.1; done", restart_policy=ALWAYS)
    crashing = yard.start("crashing", "sleep 0.3; exit 1", restart_policy={"Name": "on-failure"})
    job = yard.start("job", "sleep 0.2", kind="job")
    with docker_watch(yard.docker, yard.environment.whose) as watch:
        restarted.restart(timeout=5)
        job.wait()
        end = time.monotonic() + 30
        while yard.docker.api.inspect_container(crashing.id)["RestartCount"] < 2:
            assert time.monotonic() < end
            time.sleep(0.05)

        assert list(watch.settle(10)) == []
        found = wait_for(watch, bool, limit=60)

    assert set(found) == {"crashing"}, "five restarts are enough"
    assert "restarted 5 times" in found["crashing"].reason


def test_a_watch_that_begins_while_a_service_is_restarted_calls_it_no_death(yard: Yard) -> None:
    stopped = yard.start("stopped", "trap 'exit 0' TERM; while true; do sleep 0.1; done", restart_policy=ALWAYS)
    stopped.stop(timeout=5)
    with docker_watch(yard.docker, yard.environment.whose) as watch:
        end = time.monotonic() + 30
        while watch._stream is None:
            assert time.monotonic() < end
            time.sleep(0.02)
        stopped.start()
        assert list(watch.settle(10)) == []


def test_a_service_that_is_killed_for_memory_is_dead_though_it_is_started_again(yard: Yard) -> None:
    grow = "sleep 0.5; x=a; while true; do x=$x$x; done"
    with docker_watch(yard.docker, yard.environment.whose) as watch:
        yard.start("greedy", grow, restart_policy=ALWAYS, mem_limit="16m", memswap_limit="16m")
        found = wait_for(watch, lambda deaths: any(death.exit_code is not None for death in deaths))

    assert found["greedy"].how is How.MEMORY
    assert found["greedy"].exit_code == 137


def test_the_last_look_finds_what_no_event_has_told(yard: Yard) -> None:
    watch = DockerWatch(yard.docker, yard.environment.whose)
    yard.start("gone", "echo bye; exit 3").wait()

    (death,) = watch.settle(20)

    assert (death.service, death.exit_code, death.log) == ("gone", 3, "bye")


class Deaf:
    """A daemon that never answers."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.api = self

    def info(self) -> None:
        raise self.error

    containers = info


def test_a_daemon_that_is_gone_is_a_reason_and_no_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.targets.docker_watch.SILENCE", 0.3)
    with docker_watch(Deaf(ConnectionError("refused")), Whose("e1", BACKEND)) as watch:  # type: ignore[arg-type]  # - a stand-in
        found = wait_for(watch, bool)

    assert found[""].how is How.UNKNOWN
    assert "has not answered for 0.3 s: refused" in str(found[""])
