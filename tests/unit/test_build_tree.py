"""The tree of an environment: whole or not there, read only from inside, gone with the lease."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from understudy.build.git import Repository
from understudy.build.tree import CommitTree, remove_trees
from understudy.errors import UnderstudyError, UsageError


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    folder = tmp_path / "repo"
    (folder / "shop").mkdir(parents=True)
    (folder / "shop/compose.yaml").write_text("services: {}\n", encoding="utf-8")
    (folder / "shop/inner").symlink_to("compose.yaml")
    (folder / "shop/outer").symlink_to("/etc/passwd")
    (folder / "lib").mkdir()
    (folder / "lib/file").write_text("lib", encoding="utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    for arguments in (["init", "-q"], ["add", "--all"], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    return Repository.find(folder)


def test_reads_stay_inside(repository: Repository, tmp_path: Path) -> None:
    tree = CommitTree.take(repository, repository.commit("HEAD").sha, tmp_path / "trees")
    assert tree.read_file("shop/compose.yaml") == b"services: {}\n"
    assert tree.read_file("shop/inner") == b"services: {}\n"
    assert tree.read_file("shop/../lib/file") == b"lib"
    for path in ("shop/outer", "/etc/passwd", "../../../etc/passwd", "shop", "nope", "shop/compose.yaml/x"):
        assert tree.read_file(path) is None, path
    (tree.root / "up").symlink_to(tmp_path)
    assert tree.path("up/repo") is None
    assert tree.path("shop") == tree.root / "shop"


def test_twenty_at_once_make_one_whole_tree(repository: Repository, tmp_path: Path) -> None:
    sha = repository.commit("HEAD").sha
    with ThreadPoolExecutor(20) as pool:
        trees = list(pool.map(lambda _: CommitTree.take(repository, sha, tmp_path / "trees"), range(20)))
    assert {tree.root for tree in trees} == {trees[0].root}
    assert [path.name for path in (tmp_path / "trees").iterdir()] == [sha[:16]]
    assert trees[0].read_file("lib/file") == b"lib"


def test_a_tree_that_failed_is_not_there(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        CommitTree.take(repository, "0" * 40, tmp_path / "trees")
    assert list((tmp_path / "trees").iterdir()) == []


def test_the_working_folder_has_a_tree_id_that_changes_with_it(repository: Repository, tmp_path: Path) -> None:
    first = CommitTree.take_working_folder(repository, tmp_path / "trees")
    again = CommitTree.take_working_folder(repository, tmp_path / "trees")
    (repository.root / "lib/file").write_text("other", encoding="utf-8")
    second = CommitTree.take_working_folder(repository, tmp_path / "trees")
    sha = repository.commit("HEAD").sha
    assert first.root == again.root
    assert first.treeish == repository.tree_id(sha, "")
    assert first.treeish != second.treeish
    assert second.repository.tree_id(second.treeish, "shop") == repository.tree_id(sha, "shop")
    assert second.repository.read(second.treeish, "lib/file") == b"other"
    assert first.read_file("lib/file") == b"lib"


def test_removal_is_complete_and_may_come_twice(repository: Repository, tmp_path: Path) -> None:
    CommitTree.take(repository, repository.commit("HEAD").sha, tmp_path / "trees")
    remove_trees(tmp_path / "trees")
    remove_trees(tmp_path / "trees")
    assert not (tmp_path / "trees").exists()
    (tmp_path / "file").touch()
    with pytest.raises(UnderstudyError, match="failed"):
        remove_trees(tmp_path / "file")
