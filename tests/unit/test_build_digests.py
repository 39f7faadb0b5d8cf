"""What a tag names: the digest of its own repository, the id of an image made here, or what the registry says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker.errors import APIError, ImageNotFound

from understudy.build.digests import digests_of, present
from understudy.errors import ToolError
from understudy.stacks.builds import build_after_all, pin, references
from understudy.stacks.clone import Change, Clone, Fidelity
from understudy.stacks.topology import Build, Service, Topology


class Images:
    """A daemon and a registry that know some images; nothing may be pulled from them."""

    def __init__(self, here: dict[str, tuple[str, list[str]]], there: dict[str, str] | None = None) -> None:
        self.here = here
        self.there = there or {}
        self.asked: list[str] = []

    def get(self, image: str) -> SimpleNamespace:
        if image not in self.here:
            raise ImageNotFound("no such image")
        made, digests = self.here[image]
        return SimpleNamespace(id=made, attrs={"RepoDigests": digests})

    def get_registry_data(self, image: str) -> SimpleNamespace:
        self.asked.append(image)
        if image not in self.there:
            raise APIError("no registry answers")
        return SimpleNamespace(id=self.there[image])


def daemon(images: object) -> Any:
    return cast("Any", SimpleNamespace(images=images))


def test_a_tag_is_the_digest_of_its_own_repository_or_else_the_images_id() -> None:
    images = Images(
        {
            "postgres:15": ("sha256:1", ["mirror.example:5000/postgres@sha256:a", "postgres@sha256:b"]),
            "docker.io/library/redis:7": ("sha256:2", ["redis@sha256:c"]),
            "mirror.example:5000/postgres:15": ("sha256:1", ["mirror.example:5000/postgres@sha256:a"]),
            "made/here": ("sha256:3", []),
        }
    )
    assert present(daemon(images), [*images.here, "not:here", "postgres:15"]) == {
        "postgres:15": "postgres@sha256:b",
        "docker.io/library/redis:7": "redis@sha256:c",
        "mirror.example:5000/postgres:15": "mirror.example:5000/postgres@sha256:a",
        "made/here": "sha256:3",
    }


def test_a_registry_is_asked_for_what_the_daemon_has_not_and_an_unknown_one_stays_a_tag() -> None:
    images = Images({"here:1": ("sha256:1", [])}, {"shop/web:1": "sha256:f"})
    found = digests_of(daemon(images), ["here:1", "shop/web:1", "shop/api:1", "shop/old@sha256:e"])
    assert found == {"here:1": "sha256:1", "shop/web:1": "shop/web@sha256:f"}
    assert images.asked == ["shop/web:1", "shop/api:1"]


def test_a_registry_that_is_not_reached_is_asked_once_and_the_others_for_all() -> None:
    images = Images({}, {"mirror.example:5000/a:1": "sha256:a", "mirror.example:5000/b:1": "sha256:b"})
    answer = images.get_registry_data

    def get_registry_data(image: str) -> SimpleNamespace:
        if image.startswith("mirror.example:5000/"):
            return answer(image)
        images.asked.append(image)
        raise APIError("dial tcp: no such host", response=cast("Any", SimpleNamespace(status_code=500, reason="")))

    images.get_registry_data = get_registry_data  # type: ignore[method-assign]  # the daemon without Docker's registry
    found = digests_of(daemon(images), ["web:1", "org/api:1", "mirror.example:5000/a:1", "mirror.example:5000/b:1"])
    assert found == {f"mirror.example:5000/{n}:1": f"mirror.example:5000/{n}@sha256:{n}" for n in "ab"}
    assert sorted(images.asked) == ["mirror.example:5000/a:1", "mirror.example:5000/b:1", "web:1"]


@pytest.mark.parametrize("error", [APIError("broken"), ConnectionError("refused")])
def test_a_daemon_that_does_not_answer_is_an_error_of_a_tool(error: Exception) -> None:
    def get(_image: str) -> None:
        raise error

    with pytest.raises(ToolError, match="image here:1"):
        present(daemon(SimpleNamespace(get=get)), ["here:1"])


def clone() -> Clone:
    services = {
        "db": Service("db", image="postgres:15"),
        "same": Service("same", image="shop/same:1", build=Build("same")),
        "built": Service("built", image="shop/built:1", build=Build("built")),
        "new": Service("new", image="new:2"),
        "fixed": Service("fixed", image="x@sha256:e"),
    }
    changed = Change("services.new.image", "new:1", "new:2", "changed by commit 0123")
    return Clone(Topology("t", services), unchanged_builds={"same": "shop/same:1"}, changes=(changed,))


def test_pinning_runs_the_image_that_a_tag_names_and_records_both() -> None:
    assert references(clone()) == ("postgres:15", "shop/same:1", "new:2", "x@sha256:e")
    digests = {
        "postgres:15": "postgres@sha256:b",
        "shop/same:1": "sha256:3",
        "new:2": "new@sha256:n",
        "x@sha256:e": "x@sha256:e",
    }
    pinned = pin(clone(), digests)
    assert pinned.pinned == {"db": "postgres@sha256:b", "same": "sha256:3", "new": "new@sha256:n"}
    found = {change.path: change for change in pinned.changes}
    assert (found["services.new.image"].production, found["services.new.image"].clone) == (
        "new:1",
        "new:2 (new@sha256:n)",
    )
    assert found["services.new.image"].fidelity is Fidelity.CHANGED
    assert found["services.db.image"].fidelity is Fidelity.FAITHFUL
    assert "services.fixed.image" not in found


def test_an_image_that_is_built_after_all_is_not_pinned() -> None:
    built = build_after_all(clone(), {"shop/same:1": "no registry answers"})
    assert "shop/same:1" not in references(built)
