from __future__ import annotations

from pathlib import Path

import pytest
from support import make_project

from understudy.blueprint import draw
from understudy.engine.settings import EngineSettings
from understudy.known_secrets import known_secrets, looks_secret
from understudy.options import Options

COMPOSE = """\
services:
  web:
    image: web:1
    environment: {SIGNING: of-production-9, WORD: password, PLAIN: not-declared-1}
x-understudy:
  secrets: [SIGNING, WORD]
  tests:
    api: {command: [pytest], environment: {API_TOKEN: "${HANDED:-}", LEVEL: extraordinary-1}}
"""


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("GITHUB_TOKEN", "ghp_16C7e42F", True),
        ("db_password", "s3cret-of-mine", True),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI", True),
        ("DEPLOY_PAT", "pat_12345678", True),
        ("PATH", "/usr/bin:/usr/local/bin", False),
        ("TOKEN_FILE", "run-secrets-token", False),
        ("SECRET", "/run/secrets/token", False),
        ("PASSWORD", "password", False),
        ("PASSWORD", "12345678", False),
        ("TOKEN", "ab1", False),
        ("COMPASS", "north-by-northwest", False),
    ],
)
def test_a_variable_is_a_secret_by_its_name_unless_its_value_tells_nothing(name: str, value: str, secret: bool) -> None:  # noqa: FBT001 - a table
    assert looks_secret(name, value) is secret


def test_what_was_given_is_known_wherever_it_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(tmp_path / "repository", tmp_path / "state")
    (project.folder / "compose.yaml").write_text(COMPOSE)
    project.commit("Describe production")
    (tmp_path / "vars").write_text("REGISTRY_PASSWORD=in-a-file-1\nREGION=in-a-file-2\n")
    monkeypatch.setenv("HANDED", "handed-over-1")
    options = Options(set=("SMTP_PASSWORD=set-on-the-line-1",), env_file=(str(tmp_path / "vars"),))
    blueprint = draw(options, project.folder)
    settings = EngineSettings.from_environment(
        Path("pulumi"), {"PULUMI_CONFIG_PASSPHRASE": "of-the-state-1", "XDG_STATE_HOME": str(tmp_path / "state")}
    )
    variables = {"CI_JOB_TOKEN": "of-the-ci-1", "UNDERSTUDY_SEED": "seed-1", "HOME": "/home/of-someone-1"}
    assert known_secrets(["made-anew-1"], blueprint, settings, variables) == {
        "made-anew-1",
        "of-production-9",
        "handed-over-1",
        "set-on-the-line-1",
        "in-a-file-1",
        "of-the-state-1",
        "of-the-ci-1",
        "seed-1",
    }
