from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from understudy.build.binds import find_binds, place_binds
from understudy.build.git import Repository
from understudy.build.tree import CommitTree
from understudy.errors import UsageError


def git(root: Path, *arguments: str) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.invalid", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *who, *arguments], cwd=root, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / "shop" / "db").mkdir(parents=True)
    (root / "shop" / "db" / "init.sql").write_text("select 1;\n")
    (root / "shared.conf").write_text("shared\n")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    return root


def take(root: Path, folder: Path) -> CommitTree:
    return CommitTree.take(Repository.find(root), git(root, "rev-parse", "HEAD"), folder)


def test_what_did_not_change_keeps_its_path_and_what_changed_moves(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "environment"
    sources = ("./db", "../shared.conf")
    before = find_binds(sources, take(repository, folder), "shop", folder)
    assert place_binds(before) == ()
    (repository / "shared.conf").write_text("changed\n")
    git(repository, "commit", "-qam", "two")
    after = find_binds(sources, take(repository, folder), "shop", folder)
    assert place_binds(after) == ()
    assert before[0].place == after[0].place
    assert before[1].place != after[1].place
    assert (before[0].place / "init.sql").read_text() == "select 1;\n"
    assert before[1].place.read_text() == "shared\n"
    assert after[1].place.read_text() == "changed\n"


def test_two_sources_of_one_content_share_no_folder(repository: Path, tmp_path: Path) -> None:
    (repository / "shop" / "a").mkdir()
    (repository / "shop" / "b").mkdir()
    for name in ("a", "b"):
        (repository / "shop" / name / "file").write_text("the same\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "two folders")
    folder = tmp_path / "environment"
    first, second, again = find_binds(["a", "b", "./a"], take(repository, folder), "shop", folder)
    place_binds([first, second])
    (first.place / "written").write_text("by a container")
    assert not (second.place / "written").exists()
    assert again.place == first.place


def test_what_a_container_wrote_stays_while_the_content_is_the_same(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "environment"
    (bind,) = find_binds(["db"], take(repository, folder), "shop", folder)
    place_binds([bind])
    (bind.place / "written").write_text("by a container")
    place_binds([bind])
    assert (bind.place / "written").exists()


def test_what_the_commit_does_not_have_becomes_an_empty_folder_and_is_named(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "environment"
    binds = find_binds(["data"], take(repository, folder), "shop", folder)
    assert place_binds(binds) == ("data",)
    assert list(binds[0].place.iterdir()) == []


@pytest.mark.parametrize("source", ["../../etc", "/etc/passwd", "db/../../../x", "a:b"])
def test_a_bind_that_leaves_or_cannot_be_bound_is_refused(repository: Path, tmp_path: Path, source: str) -> None:
    folder = tmp_path / "environment"
    with pytest.raises(UsageError, match="bind"):
        find_binds([source], take(repository, folder), "shop", folder)


def test_a_link_to_the_outside_is_not_followed(repository: Path, tmp_path: Path) -> None:
    (repository / "shop" / "secret").symlink_to("/etc")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "link")
    folder = tmp_path / "environment"
    binds = find_binds(["secret"], take(repository, folder), "shop", folder)
    assert place_binds(binds) == ("secret",)
    assert list(binds[0].place.iterdir()) == []
