"""Repositories of their own, and nothing of them on the daemon at the end."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import ROOT, Project, labelled, make_project


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Project]:
    """The example, committed on main, and nothing else.

    Its topology is called as its repository: by that name its objects are told from those of other tests. Afterwards
    nothing carries that name on the daemon.
    """
    project = make_project(tmp_path / f"shop{uuid.uuid4().hex[:12]}", tmp_path / "state", "examples/shop")
    ignored = shutil.ignore_patterns("understudy-runs", "__pycache__", ".pytest_cache")
    shutil.copytree(ROOT / "examples" / "shop", project.folder, ignore=ignored)
    compose = project.folder / "compose.yaml"
    text = compose.read_text(encoding="utf-8")
    assert "\nname: shop\n" in text
    compose.write_text(text.replace("\nname: shop\n", f"\nname: {project.root.name}\n"), encoding="utf-8")
    project.commit("Open the shop")
    yield project
    assert labelled("project", project.root.name) == []


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[[str], Project]]:
    """A project of one Compose file, committed; afterwards nothing carries its name on the daemon."""
    made: list[Project] = []

    def make(compose: str) -> Project:
        project = make_project(tmp_path / f"small{uuid.uuid4().hex[:12]}", tmp_path / "state")
        (project.folder / "compose.yaml").write_text(compose, encoding="utf-8")
        project.commit("Describe production")
        made.append(project)
        return project

    yield make
    for project in made:
        assert labelled("project", project.root.name) == []
