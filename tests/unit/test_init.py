"""`understudy init`: what it finds, what it proposes, and that it writes all of it or nothing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from support import ROOT

from understudy.cli import cli
from understudy.errors import UsageError
from understudy.init.command import Wanted, run
from understudy.init.found import look, secrets_in, suites_in
from understudy.init.proposal import NewFile, propose
from understudy.init.writing import write_all
from understudy.stacks.sources.compose import read

COMPOSE = """\
# production
services:
  web:
    image: nginx:1.22
    ports: ["8080:80"]
    environment:
      DATABASE_URL: postgresql://app:${DB_PASSWORD:-dev}@db/app
      PAYMENTS_URL: https://api.payments.example/v1
      MAIL_HOST: smtp.mail.example
      SHOWN: $$NO_SECRET
  db:
    image: postgres:15
    expose: ["5432"]
    environment: {POSTGRES_PASSWORD: "${DB_PASSWORD:-dev}"}
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a Compose file and integration tests, and nobody's settings of git."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    folder = tmp_path / "repository"
    (folder / "tests" / "integration").mkdir(parents=True)
    (folder / "tests" / "integration" / "test_web.py").write_text("def test_web(): pass\n")
    (folder / "compose.yaml").write_text(COMPOSE)
    subprocess.run(["git", "init", "-q", folder], check=True)
    return folder


def written(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def test_what_is_written_is_read_back_as_the_topology_with_what_was_missing(repository: Path) -> None:
    before = (repository / "compose.yaml").read_text()

    assert run(repository, Wanted(yes=True, ci="none"), None) == 0

    text = (repository / "compose.yaml").read_text()
    assert text.startswith(before)
    topology = read(text, "compose.yaml", variables={}, read_file=lambda _: None)
    assert topology.endpoints == (("db", 5432),)
    assert [(e.host, e.port, e.mock, e.allow) for e in topology.externals.values()] == [
        ("api.payments.example", 443, None, False)
    ]
    assert [(s.name, s.command, s.folder) for s in topology.suites] == [
        ("integration", ("pytest",), "tests/integration")
    ]
    assert "secrets: [DB_PASSWORD]" in text
    assert "MAIL_HOST calls smtp.mail.example" in text


def test_the_pulumi_project_names_the_compose_file_and_is_five_lines(repository: Path) -> None:
    run(repository, Wanted(yes=True, ci="none"), None)

    project = (repository / "environments" / "Pulumi.yaml").read_text()
    assert len(project.splitlines()) == 5
    assert 'understudy:topology: {value: "../compose.yaml"}' in project
    assert (
        repository / "environments" / "__main__.py"
    ).read_text() == "from understudy.program import main\n\nmain()\n"


def test_nothing_is_written_without_a_yes(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, asked = written(repository), []

    run(repository, Wanted(ci="none"), lambda question: bool(asked.append(question)))
    run(repository, Wanted(ci="none"), None)

    assert asked == ["Write these 3 files?"]
    assert written(repository) == before
    said = capsys.readouterr().out
    assert "  | x-understudy:" in said
    assert "`--yes` writes it" in said


def test_a_second_time_there_is_nothing_to_write(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(repository, Wanted(yes=True, ci="none"), None)
    before = written(repository)
    capsys.readouterr()

    run(repository, Wanted(yes=True, ci="none"), None)

    assert written(repository) == before
    said = capsys.readouterr().out
    assert "compose.yaml has x-understudy already" in said
    assert "environments/__main__.py is there already" in said
    assert "if production is one of its stacks" not in said, "the project is ours, not production's"


def test_as_json_the_proposal_is_data(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)

    done = CliRunner().invoke(cli, ["init", "--ci", "none", "--no-pulumi", "--format", "json"])

    data = json.loads(done.stdout)
    assert [(file["path"], file["appended"]) for file in data["files"]] == [("compose.yaml", True)]
    assert data["written"] is False


@pytest.mark.parametrize("top", ["{services: {web: {image: a}}}\n", "services: {web: {image: a}}\n...\n"])
def test_a_file_that_takes_nothing_at_its_end_is_left_alone(repository: Path, top: str) -> None:
    (repository / "compose.yaml").write_text(top)

    proposal = propose(look(repository, (), {}), pulumi=False, ci=None)

    assert proposal.files == ()
    assert any("put this into it by hand" in note for note in proposal.notes)


def test_a_repository_without_a_compose_file_is_told_what_to_do(repository: Path) -> None:
    (repository / "compose.yaml").unlink()
    with pytest.raises(UsageError, match=r"there is none of compose\.yaml"):
        run(repository, Wanted(yes=True), None)


@pytest.mark.parametrize(
    ("marker", "files", "told"),
    [
        (
            ".github/workflows/ci.yml",
            (".github/workflows/understudy.yml", "github/understudy.yml"),
            "in place of OWNER/understudy@0000",
        ),
        (
            ".gitlab-ci.yml",
            (".gitlab/understudy.gitlab-ci.yml", "gitlab/understudy.gitlab-ci.yml"),
            "add to .gitlab-ci.yml",
        ),
    ],
)
def test_the_ci_is_known_by_its_files(
    repository: Path, capsys: pytest.CaptureFixture[str], marker: str, files: tuple[str, str], told: str
) -> None:
    (repository / marker).parent.mkdir(parents=True, exist_ok=True)
    (repository / marker).write_text("{}\n")

    run(repository, Wanted(yes=True, pulumi=False), None)

    assert (repository / files[0]).read_text() == (ROOT / "ci" / files[1]).read_text()
    assert (repository / marker).read_text() == "{}\n"
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("git@github.com:some/shop.git", "github"),
        ("https://gitlab.example.org/some/shop.git", "gitlab"),
        ("https://git.example.org/github/shop.git", None),
    ],
)
def test_the_ci_is_known_by_the_host_of_the_remote(repository: Path, url: str, name: str | None) -> None:
    subprocess.run(["git", "-C", repository, "remote", "add", "origin", url], check=True)
    assert look(repository, (), {}).ci == name


def test_a_failed_write_leaves_nothing_behind(repository: Path) -> None:
    (repository / "taken").write_text("theirs")
    before = written(repository)
    files = (
        NewFile("compose.yaml", "\nx-understudy: {}\n", before=COMPOSE),
        NewFile("new/folder/file", "ours"),
        NewFile("taken", "ours"),
    )

    with pytest.raises(UsageError, match=r"Wrote taken.*no file was changed"):
        write_all(repository, files)

    assert written(repository) == before
    assert not (repository / "new").exists()


def test_what_changed_since_it_was_shown_is_not_overwritten(repository: Path) -> None:
    (repository / "compose.yaml").write_text(COMPOSE + "# more\n")
    with pytest.raises(UsageError, match="has changed since it was shown"):
        write_all(repository, (NewFile("compose.yaml", "x-understudy: {}\n", before=COMPOSE),))


def test_secrets_are_the_variables_that_speak_of_one() -> None:
    text = "a: ${API_TOKEN?}${PORT:-80}\nb: ['$DB_PASSWORD', $$OTHER_SECRET, '${API_TOKEN}']\n# ${NO_PASSWORD}\n"
    assert secrets_in(text) == ("API_TOKEN", "DB_PASSWORD")


def test_suites_are_found_by_their_folders_and_scripts() -> None:
    package = json.dumps({"scripts": {"test": "jest", "test:e2e": "playwright test", "build": "tsc"}})
    files = (
        "package.json",
        "api/e2e/main_test.go",
        "tests/unit/test_a.py",
        "tests/integration/deep/test_b.py",
        "integrations/test_c.py",
    )
    found = {suite.name: (suite.command, suite.folder) for suite in suites_in(files, lambda _: package)}
    assert found == {
        "integration": (("pytest",), "tests/integration"),
        "api-e2e": (("go", "test", "./..."), "api/e2e"),
        "e2e": (("npm", "run", "test:e2e"), "."),
    }
    assert [suite.folder for suite in suites_in(("tests/unit/test_a.py",), lambda _: "")] == ["tests"]
    assert suites_in(("package.json",), lambda _: "no JSON") == ()


def test_no_link_leads_out_of_the_repository(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "compose.yaml").write_text(COMPOSE)
    (repository / ".github").symlink_to(tmp_path / "outside")
    (repository / "linked.yaml").symlink_to(tmp_path / "outside" / "compose.yaml")
    before = written(tmp_path)

    for path, had in ((".github/workflows/understudy.yml", None), ("linked.yaml", COMPOSE)):
        with pytest.raises(UsageError, match="out of the repository"):
            write_all(repository, [NewFile("new.txt", "x"), NewFile(path, "x", before=had)])
    assert written(tmp_path) == before


def test_a_name_in_a_comment_ends_no_line(repository: Path) -> None:
    (repository / "compose.yaml").write_text(
        "services:\n  web:\n    image: nginx:1.22\n    environment:\n"
        '      "A_URL\\n  injected: true #": https://api.payments.example/v1\n'
    )
    found = look(repository, (), {})
    texts = [file.text for file in propose(found, pulumi=False, ci=None).files]

    assert texts == [] or not any(line.strip().startswith("injected") for line in texts[0].splitlines())
