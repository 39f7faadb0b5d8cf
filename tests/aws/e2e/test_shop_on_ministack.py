"""The command on an emulator of AWS that starts real containers: the example, cloned, tested behind its rule, gone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from support import ROOT, Project

from .account import holdings
from .conftest import ACCOUNT, HERE, REGION, Ministack, containers_of, volumes_of

pytestmark = [pytest.mark.docker, pytest.mark.images, pytest.mark.pulumi]

SUITES = {"orders": 6, "payments": 3, "old-clients": 7}
"""Suite -> how many tests it has."""

RUN = ("run", "--target", "aws", "-f", "compose.yaml", "-f", "ministack.yaml", "--history", "off")

FAILING = """\
from shop import Shop


def test_that_the_teapot_is_given_away(shop: Shop) -> None:
    assert shop.get("/catalog/teapot")[1]["price"] == 0
"""


@pytest.fixture(scope="module")
def project(ministack: Ministack, new_project: Callable[[str], Project], shop_images: Mapping[str, str]) -> Project:
    """The example in a repository of its own.

    What the example builds is given, as a registry would have it: ministack has none. Its suites get the adapter
    "inside", and what that needs to ask ministack.
    """
    project = new_project("examples/shop")
    ignored = shutil.ignore_patterns("understudy-runs", "__pycache__", ".pytest_cache")
    shutil.copytree(ROOT / "examples" / "shop", project.folder, ignore=ignored)
    inside = {
        "PYTEST_ADDOPTS": "-p inside",
        "PYTHONPATH": str(HERE),
        "AWS_ENDPOINT_URL": ministack.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
    }
    services = [f"  {name}: {{image: '{image}', build: !reset null}}\n" for name, image in shop_images.items()]
    suites = [f"    {suite}: {{environment: {json.dumps(inside)}}}\n" for suite in SUITES]
    text = f"services:\n{''.join(services)}x-understudy:\n  tests:\n{''.join(suites)}"
    (project.folder / "ministack.yaml").write_text(text, encoding="utf-8")
    project.commit("Open the shop")
    return project


def held(ministack: Ministack, project: Project) -> dict[str, Any]:
    """All that an environment could leave behind, wherever it is."""
    backend = Path(project.env["XDG_STATE_HOME"], "understudy", "backend")
    return {
        **holdings(),
        "container": frozenset(containers_of(ministack)),
        "volume": frozenset(volumes_of(ministack)),
        "lease": [lease["id"] for lease in project.leases()],
        "stack": sorted(path.name for path in backend.glob(".pulumi/stacks/understudy/*.json")),
    }


def passed(record: Mapping[str, Any]) -> dict[str, tuple[str, int]]:
    """Suite -> its status, and how many of its tests passed."""
    return {
        suite["name"]: (suite["status"], sum(test["outcome"] == "passed" for test in suite["tests"]))
        for suite in record["suites"]
    }


def answered(project: Project, host: str) -> int:
    """The status of the catalog of a host at the platform's load balancer."""
    shown = json.loads(project.understudy("platform", "show", "--format", "json").out)
    connection = HTTPConnection(shown["platform"]["alb_dns_name"], timeout=30)
    try:
        connection.request("GET", "/catalog", headers={"Host": host})
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_example_is_cloned_tested_behind_its_rule_and_gone(ministack: Ministack, project: Project) -> None:
    before = held(ministack, project)
    done = project.understudy(*RUN, limit=1200)
    assert done.code == 0, done.text + ministack.log.read_text()[-4000:]
    record = project.record()
    assert record["target"] == f"aws:{ACCOUNT}:{REGION}"
    assert passed(record) == {suite: ("passed", count) for suite, count in SUITES.items()}
    [endpoint] = record["endpoints"]
    assert (endpoint["service"], endpoint["port"]) == ("gateway", 80)
    assert endpoint["host"] == f"{record['environment']}.preview.internal"
    assert record["receipt"]["outcome"] == "CLEAN"
    assert record["ready_at"]
    assert held(ministack, project) == before
    assert answered(project, endpoint["host"]) == 404  # the rule is gone, and the load balancer still answers
    logs = {path.stem: path.read_text(encoding="utf-8") for path in (project.latest() / "logs").glob("*.log")}
    assert logs.keys() >= {"gateway", "catalog", "orders", "worker", "db", "queue", "payments"}
    assert "POST /orders" in logs["gateway"]  # what the suites asked for came by way of it
    assert "database system is ready to accept connections" in logs["db"]


def test_a_failing_suite_is_told_and_all_is_gone_as_well(ministack: Ministack, project: Project) -> None:
    before = held(ministack, project)
    (project.folder / "tests" / "test_old_clients.py").write_text(FAILING, encoding="utf-8")
    project.commit("Give teapots away")
    done = project.understudy(*RUN, limit=1200)
    assert done.code == 1, done.text + ministack.log.read_text()[-4000:]
    record = project.record()
    assert passed(record)["old-clients"] == ("failed", 0)
    assert [cause["kind"] for cause in record["causes"]] == ["TestsFailedError"]
    assert record["receipt"]["outcome"] == "CLEAN"
    assert held(ministack, project) == before
