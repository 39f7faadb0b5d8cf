"""Two sides property by property: what is a difference, whose it is, and what is never shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.stacks.clone import Clone
from understudy.stacks.derive import derive
from understudy.stacks.differences import Compared, Difference, differences, withheld
from understudy.stacks.profile import DEFAULT
from understudy.stacks.sources.compose import read
from understudy.stacks.topology import Topology

PRODUCTION = """\
name: shop
services:
  web:
    image: web:1
    ports: ["8080:80"]
    environment: {MODE: fast, DB_PASSWORD: hunter2-hunter2, API_TOKEN: t0k3n-in-the-clear}
    deploy: {replicas: 3}
  my.db:
    image: db:1
    volumes: ["data:/data", "./seed:/seed"]
volumes: {data: {}}
x-understudy:
  secrets: [DB_PASSWORD]
"""
COMMIT = PRODUCTION.replace("web:1", "web:2").replace("fast", "slow")


def load(text: str) -> Topology:
    return read(text, "compose.yaml", variables={}, read_file={}.get)


def clone(text: str, before: str = PRODUCTION) -> Clone:
    return derive(load(before), load(text), commit="0123456789abcdef", profile=DEFAULT, unchanged_builds={})


def side(text: str, **files: str) -> Compared:
    made = clone(text)
    return Compared(made.topology, made, files)


def by_path(found: tuple[Difference, ...]) -> dict[str, Difference]:
    assert len({each.path for each in found}) == len(found)
    return {each.path: each for each in found}


def test_production_against_a_clone_of_it_is_the_clone_s_own_record() -> None:
    made = clone(COMMIT)
    found = by_path(differences(Compared(load(PRODUCTION)), Compared(made.topology, made), derived=True))
    assert set(found) == {change.path for change in made.changes}
    image = found["services.web.image"]
    assert (image.before, image.after, image.cause) == ("web:1", "web:2", "commit")
    replicas = found["services.web.replicas"]
    assert (replicas.before, replicas.after, replicas.fidelity, replicas.cause) == ("3", "1", "scaled", "clone")
    assert all(each.reason for each in found.values())


def test_what_no_change_explains_is_shown_all_the_same() -> None:
    made = clone(PRODUCTION)
    web = replace(made.topology.services["web"], user="somebody")
    odd = replace(made.topology, services={**made.topology.services, "web": web})
    found = by_path(differences(Compared(load(PRODUCTION)), Compared(odd, made), derived=True))
    assert (found["services.web.user"].before, found["services.web.user"].after) == (None, "somebody")
    assert found["services.web.user"].reason == ""


def test_two_clones_differ_in_what_they_offer_too() -> None:
    mocked = COMMIT + "  externals: {pay: {host: pay.example, mock: mocks/pay}}\n  endpoints: ['my.db:5432']\n"
    found = by_path(differences(side(PRODUCTION), side(mocked)))
    assert set(found) == {
        "services.web.image",
        "services.web.environment.MODE",
        "externals.pay",
        "externals.pay.mock at",
        "endpoints.my.db:5432",
        "endpoints.pay:80",
    }
    assert found["endpoints.my.db:5432"].subject == "endpoints"
    assert differences(side(COMMIT), side(COMMIT)) == ()


def test_another_image_behind_the_same_tag_is_a_difference_where_both_sides_looked() -> None:
    one, other, nobody = (
        Compared(made.topology, made)
        for digest in ("sha256:1", "sha256:2", "")
        for made in [replace(clone(PRODUCTION), pinned={"web": digest} if digest else {})]
    )
    (found,) = differences(one, other)
    assert (found.path, found.before, found.after) == ("services.web.image.digest", "sha256:1", "sha256:2")
    assert differences(one, nobody) == differences(nobody, one) == ()


def test_the_subject_of_a_name_with_dots_is_the_whole_name() -> None:
    other = PRODUCTION.replace("db:1", "db:2")
    (found,) = differences(Compared(load(PRODUCTION)), Compared(load(other)))
    assert (found.path, found.subject) == ("services.my.db.image", "services.my.db")


def test_other_contents_under_the_same_name_are_a_difference() -> None:
    path = "services.my.db.mounts./seed.files"
    (found,) = differences(side(PRODUCTION, **{path: "a" * 40}), side(PRODUCTION, **{path: "b" * 40}))
    assert (found.path, found.before, found.after) == (path, f"git {'a' * 12}", f"git {'b' * 12}")
    assert differences(side(PRODUCTION, **{path: "a" * 40}), side(PRODUCTION)) == ()
    made = clone(PRODUCTION)
    before = Compared(load(PRODUCTION), files={path: "a" * 40})
    after = Compared(made.topology, made, {path: "b" * 40})
    assert by_path(differences(before, after, derived=True))[path].cause == "commit"


def test_no_secret_is_shown_declared_or_not() -> None:
    other = COMMIT.replace("hunter2-hunter2", "other-other-other").replace("t0k3n-in-the-clear", "another-in-the-clear")
    sides = (Compared(load(PRODUCTION)), Compared(load(other)), side(other))
    found = [each for before in sides for after in sides for each in differences(before, after)]
    found += differences(sides[0], sides[2], derived=True)
    shown = repr(found)
    for value in ("hunter2", "other-other", "t0k3n", "in-the-clear"):
        assert value not in shown
    assert any(each.path == "services.web.environment.API_TOKEN" for each in found)


@pytest.mark.parametrize(
    ("path", "text", "shown"),
    [
        ("services.a.environment.MODE", "fast", "fast"),
        ("services.a.environment.DB_PASSWORD", "(secret DB_PASSWORD)", "(secret DB_PASSWORD)"),
        ("services.a.environment.TOKEN_TTL", "3600", "3600"),
        ("services.a.environment.COMPASS", "north", "north"),
        ("services.a.environment.URL", "postgres://u:hush@db/x", "postgres://u:(withheld)@db/x"),
        ("services.a.environment.URL", "postgres://u:(secret P)@db/x", "postgres://u:(secret P)@db/x"),
        ("services.a.command", '["serve", "--password=hush"]', '["serve", "--password=(withheld)"]'),
        ("services.a.command", '["serve", "--api-key", "hush"]', '["serve", "--api-key", "(withheld)"]'),
        ("services.a.image", "token:1", "token:1"),
    ],
)
def test_what_looks_like_a_secret(path: str, text: str, shown: str) -> None:
    assert withheld(path, text) == shown


@pytest.mark.parametrize("key", ["PASSWORD", "STRIPE_SECRET_KEY", "api.token", "AWS_SECRET_ACCESS_KEY", "DB_PASS"])
def test_the_value_of_a_secretive_key_is_withheld(key: str) -> None:
    assert "hush" not in str(withheld(f"services.a.environment.{key}", "hush"))
    assert "hush" not in str(withheld(f"services.a.build.args.{key}", "hush"))


@given(st.text(), st.text(min_size=1))
def test_withholding_takes_any_text_and_never_an_absent_one(path: str, text: str) -> None:
    assert withheld(path, None) is None
    assert withheld(path, text)
