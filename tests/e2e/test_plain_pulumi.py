from __future__ import annotations

import json
import shutil
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from plain_pulumi import Plain, environment_of, resources
from support import ROOT, Project, docker, labelled

from understudy.stacks.identity import Environment, ownership_labels
from understudy.targets.docker import DockerTarget

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

TOPOLOGY = """\
services:
  web:
    image: busybox:1.35
    command: [httpd, -f, -p, "8080", -h, /www]
    ports: ["8080"]
    volumes: ["./www:/www:ro"]
"""

PROGRAM = """\
import pulumi
from components.greeting import GREETING
from stacks import NAME

from understudy.program import main

main()
pulumi.export("greeting", f"{GREETING} from {NAME}")
"""


@contextmanager
def removed_afterwards(project: Project) -> Iterator[None]:
    """Whatever a test leaves behind when it fails."""
    try:
        yield
    finally:
        for lease in project.listed():
            project.understudy("down", str(lease["id"]))


def write_pulumi_project(folder: Path) -> None:
    """This repository's Pulumi.yaml, with the environment of the tests in place of `.venv`."""
    text = (ROOT / "Pulumi.yaml").read_text(encoding="utf-8")
    assert "virtualenv: .venv\n" in text
    assert "path: .venv/share/understudy/plugins\n" in text
    (folder / "Pulumi.yaml").write_text(text.replace(": .venv", f": {sys.prefix}"), encoding="utf-8")


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - an address of our own relay
        text = answer.read().decode()
        assert isinstance(text, str)
        return text


def endpoint(outputs: dict[str, Any], name: str) -> str:
    return str(outputs["endpoints"][name]["url"])


@pytest.fixture
def checkout(shop: Project) -> Project:
    """What a newcomer has cloned: this repository's Pulumi project and its example."""
    project = Project(shop.root, shop.root, shop.env)
    shutil.copy(ROOT / "__main__.py", project.folder)
    write_pulumi_project(project.folder)
    project.commit("Add the Pulumi project")
    return project


def test_the_readme_s_way_with_plain_pulumi(checkout: Project) -> None:
    pulumi = Plain(checkout)
    with removed_afterwards(checkout):
        pulumi("stack", "init", "my-branch")

        assert resources(pulumi("preview")) == {"to create"}
        assert checkout.listed() == []
        assert pulumi.trees() == []
        assert labelled("project", checkout.root.name) == []

        assert resources(pulumi("up", "--yes")) == {"created"}
        outputs = pulumi.outputs()
        assert json.loads(get(endpoint(outputs, "gateway:80") + "/catalog"))["version"] == 2
        assert labelled("project", checkout.root.name) != []
        (lease,) = checkout.listed()
        assert (lease["id"], lease["stack"]) == (outputs["environment"], "my-branch")
        assert (lease["state"], lease["idle"]) == ("handed over", 0.0)
        assert lease["commit"] == checkout.git("rev-parse", "HEAD")
        assert "understudy/my-branch" in checkout.understudy("list").out

        tested = checkout.understudy("test", "my-branch")
        assert tested.code == 0, tested.text
        assert checkout.record()["exit_code"] == 0
        assert "orders | " in checkout.understudy("logs", "my-branch", "orders").out

        containers = running(outputs)
        assert resources(pulumi("up", "--yes")) == {"unchanged"}
        assert running(outputs) == containers
        assert pulumi.outputs() == outputs

        assert resources(pulumi("destroy", "--yes")) == {"deleted"}
        assert labelled("project", checkout.root.name) == []
        assert checkout.understudy("list").out == "no environments\n"
        assert checkout.listed() == []
        assert pulumi.trees() == []
        assert checkout.understudy("receipt", str(lease["id"])).code == 0


def running(outputs: dict[str, Any]) -> set[str]:
    return set(docker("ps", "-q", "--filter", f"label=dev.understudy.environment={outputs['environment']}").split())


@pytest.fixture
def own(small: Callable[[str], Project]) -> Project:
    """A user's Pulumi project, with packages of theirs that are called as two of ours are."""
    project = small(TOPOLOGY)
    written = {
        "www/index.html": "hello from their own commit\n",
        "components/__init__.py": "",
        "components/greeting.py": 'GREETING = "hello"\n',
        "stacks/__init__.py": 'NAME = "their own stacks"\n',
        "__main__.py": PROGRAM,
    }
    for name, text in written.items():
        (project.folder / name).parent.mkdir(exist_ok=True)
        (project.folder / name).write_text(text, encoding="utf-8")
    (project.folder / "Pulumi.yaml").write_text(
        f"name: theirs\nruntime: {{name: python, options: {{virtualenv: {sys.prefix}}}}}\n"
        f"plugins: {{providers: [{{name: docker, path: {sys.prefix}/share/understudy/plugins}}]}}\n",
        encoding="utf-8",
    )
    project.commit("Write a program")
    return project


def from_another_host(project: Project) -> dict[str, Any]:
    """The lease, as if the `pulumi up` that wrote it had run on another machine."""
    (place,) = Path(project.env["XDG_STATE_HOME"]).rglob("leases/*.json")
    lease = json.loads(place.read_text(encoding="utf-8"))
    assert isinstance(lease, dict)
    lease["owner"]["host"] = "elsewhere"
    place.write_text(json.dumps(lease), encoding="utf-8")
    return lease


def receipt_of(project: Project, lease: dict[str, Any]) -> dict[str, Any]:
    (place,) = Path(project.env["XDG_STATE_HOME"]).rglob(f"receipts/{lease['id']}.json")
    found = json.loads(place.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_in_a_project_with_packages_called_as_ours(own: Project) -> None:
    pulumi = Plain(own)
    with removed_afterwards(own):
        pulumi("stack", "init", "dev")
        assert resources(pulumi("up", "--yes")) == {"created"}
        outputs = pulumi.outputs()
        assert outputs["greeting"] == "hello from their own stacks"
        assert get(endpoint(outputs, "web:8080")) == "hello from their own commit\n"

        made = from_another_host(own)
        assert resources(pulumi("destroy", "--yes")) == {"deleted"}
        assert resources(pulumi("up", "--yes")) == {"created"}
        (lease,) = own.listed()
        assert lease["created"] > made["created"]
        assert receipt_of(own, lease)["created"] == made["created"]

        gone = own.understudy("down", "dev")
        assert gone.code == 0, gone.text
        assert "CLEAN" in gone.out
        assert labelled("project", own.root.name) == []
        assert own.listed() == []
        (stack,) = json.loads(pulumi("stack", "ls", "--json").out)
        assert (stack["name"], stack["resourceCount"]) == ("dev", 0)


def test_a_preview_shows_the_environment_that_diff_shows(own: Project) -> None:
    """The same resources, property by property of their names, whichever stack they are for."""

    def parts(steps: list[dict[str, Any]], environment: str) -> set[tuple[str, str]]:
        kinds = ((urn[2].rpartition("$")[2], urn[3]) for step in steps if (urn := step["urn"].split("::")))
        return {(kind, name.replace(environment, "ENV")) for kind, name in kinds if not kind.startswith("pulumi:")}

    pulumi = Plain(own)
    pulumi("stack", "init", "dev")
    theirs = json.loads(pulumi("preview", "--json").out)["steps"]
    ours = json.loads(own.understudy("diff", "--engine", "--format", "json").out)["preview"]["steps"]
    ids = [
        next(s["urn"].split("::")[3] for s in steps if s["urn"].split("::")[2].endswith(":Environment"))
        for steps in (theirs, ours)
    ]
    assert parts(theirs, ids[0]) == parts(ours, ids[1])
    assert {step["op"] for step in (*theirs, *ours)} == {"create"}
    assert labelled("project", own.root.name) == []
    assert own.listed() == []


def test_what_another_backend_has_of_the_same_environment_is_left_to_it(own: Project) -> None:
    """It is refused with nothing made, not even a lease, and nothing taken."""
    pulumi = Plain(own)
    pulumi("stack", "init", "dev")
    environment = environment_of(pulumi("preview"))
    theirs = Environment(environment, DockerTarget().identity(), own.root.name, datetime.now(UTC), "bothers")
    labels = [f"--label={key}={value}" for key, value in ownership_labels(theirs).items()]
    volume = docker("volume", "create", *labels).strip()
    try:
        refused = pulumi("up", "--yes", "--skip-preview", code=255)
        assert labelled("project", own.root.name) == [volume]
    finally:
        docker("volume", "rm", volume)
    assert f"Environment {environment} is on {theirs.target} already" in refused.text
    assert "made by another backend, bothers" in refused.text
    assert (own.listed(), pulumi.trees()) == ([], [])
