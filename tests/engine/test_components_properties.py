"""Every cloned key of a Compose file on a real Docker Engine: it arrives in `docker inspect`, and in the container."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from understudy.stacks import identity
from understudy.stacks.allowed import Allowed
from understudy.stacks.clone import Clone
from understudy.stacks.secret_rules import Seed
from understudy.stacks.sources.compose import read

from .worlds import World, docker

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

COMPOSE = """
services:
  web:
    image: busybox:1.35
    command: [sh, -c, "httpd -p 8080 -h /www; exec sleep 600"]
    hostname: web.shop.internal
    domainname: shop.internal
    user: "0:7"
    working_dir: /www
    init: true
    tty: true
    stdin_open: true
    stop_signal: SIGINT
    stop_grace_period: 3s
    platform: linux/amd64
    runtime: runc
    labels: {a: b}
    ipc: shareable
    cgroup: private
    userns_mode: host
    privileged: false
    cap_add: [NET_ADMIN]
    cap_drop: [CHOWN]
    security_opt: ["no-new-privileges:true"]
    sysctls: {net.core.somaxconn: "64"}
    ulimits: {nofile: {soft: 100, hard: 200}, nproc: 300}
    group_add: ["77"]
    devices: ["/dev/null:/dev/nothing:r"]
    device_cgroup_rules: ["c 1:3 r"]
    extra_hosts: ["other.example:192.0.2.1"]
    dns: [192.0.2.2]
    dns_search: [internal]
    dns_opt: ["ndots:2"]
    logging: {driver: json-file, options: {max-size: 1m}}
    mem_limit: 64m
    mem_reservation: 32m
    memswap_limit: 128m
    cpus: 0.5
    cpu_shares: 512
    cpuset: "0"
    pids_limit: 50
    shm_size: 16m
    expose: ["8080"]
    tmpfs: ["/scratch:size=1m,mode=0700"]
    volumes:
      - data:/data
      - {type: volume, source: data, target: /plain, volume: {nocopy: true}}
      - {type: tmpfs, target: /ram, tmpfs: {size: 2m}}
      - {type: bind, source: ./www, target: /www, bind: {propagation: rprivate}}
    configs: [{source: app, target: /etc/app.conf, uid: "7", gid: "8", mode: 0440}, text]
    secrets: [db-key]
    healthcheck: {test: [CMD, test, -f, /run/secrets/db-key], interval: 30s, timeout: 5s, retries: 3, start_period: 1s}
  side:
    image: busybox:1.35
    command: [sleep, "600"]
    network_mode: "service:web"
    expose: ["8080"]
    ipc: "service:web"
    pid: "service:web"
    volumes_from: ["web:ro"]
  sealed:
    image: busybox:1.35
    command: [sleep, "600"]
    uts: host
    read_only: true
    tmpfs: [/run]
    secrets: [db-key]
    configs: [{source: app, target: /etc/app/app.conf}]
volumes:
  data: {driver_opts: {type: tmpfs, device: tmpfs, o: size=1m}}
configs: {app: {file: ./app.conf}, text: {content: "a=$$b\\n"}}
secrets: {db-key: {file: ./key}}
"""
ALLOWED = ("devices", "host-uts", "host-userns")
FILES = {"app.conf": b"a=1\n", "key": b"hunter22\n"}


@pytest.fixture
def shop(world: World) -> Clone:
    for name, content in {**FILES, "www/page": b"hello\n"}.items():
        path = world.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    topology = read(COMPOSE, "compose.yaml", variables={}, read_file=FILES.get, allow=Allowed.of(ALLOWED))
    return Clone(topology)


def inspected(world: World, service: str) -> Any:
    return json.loads(docker("inspect", identity.name(world.environment.id, service)))[0]


def inside(world: World, service: str, *command: str) -> str:
    return docker("exec", identity.name(world.environment.id, service), *command).replace("\r", "")


MEBIBYTE = 1 << 20
CONFIG = {
    "Hostname": "web.shop.internal",
    "Domainname": "shop.internal",
    "User": "0:7",
    "WorkingDir": "/www",
    "Tty": True,
    "OpenStdin": True,
    "StopSignal": "SIGINT",
    "StopTimeout": 3,
}
HOST_CONFIG = {
    "Init": True,
    "Runtime": "runc",
    "IpcMode": "shareable",
    "CgroupnsMode": "private",
    "UsernsMode": "host",
    "CapAdd": ["NET_ADMIN"],
    "CapDrop": ["CHOWN"],
    "SecurityOpt": ["no-new-privileges:true"],
    "Sysctls": {"net.core.somaxconn": "64"},
    "GroupAdd": ["77"],
    "DeviceCgroupRules": ["c 1:3 r"],
    "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/nothing", "CgroupPermissions": "r"}],
    "ExtraHosts": ["other.example:192.0.2.1"],
    "Dns": ["192.0.2.2"],
    "DnsSearch": ["internal"],
    "DnsOptions": ["ndots:2"],
    "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
    "Memory": 64 * MEBIBYTE,
    "MemoryReservation": 32 * MEBIBYTE,
    "MemorySwap": 128 * MEBIBYTE,
    "CpuQuota": 50_000,
    "CpuShares": 512,
    "CpusetCpus": "0",
    "PidsLimit": 50,
    "ShmSize": 16 * MEBIBYTE,
    "Tmpfs": {"/scratch": "mode=700,size=1048576", "/ram": "size=2097152"},
    "Privileged": False,
}


def test_every_cloned_key_arrives(world: World, shop: Clone) -> None:
    world.up(shop)
    web, side = inspected(world, "web"), inspected(world, "side")
    assert {key: web["Config"][key] for key in CONFIG} == CONFIG
    assert {key: web["HostConfig"][key] for key in HOST_CONFIG} == HOST_CONFIG
    limits = {limit["Name"]: (limit["Soft"], limit["Hard"]) for limit in web["HostConfig"]["Ulimits"]}
    assert limits == {"nofile": (100, 200), "nproc": (300, 300)}
    assert web["Config"]["Labels"]["a"] == "b"
    assert web["Config"]["Healthcheck"]["Test"] == ["CMD", "test", "-f", "/run/secrets/db-key"]
    mounts = {mount["Destination"]: mount for mount in web["Mounts"]}
    assert mounts["/www"]["Propagation"] == "rprivate"
    assert mounts["/data"]["Name"] == mounts["/plain"]["Name"]

    shared = f"container:{web['Id']}"
    assert [side["HostConfig"][space] for space in ("NetworkMode", "IpcMode", "PidMode")] == [shared] * 3
    assert side["HostConfig"]["VolumesFrom"] == [f"{identity.name(world.environment.id, 'web')}:ro"]
    assert inside(world, "side", "wget", "-q", "-O", "-", "http://127.0.0.1:8080/page") == "hello\n"
    assert inside(world, "side", "cat", "/www/page") == "hello\n"

    secret = Seed(b"s").secret("db_key")
    assert inside(world, "web", "cat", "/etc/app.conf", "/text", "/run/secrets/db-key") == f"a=1\na=$b\n{secret}"
    owners = inside(world, "web", "stat", "-c", "%a %u %g", "/etc/app.conf", "/text", "/run/secrets/db-key")
    assert owners.splitlines() == ["440 7 8", "444 0 0", "444 0 0"]
    assert inside(world, "sealed", "cat", "/run/secrets/db-key", "/etc/app/app.conf") == f"{secret}a=1\n"
    assert inspected(world, "sealed")["HostConfig"]["UTSMode"] == "host"
    assert secret not in json.dumps(world.engine.export_state(world.ref))

    assert set(world.up(shop).changes) == {"same"}
    world.engine.destroy(world.ref)
    assert world.left() == {"container": [], "network": [], "volume": []}


def test_a_privileged_container_is_made_where_it_is_allowed(world: World) -> None:
    tried = ["docker", "run", "--rm", "--privileged", "--network=none", "busybox:1.35", "true"]
    if subprocess.run(tried, capture_output=True, check=False, timeout=60).returncode:
        pytest.skip("this machine cannot run a privileged container: it lacks capabilities itself")
    text = "services: {web: {image: 'busybox:1.35', command: [sleep, '600'], privileged: true, network_mode: none}}\n"
    topology = read(text, "c.yaml", variables={}, read_file=lambda _: None, allow=Allowed.of(("privileged",)))
    world.up(Clone(topology))
    assert inspected(world, "web")["HostConfig"]["Privileged"]


def test_a_file_of_the_host_is_bound_where_it_is_allowed(world: World, tmp_path: Path) -> None:
    (tmp_path / "host").write_text("of the host\n", encoding="utf-8")
    text = f"""
services:
  web: {{image: 'busybox:1.35', command: [sleep, '600'], network_mode: none, volumes: ['{tmp_path}/host:/host:ro']}}
"""
    allowed = Allowed.of((f"bind:{tmp_path}",))
    topology = read(text, "c.yaml", variables={}, read_file=lambda _: None, allow=allowed)
    world.up(Clone(topology))
    assert inside(world, "web", "cat", "/host") == "of the host\n"
