"""Branches: gone only where a repository answers without them; one that hangs, asks or runs things is unknown."""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from reap_world import DEAD, lease

from understudy.reap.branches import branches_gone, heads

CI = replace(DEAD, ci_url="https://ci.example/1")


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
            lease("there", owner=CI, repository=repository, branch="a/$(b)"),
            lease("gone", owner=CI, repository=repository, branch="merged"),
            lease("desk", repository=repository, branch="never-pushed"),
            lease("away", owner=CI, repository=repository + "-not", branch="main"),
            lease("fork", owner=CI, repository=repository, branch="theirs", fork=True),
            lease("tag", owner=CI, repository=repository, branch=""),
        ]
    )
    assert found == {"there": False, "gone": True, "away": None}


def test_a_repository_is_asked_once() -> None:
    asked: list[str] = []

    def ask(repository: str) -> frozenset[str]:
        asked.append(repository)
        return frozenset({"main"})

    leases = [lease(f"e{number}", owner=CI, branch="main") for number in range(9)]
    assert set(branches_gone(leases, ask).values()) == {False}
    assert asked == ["r"]


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
