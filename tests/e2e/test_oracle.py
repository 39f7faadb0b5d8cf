"""The oracle of the fidelity report: production by the Compose CLI beside its clone, and what Docker says differs."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
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
    file.write_text(
        file.read_text().replace('"8080:80"', f'"{port}:80"').replace("name: shop", f"name: o{uuid.uuid4().hex[:8]}")
    )
    project.commit("Describe production")
    yield project
    assert project.leases() == []


@pytest.fixture
def production(shop: Project, compose: str) -> Iterator[Deployment]:
    """The example as Compose runs it."""
    name = f"understudy-oracle-{uuid.uuid4().hex[:8]}"
    base = [compose, "-p", name]
    environment = shop.env | {"DOCKER_BUILDKIT": "0", "COMPOSE_BAKE": "false"}

    def run(*arguments: str) -> None:
        done = subprocess.run(
            [*base, *arguments],
            cwd=shop.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    try:
        run("up", "-d", "--build", "--wait")
        yield Deployment.of_compose(name, BUILT)
    finally:
        run("down", "-v", "-t", "0", "--rmi", "local")


@pytest.fixture
def clone(shop: Project) -> Iterator[Deployment]:
    """The example as Understudy clones it."""
    done = shop.understudy("up")
    assert done.code == 0, done.text
    (lease,) = shop.leases()
    try:
        yield Deployment.of_clone(str(lease["id"]), BUILT)
    finally:
        assert shop.understudy("down", str(lease["id"])).code == 0
        assert labelled("environment", str(lease["id"])) == []


def changes_of(project: Project) -> list[dict[str, str | None]]:
    (noted,) = (Path(project.env["XDG_STATE_HOME"]) / "understudy" / "trees").glob("*/*/changes.json")
    found: list[dict[str, str | None]] = json.loads(noted.read_text())
    return found


def test_what_docker_shows_to_differ_is_what_is_recorded(
    shop: Project, production: Deployment, clone: Deployment
) -> None:
    assert set(production.containers) == SERVICES | {"catalog.2"}
    assert set(clone.containers) - SERVICES == {"payments", "relay", "trust"}
    before, after = (side.properties(SERVICES, HOSTS) for side in (production, clone))
    own = [path for path in after if path.split(".")[1] == "edge" or "understudy" in path.split(".")[1]]
    for path in own:  # the relay's network and the authority's volume belong to no part of production
        del after[path]
    different = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    changes = changes_of(shop)
    recorded = [change for change in changes if change["production"] != change["clone"]]
    told = {str(change["path"]) for change in recorded}
    assert different - told == set(), "Docker shows differences that no Change tells of"
    unfaithful = {str(change["path"]) for change in recorded if change["fidelity"] != "faithful"}
    assert unfaithful - different == set(), "Changes tell of differences that Docker does not show"
    for change in recorded:
        path = str(change["path"])
        worded = "secret" in f"{change['production']}" or ".mounts." in path
        if path.startswith("services.") and path in unfaithful and not worded:
            assert (before.get(path), after.get(path)) == (change["production"], change["clone"]), path
    assert len(before) > 50 * len(SERVICES), "most of what Docker shows is compared"
