"""`understudy topology show`: the files that Compose would find, printed, with secrets by their name."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from understudy.cli import cli
from understudy.errors import UsageError

TEXT = "services: {web: {image: 'a:${V:-0}', volumes: ['./x:/x'], environment: [V]}}\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("COMPOSE_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "My Project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("V", raising=False)
    return folder


def put(files: dict[str, str]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")


def show(*words: str, given: str | None = None) -> Any:
    result = CliRunner().invoke(cli, ["topology", "show", "--format", "json", *words], input=given)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_without_a_file_it_is_this_folders_with_its_override(here: Path) -> None:
    put({"compose.yaml": TEXT, "compose.override.yml": "services: {web: {command: x}}", ".env": "V=1\n"})
    found = show()
    assert found["name"] == "myproject"
    assert (found["services"]["web"]["image"], found["services"]["web"]["command"]) == ("a:1", ["x"])
    assert found["services"]["web"]["volumes"][0]["source"] == str(here / "x")


def test_from_a_folder_below_the_one_above_is_found(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put({"compose.yaml": TEXT, "sub/x": ""})
    monkeypatch.chdir(here / "sub")
    assert show()["services"]["web"]["volumes"][0]["source"] == str(here / "x")


def test_several_files_are_merged_from_the_folder_of_the_first(here: Path) -> None:
    put({"sub/a.yaml": TEXT, "b.yaml": "services: {web: {command: x}}", "sub/.env": "V=2\n", ".env": "V=3\n"})
    found = show("sub/a.yaml", "b.yaml")
    assert (found["name"], found["services"]["web"]["image"]) == ("sub", "a:2")
    assert found["services"]["web"]["volumes"][0]["source"] == str(here / "sub" / "x")
    found = show("sub/a.yaml", "--project-directory", ".", "-p", "q")
    assert (found["name"], found["services"]["web"]["image"]) == ("q", "a:3")


def test_variables_by_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    put({"compose.yaml": TEXT, ".env": "V=1\n", "one.env": "V=2\n", "two.env": "V=$V-3\n"})
    assert show("--env-file", "one.env")["services"]["web"]["image"] == "a:2"
    assert show("--env-file", "one.env", "--env-file", "two.env")["services"]["web"]["environment"] == {"V": "2-3"}
    monkeypatch.setenv("V", "process")
    assert show("--env-file", "one.env")["services"]["web"]["image"] == "a:process"
    assert show("--set", "V=set")["services"]["web"]["image"] == "a:set"


def test_compose_s_own_variables_count(monkeypatch: pytest.MonkeyPatch) -> None:
    put(
        {
            "a.yaml": TEXT,
            "b.yaml": "services: {db: {image: b, profiles: [p]}}",
            ".env": "COMPOSE_FILE=a.yaml:b.yaml\nCOMPOSE_PROFILES=p\nCOMPOSE_PROJECT_NAME=named\n",
        }
    )
    found = show()
    assert (found["name"], set(found["services"])) == ("named", {"web", "db"})
    assert set(show("a.yaml", "b.yaml", "--compose-profile", "other")["services"]) == {"web"}
    monkeypatch.setenv("COMPOSE_DISABLE_ENV_FILE", "1")
    assert show("a.yaml")["name"] == "myproject"


def test_a_document_on_standard_input() -> None:
    assert show("-", given=TEXT)["services"]["web"]["image"] == "a:0"


def test_declared_secrets_are_shown_by_name() -> None:
    put(
        {
            "compose.yaml": "services:\n"
            "  web:\n"
            "    image: a\n"
            "    environment: {DB_PASSWORD: literal-one, URL: 'pg://u:${DB_PASSWORD:-none}@db', X: $$y}\n"
            "x-understudy: {secrets: [DB_PASSWORD]}\n",
            ".env": "DB_PASSWORD=hunter2-and-more\n",
        }
    )
    result = CliRunner().invoke(cli, ["topology", "show", "--format", "json"])
    assert json.loads(result.stdout)["services"]["web"]["environment"] == {
        "DB_PASSWORD": "${DB_PASSWORD}",
        "URL": "pg://u:${DB_PASSWORD}@db",
        "X": "$$y",
    }
    assert "hunter2" not in result.output
    assert "literal-one" not in result.output


def test_yaml_reads_back_to_the_same() -> None:
    put(
        {
            "compose.yaml": "services:\n"
            "  web:\n"
            "    image: a\n"
            "    x-note: {a: 'yes'}\n"
            "    environment: {A: 'yes', B: '012', C: '1:30', D: '2024-01-01', E: \"one\\ntwo\", F: , G: '~'}\n"
            "    ulimits: {nofile: {soft: 0, hard: 5}}\n"
            "    deploy: {replicas: 2}\n"
        }
    )
    result = CliRunner().invoke(cli, ["topology", "show"])
    data = YAML(typ="safe", pure=True).load(result.stdout)
    web = data["services"]["web"]
    assert web["environment"] == {
        "A": "yes",
        "B": "012",
        "C": "1:30",
        "D": "2024-01-01",
        "E": "one\ntwo",
        "F": None,
        "G": "~",
    }
    assert (web["x-note"], web["ulimits"], web["deploy"]) == (
        {"a": "yes"},
        {"nofile": {"soft": 0, "hard": 5}},
        {"replicas": 2},
    )
    assert "command" not in web
    assert '"yes"' in result.stdout, "which YAML 1.1 takes for a boolean"
    Path("again.yaml").write_text(result.stdout, encoding="utf-8")
    assert show("again.yaml") == show("compose.yaml")


@pytest.mark.parametrize(
    ("files", "words", "message"),
    [
        ({}, (), "none of compose.yaml"),
        ({"compose.yaml": TEXT}, ("no.yaml",), "no such file"),
        ({"compose.yaml": TEXT}, ("--set", "V"), "not NAME=VALUE"),
        ({"compose.yaml": TEXT}, ("--env-file", "no.env"), "no such environment file"),
        ({"compose.yaml": TEXT}, ("-p", "Not Allowed"), "is no project's name"),
        ({"compose.yaml": "services: {web: {bogus: 1}}"}, (), "compose.yaml:1:18: services.web.bogus"),
        ({"compose.yaml": "a: [\n"}, (), "no YAML"),
    ],
)
def test_what_cannot_be_shown_is_said(files: dict[str, str], words: tuple[str, ...], message: str) -> None:
    put(files)
    with pytest.raises(UsageError, match=message):
        show(*words)


def test_warnings_stand_on_standard_error() -> None:
    put({"compose.yaml": "version: '3'\nservices: {web: {image: 'a:$NONE'}}", "docker-compose.yml": TEXT})
    result = CliRunner().invoke(cli, ["topology", "show"])
    assert "compose.yaml:1: version: is obsolete" in result.stderr
    assert "NONE is not set" in result.stderr
    assert "docker-compose.yml are there" in result.stderr
