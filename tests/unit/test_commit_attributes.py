"""Which bytes a build gets: those that `git checkout` writes on a machine that sets nothing itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from repositories import Repo, contents, fingerprint

from understudy.build.git import Repository
from understudy.build.keys import Origin, image_tags
from understudy.build.tree import CommitTree
from understudy.stacks.topology import Build, Service, Topology

ATTRIBUTES = """\
*.bat text eol=crlf
*.id ident
*.u16 text working-tree-encoding=UTF-16LE
*.no export-ignore
*.sub export-subst
"""


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    repo = Repo(tmp_path / "repo")
    repo.write({".gitattributes": ATTRIBUTES, "web/a.bat": "one\r\n", "web/b.txt": "x\r\n", "web/c.id": "$Id$"})
    repo.write({"web/d.u16": "é".encode("utf-16-le"), "web/e.no": "kept", "web/f.sub": "$Format:%H$"})
    repo.commit({"web/Dockerfile": "FROM x\n"})
    return repo


def take(repo: Repo, folder: Path) -> CommitTree:
    repository = Repository.find(repo.folder)
    return CommitTree.take(repository, repository.commit("HEAD").sha, folder)


def tag(repository: Repository, treeish: str) -> str:
    topology = Topology("shop", {"web": Service("web", build=Build("web"))})
    return image_tags(topology, Origin(repository, treeish), "linux/amd64")["web"]


def test_a_build_gets_what_git_checkout_writes(repo: Repo, tmp_path: Path) -> None:
    fresh = contents(repo.clone(tmp_path / "fresh").folder)
    found = contents(take(repo, tmp_path / "trees").root)
    assert found == {name: content for name, content in fresh.items() if not name.startswith(".git/")}
    assert found["web/a.bat"] == b"one\r\n"
    assert found["web/c.id"].startswith(b"$Id: ")
    assert found["web/d.u16"] == "é".encode("utf-16-le")
    assert (found["web/e.no"], found["web/f.sub"]) == (b"kept", b"$Format:%H$")


def test_the_machine_s_own_settings_do_not_count(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = contents(take(repo, tmp_path / "plain").root)
    attributes = tmp_path / "attributes"
    attributes.write_text("*.txt text eol=crlf\n", encoding="utf-8")
    configured = tmp_path / "gitconfig"
    settings = ("core.autocrlf=true", "core.eol=crlf", f"core.attributesFile={attributes}", "core.symlinks=false")
    for key, _, value in (setting.partition("=") for setting in settings):
        repo.git("config", f"--file={configured}", key, value)
        repo.git("config", key, value)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configured))
    (repo.folder / ".git/info/attributes").write_text("*.bat -text\n*.txt ident\n", encoding="utf-8")
    assert contents(take(repo, tmp_path / "set").root) == plain


def test_attributes_above_the_context_are_part_of_an_image_s_key(repo: Repo) -> None:
    first = repo.git("rev-parse", "HEAD")
    second = repo.commit({".gitattributes": ATTRIBUTES.replace("crlf", "lf")})
    repository = Repository.find(repo.folder)
    assert repository.tree_id(first, "web") == repository.tree_id(second, "web")
    assert tag(repository, first) != tag(repository, second)


def test_the_tree_of_a_dirty_folder_is_its_bytes_not_what_git_would_store(repo: Repo, tmp_path: Path) -> None:
    repository = Repository.find(repo.folder)
    repo.write({".gitattributes": "*.txt text=auto\n", "web/b.txt": "x\r\n"})
    crlf = CommitTree.take_working_folder(repository, tmp_path / "trees")
    repo.write({"web/b.txt": "x\n"})
    before = fingerprint(repo.folder)
    lf = CommitTree.take_working_folder(repository, tmp_path / "trees")
    assert fingerprint(repo.folder) == before
    assert crlf.treeish != lf.treeish
    assert (crlf.root / "web/b.txt").read_bytes() == b"x\r\n"
    assert crlf.repository.read(crlf.treeish, "web/b.txt") == b"x\r\n"
