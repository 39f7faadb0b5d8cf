"""Submodules: the commit that is recorded, from what is here; else the command that gets it. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from repositories import COMPOSE, Repo, contents, fingerprint

from understudy.blueprint import draw
from understudy.build.binds import find_binds
from understudy.build.git import Repository
from understudy.build.keys import Origin, image_tags
from understudy.build.tree import CommitTree
from understudy.errors import UsageError
from understudy.options import resolve
from understudy.preparation import take_tree
from understudy.stacks.topology import Build, Service, Topology


@pytest.fixture
def library(tmp_path: Path) -> Repo:
    """A repository with two commits and a submodule of its own."""
    inner = Repo(tmp_path / "inner")
    inner.commit({"deep.txt": "deep"})
    library = Repo(tmp_path / "library")
    library.git("submodule", "--quiet", "add", "../inner", "inner")
    library.commit({"lib.txt": "one"})
    return library


@pytest.fixture
def shop(tmp_path: Path, library: Repo) -> Repo:
    """`web/vendor/lib` is the library at its first commit, by a relative URL; the library went on since."""
    shop = Repo(tmp_path / "shop")
    shop.write({"compose.yaml": COMPOSE, "web/Dockerfile": "FROM x\n", "other/Dockerfile": "FROM x\n"})
    shop.git("submodule", "--quiet", "add", "../library", "web/vendor/lib")
    shop.git("submodule", "--quiet", "update", "--init", "--recursive")
    shop.commit()
    library.commit({"lib.txt": "two"})
    return shop


def tag(repository: Repository, treeish: str, context: str = "web") -> str:
    topology = Topology("shop", {"web": Service("web", build=Build(context))})
    return image_tags(topology, Origin(repository, treeish), "linux/amd64")["web"]


def take(repo: Repo, rev: str, folder: Path) -> CommitTree:
    repository = Repository.find(repo.folder)
    return CommitTree.take(repository, repository.commit(rev).sha, folder)


def old_style(shop: Repo) -> None:
    """As before git 1.7.8: the submodule's data lies in the work tree."""
    inside = shop.folder / "web/vendor/lib"
    (inside / ".git").unlink()
    (shop.folder / ".git/modules/web/vendor/lib").rename(inside / ".git")
    shop.git("config", "--file=web/vendor/lib/.git/config", "--unset", "core.worktree")
    shop.git("config", "--file=web/vendor/lib/.git/modules/inner/config", "core.worktree", "../../../inner")
    (inside / "inner/.git").write_text("gitdir: ../.git/modules/inner\n", encoding="utf-8")


def linked(shop: Repo) -> None:
    """A work tree beside, in which the submodule is checked out on its own."""
    shop.git("worktree", "add", "--quiet", "--detach", "../linked")
    Repo(shop.folder.parent / "linked").git("submodule", "--quiet", "update", "--init", "--recursive")


@pytest.mark.parametrize("change", [lambda _: None, old_style], ids=["absorbed", "old-style"])
def test_a_submodule_s_files_are_those_of_the_recorded_commit(
    shop: Repo, tmp_path: Path, change: Callable[[Repo], None]
) -> None:
    change(shop)
    inside = Repo(shop.folder / "web/vendor/lib")
    inside.git("pull", "--quiet", "origin", "main")  # the work tree is elsewhere than the commit
    before = fingerprint(shop.folder)
    tree = take(shop, "HEAD", tmp_path / "trees")
    assert fingerprint(shop.folder) == before
    assert contents(tree.root / "web/vendor/lib") == {
        ".gitmodules": b'[submodule "inner"]\n\tpath = inner\n\turl = ../inner\n',
        "inner/deep.txt": b"deep",
        "lib.txt": b"one",
    }
    assert tree.missing == ()
    assert tree.warnings == ()


def test_a_linked_work_tree_has_submodules_of_its_own(shop: Repo, tmp_path: Path) -> None:
    linked(shop)
    (shop.folder / ".git/modules").rename(tmp_path / "away")
    tree = take(Repo(tmp_path / "linked"), "HEAD", tmp_path / "trees")
    assert (tree.root / "web/vendor/lib/inner/deep.txt").read_bytes() == b"deep"


def test_a_linked_work_tree_takes_the_objects_of_the_first_one_where_it_has_none(shop: Repo, tmp_path: Path) -> None:
    shop.git("worktree", "add", "--quiet", "--detach", "../linked")
    tree = take(Repo(tmp_path / "linked"), "HEAD", tmp_path / "trees")
    assert (tree.root / "web/vendor/lib/lib.txt").read_bytes() == b"one"


def test_reads_ids_and_links_go_through_a_submodule(shop: Repo) -> None:
    (shop.folder / "link").symlink_to("web/vendor/lib/inner")
    sha = shop.commit()
    before = fingerprint(shop.folder)
    repository = Repository.find(shop.folder)
    inner = Repo(shop.folder / "web/vendor/lib/inner")
    assert repository.read(sha, "web/vendor/lib/lib.txt") == b"one"
    assert repository.read(sha, "link/deep.txt") == b"deep"
    assert repository.tree_id(sha, "web/vendor/lib/inner") == inner.git("rev-parse", "HEAD^{tree}")
    assert fingerprint(shop.folder) == before


def test_the_key_of_an_image_changes_with_the_submodule_in_its_context_only(shop: Repo) -> None:
    first = shop.git("rev-parse", "HEAD")
    Repo(shop.folder / "web/vendor/lib").git("pull", "--quiet", "origin", "main")
    second = shop.commit()
    repository = Repository.find(shop.folder)
    assert tag(repository, first) != tag(repository, second)
    assert tag(repository, first, "other") == tag(repository, second, "other")
    assert tag(repository, first) == tag(Repository.find(shop.folder), first)


def test_a_bind_in_a_submodule_is_known_by_its_content(shop: Repo, tmp_path: Path) -> None:
    tree = take(shop, "HEAD", tmp_path / "trees")
    bind = find_binds(["web/vendor/lib/inner"], tree, "", tmp_path / "binds")[0]
    assert bind.origin == tree.root / "web/vendor/lib/inner"


def test_what_is_not_here_is_refused_where_it_is_needed_and_named_elsewhere(shop: Repo, tmp_path: Path) -> None:
    plain = shop.clone(tmp_path / "plain")
    before = fingerprint(plain.folder)
    tree = take(plain, "HEAD", tmp_path / "trees")
    with pytest.raises(UsageError) as caught:
        tree.require("web", "the build context of service 'web'")
    assert "'web/vendor/lib'" in str(caught.value)
    assert "git submodule update --init --recursive -- web/vendor/lib" in str(caught.value)
    tree.require("other", "the build context of service 'other'")
    assert (tree.root / "web/vendor/lib").is_dir()
    assert "'web/vendor/lib' is a submodule" in tree.warnings[0]
    assert fingerprint(plain.folder) == before
    plain.git("submodule", "--quiet", "update", "--init", "--recursive")
    again = take(plain, "HEAD", tmp_path / "trees")
    assert again.root == tree.root
    assert (again.root / "web/vendor/lib/lib.txt").read_bytes() == b"one"
    again.require("web", "the build context of service 'web'")


def test_an_environment_with_a_missing_submodule_in_a_build_is_refused_before_anything_is_made(
    shop: Repo, tmp_path: Path
) -> None:
    plain = shop.clone(tmp_path / "plain")
    blueprint = draw(resolve({}, {}, None), plain.folder)
    with pytest.raises(UsageError, match="the build context of service 'web'"):
        take_tree(blueprint, tmp_path / "state", "e1")


def test_a_commit_that_the_submodule_does_not_have_is_named_with_what_fetches_it(
    shop: Repo, library: Repo, tmp_path: Path
) -> None:
    newer = library.git("rev-parse", "HEAD")
    shop.git("update-index", "--cacheinfo", f"160000,{newer},web/vendor/lib")
    shop.git("commit", "--quiet", "--message=ahead")
    tree = take(shop, "HEAD", tmp_path / "trees")
    assert f"git -C {shop.folder}/web/vendor/lib fetch origin {newer}" in tree.warnings[0]


@pytest.mark.parametrize("where", ["config", "gitmodules"])
def test_a_submodule_that_is_not_updated_by_declaration_is_an_empty_folder(
    shop: Repo, tmp_path: Path, where: str
) -> None:
    if where == "gitmodules":
        shop.git("config", "--file=.gitmodules", "submodule.web/vendor/lib.update", "none")
        shop.commit()
    plain = shop.clone(tmp_path / "plain")
    if where == "config":
        plain.git("config", "submodule.web/vendor/lib.update", "none")
    tree = take(plain, "HEAD", tmp_path / "trees")
    tree.require("web", "the build context of service 'web'")
    assert contents(tree.root / "web/vendor/lib") == {}
    assert "by declaration" in tree.warnings[0]


def test_a_link_to_a_commit_that_nobody_names_is_the_empty_folder_that_it_is_everywhere(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "repo")
    sha = repo.commit({"web/Dockerfile": "FROM x\n"})
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{sha},web/sub")
    repo.git("commit", "--quiet", "--message=x")
    tree = take(repo, "HEAD", tmp_path / "trees")
    tree.require("web", "the build context of service 'web'")
    assert contents(tree.root) == {"web/Dockerfile": b"FROM x\n"}
    assert "'web/sub' links to a commit" in tree.warnings[0]
    assert tag(Repository.find(repo.folder), sha) != tag(Repository.find(repo.folder), repo.git("rev-parse", "HEAD"))


@pytest.mark.parametrize("name", ["../../../victim", "/victim", "..", "a/../../../../victim"])
def test_a_submodule_s_name_leads_nowhere_else(shop: Repo, tmp_path: Path, name: str) -> None:
    victim = Repo(tmp_path / "victim")
    secret = victim.commit({"secret": "s"})
    text = f'[submodule "{name}"]\n\tpath = web/vendor/lib\n\turl = ../victim\n'
    shop.write({".gitmodules": text})
    shop.git("add", ".gitmodules")
    shop.git("update-index", "--cacheinfo", f"160000,{secret},web/vendor/lib")
    shop.git("commit", "--quiet", "--message=x")
    (shop.folder / ".git/modules/x").mkdir()
    plain = shop.clone(tmp_path / "plain")
    (tmp_path / "plain/.git/modules").mkdir()
    (tmp_path / "plain/.git/victim").symlink_to(victim.folder / ".git")
    tree = take(plain, "HEAD", tmp_path / "trees")
    assert contents(tree.root / "web/vendor/lib") == {}


def test_a_bare_mirror_says_that_it_cannot_have_submodules(shop: Repo, tmp_path: Path) -> None:
    mirror = shop.clone(tmp_path / "mirror.git", "--mirror", bare=True)
    tree = take(mirror, "main", tmp_path / "trees")
    with pytest.raises(UsageError, match="clone --recurse-submodules"):
        tree.require("web", "the build context of service 'web'")


def test_dirty_takes_a_submodule_s_working_folder_as_it_lies(shop: Repo, tmp_path: Path) -> None:
    inside = shop.folder / "web/vendor/lib"
    (inside / "lib.txt").write_text("changed", encoding="utf-8")
    (inside / "inner/new.txt").write_text("new", encoding="utf-8")
    before = fingerprint(shop.folder)
    repository = Repository.find(shop.folder)
    tree = CommitTree.take_working_folder(repository, tmp_path / "trees")
    assert fingerprint(shop.folder) == before
    found = contents(tree.root / "web/vendor/lib")
    assert (found["lib.txt"], found["inner/new.txt"], found["inner/deep.txt"]) == (b"changed", b"new", b"deep")
    assert tree.repository.read(tree.treeish, "web/vendor/lib/inner/new.txt") == b"new"
    assert tag(tree.repository, tree.treeish) != tag(repository, shop.git("rev-parse", "HEAD"))
    assert tree.warnings == ()


def test_dirty_refuses_a_submodule_that_is_not_checked_out_where_it_is_needed(shop: Repo, tmp_path: Path) -> None:
    plain = shop.clone(tmp_path / "plain")
    tree = CommitTree.take_working_folder(Repository.find(plain.folder), tmp_path / "trees")
    with pytest.raises(UsageError, match="submodule update --init"):
        tree.require("web", "the build context of service 'web'")
