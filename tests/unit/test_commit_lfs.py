"""Git LFS without git-lfs: contents that are here are put in, others are named; no filter of anybody runs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from repositories import Repo, contents, fingerprint

from understudy.build.binds import find_binds
from understudy.build.git import Repository
from understudy.build.keys import Origin, image_tags
from understudy.build.tree import CommitTree
from understudy.errors import UsageError
from understudy.stacks.topology import Build, Service, Topology

CONTENT = bytes(range(256)) * 5000


def pointer(content: bytes = CONTENT, extra: str = "") -> str:
    oid = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\n{extra}oid sha256:{oid}\nsize {len(content)}\n"


def keep(store: Path, content: bytes = CONTENT, instead: bytes | None = None) -> Path:
    """Put a content where git-lfs keeps it (docs/spec.md: `objects/OID[0:2]/OID[2:4]/OID`)."""
    oid = hashlib.sha256(content).hexdigest()
    path = store / "objects" / oid[:2] / oid[2:4] / oid
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if instead is None else instead)
    return path


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    repo = Repo(tmp_path / "repo")
    repo.write({".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "web/model.bin": pointer()})
    (repo.folder / "web/model.bin").chmod(0o755)
    repo.commit({"web/small.bin": "no pointer", "web/text": pointer()})
    return repo


def take(repo: Repo, folder: Path, rev: str = "HEAD") -> CommitTree:
    repository = Repository.find(repo.folder)
    return CommitTree.take(repository, repository.commit(rev).sha, folder)


def test_contents_that_are_here_stand_in_the_place_of_their_pointers(repo: Repo, tmp_path: Path) -> None:
    kept = keep(repo.folder / ".git/lfs")
    before = fingerprint(repo.folder)
    tree = take(repo, tmp_path / "trees")
    model = tree.root / "web/model.bin"
    assert model.read_bytes() == CONTENT
    assert model.stat().st_mode & 0o777 == 0o755
    assert model.stat().st_ino != kept.stat().st_ino
    assert (tree.root / "web/small.bin").read_bytes() == b"no pointer"
    assert (tree.root / "web/text").read_text(encoding="utf-8") == pointer()
    assert sorted(contents(tree.root)) == [".gitattributes", "web/model.bin", "web/small.bin", "web/text"]
    assert tree.warnings == ()
    assert fingerprint(repo.folder) == before


@pytest.mark.parametrize("place", ["linked", "bare", "setting", "borrowed", "submodule"])
def test_every_kind_of_repository_has_its_contents(repo: Repo, tmp_path: Path, place: str) -> None:
    at, rev, name, store = repo, "HEAD", "web/model.bin", repo.folder / ".git/lfs"
    if place == "linked":
        repo.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "other"))
        at = Repo(tmp_path / "other")
    elif place == "bare":
        at, rev = repo.clone(tmp_path / "mirror.git", "--mirror", bare=True), "main"
        store = at.folder / "lfs"
    elif place == "setting":
        repo.git("config", "lfs.storage", "elsewhere")
        store = repo.folder / ".git/elsewhere"
    elif place == "borrowed":
        repo.git("clone", "--quiet", "--shared", str(repo.folder), str(tmp_path / "other"))
        at = Repo(tmp_path / "other")
    else:
        at, name = Repo(tmp_path / "whole"), "sub/web/model.bin"
        at.git("submodule", "--quiet", "add", str(repo.folder), "sub")
        at.commit()
        store = at.folder / ".git/modules/sub/lfs"
    keep(store)
    assert (take(at, tmp_path / "trees", rev).root / name).read_bytes() == CONTENT


@pytest.mark.parametrize("kept", ["nothing", "another content", "a part"])
def test_a_content_that_is_not_here_is_refused_where_it_is_needed(repo: Repo, tmp_path: Path, kept: str) -> None:
    if kept != "nothing":
        keep(repo.folder / ".git/lfs", instead=CONTENT[:-1] if kept == "a part" else b"x" * len(CONTENT))
    tree = take(repo, tmp_path / "trees")
    with pytest.raises(UsageError) as caught:
        tree.require("web", "the build context of service 'web'")
    assert "'web/model.bin'" in str(caught.value)
    assert "git lfs pull" in str(caught.value)
    tree.require("web/small.bin", "a bind")
    assert (tree.root / "web/model.bin").read_text(encoding="utf-8") == pointer()
    assert "'web/model.bin' is in Git LFS" in tree.warnings[0]
    keep(repo.folder / ".git/lfs")
    take(repo, tmp_path / "trees").require("web", "the build context of service 'web'")


def test_a_pointer_with_extensions_is_refused(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"web/model.bin": pointer(extra="ext-0-foo sha256:" + "0" * 64 + "\n")})
    keep(repo.folder / ".git/lfs")
    with pytest.raises(UsageError, match="extensions"):
        take(repo, tmp_path / "trees").require("", "everything")


@pytest.mark.parametrize("where", ["setting", "lfsconfig"])
def test_what_lfs_is_told_to_leave_out_stays_a_pointer(repo: Repo, tmp_path: Path, where: str) -> None:
    if where == "setting":
        repo.git("config", "lfs.fetchexclude", "no, web/*.bin")
    else:
        repo.commit({".lfsconfig": "[lfs]\n\tfetchexclude = web\n"})
    tree = take(repo, tmp_path / "trees")
    tree.require("web", "the build context of service 'web'")
    assert (tree.root / "web/model.bin").read_text(encoding="utf-8") == pointer()
    assert "excluded" in tree.warnings[0]
    before = made_of(tree, tmp_path)
    keep(repo.folder / ".git/lfs")
    whole = take(repo, tmp_path / "trees")
    assert (whole.root / "web/model.bin").read_bytes() == CONTENT
    assert not set(before) & set(made_of(whole, tmp_path)), "neither an image nor a bind of pointers is taken again"


def made_of(tree: CommitTree, folder: Path) -> tuple[str, str]:
    topology = Topology("shop", {"web": Service("web", build=Build("web", dockerfile="text"))})
    image = image_tags(topology, Origin(tree.repository, tree.treeish, "", tree.pointers), "linux/amd64")["web"]
    return image, str(find_binds(["web"], tree, "", folder)[0].place)


def test_no_filter_of_anybody_runs_and_each_is_named(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.commit({"keys/one": "sealed", "keys/two": "sealed", "keys/.gitattributes": "* filter=crypt\n.git* !filter\n"})
    ran = tmp_path / "ran"
    configured = tmp_path / "gitconfig"
    for name in ("lfs", "crypt"):
        for verb in ("smudge", "clean", "process"):
            repo.git("config", f"filter.{name}.{verb}", f"touch {ran}; cat")
            repo.git("config", f"--file={configured}", f"filter.{name}.{verb}", f"touch {ran}; cat")
        repo.git("config", f"filter.{name}.required", "true")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configured))
    repo.folder.joinpath(".git/info/attributes").write_text("* filter=crypt\n", encoding="utf-8")
    tree = take(repo, tmp_path / "trees")
    CommitTree.take_working_folder(Repository.find(repo.folder), tmp_path / "dirty")
    assert not ran.exists()
    assert (tree.root / "keys/one").read_bytes() == b"sealed"
    told = [line for line in tree.warnings if "'crypt'" in line]
    assert len(told) == 1
    assert told[0].startswith("'keys/one' and 1 more")


def test_dirty_takes_contents_as_they_lie_and_pointers_from_the_store(repo: Repo, tmp_path: Path) -> None:
    (repo.folder / "web/new.bin").write_bytes(b"not a pointer")
    keep(repo.folder / ".git/lfs")
    before = fingerprint(repo.folder)
    tree = CommitTree.take_working_folder(Repository.find(repo.folder), tmp_path / "trees")
    assert (tree.root / "web/model.bin").read_bytes() == CONTENT
    assert (tree.root / "web/new.bin").read_bytes() == b"not a pointer"
    assert fingerprint(repo.folder) == before
