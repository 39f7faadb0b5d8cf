"""Configs and secrets of a Compose file: what they come to, and a secret's value that stands nowhere."""

from __future__ import annotations

import pytest
from compose_loading import load

from understudy.stacks.change import Fidelity
from understudy.stacks.clone import secret_token
from understudy.stacks.sources.compose import RefusedError, read


def test_a_config_that_is_nowhere_is_missing() -> None:
    found = load("configs: [away]")
    assert found.services["web"].files == ()
    (change,) = found.changes
    assert (change.path, change.fidelity) == ("services.web.configs[0].source", Fidelity.MISSING)


def test_a_config_that_the_commit_does_not_have_is_refused() -> None:
    with pytest.raises(RefusedError, match="which is not in what is cloned"):
        load("configs: [app]", "\nconfigs: {app: {file: gone.conf}}\n")


def test_a_secret_is_made_anew_and_its_value_stands_nowhere() -> None:
    body = "secrets: [key]\nenvironment: {DSN: 'db://u:hunter22@db/x'}\nconfigs: [text]"
    more = "\nsecrets: {key: {file: key}}\nconfigs: {text: {content: 'password=hunter22'}}\n"
    found = load(body, more)
    web = found.services["web"]
    assert web.environment == {"DSN": f"db://u:{secret_token('key')}@db/x"}
    assert [file.content for file in web.files] == [f"password={secret_token('key')}", secret_token("key")]
    assert found.secrets == ("key",)


def test_a_secrets_value_that_is_also_a_word_is_replaced_where_a_password_stands() -> None:
    body = (
        "secrets: [db-password]\ncommand: [serve, --password-file, /run/secrets/db-password]\n"
        "environment: {DB_PASSWORD_FILE: /run/secrets/db-password, DB_PASSWORD: password, DSN: 'db://u:password@db'}"
    )
    text = "services:\n  web:\n    image: web:1\n" + "".join(f"    {line}\n" for line in body.splitlines())
    more = "secrets: {db-password: {file: p}}\n"
    found = read(text + more, "compose.yaml", variables={}, read_file={"p": b"password\n"}.get)
    token = secret_token("db_password")
    assert found.services["web"].command == ("serve", "--password-file", "/run/secrets/db-password")
    assert found.services["web"].environment == {
        "DB_PASSWORD_FILE": "/run/secrets/db-password",
        "DB_PASSWORD": token,
        "DSN": f"db://u:{token}@db",
    }


def test_an_owner_by_name_is_refused() -> None:
    with pytest.raises(RefusedError, match="'app' is no number of a user or group"):
        load("configs: [{source: app, uid: app}]")


@pytest.mark.parametrize(
    ("secret", "declared", "rule"),
    [
        ("{environment: B}", "[B]", "B"),
        ("{file: key}", "[DB_KEY]", "DB_KEY"),
        ("{file: key}", "[]", "db_key"),
    ],
)
def test_a_secret_of_a_declared_variable_is_that_one(secret: str, declared: str, rule: str) -> None:
    more = f"\nsecrets: {{db-key: {secret}}}\nx-understudy: {{secrets: {declared}}}\n"
    found = load("secrets: [db-key]", more)
    assert [file.content for file in found.services["web"].files] == [secret_token(rule)]
    assert found.secrets == (rule,)


def test_secrets_that_tests_would_know_under_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="would both be told to tests as UNDERSTUDY_SECRET_A_B"):
        load("secrets: [a-b, a.b]", "\nsecrets: {a-b: {file: key}, a.b: {file: key}}\n")


def test_a_build_secret_that_is_no_file_is_refused() -> None:
    with pytest.raises(RefusedError, match="is no file of the commit's tree"):
        load("build: {context: a, secrets: [var]}")
