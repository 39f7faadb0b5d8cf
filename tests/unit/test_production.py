"""Which options say where production runs, and `topology import`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from understudy.cli import cli
from understudy.errors import UsageError
from understudy.options import resolve
from understudy.production import Source, read_source, source_of
from understudy.stacks.sources import compose

CONTAINER = "docker:index/container:Container"


def export(**containers: Mapping[str, object]) -> str:
    resources = [
        {"urn": f"urn:pulumi:prod::shop::{CONTAINER}::{name}", "type": CONTAINER, "custom": True, "inputs": inputs}
        for name, inputs in containers.items()
    ]
    return json.dumps({"version": 3, "deployment": {"resources": resources}})


def source(flags: Mapping[str, object], variables: Mapping[str, str] | None = None, config: Path | None = None) -> str:
    found = source_of(resolve(flags, variables or {}, config))
    return found.name if found else ""


def test_without_an_option_production_is_a_file_in_git() -> None:
    assert source({}) == ""
    assert source({"production_ref": "v1"}) == ""


def test_each_option_names_a_source() -> None:
    assert source({"from_stack": "org/shop/prod"}) == "stack org/shop/prod"
    assert source({"from_export": "prod.json"}) == "export prod.json"
    assert source({"from_docker": True}) == "docker host"
    assert source({"from_docker": True, "project": "shop"}) == "docker host project shop"
    assert source({"from_docker": True, "label": "a=b"}) == "docker host label a=b"
    assert source({"from_aws": True}) == "aws account"
    assert source({"from_aws": True, "label": "a=b"}) == "aws account label a=b"


def test_a_flag_wins_over_what_a_file_or_a_variable_says(tmp_path: Path) -> None:
    config = tmp_path / "understudy.toml"
    config.write_text('from_stack = "shop/prod"\nproduction_ref = ""\n', encoding="utf-8")
    assert source({}, config=config) == "stack shop/prod"
    assert source({"from_docker": True}, config=config) == "docker host"
    assert source({"production_ref": "v1"}, config=config) == ""
    assert source({"from_stack": "a/b"}, {"UNDERSTUDY_PRODUCTION_REF": "v1"}) == "stack a/b"
    config.write_text('from_docker = true\nproject = "shop"\n', encoding="utf-8")
    assert source({}, config=config) == "docker host project shop"
    assert source({"from_stack": "a/b"}, config=config) == "stack a/b"
    assert source({"from_aws": True}, config=config) == "aws account"


@pytest.mark.parametrize(
    "flags",
    [
        {"from_stack": "a/b", "from_docker": True},
        {"from_export": "x", "from_stack": "a/b"},
        {"from_docker": True, "production_ref": "v1"},
        {"from_stack": "a/b", "project": "shop"},
        {"project": "shop"},
        {"label": "a=b"},
        {"from_docker": True, "project": "shop", "label": "a=b"},
        {"from_aws": True, "from_docker": True},
        {"from_aws": True, "project": "shop"},
        {"from_aws": True, "production_ref": "v1"},
    ],
)
def test_two_productions_are_refused(flags: Mapping[str, object]) -> None:
    with pytest.raises(UsageError):
        source(flags)


def test_import_writes_a_compose_file_that_reads_back_and_names_what_is_not_in_it(tmp_path: Path) -> None:
    file = tmp_path / "prod.json"
    file.write_text(export(web={"image": "web:1", "envs": ["A=$1"], "privileged": True}), encoding="utf-8")
    done = CliRunner().invoke(cli, ["topology", "import", str(file)], catch_exceptions=False)
    assert done.exit_code == 0
    found = compose.read(done.stdout, "topology.yaml", variables={}, read_file=lambda _: None)
    assert found.services == read_source(Source(export=str(file)), tmp_path, lambda _: None).topology.services
    assert found.services["web"].environment == {"A": "$1"}
    assert "services.web.privileged: True" in done.stderr
    assert "# Not in it: services.web.privileged: True" in done.stdout


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "it failed"), ("{}", "it is no topology"), ("\xff", "it failed"), (export(), "the stack is empty")],
)
def test_an_export_that_cannot_be_read_is_refused(tmp_path: Path, content: str | None, reason: str) -> None:
    file = tmp_path / "prod.json"
    if content is not None:
        file.write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match=reason):
        read_source(Source(export=file.name), tmp_path, lambda _: None)


@pytest.mark.parametrize("name", ["shop", "a/b/c/d", "-x/prod", "shop/--show-secrets", "a/b;c", "shop/prod\n"])
def test_a_text_that_is_no_stacks_name_never_reaches_the_cli(tmp_path: Path, name: str) -> None:
    from understudy.engine.production_export import export_production

    with pytest.raises(UsageError, match="is not"):
        export_production(name, tmp_path / "no-such-cli")
