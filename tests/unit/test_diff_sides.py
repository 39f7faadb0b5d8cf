"""What a user names as a side, found: commits, files, production, environments and runs, and the order among them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support import Project, make_project

from understudy.blueprint import draw
from understudy.diff.command import Wanted, compare_sides, run
from understudy.diff.pair import pair
from understudy.diff.record import DiffRecord
from understudy.diff.sides import Sides
from understudy.engine.settings import EngineSettings
from understudy.errors import NotFoundError, UsageError
from understudy.export import RunFolder
from understudy.lease import Lease, LeaseState, LeaseStore
from understudy.options import Options, Origin
from understudy.preparation import CLONE, begin, keep_tree, take_tree
from understudy.redact import Redactor
from understudy.report import RunRecord, utc
from understudy.targets.choose import kind_of

COMPOSE = """\
name: shop
services:
  web:
    image: web:1
    environment: {SECRET_KEY: of-the-laptop}
    volumes: ["./www:/www"]
x-understudy: {secrets: [SECRET_KEY]}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Production on main, and a branch with another image and another page."""
    made = make_project(tmp_path / "repository", tmp_path / "state")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    write(made, COMPOSE, "hello")
    made.commit("Describe production")
    made.git("checkout", "-q", "-b", "feature/x")
    write(made, COMPOSE.replace("web:1", "web:2"), "goodbye")
    made.commit("Change the image and the page")
    return made


def write(project: Project, compose: str, text: str) -> None:
    (project.folder / "compose.yaml").write_text(compose, encoding="utf-8")
    (project.folder / "www").mkdir(exist_ok=True)
    (project.folder / "www" / "index.html").write_text(text, encoding="utf-8")


@pytest.fixture
def environment(project: Project) -> Callable[..., Lease]:
    """Makes the environment of the branch as far as it lies on disk: its lease, its tree, its clone."""

    def make(target: str = "docker:X") -> Lease:
        options = Options(target=kind_of(target))
        settings = EngineSettings.from_environment(Path("pulumi"))
        settings.prepare()
        blueprint = draw(options, project.folder)
        store = LeaseStore.beside(settings.backend)
        lease = begin(
            blueprint,
            options,
            backend=settings.backend,
            backend_id=store.backend_id(),
            target=target,
            environment="eabcdefghij",
            stack=("understudy", "eabcdefghij"),
            folder=settings.state,
            state=LeaseState.KEPT,
        )
        store.create(lease)
        return keep_tree(store, lease, blueprint, take_tree(blueprint, settings.state, lease.id))

    return make


def diff(project: Project, *sides: str) -> DiffRecord:
    first, second = (*sides, None, None)[:2]
    return compare_sides(*pair(Sides(Options(), project.folder), first, second))


def paths(record: DiffRecord, cause: str | None = None) -> set[str]:
    return {each.path for each in record.differences if cause in {None, each.cause}}


def test_without_a_side_production_and_this_commit(project: Project) -> None:
    record = diff(project)
    assert (record.before.kind, record.before.name) == ("production", "main")
    assert (record.after.kind, record.after.branch) == ("commit", "feature/x")
    assert paths(record, "commit") == {"services.web.image", "services.web.mounts./www.files"}
    assert "services.web.environment.SECRET_KEY" in paths(record, "clone")
    assert record.different
    assert "of-the-laptop" not in record.to_json()


def test_production_may_stand_second(project: Project) -> None:
    there, back = diff(project, "production", "feature/x"), diff(project, "feature/x", "production")
    assert [(d.path, d.before, d.after) for d in there.differences] == [
        (d.path, d.after, d.before) for d in back.differences
    ]


def test_two_commits_are_two_clones(project: Project) -> None:
    assert paths(diff(project, "main", "HEAD")) == {"services.web.image", "services.web.mounts./www.files"}
    assert not diff(project, "HEAD").different
    assert not diff(project, "commit:HEAD", "HEAD").different


def test_a_file_is_taken_as_it_lies(project: Project, tmp_path: Path) -> None:
    other = tmp_path / "production.yaml"
    other.write_text(COMPOSE.replace("web:1", "web:3"), encoding="utf-8")
    record = diff(project, str(other), "compose.yaml")
    assert (record.before.kind, record.after.kind) == ("file", "file")
    assert paths(record) == {"services.web.image"}
    assert diff(project, "file:compose.yaml", "file:compose.yaml").differences == ()


def test_an_environment_is_compared_as_it_was_provisioned(project: Project, environment: Callable[[], Lease]) -> None:
    lease = environment()
    write(project, COMPOSE.replace("web:1", "web:4"), "hello again")
    project.commit("Change both again")
    for name in (lease.id, "env:", "env:feature/x", "last", f"env:understudy/{lease.stack}"):
        record = diff(project, name)
        assert (record.before.kind, record.before.environment) == ("environment", lease.id)
        assert paths(record) == {"services.web.image", "services.web.mounts./www.files"}


AWS = "aws:123456789012:eu-west-1"


def test_beside_an_environment_on_aws_a_commit_is_cloned_for_aws(
    project: Project, environment: Callable[..., Lease]
) -> None:
    environment(AWS)
    for sides in (("last",), ("env:eabcdefghij", "HEAD"), ("HEAD", "env:eabcdefghij")):
        assert not diff(project, *sides).different, sides
    on_docker = replace(Options(), origins={"target": Origin.FLAG})
    assert compare_sides(*pair(Sides(on_docker, project.folder), "last", None)).different


def test_what_aws_makes_differ_from_production_is_shown_or_why_it_is_not(project: Project) -> None:
    sides = Sides(Options(target="aws", aws_region="eu-west-1"), project.folder)
    there, back = (compare_sides(*pair(sides, *named)) for named in ((None, None), ("HEAD", "production")))
    for record in (there, back):
        assert {"networks.egress", "services.web.resources.cpus"} <= paths(record, "clone")
        assert any("AWS was not asked" in warning for warning in record.warnings)
    assert "networks.egress" not in paths(compare_sides(*pair(sides, "main", "HEAD")))
    write(project, COMPOSE.replace("web:1", "web:2\n    entrypoint: []"), "goodbye")
    project.commit("Ask for what Fargate has not")
    record = compare_sides(*pair(sides, None, None))
    assert "services.web.image" in paths(record, "commit")
    assert "networks.egress" not in paths(record)
    told = "what AWS makes differ is not shown: Service 'web' cannot run on Fargate"
    assert [warning for warning in record.warnings if warning.startswith(told)]


def test_a_preview_as_for_another_target_is_refused_before_anything_is_asked(
    project: Project, environment: Callable[..., Lease], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(AWS)
    monkeypatch.setattr("understudy.session.target_of", lambda *_, **__: pytest.fail("a target was asked for"))
    on_docker = Options(origins={"target": Origin.FLAG})
    with pytest.raises(UsageError, match="as for docker: it is on aws"):
        run(on_docker, project.folder, "eabcdefghij", None, Wanted(engine=True))


def test_a_branch_is_the_commit_and_its_environment_is_named(
    project: Project, environment: Callable[[], Lease]
) -> None:
    environment()
    record = diff(project, "feature/x", "main")
    assert record.before.kind == "commit"
    assert record.warnings == ("'feature/x' was taken for the commit; its environment is env:eabcdefghij",)


def test_an_environment_without_a_kept_clone_is_derived_anew(
    project: Project, environment: Callable[[], Lease]
) -> None:
    lease = environment()
    (Path(lease.tree).parent / CLONE).write_text("[]", encoding="utf-8")
    record = diff(project, lease.id)
    assert paths(record) == set()
    assert "derived anew" in record.warnings[0]


@pytest.fixture
def past(project: Project, environment: Callable[[], Lease]) -> Path:
    """The folder of a run of the branch, with its clone."""
    lease = environment()
    folder = RunFolder.create(project.folder, "e1", datetime(2026, 1, 2, tzinfo=UTC), Redactor())
    folder.write_text(CLONE, (Path(lease.tree).parent / CLONE).read_text(encoding="utf-8"))
    commit = project.git("rev-parse", "HEAD")
    record = RunRecord(
        folder.name,
        "e1",
        "docker:X",
        "shop",
        "",
        "compose.yaml",
        commit,
        "feature/x",
        production_ref="main",
        started=utc(0),
    )
    folder.write_run(record)
    store = LeaseStore.beside(EngineSettings.from_environment(Path("pulumi")).backend)
    assert store.close(lease)
    return folder.path


def test_a_past_run_by_its_id_its_folder_and_as_the_last_of_the_branch(project: Project, past: Path) -> None:
    write(project, COMPOSE, "hello")
    project.commit("Go back")
    for name in (past.name, f"run:{past.name}", str(past), "latest", "run:", "last"):
        record = diff(project, name)
        assert (record.before.kind, record.before.run) == ("run", past.name)
        assert paths(record) == {"services.web.image", "services.web.mounts./www.files"}


def test_a_run_that_kept_no_clone_is_that_of_its_commit(project: Project, past: Path) -> None:
    (past / CLONE).unlink()
    record = diff(project, "latest")
    assert record.differences == ()
    assert "derived anew" in record.warnings[0]
    data = json.loads((past / "run.json").read_text(encoding="utf-8"))
    (past / "run.json").write_text(json.dumps({**data, "dirty": True}), encoding="utf-8")
    with pytest.raises(UsageError, match="keeps none"):
        diff(project, "latest")


def test_a_run_of_another_version_of_the_record_is_refused_by_its_version(project: Project, past: Path) -> None:
    data = json.loads((past / "run.json").read_text(encoding="utf-8"))
    (past / "run.json").write_text(json.dumps({**data, "schema": 1}), encoding="utf-8")
    with pytest.raises(UsageError, match=rf"{past.name}.*version 2 is what this Understudy reads, not 1"):
        diff(project, past.name)


def test_the_working_folder_can_be_this_commit(project: Project) -> None:
    write(project, COMPOSE.replace("web:1", "web:9"), "goodbye")
    before, after = pair(Sides(Options(dirty=True), project.folder), "HEAD", None)
    record = compare_sides(before, after)
    assert [(each.before, each.after) for each in record.differences] == [("web:2", "web:9")]
    assert record.after.dirty


@pytest.mark.parametrize("name", ["nothing", "a\0b", "../x", "--help", "commit:nothing", "file:nothing.yaml", ""])
def test_what_is_not_there_is_said_with_what_to_do(project: Project, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        diff(project, name)
    assert caught.value.exit_code == 2
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("name", ["env:nothing", "env:", "run:nothing", "last", "env:../x"])
def test_no_such_environment_or_run(project: Project, name: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        diff(project, name)
    assert caught.value.exit_code == 7


def test_the_exit_code_says_so_only_when_asked(project: Project, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    asked = Wanted(form="json", exit_code=True)
    assert run(Options(), project.folder, None, None, Wanted()) == 0
    assert run(Options(), project.folder, None, None, asked) == 1
    assert run(Options(), project.folder, "HEAD", "HEAD", asked) == 0
    for form in ("markdown", "html"):
        assert run(Options(), project.folder, "HEAD", "main", Wanted(form=form)) == 0
    assert b"web:2" in capsysbinary.readouterr().out
    with pytest.raises(UsageError, match="one environment"):
        run(Options(), project.folder, "HEAD", "main", Wanted(drift=True))


def test_comparing_writes_nothing_into_the_repository(project: Project) -> None:
    def files() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in project.root.rglob("*") if path.is_file()}

    before = files()
    diff(project)
    diff(project, "main", "HEAD")
    assert files() == before
