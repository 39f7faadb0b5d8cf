"""Which Compose files a commit is cloned from, with which variables, and how they are read again later."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from support import Project, make_project

from understudy.blueprint import Blueprint, draw, redraw
from understudy.engine.settings import EngineSettings
from understudy.errors import UsageError
from understudy.lease import Lease, LeaseState, LeaseStore
from understudy.options import Options
from understudy.preparation import begin, keep_tree, take_tree

BASE = """\
name: shop
services:
  web: {image: "web:${TAG:-1}", environment: {SECRET_KEY: of-the-laptop}}
  tool: {image: tool, profiles: [debug]}
x-understudy: {secrets: [SECRET_KEY]}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("TAG", raising=False)
    return make_project(tmp_path / "repository", tmp_path / "state")


def commit(project: Project, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = project.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    project.commit("Describe production")


def image(blueprint: Blueprint, service: str = "web") -> str | None:
    return blueprint.candidate.services[service].image


def test_the_override_file_of_the_commit_counts_with_a_warning(project: Project) -> None:
    commit(project, {"compose.yaml": BASE, "compose.override.yml": "services: {web: {image: over}}"})
    (project.folder / "compose.override.yml").write_text("services: {web: {image: later}}", encoding="utf-8")
    blueprint = draw(Options(), project.folder)
    assert (image(blueprint), blueprint.documents.files) == ("over", ("compose.yaml", "compose.override.yml"))
    assert any("-f compose.yaml" in warning for warning in blueprint.warnings)
    assert image(draw(Options(dirty=True), project.folder)) == "later"
    alone = draw(Options(file=("compose.yaml",)), project.folder)
    assert (image(alone), alone.warnings) == ("web:1", ())


def test_several_files_are_merged_from_the_folder_of_the_first(project: Project) -> None:
    commit(
        project,
        {"deploy/a.yaml": BASE, "b.yaml": "services: {web: {image: b, volumes: ['./www:/www']}}", "deploy/www/x": ""},
    )
    blueprint = draw(Options(file=("deploy/a.yaml", "b.yaml")), project.folder)
    assert (image(blueprint), blueprint.file, blueprint.folder) == ("b", "deploy/a.yaml", "deploy")
    assert [mount.source for mount in blueprint.candidate.services["web"].mounts] == ["www"]


def test_a_file_that_production_lacks_is_left_out_there_with_a_note(project: Project) -> None:
    commit(project, {"compose.yaml": BASE})
    project.git("checkout", "-q", "-b", "feature/x")
    commit(project, {"more.yaml": "services: {web: {image: more}}"})
    blueprint = draw(Options(file=("compose.yaml", "more.yaml"), production_ref="main"), project.folder)
    assert (image(blueprint), blueprint.production.services["web"].image) == ("more", "web:1")
    assert "more.yaml is not at main: production is read without it" in blueprint.warnings


def test_variables_of_files_and_of_the_command_line(project: Project) -> None:
    commit(project, {"compose.yaml": BASE, ".env": "TAG=2\n"})
    (project.folder / "ci.env").write_text("TAG=3\n", encoding="utf-8")
    assert image(draw(Options(), project.folder)) == "web:2"
    assert image(draw(Options(env_file=("ci.env",)), project.folder)) == "web:3"
    assert image(draw(Options(env_file=("ci.env",), set=("TAG=4",)), project.folder)) == "web:4"
    with pytest.raises(UsageError, match="no such environment file"):
        draw(Options(env_file=("none.env",)), project.folder)


def test_compose_s_profiles_are_those_of_the_option(project: Project) -> None:
    commit(project, {"compose.yaml": BASE})
    assert set(draw(Options(), project.folder).candidate.services) == {"web"}
    assert set(draw(Options(compose_profile=("debug",)), project.folder).candidate.services) == {"web", "tool"}


def test_what_lies_in_the_folder_only_is_said(project: Project) -> None:
    commit(project, {"compose.yaml": BASE})
    (project.folder / "new.yaml").write_text("services: {}", encoding="utf-8")
    with pytest.raises(UsageError, match=r"new\.yaml from commit .*\n.*commit it"):
        draw(Options(file=("compose.yaml", "new.yaml")), project.folder)
    with pytest.raises(UsageError, match=r"host-network"):
        draw(Options(allow=("everything",)), project.folder)


def test_an_environment_is_read_again_as_it_was(project: Project) -> None:
    commit(project, {"compose.yaml": BASE, "more.yaml": "services: {db: {image: 'db:${DB:?}'}}"})
    options = Options(file=("compose.yaml", "more.yaml"), set=("DB=5", "SECRET_KEY=hidden"), compose_profile=("debug",))
    settings = EngineSettings.from_environment(Path("pulumi"))
    settings.prepare()
    blueprint = draw(options, project.folder)
    store = LeaseStore.beside(settings.backend)
    lease = begin(
        blueprint,
        options,
        backend=settings.backend,
        backend_id=store.backend_id(),
        target="docker:X",
        environment="eabcdefghij",
        stack=("understudy", "eabcdefghij"),
        folder=settings.state,
        state=LeaseState.KEPT,
    )
    store.create(lease)
    lease = keep_tree(store, lease, blueprint, take_tree(blueprint, settings.state, lease.id))
    again = redraw(Lease.from_json(lease.to_json()), ())
    assert image(again, "db") == "db:5"
    assert set(again.candidate.services) == {"web", "tool", "db"}
    assert "hidden" not in lease.to_json()
