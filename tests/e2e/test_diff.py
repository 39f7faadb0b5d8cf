"""`understudy diff` against a real engine and a real daemon: what it says is so, and looking changes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from support import ROOT, Project, docker, labelled

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

TOPOLOGY = """\
services:
  web:
    image: busybox:1.35
    command: [httpd, -f, -p, "8080", -h, /www]
    ports: ["8080"]
    volumes: ["./www:/www"]
    networks: {default: {aliases: [site]}}
    deploy: {resources: {limits: {memory: 32M}}}
  store:
    image: busybox:1.35
    command: [sleep, "3600"]
  old:
    image: busybox:1.35
    command: [sleep, "7200"]
    networks: [spare]
    volumes: ["unused:/data"]
networks: {spare: {}}
volumes: {unused: {}}
"""


@pytest.fixture
def project(small: Callable[[str], Project]) -> Iterator[Project]:
    made = small(TOPOLOGY)
    (made.folder / "www").mkdir()
    (made.folder / "www" / "index.html").write_text("hello\n", encoding="utf-8")
    made.commit("Write a page")
    yield made
    for lease in made.leases():
        gone = made.understudy("down", str(lease["id"]))
        assert gone.code == 0, gone.text


def shown(project: Project, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = project.understudy("diff", "--format", "json", *arguments)
    assert done.code == code, done.text
    record = json.loads(done.out)
    schema = json.loads((ROOT / "understudy/schemas/diff.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(record)
    return dict(record)


def state(project: Project) -> dict[str, str]:
    """Every file of the state folder but the caches of the Pulumi home, and of the watchdog, which goes by itself."""
    root = Path(project.env["XDG_STATE_HOME"])
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file() and not {"home", "watchdog"} & set(path.relative_to(root).parts)
    }


def up(project: Project) -> str:
    done = project.understudy("up")
    assert done.code == 0, done.text
    (lease,) = project.leases()
    return str(lease["id"])


def test_a_preview_says_what_up_would_do_and_creates_nothing(project: Project) -> None:
    first = shown(project, "--engine", "--exit-code", code=1)
    assert first["preview"]["living"] is False
    assert set(first["preview"]["counts"]) == {"create"}
    kinds = [step["type"].rpartition(":")[2] for step in first["preview"]["steps"]]
    assert kinds.count("Container") == 4  # three services and the relay
    assert project.leases() == []
    assert labelled("project", project.root.name) == []
    assert [name for name in state(project) if "stacks" in name or "trees" in name] == []

    environment = up(project)
    before, running = state(project), labelled("environment", environment)
    same = shown(project, "--engine", "--exit-code", "env:")
    assert (same["preview"]["living"], set(same["preview"]["counts"])) == (True, {"same"})
    assert same["differences"] == []

    (project.folder / "compose.yaml").write_text(TOPOLOGY.replace("3600", "1800"), encoding="utf-8")
    (project.folder / "www" / "index.html").write_text("goodbye\n", encoding="utf-8")
    project.commit("Sleep less, say more")
    lock = (
        Path(project.env["XDG_STATE_HOME"]) / "understudy/backend/.pulumi/locks/organization/understudy" / environment
    )
    lock.mkdir(parents=True, exist_ok=True)
    (lock / "held.json").write_text('{"pid":1,"hostname":"elsewhere"}', encoding="utf-8")
    changed = shown(project, "--engine", "--exit-code", "last", code=1)
    (lock / "held.json").unlink()
    assert {each["path"] for each in changed["differences"]} == {
        "services.store.command",
        "services.web.mounts./www.files",
    }
    steps = {step["name"]: step for step in changed["preview"]["steps"] if step["op"] != "same"}
    store, web = steps[f"{environment}-store-container"], steps[f"{environment}-web-container"]
    assert (store["op"], set(store["properties"])) == ("replace", {"command"})
    assert (web["op"], set(web["properties"])) == ("replace", {"volumes"})
    assert state(project) == before
    assert labelled("environment", environment) == running


def test_drift_is_seen_and_nothing_is_changed_by_looking(project: Project) -> None:
    environment = up(project)
    none = shown(project, "--drift", "--exit-code")
    assert none["drift"] == []
    assert none["unchanged"] >= 3 + 1 + 4  # networks, a volume, containers, and images that are not known by id

    web, store, network, spare = (f"{environment}-{name}" for name in ("web", "store", "default", "spare"))
    docker("update", "--memory", "64m", "--memory-swap", "96m", "--pids-limit", "99", "--restart", "always", web)
    docker("network", "disconnect", network, web)
    docker("network", "connect", network, web)
    docker("kill", store)
    docker("rm", "-f", f"{environment}-old")
    docker("network", "disconnect", spare, f"{environment}-relay")
    docker("network", "rm", spare)
    docker("volume", "rm", f"{environment}-unused")
    docker("pause", f"{environment}-relay")
    docker("run", "-d", "--name", f"{environment}-stranger", "--network", network, "busybox:1.35", "sleep", "600")
    try:
        before = state(project)
        found = shown(project, "--drift", "--exit-code", environment, code=1)
        assert state(project) == before
    finally:
        docker("rm", "-f", f"{environment}-stranger")
        docker("unpause", f"{environment}-relay")
    drift = {each["name"]: each for each in found["drift"]}
    assert {name.removeprefix(f"{environment}-"): each["state"] for name, each in drift.items()} == {
        "web": "changed",
        "store": "stopped",
        "relay": "paused",
        "old": "gone",
        "spare": "gone",
        "unused": "gone",
        "stranger": "added",
    }
    assert drift[store]["detail"] == "exited, exit code 137"
    properties = {each["path"]: (each["provisioned"], each["actual"]) for each in drift[web]["properties"]}
    assert properties.pop("memory") == ("32", "64")
    assert properties.pop("memorySwap") == (None, "96")
    assert properties.pop("pids limit") == ("4096", "99")
    assert properties.pop("restart") == ("no", "always")
    assert properties == {f"networksAdvanced[{network}].aliases": ('["web", "site"]', None)}

    text = project.understudy("diff", "--drift", environment)
    assert f"~ Container {store}: stopped, exited, exit code 137\n" in text.out
    docker("rm", "-f", store)
    gone = shown(project, "--drift", environment)
    assert {each["name"]: each["state"] for each in gone["drift"]}[store] == "gone"


def test_no_such_environment_and_bad_input_have_their_exit_codes(project: Project) -> None:
    for arguments, code in (
        (("--drift", "nothing"), 7),
        (("--drift",), 7),
        (("env:nothing",), 7),
        (("nothing",), 2),
        (("a", "b", "c"), 2),
        (("--engine", "HEAD", "compose.yaml"), 2),
        (("--drift", "--engine"), 2),
        (("--format", "pdf"), 2),
    ):
        done = project.understudy("diff", *arguments)
        assert done.code == code, (arguments, done.text)
        assert "Traceback" not in done.text
        assert done.err


def test_a_past_run_is_compared_by_the_clone_it_kept(project: Project) -> None:
    suite = 'x-understudy: {tests: {one: {command: ["true"]}}}\n'
    (project.folder / "compose.yaml").write_text(TOPOLOGY + suite, encoding="utf-8")
    project.commit("Test something")
    ran = project.understudy("run")
    assert ran.code == 0, ran.text
    (project.folder / "compose.yaml").write_text(TOPOLOGY.replace("32M", "48M") + suite, encoding="utf-8")
    project.commit("Give it more")
    for side in ("last", "latest"):
        record = shown(project, side)
        assert record["before"]["kind"] == "run"
        assert [(each["path"], each["before"], each["after"]) for each in record["differences"]] == [
            ("services.web.resources.memory", "33554432", "50331648")
        ]
