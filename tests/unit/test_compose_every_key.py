"""An example of every key of the specification that is cloned, left out, changed, or refused unless it is allowed."""

from __future__ import annotations

import re
from typing import Any

import pytest
from compose_loading import load

from understudy.stacks.allowed import Allowed
from understudy.stacks.change import Fidelity
from understudy.stacks.clone import secret_token
from understudy.stacks.sources.compose import RefusedError
from understudy.stacks.sources.compose_keys import Taken, schema_path
from understudy.stacks.sources.compose_keys_parts import KEYS
from understudy.stacks.topology import (
    Build,
    Device,
    DeviceRequest,
    FileMount,
    Logging,
    Mount,
    NetworkLink,
    Resources,
    Ulimit,
)


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
