"""Readiness against real containers: ports before the check, exits at once, and what the message says."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from understudy.errors import ProvisionError
from understudy.stacks.identity import LABEL
from understudy.targets import readiness_probes
from understudy.targets.readiness import StoppedWaitingError, wait_ready
from understudy.targets.readiness_probes import Prober

pytestmark = pytest.mark.docker

Run = Callable[..., Any]
TRUE = {"test": ["CMD", "true"]}


@pytest.fixture
def client() -> Any:
    from understudy.targets.docker_client import client

    return client()


@pytest.fixture
def run(client: Any) -> Iterator[Run]:
    """Start busybox with a shell script; everything goes afterwards."""
    made = []

    def start(script: str, *, ports: str = "", kind: str = "service", expose: tuple[str, ...] = (), **more: Any) -> Any:
        container = client.containers.create(
            "busybox:1.35",
            ["sh", "-c", script],
            name=f"ready-{secrets.token_hex(4)}",
            labels={LABEL + "ports": ports, LABEL + "kind": kind},
            ports=dict.fromkeys(expose),
            **more,
        )
        made.append(container)
        container.start()
        return container

    yield start
    for container in made:
        container.remove(v=True, force=True)


def ready(client: Any, container: Any, timeout: float = 30, **more: Any) -> float:
    return wait_ready(client, container.id, timeout, **more)


def test_without_ports_and_check_running_is_ready(client: Any, run: Run) -> None:
    assert ready(client, run("sleep 300")) < 30


def test_without_ports_and_check_an_early_end_is_fatal(client: Any, run: Run) -> None:
    with pytest.raises(ProvisionError, match="exited with code 3"):
        ready(client, run("sleep 0.3; exit 3"))


def test_without_ports_and_check_the_last_start_counts(client: Any, run: Run) -> None:
    script = "[ -f /seen ] || { touch /seen; sleep 0.3; exit 1; }; sleep 300"
    container = run(script, restart_policy={"Name": "on-failure"})
    ready(client, container)
    assert client.api.inspect_container(container.id)["RestartCount"] == 1


def test_all_declared_ports_have_to_accept(client: Any, run: Run) -> None:
    container = run("httpd -p 81; sleep 0.8; httpd -f -p 82", ports="81,82")
    assert ready(client, container) >= 0.5


def test_the_check_counts_only_after_the_port(client: Any, run: Run) -> None:
    """As with postgres, whose check passes against a temporary server: the pass before the port must not count."""
    script = "touch /up; sleep 0.6; rm /up; httpd -p 80; sleep 0.8; touch /up; sleep 300"
    container = run(script, ports="80", healthcheck={"test": ["CMD-SHELL", "test -f /up"]})
    assert ready(client, container) >= 1.0


def test_an_exposed_port_that_nobody_uses_is_named_and_left(client: Any, run: Run) -> None:
    warnings: list[str] = []
    container = run("httpd -f -p 80", expose=("80", "9999"))
    waited = wait_ready(client, container.id, 30, warn=warnings.append)
    assert waited >= 5
    assert len(warnings) == 1
    assert "9999" in warnings[0]


def test_an_exposed_udp_port_is_not_probed(client: Any, run: Run) -> None:
    assert ready(client, run("sleep 300", expose=("53/udp",)), 30) < 30


def test_a_loopback_server_is_not_reachable_from_the_network(client: Any, run: Run) -> None:
    container = run("httpd -f -p 127.0.0.1:80", ports="80")
    with pytest.raises(ProvisionError, match="port 80 to accept a connection"):
        ready(client, container, 1.5)


@pytest.mark.parametrize(("listen", "expected"), [("80", {80}), ("127.0.0.1:80", set())])
def test_where_the_network_is_not_visible_one_exec_reads_the_sockets(
    client: Any, run: Run, tmp_path: Path, listen: str, expected: set[int]
) -> None:
    container = run(f"httpd -f -p {listen}")
    prober = Prober(
        client,
        container.id,
        deadline=time.monotonic() + 30,
        stop=threading.Event(),
        warn=pytest.fail,
        host_interfaces=tmp_path,
    )
    facts = client.api.inspect_container(container.id)
    deadline = time.monotonic() + 10
    found = prober.accepting((80, 81), facts)
    while expected and not found and time.monotonic() < deadline:
        found = prober.accepting((80, 81), facts)
    assert found == expected


def test_a_check_that_hangs_fails_after_its_own_timeout(client: Any, run: Run) -> None:
    check = {"test": ["CMD-SHELL", "test -f /up || { touch /up; sleep 300; }"], "timeout": 1_000_000_000}
    assert 1.0 <= ready(client, run("sleep 300", healthcheck=check)) < 30


def test_an_exit_is_fatal_at_once_and_the_message_says_all(client: Any, run: Run) -> None:
    container = run("seq 1 40; exit 7", ports="80")
    with pytest.raises(ProvisionError) as raised:
        ready(client, container, 120)
    text = str(raised.value)
    assert "exited with code 7" in text
    assert "restart policy: no" in text
    assert container.name in text
    assert "\n21\n" in text
    assert "\n20\n" not in text


def test_five_restarts_are_fatal(client: Any, run: Run) -> None:
    container = run("exit 1", ports="80", restart_policy={"Name": "always"})
    with pytest.raises(ProvisionError, match="restarted 5 times, last with exit code 1"):
        ready(client, container, 60)


def test_a_service_that_comes_back_is_waited_for(client: Any, run: Run) -> None:
    script = "if [ ! -f /seen ]; then touch /seen; exit 1; fi; exec httpd -f -p 80"
    container = run(script, ports="80", restart_policy={"Name": "on-failure"})
    assert ready(client, container) < 30


def test_on_failure_with_exit_0_is_fatal_for_a_service_and_good_for_a_job(client: Any, run: Run) -> None:
    policy = {"Name": "on-failure", "MaximumRetryCount": 3}
    with pytest.raises(ProvisionError, match="exited with code 0"):
        ready(client, run("exit 0", ports="80", restart_policy=policy))
    assert ready(client, run("sleep 0.3", kind="job", restart_policy=policy)) >= 0


def test_a_kill_for_lack_of_memory_is_named(client: Any, run: Run) -> None:
    container = run("exec tail /dev/zero", ports="80", mem_limit="8m", memswap_limit="8m")
    with pytest.raises(ProvisionError, match="ran out of memory"):
        ready(client, container, 60)


def test_a_check_that_never_passes_shows_its_last_output(client: Any, run: Run) -> None:
    container = run("sleep 300", healthcheck={"test": ["CMD-SHELL", ": canary; echo not yet; exit 2"]})
    with pytest.raises(ProvisionError, match=r"`/bin/sh \.\.\.`: exit code 2 not yet") as raised:
        ready(client, container, 2.0)
    assert "canary" not in str(raised.value)


def test_stop_ends_the_wait(client: Any, run: Run) -> None:
    stop = threading.Event()
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    with pytest.raises(StoppedWaitingError):
        ready(client, run("sleep 300", ports="80"), 120, stop=stop)
    timer.join()


def test_a_container_that_is_gone_says_so(client: Any) -> None:
    with pytest.raises(ProvisionError, match="not there"):
        wait_ready(client, "no-such-container", 5)


def test_no_more_probes_are_in_flight_than_allowed(client: Any, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness_probes, "_PROBES", threading.BoundedSemaphore(1))
    check = {"test": ["CMD-SHELL", "sleep 0.1"]}
    containers = [run("sleep 300", healthcheck=check) for _ in range(3)]
    flying, most = [], []
    genuine = Prober.run

    def counted(self: Prober, argv: tuple[str, ...], timeout: float) -> tuple[int | None, str]:
        flying.append(1)
        most.append(len(flying))
        try:
            return genuine(self, argv, timeout)
        finally:
            flying.pop()

    monkeypatch.setattr(Prober, "run", counted)
    threads = [threading.Thread(target=ready, args=(client, container)) for container in containers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(most) == 3
    assert max(most) == 1
