"""A commit with a submodule and a large file, run from the repositories that people have."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from repositories import Repo, fingerprint
from support import Project, labelled, make_project

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

LARGE = b"large " * 1000

COMPOSE = """\
services:
  web:
    build: web
    command: [httpd, -f, -p, "8080", -h, /site]
    ports: ["8080"]
x-understudy:
  tests:
    smoke: {command: [python3, check.py], folder: tests}
"""

CHECK = """\
import os
import urllib.request

for path in ("lib/page", "large.bin"):
    with urllib.request.urlopen(os.environ["UNDERSTUDY_WEB_8080_URL"] + "/" + path, timeout=10) as answer:
        assert answer.read() == open(path.replace("/", "-"), "rb").read(), path
"""


def pointer() -> str:
    oid = hashlib.sha256(LARGE).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(LARGE)}\n"


@pytest.fixture
def site(tmp_path: Path) -> Repo:
    """Its image is made of a submodule's page and a file in Git LFS."""
    library = Repo(tmp_path / "library")
    library.commit({"page": "of the library"})
    site = Repo(tmp_path / "site")
    site.write({"compose.yaml": COMPOSE, "web/Dockerfile": "FROM busybox:1.35\nCOPY . /site\n"})
    site.write({"tests/check.py": CHECK, "tests/lib-page": "of the library", "tests/large.bin": LARGE})
    site.write({"web/.gitattributes": "*.bin filter=lfs -text\n", "web/large.bin": pointer()})
    site.git("submodule", "--quiet", "add", "../library", "web/lib")
    site.commit()
    keep(site.folder / ".git")
    return site


def keep(git_dir: Path) -> None:
    oid = hashlib.sha256(LARGE).hexdigest()
    path = git_dir / "lfs/objects" / oid[:2] / oid[2:4] / oid
    path.parent.mkdir(parents=True)
    path.write_bytes(LARGE)


def project_of(folder: Path, tmp_path: Path) -> Project:
    return Project(folder, folder, make_project(tmp_path / "unused", tmp_path / "state").env)


def test_a_linked_work_tree_runs_and_nothing_of_the_repository_changes(site: Repo, tmp_path: Path) -> None:
    site.git("worktree", "add", "--quiet", "-b", "topic", str(tmp_path / "linked"))
    before = [fingerprint(folder) for folder in (site.folder, tmp_path / "linked")]
    done = project_of(tmp_path / "linked", tmp_path).understudy("run", "--runs", str(tmp_path), "--name", "linked")
    assert done.code == 0, done.text
    assert [fingerprint(folder) for folder in (site.folder, tmp_path / "linked")] == before


def test_a_mirror_runs_or_says_what_it_cannot_have(site: Repo, tmp_path: Path) -> None:
    mirror = site.clone(tmp_path / "mirror.git", "--mirror", bare=True).folder
    project = project_of(mirror, tmp_path)
    before = fingerprint(mirror)
    for arguments, says in (((), "--runs FOLDER"), (("--runs", str(tmp_path)), "git clone --recurse-submodules")):
        done = project.understudy("run", "--commit", "main", *arguments)
        assert done.code == 2, done.text
        assert says in " ".join(done.text.split())
    assert fingerprint(mirror) == before
    Repo(site.folder).commit({"web/Dockerfile": "FROM busybox:1.35\nCOPY large.bin /site/\nCOPY . /site\n"})
    site.git("rm", "--quiet", "--cached", "web/lib", ".gitmodules")
    (site.folder / "web/lib").rename(tmp_path / "away")
    site.commit({"web/lib/page": "of the library"})
    Repo(mirror, bare=True).git("fetch", "--quiet", "origin")
    keep(mirror)
    before = fingerprint(mirror)
    done = project.understudy("run", "--commit", "main", "-f", "compose.yaml", "--runs", str(tmp_path))
    assert done.code == 0, done.text
    assert fingerprint(mirror) == before


def test_a_content_that_is_not_here_ends_a_run_before_anything_is_made(site: Repo, tmp_path: Path) -> None:
    (site.folder / ".git/lfs").rename(tmp_path / "away")
    done = project_of(site.folder, tmp_path).understudy("run", "--name", "without")
    assert done.code == 2, done.text
    assert "'web/large.bin'" in done.text
    assert "git lfs pull" in done.text
    assert project_of(site.folder, tmp_path).leases() == []
    assert labelled("project", "site") == []
