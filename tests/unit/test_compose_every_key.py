"""An example of every key of the specification that is cloned, left out, changed, or refused unless it is allowed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from understudy.stacks.allowed import Allowed
from understudy.stacks.change import Fidelity
from understudy.stacks.clone import secret_token
from understudy.stacks.sources.compose import RefusedError, read, read_files
from understudy.stacks.sources.compose_keys import Taken, schema_path
from understudy.stacks.sources.compose_keys_parts import KEYS, key_of
from understudy.stacks.topology import (
    Build,
    Device,
    DeviceRequest,
    FileMount,
    Logging,
    Mount,
    Network,
    NetworkLink,
    Resources,
    Topology,
    TopologyError,
    Ulimit,
    Volume,
)

FILES = {
    "app.conf": b"a=1\n",
    "labels": b"L=1\n",
    "key": b"hunter22\n",
    "profile.json": b'{"defaultAction": "SCMP_ACT_ALLOW"}',
}
OTHERS = """
  db: {image: 'db:1', container_name: the-db}
  base: {build: {context: base}}
networks:
  default:
  front: {internal: true}
volumes: {data: }
configs: {app: {file: app.conf}, text: {content: "b=$B"}, given: {environment: B}, away: {external: true}}
secrets: {key: {file: key}, var: {environment: B}, away-from-here: {external: true}}
"""


def load(body: str, more: str = OTHERS, allow: tuple[str, ...] = ()) -> Topology:
    text = "services:\n  web:\n    image: web:1\n" + "".join(f"    {line}\n" for line in body.splitlines()) + more
    names = Allowed.of(allow)
    return read(text, "compose.yaml", variables={"B": "from-b"}, read_file=FILES.get, project="shop", allow=names)


def service_row(key: str) -> str:
    return f"services.*.{key}"


CLONED: dict[str, tuple[str, str, Any]] = {
    "build": ("build: ./app", "build", Build("app")),
    "build.args": ("build: {context: app, args: {A: 1, B: }}", "build", Build("app", args={"A": "1", "B": "from-b"})),
    "build.dockerfile_inline": (
        "build: {context: app, dockerfile_inline: FROM x}",
        "build",
        Build("app", inline="FROM x"),
    ),
    "build.additional_contexts": (
        "build: {context: app, additional_contexts: {a: ./more, b: 'docker-image://x', c: 'service:base'}}",
        "build",
        Build("app", contexts={"a": "more", "b": "docker-image://x", "c": "service:base"}),
    ),
    "build.secrets": (
        "build: {context: app, secrets: [key, {source: key, target: other}]}",
        "build",
        Build("app", secrets={"key": "key", "other": "key"}),
    ),
    "build.labels": ("build: {context: app, labels: [a=b]}", "build", Build("app", labels={"a": "b"})),
    "build.extra_hosts": (
        "build: {context: app, extra_hosts: ['a:192.0.2.1']}",
        "build",
        Build("app", extra_hosts=(("a", "192.0.2.1"),)),
    ),
    "build.shm_size": ("build: {context: app, shm_size: 64m}", "build", Build("app", shm=64 << 20)),
    "build.ulimits": (
        "build: {context: app, ulimits: {nofile: 5}}",
        "build",
        Build("app", ulimits=(Ulimit("nofile", 5, 5),)),
    ),
    "cap_drop": ("cap_drop: [ALL]", "cap_drop", ("ALL",)),
    "cpu_quota": ("cpu_quota: 50000\ncpu_period: 100000", "resources", Resources(cpus=0.5)),
    "cpu_period": ("cpu_quota: 50000\ncpu_period: 25000", "resources", Resources(cpus=2.0)),
    "cpu_shares": ("cpu_shares: 512", "resources", Resources(cpu_shares=512)),
    "cpuset": ("cpuset: '0,1'", "resources", Resources(cpuset="0,1")),
    "mem_reservation": ("mem_reservation: 64m", "resources", Resources(memory_reservation=64 << 20)),
    "memswap_limit": ("mem_limit: 64m\nmemswap_limit: -1", "resources", Resources(memory=64 << 20, memory_swap=-1)),
    "shm_size": ("shm_size: 64m", "resources", Resources(shm=64 << 20)),
    "deploy.resources.reservations.memory": (
        "deploy: {resources: {reservations: {memory: 1m}}}",
        "resources",
        Resources(memory_reservation=1 << 20),
    ),
    "deploy.mode": ("deploy: {mode: replicated-job}", "kind", "job"),
    "dns": ("dns: 192.0.2.1", "dns", ("192.0.2.1",)),
    "dns_opt": ("dns_opt: ['ndots:2']", "dns_opt", ("ndots:2",)),
    "dns_search": ("dns_search: [a, b]", "dns_search", ("a", "b")),
    "domainname": ("domainname: shop.internal", "domainname", "shop.internal"),
    "extra_hosts": (
        "extra_hosts: {a: 192.0.2.1, host.docker.internal: host-gateway}",
        "extra_hosts",
        (("a", "192.0.2.1"), ("host.docker.internal", "host-gateway")),
    ),
    "group_add": ("group_add: ['7', video]", "group_add", ("7", "video")),
    "label_file": ("label_file: ./labels\nlabels: {a: b}", "labels", {"L": "1", "a": "b"}),
    "platform": ("platform: linux/amd64", "platform", "linux/amd64"),
    "runtime": ("runtime: runc", "runtime", "runc"),
    "stdin_open": ("stdin_open: true", "stdin_open", True),
    "tty": ("tty: true", "tty", True),
    "sysctls": ("sysctls: {net.core.somaxconn: 64}", "sysctls", {"net.core.somaxconn": "64"}),
    "ulimits": (
        "ulimits: {nproc: 5, nofile: {soft: 1, hard: 2}}",
        "ulimits",
        (Ulimit("nproc", 5, 5), Ulimit("nofile", 1, 2)),
    ),
    "tmpfs": (
        "tmpfs: ['/run:size=64m,mode=0755,noexec,ro', /tmp]",
        "mounts",
        (
            Mount("tmpfs", "/run", None, True, (("mode", "755"), ("noexec", ""), ("size", str(64 << 20)))),
            Mount("tmpfs", "/tmp"),  # noqa: S108 - a path in a container
        ),
    ),
    "volumes.tmpfs.size": (
        "volumes: [{type: tmpfs, target: /x, tmpfs: {size: 1k, mode: 0700}}]",
        "mounts",
        (Mount("tmpfs", "/x", options=(("mode", "700"), ("size", "1024"))),),
    ),
    "volumes.volume.subpath": (
        "volumes: [{type: volume, source: data, target: /x, volume: {subpath: a, nocopy: true}}]",
        "mounts",
        (Mount("volume", "/x", "data", options=(("nocopy", "true"), ("subpath", "a"))),),
    ),
    "volumes.bind.propagation": (
        "volumes: [{type: bind, source: ./x, target: /x, bind: {propagation: rslave, create_host_path: true}}]",
        "mounts",
        (Mount("bind", "/x", "x", options=(("propagation", "rslave"),)),),
    ),
    "volumes_from": ("volumes_from: ['db:ro', 'container:the-db']", "volumes_from", (("db", "ro"), ("db", "rw"))),
    "configs": (
        "configs: [app, {source: text, target: etc/t, uid: '7', gid: '8', mode: 0440}, given]",
        "files",
        (
            FileMount("config", "app", "/app", "app.conf"),
            FileMount("config", "text", "/etc/t", content="b=from-b", mode=0o440, uid="7", gid="8"),
            FileMount("config", "given", "/given", content="from-b"),
        ),
    ),
    "secrets": (
        "secrets: [key, {source: away-from-here, target: /etc/away}]",
        "files",
        (
            FileMount("secret", "key", "/run/secrets/key", content=secret_token("key")),
            FileMount("secret", "away-from-here", "/etc/away", content=secret_token("away_from_here")),
        ),
    ),
    "networks.*.priority": (
        "networks: {default: {priority: 1, aliases: [w]}, front: {priority: 5}}",
        "networks",
        (NetworkLink("front"), NetworkLink("default", ("w",))),
    ),
    "security_opt": (
        "security_opt: ['no-new-privileges:true', 'seccomp:builtin']",
        "security_opt",
        ("no-new-privileges:true", "seccomp:builtin"),
    ),
    "network_mode": ("network_mode: 'service:db'", "network_of", "db"),
    "ipc": ("ipc: 'container:the-db'", "ipc", "service:db"),
    "pid": ("pid: 'service:db'", "pid", "service:db"),
    "cgroup": ("cgroup: private", "cgroup", "private"),
    "cap_add": ("cap_add: [NET_ADMIN]", "cap_add", ("NET_ADMIN",)),
    "logging": (
        "logging: {driver: json-file, options: {max-size: 1m, max-file: 3}}",
        "logging",
        Logging("json-file", {"max-file": "3", "max-size": "1m"}),
    ),
}
"""Key of a service -> a document, the field it comes to, and the field's value."""

LEFT_OUT: dict[str, tuple[str, str]] = {
    "annotations": ("annotations: {a: b}", "declared"),
    "attach": ("attach: false", "false"),
    "blkio_config": ("blkio_config: {weight: 300}", "declared"),
    "build.cache_from": ("build: {context: a, cache_from: [x]}", "declared"),
    "build.cache_to": ("build: {context: a, cache_to: [x]}", "declared"),
    "build.isolation": ("build: {context: a, isolation: hyperv}", "hyperv"),
    "build.no_cache": ("build: {context: a, no_cache: true}", "true"),
    "build.provenance": ("build: {context: a, provenance: 'true'}", "true"),
    "build.pull": ("build: {context: a, pull: true}", "true"),
    "build.sbom": ("build: {context: a, sbom: 'true'}", "true"),
    "build.tags": ("build: {context: a, tags: [x]}", "declared"),
    "build.secrets.uid": ("build: {context: a, secrets: [{source: key, uid: '1'}]}", "1"),
    "build.secrets.gid": ("build: {context: a, secrets: [{source: key, gid: '1'}]}", "1"),
    "build.secrets.mode": ("build: {context: a, secrets: [{source: key, mode: 0400}]}", "0400"),
    "cgroup_parent": ("cgroup_parent: x", "x"),
    "cpu_count": ("cpu_count: 2", "2"),
    "cpu_percent": ("cpu_percent: 50", "50"),
    "cpu_rt_period": ("cpu_rt_period: 1000", "1000"),
    "cpu_rt_runtime": ("cpu_rt_runtime: 950", "950"),
    "credential_spec": ("credential_spec: {file: x}", "declared"),
    "depends_on.*.restart": ("depends_on: {db: {condition: service_started, restart: true}}", "true"),
    "deploy.endpoint_mode": ("deploy: {endpoint_mode: dnsrr}", "dnsrr"),
    "deploy.labels": ("deploy: {labels: {a: b}}", "declared"),
    "deploy.placement": ("deploy: {placement: {constraints: [x]}}", "declared"),
    "deploy.resources.reservations.cpus": ("deploy: {resources: {reservations: {cpus: '1'}}}", "1"),
    "deploy.resources.reservations.generic_resources": (
        "deploy: {resources: {reservations: {generic_resources: [{discrete_resource_spec: {kind: a, value: 1}}]}}}",
        "declared",
    ),
    "deploy.restart_policy.delay": ("deploy: {restart_policy: {delay: 5s}}", "5s"),
    "deploy.restart_policy.window": ("deploy: {restart_policy: {window: 5s}}", "5s"),
    "deploy.rollback_config": ("deploy: {rollback_config: {parallelism: 1}}", "declared"),
    "deploy.update_config": ("deploy: {update_config: {parallelism: 1}}", "declared"),
    "develop": ("develop: {watch: [{path: ., action: rebuild}]}", "declared"),
    "external_links": ("external_links: [other]", "declared"),
    "healthcheck.start_interval": ("healthcheck: {test: x, start_interval: 2s}", "2s"),
    "isolation": ("isolation: hyperv", "hyperv"),
    "mac_address": ("mac_address: '02:42:ac:11:00:02'", "02:42:ac:11:00:02"),
    "mem_swappiness": ("mem_swappiness: 10", "10"),
    "networks.*.driver_opts": ("networks: {default: {driver_opts: {a: b}}}", "declared"),
    "networks.*.gw_priority": ("networks: {default: {gw_priority: 1}}", "1"),
    "networks.*.interface_name": ("networks: {default: {interface_name: eth7}}", "eth7"),
    "networks.*.ipv4_address": ("networks: {default: {ipv4_address: 192.0.2.7}}", "192.0.2.7"),
    "networks.*.ipv6_address": ("networks: {default: {ipv6_address: '2001:db8::7'}}", "2001:db8::7"),
    "networks.*.link_local_ips": ("networks: {default: {link_local_ips: [169.254.8.8]}}", "declared"),
    "networks.*.mac_address": ("networks: {default: {mac_address: '02:42:ac:11:00:02'}}", "02:42:ac:11:00:02"),
    "oom_kill_disable": ("oom_kill_disable: true", "true"),
    "oom_score_adj": ("oom_score_adj: 100", "100"),
    "ports.app_protocol": ("ports: [{target: 80, app_protocol: http}]", "http"),
    "ports.name": ("ports: [{target: 80, name: web}]", "web"),
    "ports.mode": ("ports: [{target: 80, mode: host}]", "host"),
    "post_start": ("post_start: [{command: x}]", "declared"),
    "pre_stop": ("pre_stop: [{command: x}]", "declared"),
    "pull_policy": ("pull_policy: always", "always"),
    "storage_opt": ("storage_opt: {size: 1G}", "declared"),
    "volumes.bind.recursive": (
        "volumes: [{type: bind, source: ./x, target: /x, bind: {recursive: enabled}}]",
        "enabled",
    ),
    "volumes.consistency": ("volumes: [{type: bind, source: ./x, target: /x, consistency: cached}]", "cached"),
    "volumes.volume.labels": ("volumes: [{type: volume, target: /x, volume: {labels: {a: b}}}]", "declared"),
}
"""Key of a service -> a document, and production's value on the record."""

REFUSED: dict[str, tuple[str, str, str, Any]] = {
    "build.entitlements": (
        "build: {context: a, entitlements: [network.host]}",
        "build-entitlements",
        "build",
        Build("a", entitlements=("network.host",)),
    ),
    "build.privileged": (
        "build: {context: a, privileged: true}",
        "build-entitlements",
        "build",
        Build("a", entitlements=("security.insecure",)),
    ),
    "build.network": ("build: {context: a, network: host}", "host-network", "build", Build("a", network="host")),
    "build.ssh": (
        "build: {context: a, ssh: [default, k=/k]}",
        "build-ssh",
        "build",
        Build("a", ssh=("default", "k=/k")),
    ),
    "cap_add": ("cap_add: [CAP_SYS_ADMIN]", "cap:SYS_ADMIN", "cap_add", ("CAP_SYS_ADMIN",)),
    "cgroup": ("cgroup: host", "host-cgroup", "cgroup", "host"),
    "device_cgroup_rules": ("device_cgroup_rules: ['c 1:3 r']", "devices", "device_cgroup_rules", ("c 1:3 r",)),
    "devices": ("devices: ['/dev/a:/dev/b:r']", "devices", "devices", (Device("/dev/a", "/dev/b", "r"),)),
    "gpus": ("gpus: all", "devices", "device_requests", (DeviceRequest(("gpu",), count=-1),)),
    "deploy.resources.reservations.devices": (
        "deploy: {resources: {reservations: {devices: [{capabilities: [tpu], device_ids: ['1'], driver: d}]}}}",
        "devices",
        "device_requests",
        (DeviceRequest(("tpu",), "d", None, ("1",)),),
    ),
    "ipc": ("ipc: host", "host-ipc", "ipc", "host"),
    "network_mode": ("network_mode: host", "host-network", "host_network", True),
    "pid": ("pid: host", "host-pid", "pid", "host"),
    "privileged": ("privileged: true", "privileged", "privileged", True),
    "runtime": ("runtime: nvidia", "devices", "runtime", "nvidia"),
    "security_opt": (
        "security_opt: ['seccomp:profile.json']",
        "unconfined",
        "security_opt",
        ('seccomp={"defaultAction":"SCMP_ACT_ALLOW"}',),
    ),
    "use_api_socket": (
        "use_api_socket: true",
        "docker-socket",
        "mounts",
        (Mount("bind", "/var/run/docker.sock", "/var/run/docker.sock"),),
    ),
    "userns_mode": ("userns_mode: host", "host-userns", "userns", "host"),
    "uts": ("uts: host", "host-uts", "uts", "host"),
    "volumes": ("volumes: ['/srv/x:/x']", "bind:/srv", "mounts", (Mount("bind", "/x", "/srv/x"),)),
    "volumes.source": (
        "volumes: [{type: bind, source: /run/docker.sock, target: /s, read_only: true}]",
        "docker-socket",
        "mounts",
        (Mount("bind", "/s", "/run/docker.sock", read_only=True),),
    ),
}
"""Key of a service -> a document, what allows it, the field it comes to then, and the field's value."""


@pytest.mark.parametrize(("body", "field", "value"), CLONED.values(), ids=CLONED)
def test_what_is_cloned_is_in_the_topology(body: str, field: str, value: Any) -> None:
    found = load(body)
    assert getattr(found.services["web"], field) == value
    assert found.changes == ()
    assert found.warnings == ()


@pytest.mark.parametrize("key", LEFT_OUT)
def test_what_is_left_out_is_on_the_record_with_its_reason_and_place(key: str) -> None:
    body, production = LEFT_OUT[key]
    row = KEYS[service_row(key)]
    found = load(body)
    (change,) = [change for change in found.changes if schema_path(change.path) == row.path]
    assert (change.production, change.clone, change.fidelity) == (production, None, row.fidelity)
    assert re.fullmatch(r"compose\.yaml:4:\d+", change.rule)
    assert change.reason
    warned = [warning for warning in found.warnings if warning.startswith(f"compose.yaml:4: {change.path}: ")]
    assert bool(warned) is (row.fidelity is Fidelity.MISSING)


@pytest.mark.parametrize(("body", "name", "field", "value"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_cloned_where_it_is_allowed_by_name(body: str, name: str, field: str, value: Any) -> None:
    with pytest.raises(RefusedError) as caught:
        load(body)
    (refusal,) = caught.value.refusals
    assert Allowed.of((name,)).has(refusal.allow)
    assert (refusal.where.file, refusal.where.line) == ("compose.yaml", 4)
    found = load(body, allow=(name,))
    assert getattr(found.services["web"], field) == value
    (change,) = [change for change in found.changes if change.reason.startswith("allowed by name")]
    assert (change.production, change.fidelity) == (change.clone, Fidelity.FAITHFUL)
    assert found.allowed == (name,)


def test_every_key_of_a_service_that_is_left_out_or_refused_has_its_example() -> None:
    elsewhere = {
        "profiles",
        "provider",
        "models",
        "pull_refresh_after",
        "volumes.image",
        "volumes.bind.create_host_path",
    }
    for path, row in KEYS.items():
        if not path.startswith("services.*.") or path.removeprefix("services.*.") in elsewhere:
            continue
        key = path.removeprefix("services.*.")
        if row.taken is Taken.LEFT_OUT:
            assert key in LEFT_OUT
        if row.taken is Taken.REFUSED:
            assert key in REFUSED


def test_all_that_is_refused_is_named_at_once() -> None:
    body = "privileged: true\npid: host\nvolumes: ['/srv/x:/x', '../../up:/y']\nbuild: https://x/y.git"
    with pytest.raises(RefusedError) as caught:
        load(body)
    assert [refusal.allow for refusal in caught.value.refusals] == ["", "", "privileged", "host-pid", "bind:/srv/x"]
    assert "(4 more: `understudy topology check` lists them)" in str(caught.value)


def test_what_is_only_compared_is_refused_nothing() -> None:
    text = "services: {web: {image: x, privileged: true, pid: host, volumes: ['/srv:/x', '../up:/y']}}\n"
    found = read(text, "compose.yaml", variables={}, read_file=FILES.get, provisioned=False)
    assert found.services["web"].privileged
    assert [mount.source for mount in found.services["web"].mounts] == ["/srv", "../up"]


@pytest.mark.parametrize("name", ["sudo", "bind:", "bind:etc", "cap:CHOWN", "cap:", "host", ""])
def test_a_name_that_is_not_in_the_list_cannot_be_allowed(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be allowed; what can is bind:/PATH, build-entitlements"):
        Allowed.of((name,))


@pytest.mark.parametrize(
    ("allowed", "asked", "has"),
    [
        ("bind:/srv", "bind:/srv/data", True),
        ("bind:/srv/", "bind:/srv", True),
        ("bind:/srv", "bind:/srvx", False),
        ("bind:/srv/a", "bind:/srv/a/../b", False),
        ("bind:/", "bind:/etc", True),
        ("cap:CAP_SYS_ADMIN", "cap:SYS_ADMIN", True),
        ("cap:ALL", "cap:SYS_ADMIN", False),
    ],
)
def test_a_path_is_allowed_with_what_is_below_it(allowed: str, asked: str, has: bool) -> None:  # noqa: FBT001 - a parameter of pytest's
    assert Allowed.of((allowed,)).has(asked) is has


# ---- what the rest of the document says


def test_a_read_only_path_of_the_host_is_left_out_unless_it_is_allowed() -> None:
    body = "volumes: ['/etc/localtime:/etc/localtime:ro']"
    found = load(body)
    (change,) = found.changes
    assert (change.path, change.production, change.fidelity) == (
        "services.web.volumes[0]",
        "declared",
        Fidelity.MISSING,
    )
    assert found.services["web"].mounts == ()
    assert load(body, allow=("bind:/etc/localtime",)).services["web"].mounts == (
        Mount("bind", "/etc/localtime", "/etc/localtime", read_only=True),
    )


@pytest.mark.parametrize(
    ("body", "path", "production"),
    [
        ("cpus: 0.5\ncpu_quota: 50000", "services.web.cpu_quota", "50000"),
        ("cpus: 0.5\ncpu_quota: 50000\ncpu_period: 1000", "services.web.cpu_period", "1000"),
        ("cpu_period: 1000", "services.web.cpu_period", "1000"),
        (
            "deploy: {restart_policy: {condition: any, max_attempts: 3}}",
            "services.web.deploy.restart_policy.max_attempts",
            "3",
        ),
        ("restart: always\ndeploy: {restart_policy: {condition: none}}", "services.web.restart", "always"),
        ("volumes: ['data:/x:z']", "services.web.volumes[0].bind", "declared"),
        ("deploy: {restart_policy: {max_attempts: 3}}", "services.web.deploy.restart_policy.max_attempts", "3"),
    ],
)
def test_what_another_key_leaves_no_place_for_is_on_the_record(body: str, path: str, production: str) -> None:
    (change,) = [change for change in load(body).changes if change.path == path]
    assert (change.production, change.clone) == (production, None)


@pytest.mark.parametrize("kind", ["image", "cluster", "npipe"])
def test_a_mount_of_another_kind_is_left_out(kind: str) -> None:
    found = load(f"volumes: [{{type: {kind}, source: data, target: /x}}]")
    assert found.services["web"].mounts == ()
    (change,) = found.changes
    assert (change.production, change.clone) == (f"{kind} at /x", None)


def test_a_port_of_another_protocol_is_left_out() -> None:
    found = load("ports: ['80/sctp', '81']")
    assert [port.target for port in found.services["web"].ports] == [81]
    (change,) = found.changes
    assert (change.path, change.fidelity) == ("services.web.ports[0]", Fidelity.MISSING)


def test_logs_are_not_shipped_to_where_productions_are() -> None:
    found = load("logging: {driver: gelf, options: {gelf-address: 'udp://logs.example:1'}}")
    assert found.services["web"].logging is None
    (change,) = found.changes
    assert (change.path, change.production, change.clone) == ("services.web.logging.driver", "gelf", None)


@pytest.mark.parametrize(
    ("mode", "network"),
    [("bridge", "default"), ("shop_front", "front"), ("front", "front"), ("elsewhere", "default")],
)
def test_a_network_of_productions_host_is_replaced_by_the_clones_own(mode: str, network: str) -> None:
    more = OTHERS.replace("  db: {image: 'db:1', ", "  db: {image: 'db:1', networks: [front], ")
    found = load(f"network_mode: {mode}", more)
    assert found.services["web"].networks == (NetworkLink(network),)
    assert set(found.networks) >= {network}
    (change,) = found.changes
    assert (change.path, change.production, change.clone) == (
        "services.web.network_mode",
        mode,
        f"network {network}",
    )


def test_networks_and_volumes_are_the_clones_own() -> None:
    more = """
networks:
  default: {name: prod, driver: overlay, enable_ipv6: true, attachable: true, ipam: {config: [{subnet: 192.0.2.0/24}]}}
  far: {external: true, name: prod-far}
volumes:
  data: {driver: local, driver_opts: {type: nfs, o: addr=192.0.2.1, device: ':/x'}, name: prod-data}
  ram: {driver_opts: {type: tmpfs, device: tmpfs, o: size=1m}}
  cloud: {driver: rexray}
  far: {external: true}
"""
    found = load("networks: [default, far]\nvolumes: ['data:/a', 'ram:/b', 'cloud:/c', 'far:/d']", more)
    assert found.networks == {"default": Network("default", ipv6=True), "far": Network("far", external=True)}
    assert found.volumes == {
        "data": Volume("data", driver="local"),
        "ram": Volume("ram", options={"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}),
        "cloud": Volume("cloud", driver="rexray"),
        "far": Volume("far", external=True),
    }
    assert {change.path: (change.production, change.clone) for change in found.changes} == {
        "networks.default.name": ("prod", None),
        "networks.default.driver": ("overlay", "bridge"),
        "networks.default.enable_ipv6": ("true", None),
        "networks.default.attachable": ("true", None),
        "networks.default.ipam": ("declared", None),
        "networks.far.external": ("external prod-far", "its own"),
        "volumes.data.name": ("prod-data", None),
        "volumes.data.driver_opts": ("type=nfs, device=:/x", None),
        "volumes.cloud.driver": ("rexray", "local"),
        "volumes.far.external": ("external far", "its own"),
    }


def test_a_volume_of_a_path_of_the_host_is_cloned_where_it_is_allowed() -> None:
    more = "\nvolumes: {data: {driver: local, driver_opts: {type: none, o: bind, device: /srv/data}}}\n"
    assert load("volumes: ['data:/x']", more).volumes["data"].options == {}
    found = load("volumes: ['data:/x']", more, allow=("bind:/srv",))
    assert found.volumes["data"].options == {"type": "none", "o": "bind", "device": "/srv/data"}


def test_a_config_that_is_nowhere_is_missing() -> None:
    found = load("configs: [away]")
    assert found.services["web"].files == ()
    (change,) = found.changes
    assert (change.path, change.fidelity) == ("services.web.configs[0].source", Fidelity.MISSING)


def test_a_config_that_the_commit_does_not_have_is_refused() -> None:
    with pytest.raises(RefusedError, match="which is not in what is cloned"):
        load("configs: [app]", "\nconfigs: {app: {file: gone.conf}}\n")


def test_a_secret_is_made_anew_and_its_value_stands_nowhere() -> None:
    body = "secrets: [key]\nenvironment: {DSN: 'db://u:hunter22@db/x'}\nconfigs: [text]"
    more = "\nsecrets: {key: {file: key}}\nconfigs: {text: {content: 'password=hunter22'}}\n"
    found = load(body, more)
    web = found.services["web"]
    assert web.environment == {"DSN": f"db://u:{secret_token('key')}@db/x"}
    assert [file.content for file in web.files] == [f"password={secret_token('key')}", secret_token("key")]
    assert found.secrets == ("key",)


def test_a_secrets_value_that_is_also_a_word_is_replaced_where_a_password_stands() -> None:
    body = (
        "secrets: [db-password]\ncommand: [serve, --password-file, /run/secrets/db-password]\n"
        "environment: {DB_PASSWORD_FILE: /run/secrets/db-password, DB_PASSWORD: password, DSN: 'db://u:password@db'}"
    )
    text = "services:\n  web:\n    image: web:1\n" + "".join(f"    {line}\n" for line in body.splitlines())
    more = "secrets: {db-password: {file: p}}\n"
    found = read(text + more, "compose.yaml", variables={}, read_file={"p": b"password\n"}.get)
    token = secret_token("db_password")
    assert found.services["web"].command == ("serve", "--password-file", "/run/secrets/db-password")
    assert found.services["web"].environment == {
        "DB_PASSWORD_FILE": "/run/secrets/db-password",
        "DB_PASSWORD": token,
        "DSN": f"db://u:{token}@db",
    }


def test_an_owner_by_name_is_refused() -> None:
    with pytest.raises(RefusedError, match="'app' is no number of a user or group"):
        load("configs: [{source: app, uid: app}]")


@pytest.mark.parametrize(
    ("secret", "declared", "rule"),
    [
        ("{environment: B}", "[B]", "B"),
        ("{file: key}", "[DB_KEY]", "DB_KEY"),
        ("{file: key}", "[]", "db_key"),
    ],
)
def test_a_secret_of_a_declared_variable_is_that_one(secret: str, declared: str, rule: str) -> None:
    more = f"\nsecrets: {{db-key: {secret}}}\nx-understudy: {{secrets: {declared}}}\n"
    found = load("secrets: [db-key]", more)
    assert [file.content for file in found.services["web"].files] == [secret_token(rule)]
    assert found.secrets == (rule,)


def test_secrets_that_tests_would_know_under_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="would both be told to tests as UNDERSTUDY_SECRET_A_B"):
        load("secrets: [a-b, a.b]", "\nsecrets: {a-b: {file: key}, a.b: {file: key}}\n")


def test_a_build_secret_that_is_no_file_is_refused() -> None:
    with pytest.raises(RefusedError, match="is no file of the commit's tree"):
        load("build: {context: a, secrets: [var]}")


def test_one_image_is_built_whatever_platforms_are_named() -> None:
    found = load("build: {context: a, platforms: [linux/amd64, linux/arm64]}\nplatform: linux/amd64")
    (change,) = found.changes
    assert (change.path, change.production, change.clone) == (
        "services.web.build.platforms",
        "linux/amd64, linux/arm64",
        "linux/amd64",
    )


def test_a_provided_service_is_left_out_and_with_it_what_waits_for_it() -> None:
    found = load("depends_on: [cloud]", "\n  cloud: {provider: {type: model}}\n")
    assert list(found.services) == ["web"]
    assert found.services["web"].depends_on == ()
    assert [change.path for change in found.changes] == ["services.cloud", "services.web.depends_on"]


def test_models_are_left_out() -> None:
    found = load("models: [llm]", "\nmodels: {llm: {model: x}}\n")
    assert [change.path for change in found.changes] == ["services.web.models", "models"]


CORPUS = Path(__file__).resolve().parents[1] / "compose" / "corpus"


@pytest.mark.parametrize("folder", sorted(path.parent for path in CORPUS.glob("*/compose.yaml")), ids=lambda p: p.name)
def test_no_key_that_is_cloned_goes_unread(folder: Path) -> None:
    def read_file(name: str) -> bytes | None:
        return (folder / name).read_bytes() if (folder / name).is_file() else None

    try:
        found = read_files(("compose.yaml",), folder=folder.name, variables={}, read_file=read_file, provisioned=False)
    except TopologyError:
        return  # Compose refuses it, or it needs variables: no key of it is read
    for change in found.changes:
        row = key_of(schema_path(change.path))
        assert row.taken is not Taken.CLONED or change.reason != row.reason, f"{change.path} was not read"


def test_what_is_left_out_is_left_out_of_what_it_is_compared_with_too() -> None:
    body = (
        "services: {web: {image: x, volumes: ['/etc/localtime:/l:ro', '~/x:/y:ro'], logging: {driver: gelf}, "
        "network_mode: bridge}}\n"
    )
    runs, compared = (
        read(body, "compose.yaml", variables={}, read_file=FILES.get, provisioned=provisioned)
        for provisioned in (True, False)
    )
    assert runs.services == compared.services
    assert runs.changes == compared.changes
