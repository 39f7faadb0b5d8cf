"""The pure parts: subnets, settings, request bodies, what an inspection says, and the board of starts."""

from __future__ import annotations

import io
import ipaddress
import tarfile
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.errors import ProvisionError, UsageError
from understudy.provider.container_facts import drifted, outputs
from understudy.provider.container_spec import body, seconds
from understudy.provider.container_update import changes
from understudy.provider.container_uploads import archives, uploads_tar
from understudy.provider.instance import Board, Instance, Instances
from understudy.provider.room import Call, CancelledError, Room
from understudy.provider.settings import ProviderSettings
from understudy.provider.subnets import choose, homeless, prefix_for, routed

EVERYWHERE = "0.0.0.0"  # noqa: S104 - the published schema's default
POOL = ipaddress.IPv4Network("10.213.0.0/16")


@pytest.mark.parametrize(("members", "prefix"), [(None, 26), (0, 26), (58, 26), (59, 25), (122, 25), (123, 24)])
def test_a_subnet_has_room_for_its_members_and_four_more(members: int | None, prefix: int) -> None:
    assert prefix_for(members) == prefix


SUBNETS = st.builds(
    lambda number, prefix: ipaddress.IPv4Network((int(POOL.network_address) + number, prefix), strict=False),
    st.integers(0, 2**16 - 1),
    st.integers(18, 30),
)


@given(st.lists(SUBNETS, max_size=30), st.integers(20, 28), st.integers(0, 10**6))
def test_a_chosen_subnet_overlaps_none_and_none_is_missed(
    taken: list[ipaddress.IPv4Network], prefix: int, start: int
) -> None:
    found = choose(POOL, prefix, taken, start)
    free = [s for s in POOL.subnets(new_prefix=prefix) if not any(s.overlaps(t) for t in taken)]
    assert (found in free) if free else (found is None)


def test_a_pool_that_is_too_small_has_none() -> None:
    assert choose(ipaddress.IPv4Network("10.0.0.0/27"), 26, (), 0) is None


def test_the_pool_has_room_for_60_environments_of_ten_networks_each() -> None:
    assert homeless(POOL, [26] * 600, ()) == 0
    small = ipaddress.IPv4Network("10.213.0.0/24")
    assert homeless(small, [26] * 5, ()) == 1
    assert homeless(small, [26, 25, 26], (ipaddress.IPv4Network("10.213.0.0/26"),)) == 1


def test_routes_of_the_host_are_taken() -> None:
    table = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    )
    assert routed(table) == (ipaddress.IPv4Network("172.17.0.0/16"),)


def test_settings_come_from_the_environment() -> None:
    given = {"UNDERSTUDY_PIDS_LIMIT": "100", "UNDERSTUDY_SUBNET_POOL": "10.9.0.0/20", "UNDERSTUDY_CONCURRENCY": "4"}
    assert ProviderSettings.from_environment(given) == ProviderSettings(100, "10.9.0.0/20", 4)
    assert ProviderSettings.from_environment({}) == ProviderSettings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UNDERSTUDY_PIDS_LIMIT", "many"),
        ("UNDERSTUDY_PIDS_LIMIT", "0"),
        ("UNDERSTUDY_CONCURRENCY", "-1"),
        ("UNDERSTUDY_THREADS", "9999999"),
        ("UNDERSTUDY_SUBNET_POOL", "10.0.0.1/16"),
        ("UNDERSTUDY_SUBNET_POOL", "10.0.0.0/28"),
        ("UNDERSTUDY_SUBNET_POOL", "fd00::/64"),
    ],
)
def test_a_bad_setting_is_named_with_what_is_allowed(name: str, value: str) -> None:
    with pytest.raises(UsageError, match="allowed"):
        ProviderSettings.from_environment({name: value})


def test_there_are_threads_for_all_calls_of_ten_stacks_at_once() -> None:
    assert ProviderSettings().threads > 10 * 64


def test_pulls_take_no_place_among_the_operations() -> None:
    room, stop = Room(ProviderSettings(concurrency=1)), threading.Event()
    with room.slot(stop), room.pulling(stop):
        stop.set()
        with pytest.raises(CancelledError), room.slot(stop):
            pass


def test_a_known_identity_is_not_asked_for_until_something_is_removed() -> None:
    asked: list[int] = []

    class Daemon:
        def info(self) -> dict[str, str]:
            asked.append(1)
            return {"ID": "NEW"}

    daemon: Any = Daemon()
    room = Room(ProviderSettings(), daemon, "docker:OLD")
    call = Call(room, Instance("x"), "urn", threading.Event())
    state = {"name": "web", "labels": [{"label": "dev.understudy.target", "value": "docker:OLD"}]}
    call.refuse_foreign_target(state, "creating")
    assert not asked
    for _ in range(2):
        with pytest.raises(ProvisionError, match="docker:NEW"):
            call.refuse_foreign_target(state, "removing", afresh=True)
    assert len(asked) == 1


@pytest.mark.parametrize(("text", "expected"), [("10s", 10), ("1m30s", 90), ("500ms", 0.5), ("1.5h", 5400), ("0s", 0)])
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


def test_a_body_joins_the_first_network_only() -> None:
    links = [{"name": "a", "aliases": ["x"], "ipv4Address": "10.0.0.5"}, {"name": "b"}]
    made = body({"image": "i", "networksAdvanced": links}, 4096)
    assert made["HostConfig"]["NetworkMode"] == "a"
    assert made["NetworkingConfig"]["EndpointsConfig"] == {
        "a": {"Aliases": ["x"], "IPAMConfig": {"IPv4Address": "10.0.0.5"}}
    }


def test_a_body_leaves_the_image_its_own_command() -> None:
    made = body({"image": "i", "command": [], "workingDir": ""}, 4096)
    assert not {"Cmd", "Entrypoint", "WorkingDir", "Healthcheck", "NetworkingConfig"} & made.keys()
    assert made["HostConfig"]["PidsLimit"] == 4096


def test_ports_of_one_container_port_are_all_bound() -> None:
    ports = [
        {"internal": 80, "ip": "127.0.0.1"},
        {"internal": 80, "external": 8080},
        {"internal": 53, "protocol": "udp"},
    ]
    made = body({"image": "i", "ports": ports}, 1)
    assert made["HostConfig"]["PortBindings"] == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}, {"HostIp": EVERYWHERE, "HostPort": "8080"}],
        "53/udp": [{"HostIp": EVERYWHERE, "HostPort": ""}],
    }
    assert made["ExposedPorts"] == {"80/tcp": {}, "53/udp": {}}


def test_uploads_keep_content_and_mode() -> None:
    packed = uploads_tar(
        [
            {"file": "/a/b", "content": "ü", "permissions": "0600"},
            {"file": "/c", "contentBase64": "AP8=", "executable": True},
            {"file": "/d", "content": ""},
        ]
    )
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        found = {m.name: (m.mode, archive.extractfile(m).read()) for m in archive.getmembers()}
    assert found == {"a/b": (0o600, "ü".encode()), "c": (0o744, b"\x00\xff"), "d": (0o644, b"")}


def test_an_update_names_only_what_changes() -> None:
    old = {"memory": 64, "cpus": "0.5", "cpuShares": 10, "restart": "no"}
    assert changes(old, old) == {}
    assert changes(old, {**old, "memory": 128}) == {"mem_limit": 128 * 2**20, "memswap_limit": 256 * 2**20}
    assert changes(old, {"memory": 64, "restart": "always"}) == {
        "cpu_shares": 1024,
        "cpu_period": 100_000,
        "cpu_quota": -1,
        "restart_policy": {"Name": "always", "MaximumRetryCount": 0},
    }


FACTS = {
    "Name": "/web",
    "State": {"Status": "running", "ExitCode": 0},
    "Config": {"Hostname": "h"},
    "HostConfig": {"RestartPolicy": {"Name": "no"}, "Memory": 64 * 2**20},
    "NetworkSettings": {
        "Ports": {
            "80/tcp": [{"HostIp": EVERYWHERE, "HostPort": "32768"}, {"HostIp": "127.0.0.1", "HostPort": "40000"}]
        },
        "Networks": {"n": {"IPAddress": "10.0.0.2", "Gateway": "10.0.0.1", "IPPrefixLen": 26}},
    },
}


def test_outputs_fill_in_what_docker_chose() -> None:
    found = outputs(FACTS, {"ports": [{"internal": 80, "ip": "127.0.0.1"}, {"internal": 81}]})
    assert found["ports"] == [{"internal": 80, "ip": "127.0.0.1", "external": 40000}, {"internal": 81}]
    assert found["networkDatas"][0]["ipAddress"] == "10.0.0.2"
    assert "exitCode" not in found


SAME = {"name": "web", "memory": 64, "networksAdvanced": [{"name": "n"}]}


def test_drift_shows_only_what_differs() -> None:
    assert drifted(FACTS, SAME) == SAME
    assert drifted(FACTS, {**SAME, "memory": 32}) == SAME
    stopped = {**FACTS, "State": {"Status": "exited", "ExitCode": 1}}
    assert drifted(stopped, SAME) == {**SAME, "mustRun": False}
    assert drifted(stopped, {**SAME, "mustRun": False})["mustRun"] is False
    assert drifted({**FACTS, "Name": "/other"}, SAME) == {**SAME, "name": "other"}


@pytest.mark.parametrize(
    ("host", "inputs", "found"),
    [
        ({"NanoCpus": 10**9}, {}, {"cpus": "1"}),
        ({"CpuQuota": 50_000}, {"cpus": "0.5"}, {}),
        ({"CpuQuota": 50_000, "CpuPeriod": 50_000}, {"cpus": "0.5"}, {"cpus": "1"}),
        ({"CpuQuota": -1}, {"cpus": "0.5"}, {"cpus": "0"}),
        ({"Memory": 64 * 2**20, "MemorySwap": 128 * 2**20}, {"memory": 64}, {}),
        ({"Memory": 64 * 2**20, "MemorySwap": 64 * 2**20}, {"memory": 64}, {"memorySwap": 64}),
        ({"MemorySwap": -1}, {"memorySwap": 32}, {}),  # a kernel without swap accounting keeps no limit
        ({"CpuShares": 5}, {}, {"cpuShares": 5}),
        ({"CpusetCpus": "0"}, {}, {"cpuSet": "0"}),
        ({"CpusetCpus": "0-1"}, {"cpuSet": "0-1"}, {}),
        ({"MemoryReservation": 16 * 2**20}, {"memoryReservation": 8}, {"memoryReservation": 16}),
        ({"RestartPolicy": {"Name": "always"}}, {}, {"restart": "always"}),
    ],
)
def test_drift_of_limits(host: dict[str, object], inputs: dict[str, object], found: dict[str, object]) -> None:
    facts = {"Name": "/web", "State": {"Status": "running"}, "HostConfig": host}
    given = {"name": "web", **inputs}
    assert drifted(facts, given) == {**given, **found}


def test_drift_of_networks() -> None:
    def on(**networks: list[str]) -> dict[str, object]:
        found = {name: {"NetworkID": f"id-{name}", "Aliases": aliases} for name, aliases in networks.items()}
        return {**FACTS, "NetworkSettings": {"Networks": found}}

    given = {**SAME, "networksAdvanced": [{"name": "a", "aliases": ["web"]}, {"name": "id-b"}]}
    assert drifted(on(a=["web", "0123456789ab"], b=[]), given) == given
    assert drifted(on(a=["0123456789ab"], b=[]), given)["networksAdvanced"] == [
        {"name": "a", "aliases": []},
        {"name": "id-b"},
    ]
    assert drifted(on(b=[], c=[]), given)["networksAdvanced"] == [{"name": "id-b"}, {"name": "c"}]
    assert drifted(on(bridge=[]), {"name": "web", "memory": 64}) == {"name": "web", "memory": 64}
    assert drifted(on(c=[]), {"name": "web", "memory": 64})["networksAdvanced"] == [{"name": "c"}]


def test_a_board_tells_a_start_from_a_failure() -> None:
    board = Board()
    board.failed("a", "no image")
    assert board.failure("a") == "no image"
    board.started("a")
    assert board.failure("a") is None
    board.failed("a", "late")
    assert board.failure("a") is None
    board.wait(60, ["a"], threading.Event())


def test_a_cancelled_instance_stops_calls_that_run_and_that_come() -> None:
    instance, other = Instance("1"), Instance("2")
    with instance.call() as running, other.call() as theirs:
        instance.cancel()
        assert running.is_set()
        assert not theirs.is_set()
    with instance.call() as late:
        assert late.is_set()


def test_calls_that_only_wait_are_stuck_once_something_failed() -> None:
    instance = Instance("1")
    with instance.call(), instance.waiting():
        assert not instance.stuck(0)
        instance.failed("no image")
        with instance.call():
            assert not instance.stuck(0)
        assert instance.stuck(0) == "no image"
        assert not instance.stuck(3600)


def test_a_port_that_comes_again_is_another_instance() -> None:
    instances = Instances()
    first = instances.begin("ipv4:127.0.0.1:1")
    first.cancel()
    assert instances.of("ipv4:127.0.0.1:1") is first
    with instances.begin("ipv4:127.0.0.1:1").call() as stop:
        assert not stop.is_set()


def test_uploads_go_where_docker_takes_them() -> None:
    inputs = {
        "volumes": [{"containerPath": "/run/secrets"}, {"containerPath": "/run", "volumeName": "v"}],
        "uploads": [
            {"file": "/run/secrets/key", "content": "k", "permissions": "0440", "owner": "7", "group": "8"},
            {"file": "/run/other", "content": "o"},
            {"file": "/runner/x", "content": "x"},
        ],
    }
    found = {}
    for folder, packed in archives(inputs):
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            found[folder] = [(m.name, m.mode, m.uid, m.gid) for m in archive.getmembers()]
    assert found == {
        "/run/secrets": [("key", 0o440, 7, 8)],
        "/run": [("other", 0o644, 0, 0)],
        "/": [("runner/x", 0o644, 0, 0)],
    }
