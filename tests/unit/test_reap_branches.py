"""Branches: gone only where a repository answers without them; one that hangs, asks or runs things is unknown."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from reap_world import lease

from understudy.reap.branches import branches_gone, heads


@pytest.fixture
def repository(tmp_path: Path) -> str:
    place = str(tmp_path / "repository")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.invalid")
    for command in (
        ("init", "-q", "-b", "main"),
        (*who, "commit", "-q", "--allow-empty", "-m", "x"),
        ("branch", "a/$(b)"),
    ):
        (tmp_path / "repository").mkdir(exist_ok=True)
        subprocess.run(["git", "-C", place, *command], check=True, env=os.environ | {"GIT_CONFIG_GLOBAL": os.devnull})
    return place


def test_a_branch_is_gone_where_its_repository_does_not_have_it(repository: str) -> None:
    found = branches_gone(
        [
            lease("there", pushed=True, repository=repository, branch="a/$(b)"),
            lease("gone", pushed=True, repository=repository, branch="merged"),
            lease("desk", repository=repository, branch="never-pushed"),
            lease("away", pushed=True, repository=repository + "-not", branch="main"),
            lease("fork", repository=repository, branch="theirs", fork=True),
            lease("tag", pushed=True, repository=repository, branch=""),
        ]
    )
    assert found == {"there": False, "gone": True, "away": None}


def test_a_repository_is_asked_once() -> None:
    asked: list[str] = []

    def ask(repository: str) -> frozenset[str]:
        asked.append(repository)
        return frozenset({"main"})

    leases = [lease(f"e{number}", pushed=True, branch="main") for number in range(9)]
    assert set(branches_gone(leases, ask).values()) == {False}
    assert asked == ["r"]


def test_a_repository_without_a_single_branch_is_no_answer(tmp_path: Path) -> None:
    """One that was emptied, or moved with a new one in its place, says nothing of branches that were in it."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True, env=os.environ | {"GIT_CONFIG_GLOBAL": os.devnull})
    assert heads(str(tmp_path)) is None
    assert branches_gone([lease("eaaaaaaaaaa", pushed=True, repository=str(tmp_path))]) == {"eaaaaaaaaaa": None}


def test_a_repository_that_hangs_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        assert heads(f"git://127.0.0.1:{deaf.getsockname()[1]}/x", limit=0.5) is None


@pytest.mark.parametrize(
    "hostile",
    ["ext::touch {}", "--upload-pack=touch {}", "-u touch {}", "fd::7", "\0", "ssh://-oProxyCommand=touch {}/x"],
)
def test_the_name_of_a_repository_runs_nothing(tmp_path: Path, hostile: str) -> None:
    assert heads(hostile.format(tmp_path / "ran")) is None
    assert not (tmp_path / "ran").exists()
