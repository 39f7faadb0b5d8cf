"""`understudy plan`: what would be made and why, with and without a daemon, and nothing is written."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError, ImageNotFound
from support import Project, make_project

from understudy import planning
from understudy.options import resolve

BEFORE = """\
services:
  web:
    build: {context: web, args: {V: "1"}}
    ports: ["8080:80"]
    deploy: {replicas: 3}
  api: {image: "shop/api:1", build: api, depends_on: [mail]}
  kept: {image: "shop/kept:1", build: kept}
  db: {image: "postgres:15", volumes: ["./seed:/seed", "./web:/web"], expose: ["5432"]}
  mail: {image: "mail:1"}
x-understudy:
  secrets: [PASSWORD]
  endpoints: ["db:5432"]
  externals:
    pay: {host: pay.example, mock: mocks/pay}
    sms: {host: sms.example}
  profiles: {default: {replicas: 1, without: [mail]}}
""".replace('expose: ["5432"]', 'expose: ["5432"], environment: {PASSWORD: of-production}')
NOWHERE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = make_project(tmp_path / "repository", tmp_path / "state")
    for name in ("web", "api", "kept"):
        (made.folder / name).mkdir()
        (made.folder / name / "Dockerfile").write_text(f"FROM {name}\n")
    (made.folder / "compose.yaml").write_text(BEFORE)
    made.commit("Describe production")
    made.git("branch", "production")
    (made.folder / "compose.yaml").write_text(BEFORE.replace('V: "1"', 'V: "2"'))
    (made.folder / "api" / "app.py").write_text("print()\n")
    made.commit("Change two builds")
    return made


def planned(project: Project, *more: str) -> dict[str, Any]:
    done = project.understudy("plan", "--production-ref", "production", "--format", "json", *more, env=NOWHERE)
    assert done.code == 0, done.text
    found: dict[str, Any] = json.loads(done.out)
    return found


def test_it_says_what_is_built_and_why_without_a_daemon_and_writes_nothing(project: Project, tmp_path: Path) -> None:
    before = project.git("count-objects", "-v")
    plan = planned(project)
    services = {each["name"]: each for each in plan["services"]}
    assert [(name, s["action"], s["reference"], s["replicas"]) for name, s in services.items()] == [
        ("web", "build", "web", 1),
        ("api", "build", "api", 1),
        ("kept", "reuse", "shop/kept:1", 1),
        ("db", "run", "postgres:15", 1),
    ]
    assert services["web"]["why"] == "not the same as in production: build.args.V"
    assert services["api"]["why"] == "not the same as in production: the files of api"
    assert services["kept"]["why"] == "production builds the same files, so its image runs and nothing is built"
    assert {party["name"]: party["state"] for party in plan["third_parties"]} == {"pay": "mocked", "sms": "missing"}
    assert [(e["service"], e["port"]) for e in plan["endpoints"]] == [("web", 80), ("db", 5432), ("pay", 80)]
    assert "/nonexistent/docker.sock" in plan["daemon"] or "Docker" in plan["daemon"]
    assert plan["verdicts"]["services.mail"] == "missing"
    mounts = {each["property"]: each["clone"] for each in plan["properties"] if each["property"].startswith("mounts")}
    assert mounts == {"mounts./seed": "an empty folder", "mounts./web": "bind web at /web"}
    scaled = next(each for each in plan["properties"] if each["property"] == "replicas")
    assert (scaled["production"], scaled["clone"], scaled["rule"]) == ("3", "1", "compose.yaml:16:24")
    assert "of-production" not in json.dumps(plan)
    assert project.git("count-objects", "-v") == before
    assert project.git("status", "--porcelain") == ""
    assert [path for path in (tmp_path / "state").rglob("*") if "lease" in path.name or "tree" in path.name] == []


def test_for_people_it_says_the_same(project: Project) -> None:
    done = project.understudy("plan", "--production-ref", "production", env=NOWHERE)
    assert done.code == 0, done.text
    for line in (
        "profile default; networks closed",
        "  web x1 (service): will be built from web",
        "  kept x1 (service): runs production's image shop/kept:1",
        "  db x1 (database): runs postgres:15",
        "    not the same as in production: build.args.V",
        "  pay pay.example:80: mocked",
        "    a mock answers under the third party's host name, in HTTP",
        "  db:5432 postgresql",
        "  services.mail: missing",
        "    scaled   replicas: 3 -> 1",
        "Nothing was created.",
    ):
        assert line in done.out.splitlines()


def test_a_topology_that_does_not_allow_it_is_told_with_its_place(project: Project) -> None:
    (project.folder / "compose.yaml").write_text(BEFORE.replace("without: [mail]", "without: [ghost]"))
    done = project.understudy("plan", "--dirty", env=NOWHERE)
    assert done.code == 2
    assert "compose.yaml:16:47: x-understudy.profiles.default.without[0]: 'ghost' is no service" in done.err
    both = "  a-b: {image: x, ports: ['80']}\n  a_b: {image: x, ports: ['80']}\n  mail:"
    (project.folder / "compose.yaml").write_text(BEFORE.replace("  mail:", both))
    done = project.understudy("plan", "--dirty", env=NOWHERE)
    assert done.code == 2
    assert "'a-b' and 'a_b' would both" in done.err


def test_a_dirty_folder_is_built_as_it_lies(project: Project) -> None:
    services = {each["name"]: each for each in planned(project, "--dirty")["services"]}
    assert services["kept"]["action"] == "build"
    assert services["kept"]["why"] == "the working folder is built as it lies"


class Images:
    """A daemon that has two images, and a registry that knows one."""

    def get(self, image: str) -> SimpleNamespace:
        if image == "postgres:15":
            return SimpleNamespace(id="sha256:aa", attrs={"RepoDigests": ["other@sha256:cc", "postgres@sha256:bb"]})
        if image.startswith("understudy/") and "-web:" in image:
            return SimpleNamespace(id="sha256:ee", attrs={"RepoDigests": []})
        if image == "shop/kept:1":
            return SimpleNamespace(id="sha256:dd", attrs={"RepoDigests": []})
        raise ImageNotFound("no such image")

    def get_registry_data(self, image: str) -> SimpleNamespace:
        raise APIError(f"no registry answers for {image}")


def test_with_a_daemon_each_image_has_its_digest(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for key, value in project.env.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(
        planning, "client", lambda: SimpleNamespace(images=Images(), version=lambda: {"Os": "linux", "Arch": "amd64"})
    )
    options = resolve({"production_ref": "production"}, {}, None)
    assert planning.show(options, project.folder, form="json") == 0
    plan = json.loads(capsys.readouterr().out)
    actions = {each["name"]: each["action"] for each in plan["services"]}
    assert actions == {"web": "cached", "api": "build", "kept": "reuse", "db": "run"}
    digests = {each["name"]: each["digest"] for each in plan["services"]}
    assert digests == {"web": "", "api": "", "kept": "sha256:dd", "db": "postgres@sha256:bb"}
    change = next(each for each in plan["changes"] if each["path"] == "services.db.image")
    assert (change["production"], change["clone"]) == ("postgres:15", "postgres:15 (postgres@sha256:bb)")
    assert change["fidelity"] == "faithful"


def test_what_it_costs_is_said_where_that_is_asked(project: Project) -> None:
    assert planned(project)["cost"] is None
    cost = planned(project, "--cost")["cost"]
    assert (cost["per_hour"], cost["rows"], cost["not_priced"]) == (0.0, [], [])
    done = project.understudy("plan", "--production-ref", "production", "--cost", env=NOWHERE)
    assert done.code == 0
    assert "\ncost: containers on this machine cost nothing by the hour\n" in done.out
