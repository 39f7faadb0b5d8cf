from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import combinations
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from support import Done, Project, docker, labelled, wait_for

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

COMMITS = 10
AT_ONCE = 4
LABEL = "dev.understudy."
SERVICES = {"gateway", "catalog", "orders", "worker", "db", "queue", "payments", "relay"}
ANSWER = 'return {"version": 2, "products"'
TEST = """

def test_this_commit_answers(shop: Shop) -> None:
    status, answer = shop.get("/catalog")
    assert (status, answer["mark"]) == (200, "MARK")
"""


@dataclass(frozen=True)
class Commit:
    """A commit whose catalog answers with a mark of its own, and whose tests ask for that mark."""

    name: str
    sha: str


def commit_each(shop: Project) -> list[Commit]:
    """A branch for each commit. Marks are new each time, so that every commit has an image to build.

    Docker's own health checks, 50 of them, are spread out: every 5 s they would take one of two cores. The payment
    provider's stand-in is given time: its first answer is slow where ten of them start. Of the suites, the one that
    uses the database and the queue of its commit stays: 20 more would show what one run shows.
    """
    compose, catalog = shop.folder / "compose.yaml", shop.folder / "catalog" / "app.py"
    text = compose.read_text(encoding="utf-8")
    assert " interval: 5s" in text
    assert 'PAYMENTS_TIMEOUT: "2.0"' in text
    patient = text.replace(" interval: 5s", " interval: 20s").replace(
        'PAYMENTS_TIMEOUT: "2.0"', 'PAYMENTS_TIMEOUT: "20"'
    )
    lines = patient.splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(("    payments: {command:", "    old-clients: {command:"))]
    assert len(kept) == len(lines) - 2
    compose.write_text("".join(kept), encoding="utf-8")
    shop.commit("Look less often, and test with one suite")
    code = catalog.read_text(encoding="utf-8")
    assert ANSWER in code
    commits = []
    for number in range(COMMITS):
        mark = f"{number}-{uuid.uuid4()}"
        shop.git("checkout", "-q", "-b", f"feature/{number}", "main")
        catalog.write_text(code.replace(ANSWER, f'return {{"mark": "{mark}", "version": 2, "products"'), "utf-8")
        with (shop.folder / "tests" / "test_orders.py").open("a", encoding="utf-8") as tests:
            tests.write(TEST.replace("MARK", mark))
        commits.append(Commit(f"n{number}", shop.commit(f"Mark the catalog {mark}")))
    shop.git("checkout", "-q", "main")
    return commits


def each(commits: list[Commit], command: Callable[[Commit], Done]) -> None:
    """Run a command for every commit, a few processes at once, and hold that all of them pass."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = list(pool.map(command, commits))
    assert [(one.code, one.text) for one in done if one.code != 0] == []


def described(kind: str, environments: set[str]) -> dict[str, list[dict[str, Any]]]:
    """Environment -> its objects of a kind, all as the daemon describes them at one moment."""
    listing = ("ps", "-a") if kind == "container" else (kind, "ls")
    listed = docker(*listing, "--format", f'{{{{.ID}}}} {{{{.Label "{LABEL}environment"}}}}').splitlines()
    owners = dict(line.partition(" ")[::2] for line in listed)
    ours = [one for one, environment in owners.items() if environment in environments]
    found: dict[str, list[dict[str, Any]]] = {environment: [] for environment in environments}
    for facts in json.loads(docker(kind, "inspect", *ours)):
        labels = facts["Config"]["Labels"] if kind == "container" else facts["Labels"]
        found[labels[LABEL + "environment"]].append(facts)
    return found


Up = list[dict[str, dict[str, Any]]]


def up_now(environments: set[str], *, healthy: bool) -> Up:
    """For each environment: service -> its container, if that runs and, where asked, Docker calls it healthy too."""
    return [
        {
            one["Config"]["Labels"][LABEL + "service"]: one
            for one in found
            if one["State"]["Running"]
            and (not healthy or one["State"].get("Health", {"Status": "healthy"})["Status"] == "healthy")
        }
        for found in described("container", environments).values()
    ]


def all_up(every: Up) -> bool:
    return len(every) == COMMITS and all(set(up) == SERVICES for up in every)


def hold_nothing_is_shared(environments: set[str], every: Up) -> None:
    """Every environment runs its own image, and no port or subnet is used twice."""
    assert len({up["catalog"]["Image"] for up in every}) == COMMITS
    published = [up["relay"]["NetworkSettings"]["Ports"].values() for up in every]
    ports = [one["HostPort"] for bindings in published for found in bindings for one in found or ()]
    assert len(ports) == len(set(ports)) >= 4 * COMMITS
    networks = described("network", environments)
    assert {len(found) for found in networks.values()} == {3}
    subnets = [IPv4Network(one["IPAM"]["Config"][0]["Subnet"]) for found in networks.values() for one in found]
    assert [(a, b) for a, b in combinations(subnets, 2) if a.overlaps(b)] == []


@contextmanager
def removed_afterwards(shop: Project) -> Iterator[None]:
    """Whatever a test leaves behind when it fails, and the images that it built."""
    try:
        yield
    finally:
        for lease in shop.leases():
            shop.understudy("down", str(lease["id"]))
        built = docker(
            "images", "--filter", f"reference=understudy/{shop.root.name}-*", "--format", "{{.Repository}}:{{.Tag}}"
        )
        if built:
            docker("rmi", *built.split())


def passed(shop: Project, commit: Commit) -> set[str]:
    """The tests that passed by the commit's own record, which says that it was ready and tested for this commit."""
    folder = (shop.root.parent / commit.name / "understudy-runs" / "latest").resolve()
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert (record["commit"], record["exit_code"]) == (commit.sha, 0)
    assert {phase["name"] for phase in record["phases"] if phase["ok"]} >= {"ready", "test", "export"}
    cases = ET.parse(folder / "junit.xml").getroot().iter("testcase")  # noqa: S314 - our own writer made it
    return {str(case.get("name")) for case in cases if len(case) == 0}


def test_ten_commits_are_up_at_one_moment_each_with_its_own_code(shop: Project) -> None:
    with removed_afterwards(shop):
        commits = commit_each(shop)
        each(commits, lambda one: shop.understudy("up", "--commit", one.sha, "--name", one.name))

        leases = shop.leases()
        assert {(lease["key"], lease["commit"]) for lease in leases} == {(one.name, one.sha) for one in commits}
        assert {lease["state"] for lease in leases} == {"kept"}
        environments = {str(lease["id"]) for lease in leases}
        every = up_now(environments, healthy=False)
        assert all_up(every)
        hold_nothing_is_shared(environments, every)

        each(
            commits,
            lambda one: shop.understudy("test", one.name, "--workers", "1", "--runs", str(shop.root.parent / one.name)),
        )
        for one in commits:
            assert "test_this_commit_answers" in passed(shop, one)
        # Docker looks at intervals of its own; Understudy called them ready before it did.
        wait_for(lambda: all_up(up_now(environments, healthy=True)), 120, what="all services healthy at one moment")

        each(commits, lambda one: shop.understudy("down", one.name))
        assert shop.leases() == []
        assert labelled("project", shop.root.name) == []
