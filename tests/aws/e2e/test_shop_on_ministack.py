"""The example on an emulator of AWS that starts real containers: up, tested behind the load balancer's rule, gone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection

import pulumi
import pytest
from aws.plans import SHOP, planned, shop
from support import wait_for

from understudy.authority import issue
from understudy.components.aws.environment import AwsEnvironment, AwsEnvironmentArgs
from understudy.components.aws.platform import Platform, PlatformArgs
from understudy.components.aws.sources import sources
from understudy.engine.interface import Engine, StackRef
from understudy.lease import Document, FolderShelf
from understudy.stacks.aws.make import AwsOptions
from understudy.stacks.aws.plan import AwsPlan
from understudy.stacks.aws.platform import platform_of
from understudy.stacks.identity import Environment, Whose
from understudy.stacks.secret_rules import Seed
from understudy.stacks.trust import AUTHORITY, Certificates
from understudy.targets.aws.target import AwsTarget
from understudy.targets.interface import Outcome

from .conftest import ACCOUNT, REGION, Ministack, containers_of, volumes_of
from .doors import through_rule, to_task

pytestmark = [pytest.mark.docker, pytest.mark.images, pytest.mark.pulumi]

TARGET = f"aws:{ACCOUNT}:{REGION}"
ENV = Environment("eministackx", TARGET, "shop", datetime.now(UTC) + timedelta(hours=1), "b1")
WHOSE = Whose(ENV.id, ENV.backend)
PLATFORM = StackRef("understudy-platform", REGION)
REF = StackRef("understudy", ENV.id)
SUITES = ("orders", "payments", "old-clients")


def static_names(plan: AwsPlan) -> AwsPlan:
    """The adapter "static names", for the example's nginx.

    It asks Docker's DNS at 127.0.0.11 for the services, anew every second. On Fargate that is not there, and the names
    of Service Connect are lines of /etc/hosts, which nginx reads when it starts, and only for what is no variable.
    """

    def rewritten(content: bytes) -> bytes:
        content = re.sub(rb"\n *resolver [^;]+;", b"", content)
        return re.sub(rb"set \$\w+ (http://[^;]+);\s+proxy_pass \$\w+;", rb"proxy_pass \1;", content)

    changed = [replace(each, content=rewritten(each.content)) for each in plan.objects if each.key.endswith(".conf")]
    kept = [each for each in plan.objects if not each.key.endswith(".conf")]
    return replace(plan, objects=(*kept, *changed))


@dataclass
class World:
    ministack: Ministack
    engine: Engine
    target: AwsTarget
    plan: AwsPlan
    seed: Seed
    certificates: Certificates

    def program(self) -> None:
        made = AwsEnvironment("shop", AwsEnvironmentArgs(plan=self.plan, seed=self.seed))
        pulumi.export("endpoints", made.endpoints)

    def address(self, service: str) -> str:
        """The address of the one task of a service, as ECS says it."""
        ecs = self.target.session.client("ecs")
        where = {"cluster": self.plan.platform.cluster_arn}
        arns = ecs.list_tasks(**where, serviceName=self.plan.service(service).name)["taskArns"]
        (task,) = ecs.describe_tasks(**where, tasks=arns)["tasks"]
        found = [d["value"] for a in task["attachments"] for d in a["details"] if d["name"] == "privateIPv4Address"]
        return str(found[0])


@pytest.fixture(scope="module")
def world(
    ministack: Ministack,
    engine: Engine,
    tool_image: str,
    shop_images: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> World:
    def program() -> None:
        args = PlatformArgs(account=ACCOUNT, region=REGION, zones=(f"{REGION}a", f"{REGION}b"))
        for name, value in Platform("understudy", args).outputs.items():
            pulumi.export(name, value)

    platform = platform_of(engine.up(PLATFORM, program).outputs, PLATFORM.qualified)
    mocks = [mock for mock in shop().mocks if mock.scheme == "https"]
    kept = Document(FolderShelf(tmp_path_factory.mktemp("authority")), "authority.json")
    trusted = issue(kept, b"seed", mocks, names=("127.0.0.1",), public=True, not_after=ENV.not_after)
    plan = planned(
        shop(),
        images=shop_images,
        environment=ENV,
        platform=platform,
        sources=sources(shop(), str(SHOP)),
        options=AwsOptions(tool_image=tool_image),
        certificates=trusted,
    )
    seed = Seed(b"seed", shop().topology.secret_rules)
    return World(ministack, engine, AwsTarget(), static_names(plan), seed, trusted)


@pytest.fixture(scope="module")
def variables(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment is up; what a suite of the example is given."""
    world.engine.up(REF, world.program)
    world.target.wait_ready(WHOSE, 300)
    (name, (host, _)) = next(iter(world.target.endpoints(WHOSE).items()))
    assert (name, host) == ("gateway:80", f"{ENV.id}.preview.internal")
    balancer = world.plan.platform.alb_arn.split("/")[-2]
    ca = tmp_path_factory.mktemp("ca") / AUTHORITY
    ca.write_bytes(world.certificates.files[AUTHORITY])
    with ExitStack() as stack:
        gateway = stack.enter_context(through_rule(world.ministack.server, balancer, host))
        given = {
            "UNDERSTUDY_GATEWAY_80_URL": f"http://127.0.0.1:{gateway}",
            "UNDERSTUDY_SECRET_DB_PASSWORD": world.seed.secret("DB_PASSWORD"),
            "UNDERSTUDY_CA_FILE": str(ca),
        }
        for service, port in (("db", 5432), ("queue", 6379), ("payments", 443)):
            door = stack.enter_context(to_task(world.address(service), port))
            prefix = f"UNDERSTUDY_{service.upper()}_{port}"
            given |= {f"{prefix}_HOST": "127.0.0.1", f"{prefix}_PORT": str(door)}
            given[f"{prefix}_URL"] = f"https://127.0.0.1:{door}"
        wait_for(lambda: _status(gateway, "/catalog") == 200, 60, "the catalog behind the rule")
        yield given


def _status(port: int, path: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_gateway_answers_behind_its_rule_and_nothing_else_does(world: World, variables: dict[str, str]) -> None:
    assert _status(int(variables["UNDERSTUDY_GATEWAY_80_URL"].rpartition(":")[2]), "/none") == 404
    balancer = world.plan.platform.alb_arn.split("/")[-2]
    with through_rule(world.ministack.server, balancer, "another.preview.internal") as port:
        assert _status(port, "/catalog") == 404


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_of_the_example_passes(suite: str, variables: dict[str, str]) -> None:
    file = f"test_{suite.replace('-', '_')}.py"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", file],
        cwd=SHOP / "tests",
        env=kept | variables | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.usefixtures("variables")
def test_what_the_services_said_is_in_cloudwatch(world: World) -> None:
    lines = dict.fromkeys(service for service, _ in world.target.lines(WHOSE, (), follow=False))
    assert lines.keys() >= {"gateway", "orders", "worker", "db"}


@pytest.mark.usefixtures("variables")
def test_nothing_is_left(world: World) -> None:
    assert len(containers_of(world.ministack)) >= len(world.plan.services)
    world.engine.destroy(REF)
    assert world.target.sweep(WHOSE).failed == ()  # ECS keeps what was only deregistered
    receipt = world.target.receipt(WHOSE, TARGET)
    assert receipt.outcome is Outcome.CLEAN, receipt
    assert containers_of(world.ministack) == []
    assert volumes_of(world.ministack) == []
