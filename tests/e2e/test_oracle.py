"""The oracle of the fidelity report: production by the Compose CLI beside its clone, and what Docker says differs."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from inspection import Deployment
from support import ROOT, Project, labelled, make_project

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

BUILT = frozenset({"catalog", "orders", "worker"})
SERVICES = frozenset({"gateway", "catalog", "orders", "worker", "migrate", "db", "queue"})
HOSTS = {"payments": "api.payments.example"}


@pytest.fixture
def compose() -> str:
    """The Compose CLI that setup made."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    found = sorted((cache / "understudy" / "compose").glob("v*/cli-plugins/docker-compose"))
    if not found:
        pytest.skip("no Compose CLI; `make bench` makes one")
    return str(found[-1])


MANY = """\
services:
  web:
    image: busybox:1.35
    command: [httpd, -f, -v, -p, "8080"]
    container_name: CONTAINER
    hostname: web.internal
    domainname: example.internal
    environment: {A: "1", TOKEN: of-production}
    expose: ["8080"]
    networks: {front: {aliases: [www]}, back: {}}
    volumes: ["data:/data", /anonymous, "./files:/files:ro"]
    tmpfs: ["/scratch:size=1m"]
    labels: {team: shop}
    configs: [{source: settings, target: /settings}]
    healthcheck: {test: [CMD, "true"], interval: 1500ms, timeout: 2s, retries: 2, start_period: 1s}
    init: true
    user: "0:0"
    working_dir: /files
    cap_add: [NET_ADMIN]
    cap_drop: [MKNOD]
    security_opt: ["no-new-privileges:true"]
    sysctls: {net.core.somaxconn: "128"}
    ulimits: {nofile: {soft: 1024, hard: 2048}, nproc: 512}
    group_add: ["1234"]
    extra_hosts: ["elsewhere=10.0.0.1"]
    dns: [10.0.0.53]
    dns_search: [example.internal]
    dns_opt: ["timeout:1"]
    logging: {driver: json-file, options: {max-size: 1m, max-file: "2"}}
    stop_signal: SIGINT
    stop_grace_period: 1500ms
    restart: on-failure:2
    tty: true
    stdin_open: true
    shm_size: 8m
    mem_limit: 30000000
    memswap_limit: 50000000
    cpus: 0.5
    cpu_shares: 512
    pids_limit: 100
  api:
    image: busybox:1.35
    entrypoint: [httpd, -f]
    command: [-p, "8080"]
    read_only: true
    ports: ["127.0.0.1::8080", "8080/udp"]
    networks: [back]
    links: ["web:other"]
    scale: 2
    mem_reservation: 10m
    ipc: shareable
  beside:
    image: busybox:1.35
    command: [sleep, "1000"]
    network_mode: service:web
    pid: service:api
    restart: unless-stopped
networks: {front: {}, back: {internal: true, labels: {team: shop}}}
volumes: {data: {labels: {team: shop}}}
configs: {settings: {content: "of production"}}
x-understudy:
  secrets: {TOKEN: {format: uuid}}
  profiles: {default: {replicas: 1, memory: 24m, services: {api: {cpus: 0.25}}}}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Project]:
    """The example, committed, on a port of its own."""
    project = make_project(tmp_path / "repository", tmp_path / "state")
    ignored = shutil.ignore_patterns("understudy-runs", "__pycache__", ".pytest_cache")
    shutil.copytree(ROOT / "examples" / "shop", project.folder, ignore=ignored, dirs_exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = project.folder / "compose.yaml"
    file.write_text(file.read_text().replace('"8080:80"', f'"{port}:80"'))
    project.commit("Describe production")
    yield project
    assert project.leases() == []


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Project]:
    """Services with as many keys as one host can run, committed."""
    project = make_project(tmp_path / "repository", tmp_path / "state")
    (project.folder / "files").mkdir()
    (project.folder / "files" / "index.html").write_text("hello")
    (project.folder / "compose.yaml").write_text(MANY.replace("CONTAINER", f"understudy-oracle-{uuid.uuid4().hex[:8]}"))
    project.commit("Describe production")
    yield project
    assert project.leases() == []


@contextmanager
def production_of(project: Project, compose: str, built: frozenset[str]) -> Iterator[Deployment]:
    """The project as Compose runs it."""
    name = f"understudy-oracle-{uuid.uuid4().hex[:8]}"
    environment = project.env | {"DOCKER_BUILDKIT": "0", "COMPOSE_BAKE": "false"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [compose, "-p", name, *arguments]
        return subprocess.run(
            command, cwd=project.folder, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    try:
        # Compose takes the database for healthy while its entrypoint still runs the server that sets it up, so that a
        # job which then connects may fail: as in production, it is started again.
        done = next((d for d in (run("up", "-d", "--build", "--wait") for _ in range(3)) if d.returncode == 0), None)
        assert done is not None, "production does not start"
        yield Deployment.of_compose(name, built)
    finally:
        assert run("down", "-v", "-t", "0").returncode == 0
        for service in built:
            subprocess.run(["docker", "rmi", f"{name}-{service}"], capture_output=True, check=False)


@contextmanager
def clone_of(project: Project, built: frozenset[str]) -> Iterator[Deployment]:
    """The project as Understudy clones it."""
    done = project.understudy("up")
    assert done.code == 0, done.text
    (lease,) = project.leases()
    try:
        yield Deployment.of_clone(str(lease["id"]), built)
    finally:
        assert project.understudy("down", str(lease["id"])).code == 0
        assert labelled("environment", str(lease["id"])) == []


def changes_of(project: Project) -> list[dict[str, str | None]]:
    (noted,) = (Path(project.env["XDG_STATE_HOME"]) / "understudy" / "trees").glob("*/*/changes.json")
    found: list[dict[str, str | None]] = json.loads(noted.read_text())
    return found


def hold(project: Project, production: Deployment, clone: Deployment, services: frozenset[str]) -> None:
    """Hold that what Docker shows to differ is what is recorded, path by path."""
    before, after = (side.properties(services, HOSTS) for side in (production, clone))
    own = [path for path in after if path.split(".")[1] == "edge" or "understudy" in path.split(".")[1]]
    for path in own:  # the relay's network and the authority's volume belong to no part of production
        del after[path]
    different = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    changes = changes_of(project)
    recorded = [change for change in changes if change["production"] != change["clone"]]
    recorded = [change for change in recorded if ".externals." not in str(change["path"])]  # hosts outside: no field
    told = {str(change["path"]) for change in recorded}
    untold = {path: (before.get(path), after.get(path)) for path in sorted(different - told)}
    assert not untold, f"Docker shows differences that no Change tells of: {json.dumps(untold, indent=1)}"
    unfaithful = {str(change["path"]) for change in recorded if change["fidelity"] != "faithful"}
    assert unfaithful - different == set(), "Changes tell of differences that Docker does not show"
    for change in recorded:
        path = str(change["path"])
        if path.endswith(".image") and change["fidelity"] == "faithful":
            assert str(before[path]) in str(change["clone"]), path
        if path.startswith("networks.") and path in unfaithful:
            assert (before.get(path), after.get(path)) == (change["production"], change["clone"]), path
        if ".networks." in path and path in unfaithful and change["clone"]:
            joined = path.rpartition(".")[2] + " as "
            told_of = set(str(change["clone"]).removeprefix(joined).split(", "))
            assert told_of <= set(after[path].split(", ")), path
        worded = any(word in path for word in (".mounts.", ".networks.", ".stop_grace_period", ".image", ".labels."))
        worded = worded or "secret" in f"{change['production']}"
        if path.startswith("services.") and path in unfaithful and not worded:
            assert (before.get(path), after.get(path)) == (change["production"], change["clone"]), path
    assert len(before) > 40 * len(services), "most of what Docker shows is compared"


def test_what_docker_shows_of_the_example_to_differ_is_what_is_recorded(shop: Project, compose: str) -> None:
    with production_of(shop, compose, BUILT) as production, clone_of(shop, BUILT) as clone:
        assert set(production.containers) == SERVICES | {"catalog.2"}
        assert set(clone.containers) - SERVICES == {"payments", "relay", "trust"}
        hold(shop, production, clone, SERVICES)


def test_what_docker_shows_of_many_keys_to_differ_is_what_is_recorded(many: Project, compose: str) -> None:
    services = frozenset({"web", "api", "beside"})
    with production_of(many, compose, frozenset()) as production, clone_of(many, frozenset()) as clone:
        hold(many, production, clone, services)
