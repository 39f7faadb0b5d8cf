"""Who calls, and whose repository it is: CI, hooks, a push, another user, somebody hostile."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from repositories import Repo, fingerprint

from understudy.build.git import Repository
from understudy.build.tree import CommitTree
from understudy.errors import UsageError
from understudy.preparation import take_tree

from .clones import blueprint, take

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
