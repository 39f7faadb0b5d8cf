"""A repository of a test's own, from which images are built that go again with it."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from docker.errors import APIError, ImageNotFound

from understudy.build.git import Repository
from understudy.build.images import BuiltImage, ImageBuilder
from understudy.build.tree import CommitTree
from understudy.progress import Progress
from understudy.stacks.topology import Build, Service, Topology
from understudy.targets.docker_client import client

__all__ = ["BASE", "MARK", "OnlyOf", "Shop", "dockerfile", "shop"]

BASE = "busybox:1.35"
MARK = f"test.understudy.{uuid.uuid4().hex}"


class Shop:
    """A repository of its own project name, its topology, and a builder for it."""

    def __init__(self, folder: Path) -> None:
        self.name = f"t{uuid.uuid4().hex[:10]}"
        self.folder = folder
        self.state = folder / "state"
        self.logs = folder / "logs"
        self.events: list[Progress] = []
        (folder / "repo").mkdir()
        self.git("init", "-q")

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", *arguments]
        done = subprocess.run(command, cwd=self.folder / "repo", check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, files: Mapping[str, str]) -> CommitTree:
        for name, text in files.items():
            path = self.folder / "repo" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "-qm", "x")
        repository = Repository.find(self.folder / "repo")
        return CommitTree.take(repository, self.git("rev-parse", "HEAD"), self.folder / "trees")

    def topology(self, **builds: Build) -> Topology:
        return Topology(self.name, {name: Service(name, build=build) for name, build in builds.items()})

    def builder(self, stop: threading.Event | None = None) -> ImageBuilder:
        return ImageBuilder(client(), self.state, self.logs, stop=stop, listener=self.events.append)

    def build(self, tree: CommitTree, stop: threading.Event | None = None, **builds: Build) -> Mapping[str, BuiltImage]:
        return self.builder(stop).build(self.topology(**builds), tree, "")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    made = Shop(tmp_path)
    yield made
    for image in client().api.images(filters={"reference": f"understudy/{made.name}-*"}):
        for tag in image["RepoTags"]:
            client().api.remove_image(tag, force=True)
    removed = True
    while removed:  # what the classic builder keeps of a build that failed; a parent goes in the round after its child
        removed = False
        for image in client().api.images(filters={"dangling": True, "label": f"{MARK}=1"}):
            with contextlib.suppress(ImageNotFound, APIError):  # another test's build may be at work on it
                client().api.remove_image(image["Id"], force=True)
                removed = True


def dockerfile(*lines: str) -> str:
    unique = f"LABEL {MARK}=1 unique={uuid.uuid4().hex}"
    return "\n".join([f"FROM {BASE}", unique, *lines, ""])


class OnlyOf:
    """The daemon with the built images of one project only, so that pruning to nothing touches no other's."""

    def __init__(self, project: str) -> None:
        self._project = project
        self.api = self

    def images(self, filters: dict[str, list[str]]) -> list[dict[str, object]]:
        mine = f"understudy/{self._project}-"
        listed = client().api.images(filters=filters)
        return [image for image in listed if any(tag.startswith(mine) for tag in image["RepoTags"] or ())]

    def __getattr__(self, name: str) -> object:
        return getattr(client().api, name)
