"""The example's production as a Pulumi stack, read back from its state: what differs has its reason."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from leases import BACKEND
from production import differing, free_port, shop_production
from support import make_project

from understudy.cli import cli
from understudy.engine.factory import make_engine
from understudy.engine.interface import StackRef
from understudy.engine.pulumi_cli import find
from understudy.engine.settings import EngineSettings
from understudy.production import Source, read_source
from understudy.provider.server import ProviderServer
from understudy.stacks.identity import Environment
from understudy.stacks.sources import compose
from understudy.stacks.sources.compose_writer import write
from understudy.stacks.topology import Topology
from understudy.targets.docker_client import client, daemon_identity

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images, pytest.mark.xdist_group("sources_stack")]

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "the-production-password"  # noqa: S105 - made up


@dataclass(frozen=True)
class Deployed:
    """The stack: its backend, and the folder of the shop's files."""

    backend: str
    folder: Path
    port: int


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The shop's production, up as `shop/production` on a backend of its own."""
    base = tmp_path_factory.mktemp("production")
    folder, state = base / "shop", base / "state"
    shutil.copytree(ROOT / "examples" / "shop", folder, ignore=shutil.ignore_patterns("understudy-runs"))
    (state / "backend").mkdir(parents=True)
    tag = secrets.token_hex(4)
    images = {
        name: str(
            client().images.build(path=str(folder / name), tag=f"sources-{name}:{tag}", rm=True, forcerm=True)[0].id
        )
        for name in ("catalog", "orders", "worker")
    }
    cli_found = find()
    assert cli_found is not None
    settings = EngineSettings(cli_found.path, state, (state / "backend").as_uri(), "a passphrase")
    owner = Environment(
        id=f"etest{secrets.token_hex(3)}",
        target=daemon_identity(client()),
        project="sources-tests",
        backend=BACKEND,
        not_after=datetime.now(UTC) + timedelta(hours=1),
    )
    ref, port = StackRef("shop", "production"), free_port()
    try:
        with ProviderServer() as server:
            engine = make_engine(settings, {"docker": server.port})
            try:
                engine.up(ref, shop_production(folder, owner, images, PASSWORD, port))
                yield Deployed(settings.backend, folder, port)
            finally:
                engine.destroy(ref)
    finally:
        for name in images:
            client().images.remove(f"sources-{name}:{tag}")


@pytest.fixture
def logged(stack: Deployed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Pulumi CLI that writes down each of its command lines; production's backend, and no passphrase for it."""
    real = find()
    assert real is not None
    log, wrapper = tmp_path / "commands", tmp_path / "pulumi"
    wrapper.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> "{log}"\nexec "{real.path}" "$@"\n', encoding="utf-8")
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("UNDERSTUDY_PULUMI", str(wrapper))
    monkeypatch.setenv("PULUMI_BACKEND_URL", stack.backend)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    monkeypatch.chdir(stack.folder)
    return log


EXPLAINED = {
    r"services\.(catalog|orders|worker)\.(build(\..*)?|image)": "what runs is an image; its origin is not known",
    r"services\.queue\.kind": "the image is Redis, which is a cache; only x-understudy says that it is a queue here",
    r"services\.(catalog|orders|worker|migrate|db)\.environment\..*": "the stack seals a list that has a secret in it",
    r"secrets|changes|warnings": "the sealed environments: no secret in them has a name, and each is on the record",
    r"services\.[a-z]+\.expose": "the Docker provider's schema has no such property",
    r"services\.worker\.depends_on": "the program waits for the queue's health, whoever depends on it",
    r"(externals|suites|profiles|endpoints)(\..*)?": "a stack does not know of x-understudy",
}
"""Every path that may differ, and why."""


WHAT_DIFFERS = {"services.db.resources.memory", "services.worker.depends_on.queue"}
"""What a plan says that the commit changes: the database's memory, and what the program waits for (see EXPLAINED)."""


def document(stack: Deployed) -> Topology:
    text = (stack.folder / "compose.yaml").read_text(encoding="utf-8").replace("8080:80", f"{stack.port}:80")
    return compose.read(text, "compose.yaml", variables={}, read_file=lambda _: None)


@pytest.mark.usefixtures("logged")
def test_the_state_gives_the_same_topology_apart_from_what_is_explained(stack: Deployed) -> None:
    found = read_source(Source(stack="shop/production"), stack.folder, lambda _: None).topology
    differences = differing(document(stack), found)
    assert {path for path in differences if not any(re.fullmatch(rule, path) for rule in EXPLAINED)} == set()
    unused = [rule for rule in EXPLAINED if not any(re.fullmatch(rule, path) for path in differences)]
    assert unused == [], "an explanation that explains nothing"
    sealed = {change.path for change in found.changes}
    assert sealed == {f"services.{name}.environment" for name in ("catalog", "db", "migrate", "orders", "worker")}
    assert PASSWORD not in repr(found)


def test_reading_a_stack_runs_no_command_but_its_export(stack: Deployed, logged: Path) -> None:
    read_source(Source(stack="organization/shop/production"), stack.folder, lambda _: None)
    commands = [line.split() for line in logged.read_text(encoding="utf-8").splitlines()]
    exports = [words for words in commands if words != ["version"]]
    flags = ["--non-interactive", "--color=never"]
    assert exports == [[*flags, "stack", "export", "--stack", "organization/shop/production"]]


@pytest.mark.usefixtures("logged")
def test_import_prints_a_compose_file_without_any_secret(stack: Deployed) -> None:
    done = CliRunner().invoke(cli, ["topology", "import", "--from-stack", "shop/production"], catch_exceptions=False)
    assert done.exit_code == 0
    back = compose.read(done.stdout, "topology.yaml", variables={}, read_file=lambda _: None)
    found = read_source(Source(stack="shop/production"), stack.folder, lambda _: None).topology
    assert differing(found, back) <= {"changes", "warnings"}
    assert PASSWORD not in done.output
    assert "v1:" not in done.output, "no ciphertext either"


@pytest.mark.usefixtures("logged")
def test_an_export_and_a_state_file_give_what_the_stack_gives(stack: Deployed) -> None:
    from understudy.engine.production_export import export_production

    found = find()
    assert found is not None
    text = export_production("shop/production", found.path)
    (stack.folder / "export.json").write_text(text, encoding="utf-8")
    state = Path(stack.backend.removeprefix("file://")) / ".pulumi" / "stacks" / "shop" / "production.json"
    read = [
        read_source(source, stack.folder, lambda _: None).topology
        for source in (
            Source(stack="shop/production"),
            Source(export="export.json"),
            Source(export=str(state)),
        )
    ]
    assert read[0].services == read[1].services == read[2].services
    assert "plaintext" not in text
    assert json.loads(text)["version"] == 3
    assert write(read[0]) == write(read[1])


@pytest.mark.usefixtures("logged")
def test_a_stack_that_is_not_there_is_named() -> None:
    done = CliRunner().invoke(cli, ["topology", "import", "--from-stack", "shop/nothing"])
    assert "no stack named 'nothing' found" in str(done.exception)


def test_a_plan_beside_the_stack_names_only_what_the_commit_changes(stack: Deployed, tmp_path: Path) -> None:
    project = make_project(tmp_path / "repository", tmp_path / "state", "shop")
    shutil.copytree(stack.folder, project.folder)
    document = project.folder / "compose.yaml"
    text = document.read_text(encoding="utf-8").replace("8080:80", f"{stack.port}:80")
    document.write_text(text.replace("memory: 512M", "memory: 256M"), encoding="utf-8")
    project.commit("Give the database less")
    production = {"PULUMI_BACKEND_URL": stack.backend, "PULUMI_HOME": str(tmp_path / "home")}
    done = project.understudy("plan", "--format", "json", "--from-stack", "shop/production", env=production)
    assert done.code == 0, done.text
    plan = json.loads(done.out)
    assert plan["production_ref"] == "stack shop/production"
    by_commit = {change["path"] for change in plan["changes"] if change["reason"].startswith("changed by commit")}
    assert by_commit == WHAT_DIFFERS
