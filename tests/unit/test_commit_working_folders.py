"""Names of any bytes and every state of a working folder: what is taken of it, and what to do where nothing is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from repositories import Repo, contents, fingerprint

from understudy.build.git import Repository
from understudy.build.tree import CommitTree
from understudy.errors import UsageError

from .clones import FILES, blueprint, take

# Names


def test_path_names_of_any_bytes(repo: Repo, tmp_path: Path) -> None:
    names = [b"lib/\xff\xfe", b"lib/new\nline", b"lib/ta\tb", b'lib/"q"', b"lib/-x", b"lib/\xc3\xa9", b"lib/ *[a]"]
    for name in names:
        (repo.folder / os.fsdecode(name)).write_bytes(name)
    repo.git("add", "--all")
    committed = take(Repository.find(repo.folder), repo.commit(), tmp_path / "trees")
    dirty = CommitTree.take_working_folder(Repository.find(repo.folder), tmp_path / "dirty")
    for tree in (committed, dirty):
        assert all((tree.root / os.fsdecode(name)).read_bytes() == name for name in names)
    assert dirty.treeish == repo.git("rev-parse", "HEAD^{tree}")


def test_a_missing_thing_with_a_name_of_any_bytes_can_be_said(repo: Repo, tmp_path: Path) -> None:
    name = os.fsdecode(b"lib/\xff")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.git('rev-parse', 'HEAD')},{name}")
    repo.git("commit", "--quiet", "--message=x")
    tree = take(Repository.find(repo.folder), "HEAD", tmp_path / "trees")
    assert tree.warnings[0].encode().startswith(b"'lib/\\udcff' links to")


# States of a working folder


def test_an_unborn_branch_says_to_commit_first(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "repo")
    repo.write(FILES)
    for flags in ({}, {"dirty": True}):
        with pytest.raises(UsageError, match="commit first"):
            blueprint(repo.folder, **flags)


def test_an_unmerged_file_is_copied_as_it_lies_and_named(repo: Repo, tmp_path: Path) -> None:
    repo.git("checkout", "--quiet", "-b", "topic", "second")
    repo.commit({"lib/a": "topic"})
    done = subprocess.run(["git", "merge", "main"], cwd=repo.folder, capture_output=True, check=False)
    assert done.returncode != 0
    before = fingerprint(repo.folder)
    tree = CommitTree.take_working_folder(Repository.find(repo.folder), tmp_path / "trees")
    assert b"<<<<<<<" in (tree.root / "lib/a").read_bytes()
    assert ["'lib/a' is unmerged" in line for line in tree.warnings] == [True]
    assert fingerprint(repo.folder) == before


def test_dirty_takes_what_git_would_add_and_nothing_that_is_ignored_anywhere(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ignored = tmp_path / "ignore"
    ignored.write_text("*.mine\n", encoding="utf-8")
    configured = tmp_path / "gitconfig"
    repo.git("config", f"--file={configured}", "core.excludesFile", str(ignored))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configured))
    (repo.folder / ".git/info/exclude").write_text("*.own\n", encoding="utf-8")
    repo.write({".gitignore": "*.log\n", "a.log": "", "a.own": "", "a.mine": "", "new": "new", "kept.log": "kept"})
    repo.git("add", "--force", "kept.log")
    repo.write({"intended": "i"})
    repo.git("add", "--intent-to-add", "intended")
    os.mkfifo(repo.folder / "pipe")
    (repo.folder / "out").symlink_to("/etc/passwd")
    tree = CommitTree.take_working_folder(Repository.find(repo.folder), tmp_path / "trees")
    assert sorted(contents(tree.root)) == sorted([*FILES, ".gitignore", "intended", "kept.log", "new", "out"])
    assert (tree.root / "out").is_symlink()
    assert tree.read_file("out") is None
