"""The components on a real Docker Engine, through the real Pulumi engine and the embedded provider."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from dataclasses import replace

import pytest

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

from .worlds import World, docker

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
