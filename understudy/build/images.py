"""Images are built from the commit's own tree, in parallel, and only where no image of the same key exists."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from understudy.build.builder import Builder
from understudy.build.cache import KEY_LABEL, ImageCache
from understudy.build.keys import BuildPlan, Origin, build_plans
from understudy.build.tree import CommitTree
from understudy.errors import InterruptedRunError, ProvisionError, ToolError
from understudy.progress import Phase, Progress, ProgressListener, State, silent
from understudy.scratch import Scratch
from understudy.stacks.identity import CACHE_LABEL
from understudy.stacks.topology import Topology

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["BuiltImage", "ImageBuilder", "daemon_platform"]

WITHIN = 1800.0
"""Seconds that one build may take."""


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """A service's image: its id, tag and key; whether it was built now (else it was there), and how long that took."""

    reference: str
    tag: str
    key: str
    built: bool
    seconds: float


def daemon_platform(client: DockerClient) -> str:
    """`os/architecture` that builds are for: DOCKER_DEFAULT_PLATFORM, which the CLI obeys, or the daemon's own.

    Raises:
        ToolError: the daemon does not answer.
    """
    from docker.errors import DockerException

    chosen = os.environ.get("DOCKER_DEFAULT_PLATFORM")
    if chosen:
        return chosen
    try:
        version = client.version()
    except (DockerException, OSError) as error:
        raise ToolError(f"Asked the Docker daemon for its platform, and it failed: {error}.") from error
    return f"{version['Os']}/{version['Arch']}"


class ImageBuilder:
    """Builds the images of a clone.

    Args:
        client: of the daemon that the docker CLI talks to, too.
        state: the user's state folder, for locks and last uses.
        logs: the folder for one `<service>.log` for each build.
        stop: once set, builds end at once.
        listener: hears of every build.
        builder: what builds; found on PATH when it is first needed.
    """

    def __init__(
        self,
        client: DockerClient,
        state: Path,
        logs: Path,
        *,
        stop: threading.Event | None = None,
        listener: ProgressListener = silent,
        builder: Builder | None = None,
    ) -> None:
        self._client = client
        self._cache = ImageCache(client, state)
        self._logs = logs
        self._stop = stop or threading.Event()
        self._listener = listener
        self._builder = builder
        self._finding = threading.Lock()

    def build(
        self,
        topology: Topology,
        tree: CommitTree,
        project_folder: str,
        *,
        skip: frozenset[str] = frozenset(),
        parallel: int | None = None,
    ) -> Mapping[str, BuiltImage]:
        """The image of every service that has a build and is not in `skip`.

        Args:
            topology: whose services are built.
            tree: the commit's files.
            project_folder: where the topology's paths begin, relative to the repository's root.
            skip: services that run an image which is there already.
            parallel: builds at once; by default one for each core.

        Raises:
            ProvisionError: a build failed; the others are ended.
            ToolError: the docker CLI or the daemon is missing.
            InterruptedRunError: `stop` was set.
        """
        plans = self.plans(topology, tree, project_folder, skip)
        images: dict[str, BuiltImage] = {}
        tags = {plan.service: plan.tag for plan in plans}
        with ThreadPoolExecutor(parallel or os.cpu_count() or 1, thread_name_prefix="build") as pool:
            for wave in _waves(plans):
                images |= self._wave(pool, wave, tree, tags)
        return {plan.service: images[plan.service] for plan in plans if plan.service not in skip}

    def plans(
        self, topology: Topology, tree: CommitTree, project_folder: str, skip: frozenset[str] = frozenset()
    ) -> tuple[BuildPlan, ...]:
        """What `build` would have to have, those that are there already too, with their keys; nothing is built.

        Raises:
            ProvisionError: a context or a Dockerfile is not in the commit.
            ToolError: the daemon does not answer.
        """
        origin = Origin(tree.repository, tree.treeish, project_folder, tree.pointers)
        return build_plans(topology, origin, daemon_platform(self._client), skip)

    def _wave(
        self, pool: ThreadPoolExecutor, plans: list[BuildPlan], tree: CommitTree, tags: Mapping[str, str]
    ) -> dict[str, BuiltImage]:
        """The images of builds that do not wait for each other."""
        groups: dict[str, list[BuildPlan]] = {}
        for plan in plans:
            groups.setdefault(plan.key, []).append(plan)
        failed = threading.Event()
        images: dict[str, BuiltImage] = {}
        errors: list[BaseException] = []
        futures = [pool.submit(self._group, group, tree, failed, tags) for group in groups.values()]
        for future in as_completed(futures):
            error = future.exception()
            if error is not None:
                failed.set()
                errors.append(error)
            else:
                images.update(future.result())
        self._raise_first(errors)
        return images

    def _raise_first(self, errors: list[BaseException]) -> None:
        """The cause goes before the interruptions that followed from it, unless it was the user who interrupted."""
        stopped = self._stop.is_set()
        for error in sorted(errors, key=lambda error: isinstance(error, InterruptedRunError) != stopped):
            raise error

    def _group(
        self, plans: list[BuildPlan], tree: CommitTree, failed: threading.Event, tags: Mapping[str, str]
    ) -> dict[str, BuiltImage]:
        """Services with one key share one image: the first is built, the others get a tag."""
        images = {}
        for plan in plans:
            if failed.is_set() or self._stop.is_set():
                raise InterruptedRunError(f"The build of service {plan.service!r} was not begun.")
            self._listener(Progress(Phase.BUILD, State.STARTED, plan.service, plan.tag))
            started = time.monotonic()
            try:
                image_id, built = self._one(plan, tree, failed, tags)
            except BaseException as error:
                self._listener(Progress(Phase.BUILD, State.FAILED, plan.service, type(error).__name__))
                raise
            took = time.monotonic() - started
            images[plan.service] = BuiltImage(image_id, plan.tag, plan.key, built, took)
            detail = "built" if built else "there already"
            self._listener(Progress(Phase.BUILD, State.DONE, plan.service, detail, took))
        return images

    def _one(
        self, plan: BuildPlan, tree: CommitTree, failed: threading.Event, tags: Mapping[str, str]
    ) -> tuple[str, bool]:
        with self._cache.building(plan.key, self._stop):
            found = self._cache.find(plan.tag, plan.key)
            if found is None:
                self._run(plan, tree, failed, tags)
                found, built = self._cache.find(plan.tag, plan.key), True
            else:
                built = False
            self._cache.touch(plan.key)
        if found is None:
            raise ProvisionError(
                f"Built the image {plan.tag} by the docker CLI, and the daemon that runs the clone does not have it.",
                hint="The CLI's current context names another daemon: compare `docker context show` and DOCKER_HOST.",
            )
        return found, built

    def _run(self, plan: BuildPlan, tree: CommitTree, failed: threading.Event, tags: Mapping[str, str]) -> None:
        with self._finding:
            builder = self._builder = self._builder or Builder.find()
        with Scratch("build") as folder:
            written = folder / "Dockerfile"
            if plan.build.inline is not None:
                written.write_text(plan.build.inline, encoding="utf-8")
            command = builder.command(
                _on_disk(tree, plan.context),
                written if plan.dockerfile is None else _on_disk(tree, plan.dockerfile),
                plan.build,
                plan.tag,
                {CACHE_LABEL: "image", KEY_LABEL: plan.key},
                contexts={name: _context(tree, place, tags) for name, place in plan.contexts.items()},
                secrets={name: _on_disk(tree, path) for name, path in plan.secrets.items()},
                platform=plan.platform,
            )
            log = self._logs / f"{plan.service.replace('/', '_')}.log"
            builder.run(plan.service, command, log, (self._stop, failed), WITHIN)


def _waves(plans: Iterable[BuildPlan]) -> Iterator[list[BuildPlan]]:
    """The builds in parts, each after those whose images it needs; needs do not turn in a circle (keys.py)."""
    left = {plan.service: plan for plan in plans}
    while left:
        wave = [plan for plan in left.values() if not plan.needs & left.keys()]
        yield wave
        for plan in wave:
            del left[plan.service]


def _on_disk(tree: CommitTree, path: str) -> Path:
    found = tree.path(path)
    if found is None:
        raise ProvisionError(
            f"Looked for {path!r} in the tree {tree.root}, and it is not there.",
            hint="Somebody changed the tree; remove it and run again.",
        )
    return found


def _context(tree: CommitTree, place: str, tags: Mapping[str, str]) -> str:
    """A further context as the docker CLI takes it: a folder, or an image."""
    if place.startswith("service:"):
        return f"docker-image://{tags[place.removeprefix('service:')]}"
    return place if place.startswith("docker-image://") else str(_on_disk(tree, place))
