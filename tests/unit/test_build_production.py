"""Production's images: what is taken as it is, what is pulled, and what is built because it cannot be had."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker.errors import APIError, ImageNotFound

from understudy.build.production import unobtainable
from understudy.errors import ToolError


class Images:
    """A daemon that has one image, and a registry with one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.pulled: list[str] = []
        self.error = error

    def get(self, image: str) -> None:
        if self.error:
            raise self.error
        if image != "here:1":
            raise ImageNotFound("no such image")

    def pull(self, image: str) -> None:
        self.pulled.append(image)
        if image != "shop/web:1":
            raise APIError("no registry answers")


def ask(images: Images, *names: str) -> dict[str, str]:
    return unobtainable(cast("Any", SimpleNamespace(images=images)), names)


def test_what_is_here_or_can_be_pulled_is_taken() -> None:
    images = Images()
    assert ask(images, "here:1", "shop/web:1", "shop/web:1") == {}
    assert images.pulled == ["shop/web:1"]


def test_a_name_that_a_registry_would_take_for_a_public_one_is_never_pulled() -> None:
    images = Images()
    assert set(ask(images, "myapp", "myapp:1")) == {"myapp", "myapp:1"}
    assert images.pulled == []


def test_a_pull_that_fails_is_the_reason() -> None:
    assert "no registry answers" in ask(Images(), "shop/api:1")["shop/api:1"]


@pytest.mark.parametrize("error", [APIError("broken"), ConnectionError("refused")])
def test_a_daemon_that_does_not_answer_is_an_error_of_a_tool(error: Exception) -> None:
    with pytest.raises(ToolError, match="image here:1"):
        ask(Images(error), "here:1")
