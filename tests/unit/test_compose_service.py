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
        ("command: [a, 1, true]", "command", ("a", "1", "true")),
        ("command:", "command", None),
        ("command: ''", "command", ()),
        ("command: []", "command", ()),
        ("entrypoint: /bin/x --y", "entrypoint", ("/bin/x", "--y")),
        ("environment: {A: b, N: 80, T: true, Z: ''}", "environment", {"A": "b", "N": "80", "T": "true", "Z": ""}),
        ("environment: [A=b=c, VAR, GONE]", "environment", {"A": "b=c", "VAR": "v"}),
        ("environment: {VAR: , GONE: , A: $VAR}", "environment", {"VAR": "v", "A": "v"}),
        ("env_file: web.env", "environment", {"A": "file", "B": "v", "C": "$VAR"}),
        ("env_file: [web.env, {path: more.env}]", "environment", {"A": "more", "B": "v", "C": "$VAR"}),
        ("env_file: {path: gone.env, required: false}", "environment", {}),
        ("env_file: [{path: web.env, format: raw}]", "environment", {"A": "file", "B": "$VAR", "C": "'$VAR'"}),
        ("env_file: ./sub/../more.env\nenvironment: {A: own}", "environment", {"A": "own"}),
        ("env_file: more.env\nenvironment: {A: }", "environment", {}),
        ("env_file: ../shared.env", "environment", {"S": "1"}),
        ("ports: [80, '8080:81', '53/udp']", "ports", (Port(80), Port(81, "8080"), Port(53, protocol="udp"))),
        ("ports: [{target: 80, published: 8080, protocol: tcp, mode: host}]", "ports", (Port(80, "8080"),)),
        (
            "ports: [{target: 80, published: '1-3', host_ip: 127.0.0.1}]",
            "ports",
            (Port(80, "1-3", "tcp", "127.0.0.1"),),
        ),
        ("ports: ['80', '80']", "ports", (Port(80),)),
        ("expose: [3000, '4000-4001/udp']", "expose", (Port(3000), Port(4000, None, "udp"), Port(4001, None, "udp"))),
        ("volumes: [/data]", "mounts", (Mount("volume", "/data"),)),
        ("volumes: ['./a/../b:/b:ro,z']", "mounts", (Mount("bind", "/b", "b", read_only=True),)),
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
        ("mem_limit: 64m\ndeploy: {resources: {limits: {memory: 67108864}}}", "resources", Resources(memory=64 << 20)),
        ("restart: no", "restart", Restart("no")),
        ("restart: unless-stopped", "restart", Restart("unless-stopped")),
        ("restart: on-failure:3", "restart", Restart("on-failure", 3)),
        (
            "restart: no\ndeploy: {restart_policy: {condition: on-failure, max_attempts: 2}}",
            "restart",
            Restart("on-failure", 2),
        ),
        ("deploy: {restart_policy: {}}", "restart", Restart("always")),
        ("labels: {a: 1, b: }", "labels", {"a": "1", "b": ""}),
        ("labels: [a=1, b]", "labels", {"a": "1", "b": ""}),
        ("user: 1000", "user", "1000"),
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
        ("depends_on: {gone: {condition: service_started, required: false}}", (Dependency("gone", required=False),)),
    ],
)
def test_dependencies_in_both_forms(form: str, dependencies: tuple[Dependency, ...]) -> None:
    assert web(form, DB).depends_on == dependencies


@pytest.mark.parametrize(
    ("body", "message", "line"),
    [
        ("privileged: true", "privileged: true' is refused", 4),
        ("network_mode: host", "network_mode: host' is refused", 4),
        ("network_mode: 'service:db'", "not supported yet", 4),
        ("pid: host", "pid: host' is refused", 4),
        ("ipc: host", "ipc: host' is refused", 4),
        ("build: {context: ., privileged: true}", "privileged build is refused", 4),
        ("volumes: ['/var/run/docker.sock:/var/run/docker.sock']", "engine's socket", 4),
        ("volumes:\n  - {type: bind, source: /run/docker.sock, target: /s}", "engine's socket", 5),
        ("volumes: ['/etc:/etc']", "mount it read-only (:ro)", 4),
        ("volumes: [{type: bind, source: /etc, target: /x}]", "profile of Compose", 4),
        ("extends: {service: other}", "'extends' is not supported yet, and without it", 4),
        ("volumes_from: [other]", "'volumes_from' is not supported yet, and without it", 4),
        ("secrets: [key]", "'secrets' is not supported yet, and without it", 4),
        ("configs: [key]", "'configs' is not supported yet, and without it", 4),
        ("volumes: ['${HOME}/x:/x']", "path of one host", 4),
        ("volumes: ['~/x:/x']", "path of one host", 4),
        ("volumes: ['C:\\x:/x']", "no absolute path in the container", 4),
        ("volumes: ['a b:/x']", "neither a volume's name", 4),
        ("volumes: ['../../x:/x']", "leaves the commit's tree", 4),
        ("volumes: ['./a/../../../x:/x']", "leaves the commit's tree", 4),
        ("volumes: [data]", "no absolute path in the container", 4),
        ("volumes: ['data:x']", "no absolute path in the container", 4),
        ("volumes: [{type: npipe, target: /x}]", "'npipe' is not allowed", 4),
        ("volumes: [{type: bind, target: /x}]", "'source' is missing", 4),
        ("volumes: [{type: volume, source: ./x, target: /x}]", "is a path", 4),
        ("volumes: x", "allowed is a list", 4),
        ("build: /abs", "path of one host", 4),
        ("build: https://host/repo.git", "not a folder", 4),
        ("build: git@host:repo", "not a folder", 4),
        ("build: ../../x", "leaves the commit's tree", 4),
        ("build: {context: ., dockerfile: ../../../Dockerfile}", "leaves the commit's tree", 4),
        ("build: {dockerfile_inline: FROM x}", "inline Dockerfile", 4),
        ("env_file: gone.env", "'gone.env' is not in what is cloned (git may ignore it)", 4),
        ("env_file: /etc/passwd", "path of one host", 4),
        ("env_file: ../../x.env", "leaves the commit's tree", 4),
        ("environment: text", "here stands a text; allowed is a mapping", 4),
        ("environment: {A: [1]}", "here stands a list; allowed is a text", 4),
        ("environment: [=x]", "cannot be a variable's name", 4),
        ("environment: {'A=B': x}", "cannot be a variable's name", 4),
        ("command: {a: b}", "here stands a mapping; allowed is a text", 4),
        ("command: echo 'x", "no closing quotation", 4),
        ("ports: [99999]", "between 1 and 65535", 4),
        ("ports: ['80/sctp']", "tcp or udp", 4),
        ("ports: [{published: 80}]", "'target' is missing", 4),
        ("ports: [1-1024, 1-1024, 1-1024, 1-1024, 1-1024]", "at most 4096", 4),
        ("expose: ['80:80']", "container ports only", 4),
        ("image: 'a b'", "stands twice", 4),
        ("hostname: 'a b'", "no host name", 4),
        ('hostname: "a\\nbackend x"', "no host name", 4),
        ("networks: {default: {aliases: ['a b']}}", "no host name", 4),
        ("networks: [gone]", "network 'gone', which is not declared", 2),
        ("depends_on: [gone]", "depends on 'gone', which is not a service", 2),
        ("depends_on: {web: {condition: ready}}", "'ready' is not allowed; allowed are service_started", 4),
        ("depends_on: [web]", "web -> web", 2),
        ("healthcheck: {test: [curl, x]}", "begins with NONE, CMD or CMD-SHELL", 4),
        ("healthcheck: {test: []}", "begins with NONE, CMD or CMD-SHELL", 4),
        ("healthcheck: {interval: 10}", "no duration", 4),
        ("healthcheck: {retries: -1}", "whole number from 0", 4),
        ("deploy: {replicas: 2}\nscale: 3", "different things", 5),
        ("deploy: {replicas: 1.5}", "whole number", 4),
        ("deploy: {replicas: true}", "whole number", 4),
        ("cpus: 0", "a number above 0", 4),
        ("mem_limit: lots", "no size", 4),
        ("mem_limit: 1g\ndeploy: {resources: {limits: {memory: 2g}}}", "different things", 4),
        ("restart: sometimes", "allowed are no, always", 4),
        ("restart: always:3", "only on-failure", 4),
        ("restart: on-failure:x", "only on-failure", 4),
        ("init: maybe", "neither true nor false", 4),
        ("read_only: [true]", "allowed is a text", 4),
        ("x-understudy: {kind: lambda}", "'lambda' is not allowed; allowed are service", 4),
        ("x-understudy: {sort: queue}", "'sort' is not known here; allowed are kind", 4),
        ("stop_grace_period: 10", "no duration", 4),
        ("user: ${U:?who}", "the variable U is required and is not set: who", 4),
        ("user: ${5}", "is no variable", 4),
    ],
)
def test_what_is_refused_has_its_place(body: str, message: str, line: int) -> None:
    with pytest.raises(TopologyError, match=re.escape(message)) as caught:
        web(body, HOME="/root")
    where = caught.value.where
    assert (where.file, where.line) == ("deploy/compose.yaml", line)
    assert where.column >= 1
    assert where.path.startswith("services.web")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("logging: {driver: x}", "4: services.web.logging: is not supported yet"),
        ("cap_add: [ALL]", "4: services.web.cap_add: is not supported yet"),
        ("nonsense: 1", "4: services.web.nonsense: is not understood"),
        ("build: {context: ., cache_from: [x]}", "4: services.web.build.cache_from: is not understood"),
        ("network_mode: bridge", "4: services.web.network_mode: 'bridge' is not supported yet"),
        ("pid: 'service:x'", "4: services.web.pid: is not supported yet"),
        ("volumes: ['data:/x:nocopy']", "4: services.web.volumes[0]: the mount option 'nocopy'"),
        ("volumes: [{type: tmpfs, target: /x, tmpfs: {size: 1}}]", "4: services.web.volumes[0].tmpfs: the mount's own"),
        ("tmpfs: '/run:size=64m'", "4: services.web.tmpfs: the options 'size=64m'"),
        (
            "networks: {default: {ipv4_address: 10.0.0.1}}",
            "services.web.networks.default.ipv4_address: is not understood",
        ),
        ("healthcheck: {test: x, start_interval: 1s}", "services.web.healthcheck.start_interval: readiness"),
        ("deploy: {resources: {reservations: {cpus: 1}}}", "services.web.deploy.resources.reservations: a clone"),
        ("deploy: {resources: {limits: {gpus: 1}}}", "services.web.deploy.resources.limits.gpus: is not"),
        ("deploy: {placement: {}}", "services.web.deploy.placement: is not understood"),
        ("deploy: {mode: global}", "services.web.deploy.mode: 'global' is read as replicated"),
        ("deploy: {restart_policy: {delay: 5s}}", "services.web.deploy.restart_policy.delay: is left out"),
        ("environment: {V: 1.10}", "4: services.web.environment.V: 1.10 is a number, which is written 1.1"),
        ("user: $GONE", "4: services.web.user: the variable GONE is not set"),
    ],
)
def test_nothing_is_dropped_in_silence(body: str, message: str) -> None:
    found = topology(body, "volumes: {data: }\n" if "data:" in body else "")
    assert any(message in warning for warning in found.warnings), found.warnings
    assert len(found.warnings) == 1


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("cap_add: [ALL]", "services.web.cap_add"),
        ("deploy: {mode: global}", "services.web.deploy.mode"),
        ("tmpfs: '/run:size=64m'", "services.web.tmpfs"),
        ("volumes: ['/etc/localtime:/etc/localtime:ro']", "services.web.volumes[0]"),
        ("volumes: ['~/x:/x:ro,z']", "services.web.volumes[0]"),
        ("volumes: [{type: bind, source: /etc/ssl, target: /x, read_only: true}]", "services.web.volumes[0].source"),
        ("environment: {V: 1.10}", None),
        ("user: $GONE", None),
    ],
)
def test_what_a_clone_lacks_is_told_from_what_is_only_warned_about(body: str, path: str | None) -> None:
    found = topology(body)
    assert len(found.warnings) == 1
    assert [change.path for change in found.changes] == ([path] if path else [])
    assert all(change.reason in found.warnings[0] for change in found.changes)
    assert found.services["web"].mounts == (Mount("tmpfs", "/run"),) * ("tmpfs" in body)


def test_extension_keys_are_nobodys_business() -> None:
    assert topology("x-note: {a: $NOPE}").warnings != ()  # it stands inside a service, so its variables are looked at
    assert topology("x-note: {a: b}", "x-other: {a: '${NOPE:?never}'}\n").warnings == ()


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
