"""The CI files that come with Understudy, as `init` proposes them."""

from __future__ import annotations

import importlib.resources

from understudy.init.found import CI
from understudy.init.proposal import NewFile

__all__ = ["ci_file"]

_PLACES = {
    "github": ("github/understudy.yml", ".github/workflows/understudy.yml"),
    "gitlab": ("gitlab/understudy.gitlab-ci.yml", ".gitlab/understudy.gitlab-ci.yml"),
}


def ci_file(ci: CI) -> NewFile:
    """The workflow or template of a CI, as the folder `ci` has it."""
    source, place = _PLACES[ci]
    text = importlib.resources.files("understudy").joinpath("ci_files", source).read_text(encoding="utf-8")
    return NewFile(place, text)
