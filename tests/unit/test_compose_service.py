"""One service of a Compose file: every key in every form, and what is refused."""

import re

import pytest

from understudy.stacks.sources.compose import read
from understudy.stacks.topology import (
    Build,
    Dependency,
    HealthCheck,
    Mount,
    NetworkLink,
    Port,
    Resources,
    Restart,
    Service,
    Topology,
    TopologyError,
)

FILES = {
    "web.env": b"A=file\nB=$VAR\nC='$VAR'\n",
    "more.env": b"A=more\n",
    "../shared.env": b"S=1\n",
}


def topology(body: str, more: str = "", file: str = "deploy/compose.yaml", **variables: str) -> Topology:
    text = "services:\n  web:\n    image: shop/web:1\n" + "".join(f"    {line}\n" for line in body.splitlines()) + more
    return read(text, file, variables=variables, read_file=FILES.get)


def web(body: str, more: str = "", **variables: str) -> Service:
    return topology(body, more, **variables).services["web"]


DB = "  db: {image: 'postgres:15'}\n"


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ("command: nginx -g 'daemon off;'", "command", ("nginx", "-g", "daemon off;")),
        ("command: [a, '1']", "command", ("a", "1")),
        ("command:", "command", None),
        ("command: ''", "command", ()),
        ("command: []", "command", ()),
        ("entrypoint: /bin/x --y", "entrypoint", ("/bin/x", "--y")),
        ("environment: {A: b, N: 80, T: true, Z: ''}", "environment", {"A": "b", "N": "80", "T": "true", "Z": ""}),
        ("environment: [A=b=c, VAR, GONE]", "environment", {"A": "b=c", "VAR": "v"}),
        ("environment: {VAR: , GONE: , A: $VAR}", "environment", {"VAR": "v", "A": "v"}),
        ("env_file: web.env", "environment", {"A": "file", "B": "v", "C": "$VAR"}),
        ("env_file: [web.env, {path: more.env}]", "environment", {"A": "more", "B": "v", "C": "$VAR"}),
        ("env_file: [{path: gone.env, required: false}]", "environment", {}),
        ("env_file: [{path: web.env, format: raw}]", "environment", {"A": "file", "B": "$VAR", "C": "'$VAR'"}),
        ("env_file: ./sub/../more.env\nenvironment: {A: own}", "environment", {"A": "own"}),
        ("env_file: more.env\nenvironment: {A: }", "environment", {}),
        ("env_file: ../shared.env", "environment", {"S": "1"}),
        ("ports: [80, '8080:81', '53/udp']", "ports", (Port(80), Port(81, "8080"), Port(53, protocol="udp"))),
        ("ports: [{target: 80, published: 8080, protocol: tcp}]", "ports", (Port(80, "8080"),)),
        (
            "ports: [{target: 80, published: '1-3', host_ip: 127.0.0.1}]",
            "ports",
            (Port(80, "1-3", "tcp", "127.0.0.1"),),
        ),
        ("ports: ['80', '80']", "ports", (Port(80),)),
        ("expose: [3000, '4000-4001/udp']", "expose", (Port(3000), Port(4000, None, "udp"), Port(4001, None, "udp"))),
        ("volumes: [/data]", "mounts", (Mount("volume", "/data"),)),
        ("volumes: ['./a/../b:/b:ro,z']", "mounts", (Mount("bind", "/b", "b", True, (("selinux", "z"),)),)),
        ("volumes: ['../c:/c']", "mounts", (Mount("bind", "/c", "../c"),)),
        ("volumes: ['.:/src']", "mounts", (Mount("bind", "/src", "."),)),
        (
            "volumes: [{type: bind, source: conf, target: /c, read_only: true}]",
            "mounts",
            (Mount("bind", "/c", "conf", read_only=True),),
        ),
        ("volumes: [{type: volume, target: /c}]", "mounts", (Mount("volume", "/c"),)),
        ("volumes: [{type: tmpfs, target: /c}]", "mounts", (Mount("tmpfs", "/c"),)),
        ("tmpfs: /run", "mounts", (Mount("tmpfs", "/run"),)),
        (
            "volumes: [/d]\ntmpfs: [/run, /cache]",
            "mounts",
            (Mount("volume", "/d"), Mount("tmpfs", "/run"), Mount("tmpfs", "/cache")),
        ),
        ("build: ../app", "build", Build("../app")),
        (
            "build: {context: ., dockerfile: docker/Dockerfile, target: prod, args: {A: 1, VAR: , GONE: }}",
            "build",
            Build(".", "docker/Dockerfile", "prod", {"A": "1", "VAR": "v"}),
        ),
        ("build: {args: [A=b, VAR]}", "build", Build(".", args={"A": "b", "VAR": "v"})),
        (
            "networks: {default: {aliases: [shop.internal, shop.internal]}}",
            "networks",
            (NetworkLink("default", ("shop.internal",)),),
        ),
        ("networks: {default: }", "networks", (NetworkLink("default"),)),
        ("network_mode: none", "networks", ()),
        ("", "networks", (NetworkLink("default"),)),
        ("hostname: web.shop.internal", "hostname", "web.shop.internal"),
        ("container_name: shop_web", "container_name", "shop_web"),
        ("healthcheck: {test: curl -f localhost}", "healthcheck", HealthCheck(("CMD-SHELL", "curl -f localhost"))),
        (
            "healthcheck: {test: [CMD, a], interval: 1m30s, timeout: 10s, retries: '3', start_period: 500ms}",
            "healthcheck",
            HealthCheck(("CMD", "a"), 90.0, 10.0, 0.5, 3),
        ),
        ("healthcheck: {interval: 5s}", "healthcheck", HealthCheck(None, 5.0)),
        ("healthcheck: {disable: true}", "healthcheck", HealthCheck(("NONE",))),
        ("healthcheck: {test: [NONE]}", "healthcheck", HealthCheck(("NONE",))),
        ("healthcheck: {test: 'pg_isready -U $$U'}", "healthcheck", HealthCheck(("CMD-SHELL", "pg_isready -U $U"))),
        ("deploy: {replicas: 3}", "replicas", 3),
        ("scale: 2", "replicas", 2),
        ("deploy: {replicas: '${N:-4}', mode: replicated}", "replicas", 4),
        (
            "deploy: {resources: {limits: {cpus: '0.5', memory: 64m, pids: 10}}}",
            "resources",
            Resources(0.5, 64 << 20, 10),
        ),
        ("cpus: 2\nmem_limit: 1g\npids_limit: -1", "resources", Resources(2.0, 1 << 30)),
        ("mem_limit: 64m\ndeploy: {resources: {limits: {memory: 64m}}}", "resources", Resources(memory=64 << 20)),
        ("restart: no", "restart", Restart("no")),
        ("restart: unless-stopped", "restart", Restart("unless-stopped")),
        ("restart: on-failure:3", "restart", Restart("on-failure", 3)),
        (
            "restart: no\ndeploy: {restart_policy: {condition: on-failure, max_attempts: 2}}",
            "restart",
            Restart("on-failure", 2),
        ),
        ("deploy: {restart_policy: {condition: any}}", "restart", Restart("always")),
        ("labels: {a: 1, b: }", "labels", {"a": "1", "b": ""}),
        ("labels: [a=1, b]", "labels", {"a": "1", "b": ""}),
        ("user: '1000'", "user", "1000"),
        ("working_dir: /srv", "working_dir", "/srv"),
        ("init: true", "init", True),
        ("init: '${INIT:-no}'", "init", False),
        ("stop_signal: SIGQUIT", "stop_signal", "SIGQUIT"),
        ("stop_grace_period: 1m", "stop_grace_period", 60.0),
        ("read_only: true", "read_only", True),
        ("x-understudy: {kind: queue}", "kind", "queue"),
    ],
)
def test_each_key_in_each_form(body: str, field: str, value: object) -> None:
    found = topology(body, VAR="v")
    assert getattr(found.services["web"], field) == value
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("form", "dependencies"),
    [
        ("depends_on: [db]", (Dependency("db"),)),
        ("depends_on: {db: {condition: service_healthy}}", (Dependency("db", "healthy"),)),
        ("depends_on: {db: {condition: service_started}}", (Dependency("db"),)),
        (
            "depends_on: {db: {condition: service_completed_successfully, required: false}}",
            (Dependency("db", "completed", required=False),),
        ),
    ],
)
def test_dependencies_in_both_forms(form: str, dependencies: tuple[Dependency, ...]) -> None:
    assert web(form, DB).depends_on == dependencies


@pytest.mark.parametrize(
    ("body", "message", "line"),
    [
        ("privileged: true", "the host's rights; `--allow privileged` clones it", 4),
        ("network_mode: host", "`--allow host-network`", 4),
        ("network_mode: 'service:db'", "names no service", 4),
        ("network_mode: 'container:other'", "names a container that this document does not make", 4),
        ("volumes_from: ['container:other']", "names a container that this document does not make", 4),
        ("pid: host", "`--allow host-pid`", 4),
        ("ipc: host", "`--allow host-ipc`", 4),
        ("build: {context: ., privileged: true}", "`--allow build-entitlements`", 4),
        ("volumes: ['/var/run/docker.sock:/var/run/docker.sock']", "engine's socket", 4),
        ("volumes:\n  - {type: bind, source: /run/docker.sock, target: /s}", "engine's socket", 5),
        ("volumes: ['/etc:/etc']", "`--allow bind:/etc`", 4),
        ("volumes: [{type: bind, source: /etc, target: /x}]", "which the service may write to", 4),
        ("extends: {service: other}", "there is no service 'other' to extend", 4),
        ("volumes_from: [other]", "depends on 'other', which is not declared", 4),
        ("secrets: [key]", "names 'key', which is not declared in 'secrets'", 4),
        ("volumes: ['${HOME}/x:/x']", "path of one host", 4),
        ("volumes: ['~/x:/x']", "path of one host", 4),
        ("volumes: ['C:\\x:/x']", "cannot be allowed as it is written", 4),
        ("volumes: ['a b:/x']", "is not declared in 'volumes'", 4),
        ("volumes: ['../../x:/x']", "leaves the commit's tree", 4),
        ("volumes: ['./a/../../../x:/x']", "leaves the commit's tree", 4),
        ("volumes: [data]", "no absolute path in the container", 4),
        ("volumes: [{type: bind, target: /x}]", "'source' is missing", 4),
        ("volumes: [{type: volume, source: ./x, target: /x}]", "is not declared in 'volumes'", 4),
        ("volumes: x", "allowed is a list", 4),
        ("build: /abs", "path of one host", 4),
        ("build: https://host/repo.git", "not a folder", 4),
        ("build: git@host:repo", "not a folder", 4),
        ("build: ../../x", "leaves the commit's tree", 4),
        ("build: {context: ., dockerfile: ../../../Dockerfile}", "leaves the commit's tree", 4),
        ("build: {context: ., additional_contexts: {a: 'https://x'}}", "not a folder", 4),
        ("build: {context: ., additional_contexts: {a: ../../x}}", "leaves the commit's tree", 4),
        ("env_file: gone.env", "there is no file 'gone.env'", 4),
        ("env_file: /etc/passwd", "there is no file '/etc/passwd'", 4),
        ("security_opt: ['seccomp=gone.json']", "is not in what is cloned", 4),
        ("security_opt: ['seccomp:web.env']", "is no JSON", 4),
        ("environment: text", "here stands a text; allowed is a mapping", 4),
        ("environment: {A: [1]}", "here stands a list; allowed is a text", 4),
        ("command: {a: b}", "here stands a mapping", 4),
        ("command: echo 'x", "cannot be split", 4),
        ("ports: [99999]", "up to 65535", 4),
        ("ports: [{published: 80}]", "'target' is missing", 4),
        ("ports: [1-1024, 2001-3024, 4001-5024, 6001-7024, 8001-9024]", "at most 4096", 4),
        ("deploy: {mode: sometimes}", "allowed are replicated, global", 4),
        ("cgroup: other", "'other' is not allowed", 4),
        ("expose: ['80:80']", "container ports only", 4),
        ("image: 'a b'", "stands twice", 4),
        ("hostname: 'a b'", "no host name", 4),
        ('hostname: "a\\nbackend x"', "no host name", 4),
        ("networks: {default: {aliases: ['a b']}}", "no host name", 4),
        ("networks: [gone]", "'gone', which is not declared", 4),
        ("depends_on: [gone]", "depends on 'gone', which is not declared", 4),
        ("depends_on: {web: {condition: ready}}", "'ready' is not allowed; allowed are service_started", 4),
        ("depends_on: [web]", "web -> web", 3),
        ("healthcheck: {test: [curl, x]}", "begins with CMD, CMD-SHELL or NONE", 4),
        ("healthcheck: {interval: '10'}", "duration", 4),
        ("healthcheck: {retries: -1}", "whole number from 0", 4),
        ("deploy: {replicas: 2}\nscale: 3", "differ", 5),
        ("deploy: {replicas: 1.5}", "whole number", 4),
        ("deploy: {replicas: true}", "whole number", 4),
        ("mem_limit: lots", "no size", 4),
        ("mem_limit: 1g\ndeploy: {resources: {limits: {memory: 2g}}}", "differ", 4),
        ("restart: sometimes", "allowed are no, always", 4),
        ("restart: always:3", "only on-failure", 4),
        ("restart: on-failure:x", "only on-failure", 4),
        ("init: maybe", "neither true nor false", 4),
        ("read_only: [true]", "here stands a list", 4),
        ("x-understudy: {kind: lambda}", "'lambda' is not allowed; allowed are service", 4),
        ("x-understudy: {sort: queue}", "'sort' is not known here; allowed are kind, managed, on_aws", 4),
        ("stop_grace_period: '10'", "duration", 4),
        ("user: ${U:?who}", "the variable U is required and is not set: who", 4),
    ],
)
def test_what_is_refused_has_its_place(body: str, message: str, line: int) -> None:
    with pytest.raises(TopologyError, match=re.escape(message)) as caught:
        web(body, HOME="/root")
    where = caught.value.where
    assert (where.file, where.line) == ("deploy/compose.yaml", line)
    assert where.column >= 1
    assert where.path.startswith("services.web")


def test_a_variable_that_is_not_set_is_warned_about() -> None:
    found = topology("user: $GONE")
    assert [warning for warning in found.warnings if "4: services.web.user: the variable GONE is not set" in warning]
    assert found.changes == ()


def test_extension_keys_are_nobodys_business() -> None:
    assert topology("x-note: {a: b}", "x-other: {a: c}\n").warnings == ()


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        ("postgres:15", "database"),
        ("registry:5000/postgis/postgis:16@sha256:aa", "database"),
        ("timescale/timescaledb-ha", "database"),
        ("mcr.microsoft.com/mssql/server:2022", "database"),
        ("mysql", "database"),
        ("mariadb:11", "database"),
        ("mongo:7", "database"),
        ("redis:7", "cache"),
        ("valkey/valkey", "cache"),
        ("eqalpha/keydb", "cache"),
        ("memcached", "cache"),
        ("rabbitmq:3-management", "queue"),
        ("nats", "queue"),
        ("confluentinc/cp-kafka", "queue"),
        ("redpandadata/redpanda", "queue"),
        ("nginx:1.22", "gateway"),
        ("traefik", "gateway"),
        ("caddy", "gateway"),
        ("haproxy", "gateway"),
        ("envoyproxy/envoy", "gateway"),
        ("kong", "gateway"),
        ("prometheuscommunity/postgres-exporter", "service"),
        ("nginx/nginx-prometheus-exporter", "service"),
        ("postgres.example/app", "service"),
        ("shop/server", "service"),
    ],
)
def test_the_kind_is_guessed_from_the_images_name(image: str, kind: str) -> None:
    found = read(f"services: {{a: {{image: '{image}'}}}}", "c.yaml", variables={}, read_file=FILES.get)
    assert found.services["a"].kind == kind


def test_what_somebody_waits_for_to_end_is_a_job_whatever_its_image() -> None:
    body = "depends_on: {db: {condition: service_completed_successfully}}"
    assert topology(body, DB).services["db"].kind == "job"
    with pytest.raises(TopologyError, match="waits for its completion"):
        topology(body, "  db: {image: 'postgres:15', x-understudy: {kind: database}}\n")
