"""Clones of every kind: the right commit and files, or what to do; and the repository is what it was, to the byte."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from repositories import COMPOSE, Repo, contents, fingerprint

from understudy.blueprint import Blueprint, draw
from understudy.build.git import Repository
from understudy.build.tree import CommitTree
from understudy.diff.pair import told
from understudy.diff.sides import Sides
from understudy.errors import UsageError
from understudy.options import find_config, resolve
from understudy.preparation import take_tree

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


# Detached heads


@pytest.mark.parametrize(
    ("variables", "branch"),
    [
        ({"GITHUB_REF_NAME": "topic", "GITHUB_REF_TYPE": "branch"}, "topic"),
        ({"GITHUB_HEAD_REF": "topic", "GITHUB_REF_NAME": "7/merge", "GITHUB_REF_TYPE": "branch"}, "topic"),
        ({"GITHUB_REF_NAME": "v1", "GITHUB_REF_TYPE": "tag"}, ""),
        ({"CI_COMMIT_REF_NAME": "topic"}, "topic"),
        ({"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "topic", "CI_COMMIT_REF_NAME": "refs/merge-requests/7/head"}, "topic"),
        ({"CI_COMMIT_REF_NAME": "v1", "CI_COMMIT_TAG": "v1"}, ""),
        ({}, ""),
    ],
)
def test_a_detached_head_is_of_the_branch_that_ci_names(repo: Repo, variables: dict[str, str], branch: str) -> None:
    repo.git("checkout", "--quiet", "--detach", "second")
    repository = Repository.find(repo.folder)
    assert repository.commit("HEAD", variables).branch == branch
    assert repository.commit("main", variables).branch == "main"


# Who calls, and whose repository it is


@pytest.mark.parametrize("hook", ["post-commit", "pre-push"])
def test_a_hook_that_calls_us_gets_its_own_repository(repo: Repo, tmp_path: Path, hook: str) -> None:
    """Git gives a hook GIT_DIR, GIT_INDEX_FILE and more, which are not for the repositories that we read."""
    other = repo.clone(tmp_path / "other")
    other.commit({"lib/a": "other"})
    upstream = repo.clone(tmp_path / "upstream.git", "--bare", bare=True)
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from understudy.build.git import Repository\n"
        "from understudy.build.tree import CommitTree\n"
        "for folder in ('.', sys.argv[1]):\n"
        "    repository = Repository.find(Path(folder).resolve())\n"
        "    tree = CommitTree.take(repository, repository.commit('HEAD').sha, Path(sys.argv[2]))\n"
        "    dirty = CommitTree.take_working_folder(repository, Path(sys.argv[2]))\n"
        "    print((tree.root / 'lib/a').read_text(), (dirty.root / 'lib/a').read_text())\n",
        encoding="utf-8",
    )
    path = repo.folder / ".git/hooks" / hook
    said = tmp_path / "said"
    path.parent.mkdir(exist_ok=True)
    command = f"'{_python()}' '{script}' '{other.folder}' '{tmp_path}/trees' > '{said}' 2>&1"
    path.write_text(f"#!/bin/sh\n{command}\n", encoding="utf-8")
    path.chmod(0o755)
    if hook == "post-commit":
        repo.write({"lib/a": "hooked"})
        repo.git("commit", "--quiet", "--message=x", "lib/a")  # with an index file of its own
    else:
        repo.write({"lib/a": "hooked"})
        repo.git("push", "--quiet", str(upstream.folder), "HEAD:refs/heads/new")
    first = "hooked hooked" if hook == "post-commit" else "third hooked"
    assert said.read_text(encoding="utf-8").splitlines() == [first, "other other"]


def _python() -> str:
    import sys

    return sys.executable


def test_a_push_that_is_being_received_has_its_commits_not_yet(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_QUARANTINE_PATH", "/x")
    with pytest.raises(UsageError, match="post-receive"):
        Repository.find(repo.folder).commit("0" * 39 + "1")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_another_user_s_repository_is_trusted_when_git_is_told_so(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    for path in [repo.folder, *repo.folder.rglob("*")]:
        os.chown(path, 12345, 12345)
    with pytest.raises(UsageError) as caught:
        Repository.find(repo.folder)
    assert f"git config --global --add safe.directory {repo.folder}" in str(caught.value)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.directory")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(repo.folder))
    assert (take(Repository.find(repo.folder), "HEAD", tmp_path / "trees").root / "lib/a").read_bytes() == b"third"


def test_nothing_that_a_hostile_repository_sets_is_run(repo: Repo, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\necho "$0 $@" >> {ran}\ncat\n', encoding="utf-8")
    program.chmod(0o755)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "post-index-change", "fsmonitor-watchman", "reference-transaction", "pre-auto-gc"):
        for folder in (hooks, repo.folder / ".git/hooks"):
            folder.mkdir(exist_ok=True)
            shutil.copy(program, folder / name)
    repo.commit({".gitattributes": "* filter=evil diff=evil merge=evil\n"})
    programs = {
        "core": "fsmonitor pager editor sshCommand askPass gitProxy alternateRefsCommand",
        "filter.evil": "smudge clean process",
        "diff": "external",
        "diff.evil": "textconv command",
        "pager": "log config",
        "alias": "log config ls-files",
    }
    keys = [f"{section}.{name}" for section, names in programs.items() for name in names.split(" ")]
    keys += ["merge.evil.driver", "gpg.program", "credential.helper", "uploadpack.packObjectsHook"]
    for key in keys:
        repo.git("config", key, f"!{program}" if key.startswith("alias") else str(program))
    for key, value in {
        "core.hooksPath": str(hooks),
        "log.showSignature": "true",
        "filter.evil.required": "true",
        "remote.origin.url": f"ext::{program}",
        "remote.origin.promisor": "true",
        "extensions.partialClone": "origin",
        "core.repositoryFormatVersion": "1",
        "protocol.ext.allow": "always",
        "gc.auto": "1",
    }.items():
        repo.git("config", key, value)
    ran.unlink(missing_ok=True)
    before = fingerprint(repo.folder)
    drawn = blueprint(repo.folder)
    take_tree(drawn, tmp_path / "state", "e1")
    CommitTree.take_working_folder(Repository.find(repo.folder), tmp_path / "dirty")
    with pytest.raises(UsageError):
        Repository.find(repo.folder).commit("0" * 39 + "1")
    assert not ran.exists(), ran.read_text(encoding="utf-8")
    assert fingerprint(repo.folder) == before
