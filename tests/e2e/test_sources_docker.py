"""The example's production, started by Docker Compose and read back from the host: what differs has its reason."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from production import differing, free_port
from support import ROOT, Project, docker, make_project

from understudy.engine.pulumi_cli import cache_folder
from understudy.stacks.sources import compose, docker_host
from understudy.stacks.sources.compose_writer import write
from understudy.stacks.topology import Topology
from understudy.targets.docker_client import client
from understudy.targets.docker_reading import read_host

pytestmark = [pytest.mark.docker, pytest.mark.images, pytest.mark.xdist_group("sources_docker")]

_FOUND = sorted(cache_folder().glob("compose/*/cli-plugins/docker-compose"))


def _compose_cli() -> list[str]:
    """Docker Compose: the one that the tests' set-up keeps, else the docker CLI's plug-in."""
    if _FOUND:
        return [str(_FOUND[-1])]
    answers = (
        shutil.which("docker")
        and subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode
    )
    return ["docker", "compose"] if answers == 0 else []


@dataclass(frozen=True)
class Running:
    """The shop as Compose runs it: its project's name, and the Compose file that it runs."""

    project: str
    file: Path

    def document(self) -> Topology:
        text = self.file.read_text(encoding="utf-8")
        return compose.read(text, "compose.yaml", variables={"DB_PASSWORD": PASSWORD}, read_file=lambda _: None)


PASSWORD = "the-production-password"  # noqa: S105 - made up


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The example under a project's name and on a port of its own."""
    cli = _compose_cli()
    if not cli:
        pytest.skip("no Docker Compose; `make setup` makes one")
    folder = tmp_path_factory.mktemp("production") / "shop"
    shutil.copytree(ROOT / "examples" / "shop", folder, ignore=shutil.ignore_patterns("understudy-runs"))
    file = folder / "compose.yaml"
    text = file.read_text(encoding="utf-8").replace('"8080:80"', f'"127.0.0.1:{free_port()}:80"')
    project = f"sources{uuid.uuid4().hex[:8]}"
    file.write_text(re.sub(r"(?m)^name: shop$", f"name: {project}", text), encoding="utf-8")
    command = [*cli, "-p", project, "-f", str(file)]
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(Path.home()), "DB_PASSWORD": PASSWORD}
    try:
        for _ in range(5):  # the database's temporary server can pass its health check, and then the migration fails
            done = subprocess.run(
                [*command, "up", "--detach", "--build"],
                capture_output=True,
                text=True,
                env=env,
                timeout=300,
                check=False,
            )
            if "migrate\" didn't complete successfully" not in done.stderr:
                break
        assert done.returncode == 0, done.stderr
        yield Running(project, file)
    finally:
        subprocess.run([*command, "down", "--volumes", "--rmi", "local"], capture_output=True, env=env, check=True)
        for image in docker("images", "--format", "{{.Repository}}:{{.Tag}}", f"understudy/{project}-*").split():
            docker("image", "rm", image)  # what the run built, under a name that only this test has


EXPLAINED = {
    r"services\.(catalog|orders|worker)\.build(\..*)?": "what runs is an image; where it was built from is not known",
    r"services\.[a-z]+\.image": "an image is named by its digest or id: a tag may name another one by now",
    r"services\.queue\.kind": "the image is Redis, which is a cache; only x-understudy says that it is a queue here",
    r"services\.[a-z]+\.environment\.(POSTGRES|PG)(_)?PASSWORD": "nobody but the document calls the secret DB_PASSWORD",
    r"secrets": "the same",
    r"(externals|suites|profiles|endpoints)(\..*)?": "Compose does not know of x-understudy",
}
"""Every path that may differ, and why."""


def test_the_host_gives_the_same_topology_apart_from_what_is_explained(shop: Running) -> None:
    document, found = shop.document(), docker_host.read(read_host(client(), project=shop.project))
    differences = differing(document, found)
    unexplained = {path for path in differences if not any(re.fullmatch(rule, path) for rule in EXPLAINED)}
    assert unexplained == set()
    unused = [rule for rule in EXPLAINED if not any(re.fullmatch(rule, path) for path in differences)]
    assert unused == [], "an explanation that explains nothing"
    assert PASSWORD not in repr(found)
    assert found.changes == ()


def test_what_is_imported_reads_back_to_the_same_topology_and_is_a_file_that_compose_takes(
    shop: Running, tmp_path: Path
) -> None:
    found = docker_host.read(read_host(client(), project=shop.project))
    back = compose.read(write(found), "topology.yaml", variables={}, read_file=lambda _: None)
    assert differing(found, back) == set()
    file = tmp_path / "topology.yaml"
    file.write_text(write(found), encoding="utf-8")
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(Path.home()), "PGPASSWORD": "x"}
    taken = subprocess.run(
        [*_compose_cli(), "-f", str(file), "config", "--quiet"], capture_output=True, text=True, env=env, check=False
    )
    assert (taken.returncode, taken.stderr) == (0, "")


def test_a_label_reads_only_the_containers_that_have_it(shop: Running) -> None:
    label = f"com.docker.compose.image={docker('image', 'inspect', 'redis:7', '--format', '{{.Id}}').strip()}"
    found = read_host(client(), project=shop.project, label=label)
    assert [container["Config"]["Labels"]["com.docker.compose.service"] for container in found.containers] == ["queue"]


def test_reading_a_host_only_reads(shop: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request of docker-py passes `send` of its session, whatever verb or transport is used."""
    import requests

    sent: list[tuple[str, str]] = []
    send = requests.Session.send

    def recorded(self: requests.Session, request: requests.PreparedRequest, **more: Any) -> requests.Response:
        sent.append((str(request.method), str(request.path_url)))
        return send(self, request, **more)

    monkeypatch.setattr(requests.Session, "send", recorded)
    read_host(client(), project=shop.project)
    assert len(sent) > 10
    assert {method for method, _ in sent} <= {"GET", "HEAD"}


def test_a_plan_beside_the_running_production_names_what_the_commit_changes(shop: Running, tmp_path: Path) -> None:
    project = _commit(shop, tmp_path)
    document = project.folder / "compose.yaml"
    text = document.read_text(encoding="utf-8").replace('PAYMENTS_TIMEOUT: "2.0"', 'PAYMENTS_TIMEOUT: "3.0"')
    document.write_text(text, encoding="utf-8")
    project.commit("Wait longer for payments")
    done = project.understudy("plan", "--format", "json", "--from-docker", "--project", shop.project)
    assert done.code == 0, done.text
    assert PASSWORD not in done.text
    plan = json.loads(done.out)
    assert plan["production_ref"] == f"docker host project {shop.project}"
    by_commit = [change["path"] for change in plan["changes"] if change["reason"].startswith("changed by commit")]
    assert by_commit == ["services.orders.environment.PAYMENTS_TIMEOUT"]


def _commit(shop: Running, tmp_path: Path) -> Project:
    """The running shop's files, committed."""
    project = make_project(tmp_path / "repository", tmp_path / "state", "shop")
    shutil.copytree(shop.file.parent, project.folder)
    project.commit("Describe production")
    return project


@pytest.mark.pulumi
def test_a_run_beside_the_running_production_runs_the_images_that_production_runs(
    shop: Running, tmp_path: Path
) -> None:
    project = _commit(shop, tmp_path)
    done = project.understudy("run", "--from-docker", "--project", shop.project)
    assert done.code == 0, done.text
    record = project.record()
    assert record["production_ref"] == f"docker host project {shop.project}"
    running = docker("image", "inspect", "postgres:15", "--format", "{{.Id}}").strip()
    images = {image["service"]: image for image in record["images"]}
    assert images["db"]["reference"] == running
    assert PASSWORD not in (project.latest() / "run.json").read_text(encoding="utf-8")
