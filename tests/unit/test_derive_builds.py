"""Which services of a clone run production's image, and which run what is built at the commit."""

import pytest
from derivation import QUIET, at, clone_of, one, verdicts

from understudy.stacks.clone import Fidelity
from understudy.stacks.steps import build_after_all

BUILT = "services: {web: {image: 'shop/web:1', build: ./web}}\n" + QUIET


def test_the_same_build_context_runs_productions_image() -> None:
    clone = clone_of(BUILT, web="shop/web@sha256:aa")
    assert clone.unchanged_builds == {"web": "shop/web@sha256:aa"}
    assert one(clone, "services.web.image") == ("shop/web@sha256:aa", "shop/web@sha256:aa", Fidelity.FAITHFUL)
    assert verdicts(clone) == {"web": Fidelity.FAITHFUL}


@pytest.mark.parametrize(
    ("after", "unchanged"),
    [
        (BUILT, {}),
        (BUILT.replace("./web", "{context: ./web, args: {A: b}}"), {"web": "shop/web:1"}),
    ],
    ids=["context differs", "arguments differ"],
)
def test_any_other_build_is_a_change(after: str, unchanged: dict[str, str]) -> None:
    clone = clone_of(BUILT, after, **unchanged)
    assert clone.unchanged_builds == {}
    assert one(clone, "services.web.image") == ("shop/web:1", "built from web at 0123456789ab", Fidelity.CHANGED)


def test_another_reference_of_the_same_build_is_no_difference() -> None:
    clone = clone_of(BUILT, BUILT.replace("web:1", "web:2"), web="shop/web:1")
    assert one(clone, "services.web.image") == ("shop/web:1", "shop/web:1", Fidelity.FAITHFUL)


SHARED = "services: {web: {image: myapp, build: .}, celery: {image: 'myapp:latest'}, db: {image: x}}\n" + QUIET


def test_a_service_that_names_the_image_another_builds_runs_what_is_built() -> None:
    clone = clone_of(SHARED)
    services = clone.topology.services
    assert services["celery"].build == services["web"].build
    assert services["db"].build is None
    assert one(clone, "services.celery.build") == ("that of web", "that of web", Fidelity.FAITHFUL)
    assert one(clone, "services.celery.image")[1] == "built from . at 0123456789ab"


def test_a_shared_build_that_is_unchanged_runs_productions_image_for_both() -> None:
    clone = clone_of(SHARED, web="myapp")
    assert clone.unchanged_builds == {"web": "myapp", "celery": "myapp"}
    assert verdicts(clone) == dict.fromkeys(("web", "celery", "db"), Fidelity.FAITHFUL)


def test_a_production_image_that_cannot_be_had_is_built_after_all_on_the_record() -> None:
    text = "services: {a: {image: 'p/a:1', build: ./a}, b: {image: 'p/b:1', build: ./b}}\n" + QUIET
    clone = clone_of(text, a="p/a:1", b="p/b:1")
    built = build_after_all(clone, {"p/a:1": "no registry answers"})
    assert built.unchanged_builds == {"b": "p/b:1"}
    (change,) = at(built, "services.a.image")
    assert "no registry answers" in change.reason
    assert change.fidelity is Fidelity.CHANGED
    assert at(built, "services.b.image") == at(clone, "services.b.image")


def test_a_build_of_the_same_context_is_faithful_without_an_image_of_production() -> None:
    clone = clone_of("services: {a: {build: ./a}, b: {build: ./b}}\n" + QUIET, a="")
    assert clone.unchanged_builds == {}
    assert one(clone, "services.a.image")[2] is Fidelity.FAITHFUL
    assert one(clone, "services.b.image")[2] is Fidelity.CHANGED
