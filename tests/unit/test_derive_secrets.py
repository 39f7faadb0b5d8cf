"""Secrets of production: none of their values is in a clone or on its record."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.stacks.clone import Clone, secret_token
from understudy.stacks.derive import derive
from understudy.stacks.profile import Profile
from understudy.stacks.serial import canonical_json, clone_data
from understudy.stacks.sources.compose import read
from understudy.stacks.topology import Topology, TopologyError

TOKEN = secret_token("DB_PASSWORD")


def load(text: str, **variables: str) -> Topology:
    return read(text, "c.yaml", variables=variables, read_file={}.get)


def clone(production: str, candidate: str | None = None) -> Clone:
    both = load(production), load(candidate or production)
    return derive(*both, commit="c" * 40, profile=Profile(), unchanged_builds={})


TEXT = """
services:
  db: {image: 'postgres:15', environment: {DB_PASSWORD: LITERAL, OTHER: LITERAL}}
  app:
    image: x
    command: [serve, --password=LITERAL]
    environment: {URL: 'postgres://app:LITERAL@db/x', PGPASSWORD: LITERAL}
    healthcheck: {test: 'check -p LITERAL'}
x-understudy: {secrets: [DB_PASSWORD]}
"""


def test_a_literal_is_replaced_wherever_it_stands() -> None:
    found = clone(TEXT.replace("LITERAL", "hunter22"))
    db, app = found.topology.services["db"], found.topology.services["app"]
    assert db.environment == {"DB_PASSWORD": TOKEN, "OTHER": TOKEN}
    assert app.environment == {"URL": f"postgres://app:{TOKEN}@db/x", "PGPASSWORD": TOKEN}
    assert app.command == ("serve", f"--password={TOKEN}")
    assert app.healthcheck is not None
    assert app.healthcheck.test == ("CMD-SHELL", f"check -p {TOKEN}")
    assert "hunter22" not in canonical_json(clone_data(found))


def test_each_place_is_on_the_record_without_the_value() -> None:
    found = clone(TEXT.replace("LITERAL", "hunter22"))
    recorded = {c.path: (c.production, c.clone) for c in found.changes if "declared secret" in c.reason}
    assert recorded == {
        "services.db.environment.DB_PASSWORD": ("(secret DB_PASSWORD)", "(made anew DB_PASSWORD)"),
        "services.db.environment.OTHER": ("(secret DB_PASSWORD)", "(made anew DB_PASSWORD)"),
        "services.app.environment.URL": (
            "postgres://app:(secret DB_PASSWORD)@db/x",
            "postgres://app:(made anew DB_PASSWORD)@db/x",
        ),
        "services.app.environment.PGPASSWORD": ("(secret DB_PASSWORD)", "(made anew DB_PASSWORD)"),
        "services.app.command": (
            '["serve", "--password=(secret DB_PASSWORD)"]',
            '["serve", "--password=(made anew DB_PASSWORD)"]',
        ),
        "services.app.healthcheck.test": (
            '["CMD-SHELL", "check -p (secret DB_PASSWORD)"]',
            '["CMD-SHELL", "check -p (made anew DB_PASSWORD)"]',
        ),
    }


def test_a_short_literal_is_replaced_where_a_password_stands() -> None:
    found = clone(TEXT.replace("LITERAL", "app"))
    db, app = found.topology.services["db"], found.topology.services["app"]
    assert db.environment == {"DB_PASSWORD": TOKEN, "OTHER": "app"}
    assert app.environment == {"URL": f"postgres://app:{TOKEN}@db/x", "PGPASSWORD": TOKEN}


def test_a_literal_that_is_a_name_too_breaks_no_address() -> None:
    text = """
services:
  postgres:
    image: postgres:15
    environment: {POSTGRES_USER: postgres, POSTGRES_PASSWORD: postgres, PGHOST: postgres}
  app: {image: x, environment: {URL: 'postgres://postgres:postgres@postgres/x'}}
x-understudy: {secrets: [POSTGRES_PASSWORD]}
"""
    found = clone(text)
    token = secret_token("POSTGRES_PASSWORD")
    assert found.topology.services["postgres"].environment == {
        "POSTGRES_USER": "postgres",
        "POSTGRES_PASSWORD": token,
        "PGHOST": "postgres",
    }
    assert found.topology.services["app"].environment == {"URL": f"postgres://postgres:{token}@postgres/x"}


def test_the_scheme_of_a_url_is_no_secret() -> None:
    text = TEXT.replace("LITERAL", "postgresql").replace("postgres://app", "postgresql+psycopg://app")
    assert clone(text).topology.services["app"].environment["URL"] == f"postgresql+psycopg://app:{TOKEN}@db/x"


def test_a_password_that_the_commit_changes_is_no_difference() -> None:
    found = clone(TEXT.replace("LITERAL", "old-password"), TEXT.replace("LITERAL", "new-password"))
    text = canonical_json(clone_data(found))
    assert "old-password" not in text
    assert "new-password" not in text
    assert not [c for c in found.changes if "changed by commit" in c.reason]


def test_what_only_production_declares_secret_is_made_anew_from_the_seed_as_well() -> None:
    after = "services: {app: {image: x, environment: {TOKEN: of-the-commit}}}\n"
    found = clone(after + "x-understudy: {secrets: [TOKEN]}\n", after)
    assert found.topology.secrets == ("TOKEN",)
    assert found.topology.services["app"].environment == {"TOKEN": secret_token("TOKEN")}


def test_what_is_secret_on_one_side_only_is_withheld_on_the_other() -> None:
    before = TEXT.replace("LITERAL", "hunter22")
    after = "services: {db: {image: 'postgres:15', labels: {note: 'was hunter22'}}}\n"
    found = clone(before, after)
    assert "hunter22" not in canonical_json(clone_data(found)["changes"])
    (note,) = [c for c in found.changes if c.path == "services.db.labels.note"]
    assert note.clone == "(withheld: holds the value of secret DB_PASSWORD)"


def test_a_short_secret_is_withheld_from_the_record() -> None:
    before = TEXT.replace("LITERAL", "q1")
    found = clone(before, before.replace("OTHER: q1", "OTHER: 'x q1'"))
    (other,) = [c for c in found.changes if c.path == "services.db.environment.OTHER"]
    assert other.clone == "(withheld: holds the value of secret DB_PASSWORD)"


@pytest.mark.parametrize("known", [True, False])
def test_a_secret_that_the_commit_declares_first_leaks_no_value_of_production(known: bool) -> None:  # noqa: FBT001 - a case
    text = "services: {db: {image: 'postgres:15', environment: {URL: 'pg://u:${DB_PASSWORD}@db'}}}\n"
    given = {"DB_PASSWORD": "hunter22"}
    candidate = load(text + "x-understudy: {secrets: [DB_PASSWORD]}", **given)
    secrets = candidate.secrets if known else ()
    production = read(text, "c.yaml", variables=given, read_file={}.get, secrets=secrets)
    found = derive(production, candidate, commit="c" * 40, profile=Profile(), unchanged_builds={})
    assert "hunter22" not in canonical_json(clone_data(found))
    (change,) = [c for c in found.changes if c.path == "services.db.environment.URL"]
    assert change.clone == "pg://u:(made anew DB_PASSWORD)@db"
    withheld = "(withheld: the other side holds secret DB_PASSWORD)"
    assert change.production == ("pg://u:(secret DB_PASSWORD)@db" if known else withheld)


def test_a_literal_is_replaced_as_it_stands_in_a_url() -> None:
    text = """
services:
  db: {image: x, environment: {DB_PASSWORD: 'p@ss w/d+1'}}
  app:
    image: x
    environment: {A: 'pg://u:p%40ss%20w/d%2B1@db', B: 'pg://u:p%40ss%20w%2Fd%2B1@db', C: 'a=p%40ss+w%2Fd%2B1'}
x-understudy: {secrets: [DB_PASSWORD]}
"""
    assert clone(text).topology.services["app"].environment == {
        "A": f"pg://u:{TOKEN}@db",
        "B": f"pg://u:{TOKEN}@db",
        "C": f"a={TOKEN}",
    }


@pytest.mark.parametrize("place", ["labels: {note: was hunter22}", "build: {context: ., args: {A: hunter22}}"])
def test_a_literal_is_refused_where_none_can_be_made_anew(place: str) -> None:
    text = TEXT.replace("LITERAL", "hunter22").replace("    image: x\n", f"    image: x\n    {place}\n")
    with pytest.raises(TopologyError, match="holds the value of secret DB_PASSWORD"):
        clone(text)


def test_two_secrets_of_one_literal_stay_equal() -> None:
    text = """
services:
  db: {image: x, environment: {A_PASSWORD: same-one}}
  app: {image: x, environment: {B_PASSWORD: same-one}}
x-understudy: {secrets: [A_PASSWORD, B_PASSWORD]}
"""
    found = clone(text).topology
    assert found.services["app"].environment == {"B_PASSWORD": secret_token("A_PASSWORD")}
    assert found.secret_aliases == {"B_PASSWORD": "A_PASSWORD"}


def test_an_empty_literal_is_made_anew_and_replaces_nothing_else() -> None:
    found = clone(TEXT.replace("LITERAL", "''").replace("=''", "=x"))
    assert found.topology.services["db"].environment == {"DB_PASSWORD": TOKEN, "OTHER": ""}


SECRET = st.text(alphabet="abcXYZ019!%&*.,;+~^_-=|\\()[]", min_size=6, max_size=20)


@pytest.mark.parametrize("side", ["production", "candidate", "both"])
@settings(max_examples=50, deadline=None)
@given(secret=SECRET, before=st.text(alphabet="abc :/@-", max_size=6), after=st.text(alphabet="abc :/@-", max_size=6))
def test_no_value_is_ever_in_a_clone(side: str, secret: str, before: str, after: str) -> None:
    def document(value: str) -> str:
        quoted = value.replace("'", "''")
        return f"""
services:
  db: {{image: i, environment: {{DB_PASSWORD: '{quoted}', X: '{before}{quoted}{after}'}}, labels: {{n: n}}}}
  app: {{image: i, command: ['{before}{quoted}{after}']}}
x-understudy: {{secrets: [DB_PASSWORD]}}
"""

    other = "entirely different"
    production = document(secret if side != "candidate" else other)
    candidate = document(secret if side != "production" else other)
    found = clone(production, candidate)
    fields = [change.production or "" for change in found.changes] + [change.clone or "" for change in found.changes]
    services = found.topology.services
    fields += [*services["db"].environment.values(), *(services["app"].command or ())]
    known = (
        "(secret DB_PASSWORD)",
        "(made anew DB_PASSWORD)",
        TOKEN,
        "(withheld: holds the value of secret DB_PASSWORD)",
    )
    for field in fields:
        rest = field
        for word in known:
            rest = rest.replace(word, "\n")
        assert secret not in rest
