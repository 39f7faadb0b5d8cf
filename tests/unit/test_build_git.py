"""Git as it is: real repositories, hostile names, and not one byte written into any of them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from repositories import fingerprint

from understudy.build.checkout import Taken, checkout
from understudy.build.git import Repository, git_environment, normal_path
from understudy.build.working_folder import copy_working_folder
from understudy.errors import ToolError, UsageError

HOSTILE = "a$(touch${IFS}x)"
LONG = "b" * 200

Git = Callable[..., str]


def test_git_is_given_no_variable_that_it_does_not_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    subprocess.run(["git", "init", "--quiet", str(tmp_path / "own")], check=True)
    seen: list[dict[str, str]] = []
    real = subprocess.run

    def run(command: list[str], **options: Any) -> Any:
        seen.append(options["env"])
        return real(command, **options)

    monkeypatch.setenv("NPM_TOKEN", "a-secret")
    monkeypatch.setattr(subprocess, "run", run)
    Repository.find(tmp_path / "own")
    assert seen
    assert all("NPM_TOKEN" not in each and "PATH" in each for each in seen)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "repo"


@pytest.fixture
def git(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """A new repository with one commit on main, and git to act on it as its owner."""
    for name, value in (("NAME", "A B"), ("EMAIL", "a@b.example")):
        monkeypatch.setenv(f"GIT_AUTHOR_{name}", value)
        monkeypatch.setenv(f"GIT_COMMITTER_{name}", value)
    monkeypatch.setenv("GIT_AUTHOR_DATE", "1700000000 +0200")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    folder.mkdir()

    def run(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    run("init", "--quiet", "--initial-branch=main")
    write(folder, {"web/Dockerfile": "FROM x\n", "web/app.py": "print()\n", "compose.yaml": "services: {}\n"})
    run("add", "--all")
    run("commit", "--quiet", "--message=first")
    return run


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_commit_is_found_from_a_subfolder(folder: Path, git: Git) -> None:
    repository = Repository.find(folder / "web")
    commit = repository.commit("HEAD")
    assert repository.root == folder
    assert commit.sha == git("rev-parse", "HEAD")
    assert commit.sha.startswith(commit.short)
    assert (commit.subject, commit.branch) == ("first", "main")
    assert commit.author_time == datetime.fromtimestamp(1_700_000_000, UTC)


def test_no_repository_is_said_clearly(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found none"):
        Repository.find(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        Repository.find(tmp_path / "nowhere")


@pytest.mark.parametrize("rev", ["nowhere", "-x", "--all", "", "HEAD..HEAD", "a\nb", "a\0b", "HEAD:web"])
@pytest.mark.usefixtures("git")
def test_a_revision_that_is_no_commit_is_named(folder: Path, rev: str) -> None:
    with pytest.raises(UsageError) as caught:
        Repository.find(folder).commit(rev)
    assert repr(rev) in str(caught.value)


def test_a_subject_may_say_anything(folder: Path, git: Git) -> None:
    git("commit", "--quiet", "--allow-empty", "--message=\x1b[31m<script>%H%n${{x}}")
    assert Repository.find(folder).commit("HEAD").subject == "\x1b[31m<script>%H%n${{x}}"


@pytest.mark.parametrize("branch", [HOSTILE, LONG])
def test_hostile_branches_are_names_and_nothing_else(folder: Path, git: Git, branch: str, tmp_path: Path) -> None:
    git("checkout", "--quiet", "-b", branch)
    write(folder, {"new.txt": "new"})
    git("add", "--all")
    git("commit", "--quiet", "--message=second")
    git("checkout", "--quiet", "main")
    repository = Repository.find(folder)
    commit = repository.commit(branch)
    checkout(repository, commit.sha, tmp_path / "out")
    assert commit.branch == branch
    assert (tmp_path / "out/new.txt").read_text(encoding="utf-8") == "new"
    assert not [path for path in tmp_path.rglob("x") if path.name == "x"]


def test_a_detached_head_takes_its_branch_from_ci_and_else_from_nowhere(folder: Path, git: Git) -> None:
    git("checkout", "--quiet", "--detach")
    repository = Repository.find(folder)
    assert repository.commit("HEAD", {"GITHUB_HEAD_REF": HOSTILE, "GITHUB_REF_NAME": "7/merge"}).branch == HOSTILE
    assert repository.commit("HEAD", {"CI_COMMIT_REF_NAME": "topic"}).branch == "topic"
    assert repository.commit("HEAD", {}).branch == ""
    assert repository.commit("main", {}).branch == "main"


def test_production_is_the_remote_default_branch(folder: Path, git: Git) -> None:
    repository = Repository.find(folder)
    assert repository.default_ref() == "main"
    git("update-ref", "refs/remotes/origin/master", "HEAD")
    assert repository.default_ref() == "origin/master"
    git("update-ref", "refs/remotes/origin/trunk", "HEAD")
    git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
    assert repository.default_ref() == "origin/trunk"
    git("branch", "--move", "main", "other")
    git("update-ref", "-d", "refs/remotes/origin/master")
    git("update-ref", "-d", "refs/remotes/origin/trunk")
    assert repository.default_ref() == ""


def test_trees_and_files_are_read_through_links_that_stay_inside(folder: Path, git: Git) -> None:
    (folder / "link").symlink_to("web")
    (folder / "out").symlink_to("/etc")
    git("add", "--all")
    git("commit", "--quiet", "--message=links")
    repository = Repository.find(folder)
    sha = repository.commit("HEAD").sha
    assert repository.tree_id(sha, "web") == git("rev-parse", "HEAD:web")
    assert repository.tree_id(sha, "./x/../web/") == git("rev-parse", "HEAD:web")
    assert repository.tree_id(sha, ".") == git("rev-parse", "HEAD^{tree}")
    assert repository.tree_id(sha, "link") == git("rev-parse", "HEAD:web")
    assert repository.read(sha, "link/app.py") == b"print()\n"
    assert repository.read(sha, "compose.yaml") == b"services: {}\n"
    for path in ("out/passwd", "out", "../x", "/etc/passwd", "nope", "web", "compose.yaml/x", "a\nb"):
        assert repository.read(sha, path) is None, path
    assert repository.tree_id(sha, "compose.yaml") is None
    assert repository.tree_id(sha, "out") is None


def test_paths_inside_a_tree_are_normal_or_none() -> None:
    assert normal_path("examples/shop", "../../lib") == "lib"
    assert normal_path("", ".") == ""
    assert normal_path("a", "../..") is None
    assert normal_path("a", "/b") is None


def test_a_checkout_is_the_commit_and_writes_nothing_into_the_repository(
    folder: Path, git: Git, tmp_path: Path
) -> None:
    git("config", "core.splitIndex", "true")
    git("config", "core.untrackedCache", "true")
    hook = folder / ".git/hooks/post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n", encoding="utf-8")
    hook.chmod(0o755)
    git("config", "core.fsmonitor", f"touch {tmp_path}/monitored; false")
    write(folder, {"compose.yaml": "changed", "untracked": "x"})
    before = fingerprint(folder)
    repository = Repository.find(folder)
    sha = repository.commit("HEAD").sha
    assert checkout(repository, sha, tmp_path / "out") == Taken()
    copy_working_folder(repository, tmp_path / "dirty", tmp_path / "objects")
    assert fingerprint(folder) == before
    assert files(tmp_path / "out") == {
        "compose.yaml": "services: {}\n",
        "web/Dockerfile": "FROM x\n",
        "web/app.py": "print()\n",
    }
    assert not (tmp_path / "hooked").exists()
    assert not (tmp_path / "monitored").exists()


def test_modes_and_links_come_along(folder: Path, git: Git, tmp_path: Path) -> None:
    (folder / "web/app.py").chmod(0o755)
    (folder / "out").symlink_to("/etc/passwd")
    git("add", "--all")
    git("commit", "--quiet", "--message=modes")
    checkout(Repository.find(folder), git("rev-parse", "HEAD"), tmp_path / "out")
    assert (tmp_path / "out/web/app.py").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out/web/Dockerfile").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out/out").readlink() == Path("/etc/passwd")


def test_dirty_is_the_folder_as_it_lies(folder: Path, git: Git, tmp_path: Path) -> None:
    write(folder, {".gitignore": "*.log\n", "web/app.py": "changed", "new/file": "new", "x.log": "noise"})
    (folder / "compose.yaml").unlink()
    repository = Repository.find(folder)
    tree, taken = copy_working_folder(repository, tmp_path / "out", tmp_path / "objects")
    assert files(tmp_path / "out") == {
        ".gitignore": "*.log\n",
        "new/file": "new",
        "web/Dockerfile": "FROM x\n",
        "web/app.py": "changed",
    }
    seen = repository.with_objects(tmp_path / "objects")
    assert seen.read(tree, "web/app.py") == b"changed"
    assert repository.tree_id(tree, "") is None
    git("add", "--all")
    assert tree == git("write-tree")
    assert seen.tree_id(tree, "web") == git("rev-parse", f"{tree}:web")
    assert taken == Taken()


def test_dirty_never_follows_a_link_out_of_the_folder(folder: Path, git: Git, tmp_path: Path) -> None:
    write(tmp_path, {"secret/app.py": "secret"})
    for path in (folder / "web").iterdir():
        path.unlink()
    (folder / "web").rmdir()
    (folder / "web").symlink_to(tmp_path / "secret")
    (folder / "nested").mkdir()
    git("init", "--quiet", "nested")
    tree, taken = copy_working_folder(Repository.find(folder), tmp_path / "out", tmp_path / "objects")
    assert (tmp_path / "out/web").is_symlink()
    assert Repository.find(folder).with_objects(tmp_path / "objects").read(tree, "web/app.py") is None
    assert [warning for warning in taken.warnings if "nested" in warning]


def test_the_environment_points_at_no_other_repository(folder: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    with pytest.raises(subprocess.CalledProcessError):
        git("status")
    assert Repository.find(folder).commit("HEAD").branch == "main"
    assert git_environment({"GIT_DIR": "x", "PATH": "y"})["PATH"] == "y"


def test_git_that_is_missing_or_fails_is_said(
    folder: Path, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = git("rev-parse", "HEAD")
    repository = Repository.find(folder)
    with pytest.raises(UsageError, match="git fsck"):
        checkout(repository, "0" * 40, tmp_path / "out")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="Install git"):
        repository.commit(sha)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:secret@example.com/a/b.git", "https://example.com/a/b.git"),
        ("ssh://git@example.com:22/a", "ssh://example.com:22/a"),
        ("git@example.com:a/b.git", "git@example.com:a/b.git"),
        ("https://[bad/x", "https://[bad/x"),
    ],
)
def test_the_origin_has_no_credentials(folder: Path, git: Git, url: str, shown: str) -> None:
    assert Repository.find(folder).origin() == str(folder)
    git("remote", "add", "origin", url)
    assert Repository.find(folder).origin() == shown


def test_many_paths_are_looked_up_at_once_as_each_alone(folder: Path, git: Git) -> None:
    (folder / "real").mkdir()
    (folder / "real" / "file").write_text("x", encoding="utf-8")
    (folder / "inside").symlink_to("real")
    (folder / "outside").symlink_to("/etc")
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("nothing")
    git("add", "-A")
    git("commit", "-qm", "links")
    paths = (
        "outside/passwd",
        "real",
        "loop",
        "inside/file",
        "",
        "dangling",
        "nothing",
        "../x",
        "real/file/x",
        "real/file",
    )
    repository, head = Repository.find(folder), git("rev-parse", "HEAD")
    found = repository.object_ids(head, paths)
    alone = {path: Repository.find(folder).object_id(head, path) for path in paths}
    assert found == {path: name for path, name in alone.items() if name}
    assert set(found) == {"real", "inside/file", "", "real/file"}
    assert found["inside/file"] == found["real/file"]
