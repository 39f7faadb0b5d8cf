"""Clones of every kind: the right commit and files, or what to do; and the repository is what it was, to the byte."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from repositories import COMPOSE, Repo, contents, fingerprint

from understudy.build.git import Repository
from understudy.build.tree import CommitTree
from understudy.diff.pair import told
from understudy.diff.sides import Sides
from understudy.errors import UsageError
from understudy.options import find_config, resolve
from understudy.preparation import take_tree

from .clones import FILES, blueprint, take


def with_everything(repo: Repo) -> None:
    """What git keeps beside the commits: a stash, a note, a worktree, reflogs, FETCH_HEAD, a split index, a lock."""
    repo.write({"lib/a": "stashed"})
    repo.git("stash")
    repo.git("notes", "add", "-m", "note")
    repo.git("worktree", "add", "--quiet", "--detach", "../beside")
    shutil.rmtree(repo.folder.parent / "beside")  # to be pruned by the next `git gc`
    repo.git("fetch", "--quiet", str(repo.folder), "main")
    repo.git("gc", "--quiet")
    repo.git("update-index", "--split-index", "--untracked-cache")
    repo.write({"lib/a": "changed", "untracked": "u", "sub/.gitignore": "*.log\n", "sub/x.log": "log"})
    (repo.folder / ".git/index.lock").touch()
    stamp = time.time() - 86400 * 30  # nothing may be freshened: loose objects and a shared index are by their use
    for path in [repo.folder, *repo.folder.rglob("*")]:
        os.utime(path, (stamp, stamp), follow_symlinks=False)


def test_everything_that_reads_leaves_every_byte_and_time_of_the_repository(repo: Repo, tmp_path: Path) -> None:
    with_everything(repo)
    before = fingerprint(repo.folder)
    for number, flags in enumerate(({}, {"commit": "second"}, {"dirty": True}, {"production_ref": "HEAD~1"})):
        drawn = blueprint(repo.folder, **flags)
        tree = take_tree(drawn, tmp_path / str(number), "e1")
        assert (tree.root / "compose.yaml").exists()
    assert "FETCH_HEAD" in str(before)
    assert "sharedindex" in str(before)
    assert fingerprint(repo.folder) == before


# Bare repositories


def test_a_mirror_is_read_from_inside_of_it(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"shop/compose.yaml": COMPOSE.replace("build: web", "image: x")})
    mirror = repo.clone(tmp_path / "mirror.git", "--mirror", bare=True).folder
    before = fingerprint(mirror)
    drawn = blueprint(mirror, commit="second")
    assert (drawn.file, drawn.folder, drawn.production_ref) == ("compose.yaml", "", "main")
    assert drawn.clone.topology.name == "mirror"
    assert drawn.commit.sha == repo.git("rev-parse", "second")
    inside = blueprint(mirror, file="shop/compose.yaml")
    assert (inside.file, inside.folder, inside.commit.branch) == ("shop/compose.yaml", "shop", "main")
    assert (take_tree(drawn, tmp_path / "state", "e1").root / "lib/a").read_bytes() == b"second"
    assert fingerprint(mirror) == before


def test_a_mirror_s_production_is_its_head_whatever_its_name(repo: Repo, tmp_path: Path) -> None:
    repo.git("branch", "--move", "main", "trunk")
    mirror = repo.clone(tmp_path / "mirror.git", "--mirror", bare=True).folder
    assert Repository.find(mirror).default_ref() == "trunk"


def test_a_mirror_has_no_working_folder_and_no_place_for_settings(repo: Repo, tmp_path: Path) -> None:
    mirror = repo.clone(tmp_path / "mirror.git", "--mirror", bare=True).folder
    with pytest.raises(UsageError, match="Name a commit instead of --dirty"):
        take_tree(blueprint(mirror, dirty=True), tmp_path / "state", "e1")
    (tmp_path / "understudy.toml").write_text("", encoding="utf-8")
    assert find_config(mirror) is None


def test_work_trees_of_a_bare_repository_are_of_one_origin(repo: Repo, tmp_path: Path) -> None:
    bare = repo.clone(tmp_path / "all.git", "--bare", bare=True)
    bare.git("remote", "remove", "origin")
    bare.git("worktree", "add", "--quiet", str(tmp_path / "one"), "main")
    bare.git("worktree", "add", "--quiet", "-b", "topic", str(tmp_path / "two"), "second")
    one, two = (blueprint(tmp_path / name, production_ref="main") for name in ("one", "two"))
    assert one.origin == two.origin == str(bare.folder)
    assert (one.commit.branch, two.commit.branch) == ("main", "topic")


# Linked work trees


def test_a_linked_work_tree_is_the_same_repository_at_its_own_commit(repo: Repo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "--quiet", "-b", "topic", str(tmp_path / "linked"), "second")
    (tmp_path / "linked/lib/a").write_text("linked", encoding="utf-8")
    before = fingerprint(tmp_path / "linked"), fingerprint(repo.folder)
    drawn = blueprint(tmp_path / "linked", dirty=True)
    assert (drawn.commit.branch, drawn.commit.sha) == ("topic", repo.git("rev-parse", "second"))
    assert drawn.origin == blueprint(repo.folder).origin == str(repo.folder)
    assert (take_tree(drawn, tmp_path / "state", "e1").root / "lib/a").read_bytes() == b"linked"
    assert (fingerprint(tmp_path / "linked"), fingerprint(repo.folder)) == before


def test_the_data_of_a_repository_is_no_place_to_start_from(repo: Repo) -> None:
    with pytest.raises(UsageError, match="Change to its work tree"):
        Repository.find(repo.folder / ".git")
    repo.git("config", "core.worktree", "/etc")
    with pytest.raises(UsageError, match="its work tree is set to be elsewhere"):
        Repository.find(repo.folder)


# Shallow and partial clones


@pytest.mark.parametrize(
    "flags", [{"commit": "HEAD~1"}, {"production_ref": "HEAD~2"}, {"production_ref": "origin/release"}]
)
def test_a_shallow_clone_says_how_to_get_what_it_does_not_have(
    repo: Repo, tmp_path: Path, flags: dict[str, object]
) -> None:
    shallow = repo.clone(tmp_path / "shallow", "--depth=1").folder
    before = fingerprint(shallow)
    with pytest.raises(UsageError) as caught:
        blueprint(shallow, **flags)
    assert all(part in str(caught.value) for part in ("git fetch --unshallow", "fetch-depth: 0", "GIT_DEPTH=0"))
    assert fingerprint(shallow) == before


def test_a_side_that_a_shallow_clone_does_not_have_is_said_so(repo: Repo, tmp_path: Path) -> None:
    shallow = repo.clone(tmp_path / "shallow", "--depth=1").folder
    with pytest.raises(UsageError, match="git fetch --unshallow"):
        told(Sides(resolve({}, {}, None), shallow), "HEAD~2")


def test_a_shallow_clone_without_the_default_branch_warns_that_the_commit_stands_for_production(
    repo: Repo, tmp_path: Path
) -> None:
    """As actions/checkout leaves it: one commit, a detached HEAD, no branch."""
    checkout = Repo(tmp_path / "checkout")
    checkout.git("config", "remote.origin.url", f"file://{repo.folder}")
    checkout.git("fetch", "--quiet", "--depth=1", "origin", "+refs/heads/main:refs/remotes/pull/7/merge")
    checkout.git("checkout", "--quiet", "--detach", "refs/remotes/pull/7/merge")
    drawn = blueprint(checkout.folder)
    assert drawn.production_ref == ""
    assert "fetch-depth: 0" in drawn.warnings[-1]
    assert (take_tree(drawn, tmp_path / "state", "e1").root / "lib/a").read_bytes() == b"third"


def test_the_default_branch_is_gitlab_s_word_where_the_clone_has_none(repo: Repo, tmp_path: Path) -> None:
    clone = repo.clone(tmp_path / "clone")
    clone.git("update-ref", "refs/remotes/origin/trunk", "HEAD~1")
    clone.git("remote", "set-head", "origin", "--delete")
    repository = Repository.find(clone.folder)
    assert repository.default_ref({}) == "origin/main"
    assert repository.default_ref({"CI_DEFAULT_BRANCH": "trunk"}) == "origin/trunk"
    assert repository.default_ref({"CI_DEFAULT_BRANCH": "gone"}) == "origin/main"


@pytest.mark.parametrize("kind", ["blob:none", "tree:0"])
def test_a_partial_clone_fetches_nothing_and_says_what_would(repo: Repo, tmp_path: Path, kind: str) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    clone = repo.clone(tmp_path / "clone", f"--filter={kind}", "--sparse")
    before = fingerprint(clone.folder)
    repository = Repository.find(clone.folder)
    with pytest.raises(UsageError, match=r"git -C .* fetch --refetch --no-filter"):
        take(repository, "HEAD", tmp_path / "trees")
    with pytest.raises(UsageError, match="partial clone"):
        repository.read(repository.commit("second").sha, "lib/a")
    assert repository.read(repository.commit("HEAD").sha, "nowhere") is None
    assert fingerprint(clone.folder) == before
    clone.git("fetch", "--quiet", "--refetch", "--no-filter")
    assert (take(Repository.find(clone.folder), "HEAD", tmp_path / "trees").root / "lib/a").read_bytes() == b"third"


# Sparse checkouts


@pytest.mark.parametrize("index", ["--no-sparse-index", "--sparse-index"])
def test_a_sparse_checkout_is_whole(repo: Repo, tmp_path: Path, index: str) -> None:
    repo.git("sparse-checkout", "set", "--cone", index, "web")
    repo.write({"web/new": "new"})
    (repo.folder / "compose.yaml").unlink()
    before = fingerprint(repo.folder)
    assert not (repo.folder / "lib").exists()
    drawn = blueprint(repo.folder, commit="second")
    assert sorted(contents(take_tree(drawn, tmp_path / "state", "e1").root)) == sorted(FILES)
    tree = CommitTree.take_working_folder(Repository.find(repo.folder), tmp_path / "trees")
    assert contents(tree.root) == {"web/Dockerfile": b"FROM x\n", "web/new": b"new", "lib/a": b"third"}
    assert fingerprint(repo.folder) == before


def test_a_topology_in_a_folder_that_is_not_on_disk_is_read_from_the_commit(repo: Repo) -> None:
    sha = repo.commit({"old/shop/docker-compose.yml": COMPOSE.replace("build: web", "image: x")})
    shutil.rmtree(repo.folder / "old")
    repo.commit()
    assert blueprint(repo.folder, commit=sha, file="old/shop/docker-compose.yml").folder == "old/shop"
    with pytest.raises(UsageError, match="is not there"):
        blueprint(repo.folder, file="old/shop/docker-compose.yml")


# What a clone borrows and replaces


def test_borrowed_objects_are_read(repo: Repo, tmp_path: Path) -> None:
    for name, source in (("one", repo.folder), ("two\n\"'é #", tmp_path / "one")):
        repo.git("clone", "--quiet", "--shared", str(source), str(tmp_path / name))
    (tmp_path / "two\n\"'é #").rename(tmp_path / "#two \"'é")
    tree = take(Repository.find(tmp_path / "#two \"'é"), "HEAD", tmp_path / "trees")
    assert (tree.root / "lib/a").read_bytes() == b"third"


def test_a_commit_is_what_its_hash_says_not_what_replaces_it(repo: Repo, tmp_path: Path) -> None:
    head, second = repo.git("rev-parse", "HEAD"), repo.git("rev-parse", "second")
    repo.git("replace", head, second)
    (repo.folder / ".git/info/grafts").write_text(f"{head}\n", encoding="utf-8")
    repository = Repository.find(repo.folder)
    assert (take(repository, head, tmp_path / "trees").root / "lib/a").read_bytes() == b"third"
    assert repository.commit(head + "^").sha == second


# Formats


def test_a_sha256_repository(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "repo", "--object-format=sha256")
    sha = repo.commit({**FILES, "lib/b": "b"})
    sub = Repo(tmp_path / "whole", "--object-format=sha256")
    sub.git("submodule", "--quiet", "add", "../repo", "web")
    sub.commit()
    assert len(sha) == 64
    assert blueprint(repo.folder).commit.sha == sha
    tree = take(Repository.find(sub.folder), "HEAD", tmp_path / "trees")
    assert (tree.root / "web/lib/b").read_bytes() == b"b"
    dirty = CommitTree.take_working_folder(Repository.find(repo.folder), tmp_path / "dirty")
    assert dirty.treeish == repo.git("rev-parse", "HEAD^{tree}")


def test_a_reftable_repository_is_read_by_a_git_that_knows_it_and_else_named(tmp_path: Path) -> None:
    said = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
    if tuple(int(part) for part in said.split(".")[:2]) >= (2, 45):
        repo = Repo(tmp_path / "repo", "--ref-format=reftable")
        repo.commit(FILES)
        assert blueprint(repo.folder).commit.branch == "main"
        return
    repo = Repo(tmp_path / "repo")
    repo.commit(FILES)
    for key, value in (("core.repositoryFormatVersion", "1"), ("extensions.refStorage", "reftable")):
        repo.git("config", key, value)
    with pytest.raises(UsageError, match=r"refstorage.*\n.*a newer git"):
        Repository.find(repo.folder)
