"""The components on a real Docker Engine, through the real Pulumi engine and the embedded provider."""

from __future__ import annotations

import json
import subprocess
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from understudy.engine.factory import make_engine
from understudy.engine.interface import Engine, StackRef
from understudy.engine.pulumi_cli import find
from understudy.engine.settings import EngineSettings
from understudy.provider.server import ProviderServer
from understudy.stacks import identity
from understudy.stacks.clone import Clone, Endpoint, Mock, secret_token
from understudy.stacks.secret_rules import secret_value
from understudy.stacks.topology import (
    Dependency,
    HealthCheck,
    Mount,
    Network,
    NetworkLink,
    Port,
    Service,
    Topology,
    Volume,
)
from understudy.targets.docker_client import client, daemon_identity

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

BUSYBOX = "busybox:1.35"
JOB = """\
set -e
wget -q -O - http://web.shop.internal:8080/page
wget -q -O - http://site:8080/page
n=0
until wget -q -O - http://api.pay.example:8080/charge; do n=$((n+1)); [ $n -lt 100 ]; sleep 0.2; done
echo "key=$KEY"
echo done > /data/migrated
"""


def shop() -> Clone:
    web = Service(
        "web",
        image=BUSYBOX,
        command=("httpd", "-f", "-p", "8080", "-h", "/site"),
        mounts=(Mount("bind", "/site", "site", read_only=True),),
        networks=(NetworkLink("front", ("site",)), NetworkLink("back")),
        hostname="web.shop.internal",
        ports=(Port(8080, "80"),),
        healthcheck=HealthCheck(("CMD", "wget", "-q", "-O", "-", "http://localhost:8080/page"), 10, 5, retries=3),
    )
    migrate = Service(
        "migrate",
        kind="job",
        image=BUSYBOX,
        command=("sh", "-c", JOB),
        environment={"KEY": f"<{secret_token('KEY')}>"},
        mounts=(Mount("volume", "/data", "data"),),
        networks=(NetworkLink("front"), NetworkLink("back")),
        depends_on=(Dependency("web", "healthy"),),
    )
    worker = Service(
        "worker",
        image=BUSYBOX,
        command=("sh", "-c", "test -f /data/migrated && exec sleep 600"),
        mounts=(Mount("volume", "/data", "data"),),
        networks=(NetworkLink("back"),),
        replicas=2,
        depends_on=(Dependency("migrate", "completed"), Dependency("web"), Dependency("gone", required=False)),
    )
    return Clone(
        Topology(
            "shop",
            {service.name: service for service in (worker, migrate, web)},
            {"front": Network("front"), "back": Network("back")},
            {"data": Volume("data")},
        ),
        endpoints=(Endpoint("web", 8080, "http"),),
        mocks=(Mock("pay", "api.pay.example", 8080, "mocks/pay"),),
    )


@dataclass
class World:
    """One environment on the real engine."""

    engine: Engine
    environment: identity.Environment
    tree: Path

    @property
    def ref(self) -> StackRef:
        return StackRef("understudy", self.environment.id)

    def program(self, clone: Clone) -> None:
        import pulumi

        from understudy.components.environment import Environment, EnvironmentArgs
        from understudy.components.images import ImageRef

        images = {name: ImageRef(str(service.image)) for name, service in clone.topology.services.items()}
        args = EnvironmentArgs(
            clone=clone, environment=self.environment, images=images, tree=str(self.tree), seed=b"s", ready_timeout=60
        )
        pulumi.export("endpoints", Environment(self.environment.id, args).endpoints)

    def up(self, clone: Clone) -> Any:
        return self.engine.up(self.ref, lambda: self.program(clone))

    def listed(self, kind: str) -> list[str]:
        every = ["--all"] if kind == "container" else []
        label = f"label={identity.LABEL}environment={self.environment.id}"
        return docker(kind, "ls", *every, "-q", "--filter", label).split()

    def left(self) -> dict[str, list[str]]:
        return {kind: self.listed(kind) for kind in ("container", "network", "volume")}


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    tree = tmp_path / "tree"
    (tree / "site").mkdir(parents=True)
    (tree / "site" / "page").write_text("hello\n", encoding="utf-8")
    mappings = tree / "mocks" / "pay" / "mappings"
    mappings.mkdir(parents=True)
    mapping = {"request": {"urlPath": "/charge"}, "response": {"status": 200, "body": "charged\n"}}
    (mappings / "charge.json").write_text(json.dumps(mapping), encoding="utf-8")
    environment = identity.Environment(
        f"e{uuid.uuid4().hex[:10]}", daemon_identity(client()), "shop", datetime.now(UTC) + timedelta(hours=1)
    )
    found = find()
    assert found is not None
    settings = EngineSettings.from_environment(found.path)
    with ProviderServer() as server:
        made = World(make_engine(settings, {"docker": server.port}), environment, tree)
        try:
            yield made
        finally:
            try:
                made.engine.destroy(made.ref)
            finally:
                for kind, remove in (("container", ("rm", "-f", "-v")), ("network", ("rm",)), ("volume", ("rm",))):
                    if rest := made.listed(kind):
                        docker(kind, *remove, *rest)


def get(url: object) -> str:
    with urllib.request.urlopen(str(url), timeout=10) as answer:  # noqa: S310 - an endpoint of this test
        return str(answer.read().decode())


def test_an_environment_works_is_stable_and_goes(world: World) -> None:
    result = world.up(shop())
    endpoints: Mapping[str, Mapping[str, object]] = result.outputs["endpoints"]
    assert set(endpoints) == {"web:8080", "pay:8080"}

    assert get(f"{endpoints['web:8080']['url']}/page") == "hello\n"
    asked = json.loads(get(f"{endpoints['pay:8080']['url']}/__admin/requests"))
    assert [entry["request"]["host"] for entry in asked["requests"]] == ["api.pay.example"]

    log = docker("logs", identity.name(world.environment.id, "migrate"))
    assert log.splitlines() == ["hello", "hello", "charged", f"key=<{secret_value(b's', 'KEY')}>"]
    assert secret_value(b"s", "KEY") not in json.dumps(world.engine.export_state(world.ref))

    again = world.up(shop())
    assert set(again.changes) == {"same"}, again.changes
    assert again.outputs["endpoints"] == endpoints

    docker("restart", "-t", "0", identity.name(world.environment.id, "web"))
    assert get(f"{endpoints['web:8080']['url']}/page") == "hello\n"

    world.engine.destroy(world.ref)
    assert world.left() == {"container": [], "network": [], "volume": []}


def test_a_service_that_changes_its_kind_takes_its_own_place(world: World) -> None:
    plain = Service("db", image=BUSYBOX, command=("sleep", "600"), networks=(NetworkLink("back"),))

    def clone(service: Service) -> Clone:
        return Clone(Topology("shop", {"db": service}, {"back": Network("back")}))

    world.up(clone(plain))
    (first,) = world.listed("container")
    result = world.up(clone(replace(plain, kind="database")))
    (second,) = world.listed("container")
    assert first != second
    assert result.changes.get("replace") == 1
    assert not {"create", "delete"} & set(result.changes)
