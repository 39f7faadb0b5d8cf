"""A shop in a repository of its own, and a daemon that must end as it was."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import ROOT, Project, inventory, labelled, make_project


@pytest.fixture
def same_inventory(daemon: None) -> Iterator[None]:  # noqa: ARG001 - it has the daemon alone
    """The daemon holds afterwards what it held before."""
    before = inventory()
    yield
    assert inventory() == before


@pytest.fixture
def shop(tmp_path: Path, same_inventory: None) -> Project:  # noqa: ARG001 - the daemon ends as it was
    """The example, committed on main, and nothing else."""
    project = make_project(tmp_path / "repository", tmp_path / "state", "examples/shop")
    ignored = shutil.ignore_patterns("understudy-runs", "__pycache__", ".pytest_cache")
    shutil.copytree(ROOT / "examples" / "shop", project.folder, ignore=ignored)
    project.commit("Open the shop")
    return project


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
