"""A repository of three commits, and what is drawn and taken of a repository."""

from __future__ import annotations

from pathlib import Path

import pytest
from repositories import COMPOSE, Repo

from understudy.blueprint import Blueprint, draw
from understudy.build.git import Repository
from understudy.build.tree import CommitTree
from understudy.options import resolve

FILES: dict[str, str | bytes] = {"compose.yaml": COMPOSE, "web/Dockerfile": "FROM x\n", "lib/a": "a"}


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """Three commits on main; the second is tagged `second`."""
    repo = Repo(tmp_path / "repo")
    repo.commit({**FILES, "lib/a": "first"})
    repo.commit({"lib/a": "second"})
    repo.git("tag", "second")
    repo.commit({"lib/a": "third"})
    return repo


def blueprint(folder: Path, **flags: object) -> Blueprint:
    return draw(resolve(flags, {}, None), folder)


def take(repository: Repository, rev: str, folder: Path) -> CommitTree:
    return CommitTree.take(repository, repository.commit(rev).sha, folder)
