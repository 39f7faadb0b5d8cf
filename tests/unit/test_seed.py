from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from understudy.engine.login import current_backend
from understudy.engine.settings import EngineSettings
from understudy.errors import UsageError
from understudy.seed import environment_seed, secret_values
from understudy.stacks.secret_rules import SecretRule
from understudy.stacks.topology import Service, Topology

SETTINGS = EngineSettings(Path("pulumi"), Path("/nowhere"), "file:///x", passphrase="correct horse")


def test_a_seed_is_the_same_for_an_environment_and_another_for_the_next() -> None:
    assert environment_seed(SETTINGS, "e1", {}) == environment_seed(SETTINGS, "e1", {})
    assert environment_seed(SETTINGS, "e1", {}) != environment_seed(SETTINGS, "e2", {})
    other = replace(SETTINGS, passphrase="another")
    assert environment_seed(SETTINGS, "e1", {}) != environment_seed(other, "e1", {})


def test_a_passphrase_file_is_as_good_and_a_seed_of_ones_own_comes_first(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("correct horse\n")
    by_file = replace(SETTINGS, passphrase=None, passphrase_file=file)
    assert environment_seed(by_file, "e1", {}) == environment_seed(SETTINGS, "e1", {})
    assert environment_seed(by_file, "e1", {"UNDERSTUDY_SEED": "mine"}) != environment_seed(by_file, "e1", {})


def test_without_either_it_says_what_to_set() -> None:
    with pytest.raises(UsageError, match="UNDERSTUDY_SEED"):
        environment_seed(replace(SETTINGS, passphrase=None), "e1", {})


def test_secrets_of_one_rule_are_equal_and_of_two_rules_differ() -> None:
    topology = Topology(
        "t",
        {"web": Service("web", image="x")},
        secrets=("A", "B", "C"),
        secret_aliases={"B": "A"},
        secret_rules={"C": SecretRule(6, "01")},
    )
    values = secret_values(b"seed", topology)
    assert values["A"] == values["B"] != values["C"]
    assert len(values["A"]) == 40
    assert re.fullmatch("[01]{6}", values["C"])


def test_the_backend_of_plain_pulumi_is_found_where_the_cli_looks(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environ = {"PULUMI_HOME": str(home)}
    with pytest.raises(UsageError, match="understudy env"):
        current_backend(environ, tmp_path)
    (home / "credentials.json").write_text(json.dumps({"current": "file:///logged-in"}))
    assert current_backend(environ, tmp_path) == "file:///logged-in"
    (tmp_path / "Pulumi.yaml").write_text("name: x\nbackend: {url: 'file:///of-the-project'}\n")
    assert current_backend(environ, tmp_path) == "file:///of-the-project"
    assert current_backend({**environ, "PULUMI_BACKEND_URL": "file:///variable"}, tmp_path) == "file:///variable"
