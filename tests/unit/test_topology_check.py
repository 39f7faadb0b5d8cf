"""`understudy topology check`: every key that a file uses with what becomes of it, and all that is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from understudy.cli import cli

FILE = """\
version: '3'
services:
  web:
    image: web:1
    container_name: web
    oom_score_adj: 5
    cap_add: [NET_ADMIN]
    volumes: ["/var/run/docker.sock:/s", "data:/d"]
    environment: {A: b}
    x-mine: {privileged: true}
  db:
    image: db:1
    privileged: true
    build: {context: ../up}
volumes: {data: }
"""


def check(folder: Path, *arguments: str, text: str = FILE) -> Result:
    (folder / "compose.yaml").write_text(text, encoding="utf-8")
    return CliRunner().invoke(cli, ["topology", "check", str(folder / "compose.yaml"), *arguments])


def report(folder: Path, *arguments: str, text: str = FILE) -> Any:
    return json.loads(check(folder, "--format", "json", *arguments, text=text).stdout)


def test_every_key_of_a_file_is_told(tmp_path: Path) -> None:
    found = report(tmp_path)
    (keys,) = found["files"].values()
    volumes = [row["taken"] for row in keys if row["key"] == "services.*.volumes"]
    assert volumes == ["refused", "cloned"]
    assert {row["key"]: row["taken"] for row in keys if row["key"] != "services.*.volumes"} == {
        "version": "left out",
        "services": "cloned",
        "services.*.image": "cloned",
        "services.*.container_name": "changed",
        "services.*.oom_score_adj": "left out",
        "services.*.cap_add": "cloned",
        "services.*.environment": "cloned",
        "services.*.privileged": "refused",
        "services.*.build": "cloned",
        "services.*.build.context": "refused",
        "volumes": "changed",
    }
    images = next(row for row in keys if row["key"] == "services.*.image")
    assert (images["count"], images["line"], images["column"]) == (2, 4, 5)
    assert all(row["reason"] for row in keys)


def test_everything_that_is_refused_is_listed_with_its_place_and_what_allows_it(tmp_path: Path) -> None:
    found = report(tmp_path)
    assert not found["passes"]
    listed = [(r["line"], r["key"], r["allow"]) for r in found["refusals"]]
    assert listed == [
        (14, "services.db.build.context", None),
        (8, "services.web.volumes[0]", "docker-socket"),
        (13, "services.db.privileged", "privileged"),
    ]


def test_the_exit_code_says_whether_something_is_refused(tmp_path: Path) -> None:
    assert check(tmp_path).exit_code == 2
    assert check(tmp_path, text="services: {web: {image: x}}\n").exit_code == 0
    allowed = FILE.replace("../up", "up")
    assert check(tmp_path, "--allow", "docker-socket", "--allow", "privileged", text=allowed).exit_code == 0


def test_what_of_a_key_is_left_out_is_told_of_the_key(tmp_path: Path) -> None:
    text = "services: {web: {image: x, volumes: ['/etc/localtime:/l:ro'], network_mode: bridge}}\n"
    (keys,) = report(tmp_path, text=text)["files"].values()
    told = {row["key"]: (row["taken"], row["reason"][:20]) for row in keys}
    assert told["services.*.volumes"] == ("left out", "'/etc/localtime' is ")
    assert told["services.*.network_mode"] == ("changed", "'bridge' is a networ")


def test_values_of_one_key_that_come_to_different_ends_are_each_told_with_their_place(tmp_path: Path) -> None:
    text = """\
services:
  web:
    image: x
    volumes:
      - ./x:/x
      - /var/run/docker.sock:/s
      - /etc/localtime:/l:ro
      - /etc/hosts:/h:ro
  db: {image: y, privileged: false}
  ci: {image: z, privileged: true}
"""
    (keys,) = report(tmp_path, text=text)["files"].values()
    told = [(r["key"][11:], r["taken"], r["count"], r["line"], r["column"]) for r in keys if r["line"] > 3]
    assert told == [
        ("volumes", "refused", 1, 6, 9),
        ("privileged", "refused", 1, 10, 18),
        ("volumes", "left out", 1, 7, 9),
        ("volumes", "left out", 1, 8, 9),
        ("volumes", "cloned", 1, 5, 9),
        ("privileged", "cloned", 1, 9, 18),
    ]


def test_in_a_document_that_cannot_be_read_nothing_that_may_be_refused_is_called_cloned(tmp_path: Path) -> None:
    text = "services: {web: {image: x, bogus: 1, privileged: true}}\n"
    (keys,) = report(tmp_path, text=text)["files"].values()
    told = {row["key"]: (row["taken"], row["reason"]) for row in keys}
    assert told["services.*.bogus"] == ("refused", "the Compose specification has no such key")
    assert told["services.*.privileged"][0] == "refused"
    assert told["services.*.privileged"][1].startswith("not read, as the document has an error")
    assert "cloned where no value is refused (the values could not be read): " in check(tmp_path, text=text).stdout


def test_what_the_file_of_options_allows_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "understudy.toml").write_text('allow = ["docker-socket", "privileged"]\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert check(tmp_path, text=FILE.replace("../up", "up")).exit_code == 0


def test_what_is_allowed_is_cloned_and_says_so(tmp_path: Path) -> None:
    text = FILE.replace("../up", "up")
    found = report(tmp_path, "--allow", "docker-socket", "--allow", "privileged", text=text)
    (keys,) = found["files"].values()
    row = next(row for row in keys if row["key"] == "services.*.privileged")
    assert row["taken"] == "cloned"
    assert row["reason"].startswith("allowed by name (--allow privileged)")


def test_the_text_names_places_reasons_and_what_to_do(tmp_path: Path) -> None:
    done = check(tmp_path)
    assert "5:5 services.*.container_name: a host has one container of a name" in done.stdout
    assert ":13:5: services.db.privileged: 'true' is refused: the clone would have the host's rights" in done.stdout
    assert "allow it: --allow privileged" in done.stdout
    assert done.stdout.rstrip().endswith("refused: 3")
    assert "nothing is refused" in check(tmp_path, text="services: {web: {image: x}}\n").stdout


def test_what_compose_refuses_is_an_error_with_its_place(tmp_path: Path) -> None:
    done = check(tmp_path, text="services: {web: {imag: x}}\n")
    assert done.exit_code == 2
    assert "'imag' is not known here" in done.stdout
    assert ":1:18" in done.stdout


def test_a_name_that_cannot_be_allowed_is_no_option(tmp_path: Path) -> None:
    done = check(tmp_path, "--allow", "everything")
    assert "'everything' cannot be allowed; what can is bind:/PATH" in str(done.exception)


def test_paths_may_climb_to_the_root_of_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "deploy").mkdir()
    text = "services: {web: {build: ../app}}\n"
    assert check(tmp_path / "deploy", text=text).exit_code == 0
    assert check(tmp_path, text=text).exit_code == 2


@pytest.mark.parametrize("text", ["services: [", "\x1b[31m: 1\n"])
def test_what_is_no_yaml_is_told_without_steering_the_terminal(tmp_path: Path, text: str) -> None:
    done = check(tmp_path, text=text)
    assert done.exit_code != 0
    assert "\x1b" not in done.output


def test_suites_of_understudy_toml_are_read_too(tmp_path: Path) -> None:
    text = "services: {web: {image: x}}\n"
    (tmp_path / "understudy.toml").write_text("[tests.a]\ncommand = 'x'\nneeds = ['web']\n")
    found = report(tmp_path, text=text)
    assert found["passes"]
    assert [warning for warning in found["warnings"] if "understudy.toml:3" in warning]
    (tmp_path / "understudy.toml").write_text("[tests.a]\ncomand = 'x'\n")
    assert check(tmp_path, text=text).exit_code == 2
    assert "'comand' is not known here" in report(tmp_path, text=text)["error"]
