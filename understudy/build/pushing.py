"""Built images at a registry, by the daemon's API: what lies there under its key is neither built nor pushed again."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from understudy.build.images import BuiltImage, ImageBuilder
from understudy.build.tree import CommitTree
from understudy.errors import InterruptedRunError, ProvisionError
from understudy.progress import Phase, Progress, ProgressListener, State
from understudy.stacks.topology import Topology

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.types.daemon import CancellableStream
    from requests import Response

__all__ = ["Login", "Registry", "delivered"]

Login = Callable[[], tuple[str, str]]
"""Gives a registry's user and token, new ones each time."""

T = TypeVar("T")

_NO_LOGIN = re.compile(r"unauthorized|no basic auth credentials|token has expired|denied", re.IGNORECASE)
"""How registries refuse a login: Distribution's own words, the daemon's where it was given none, and Amazon ECR's."""

_LOGIN = "It was tried with a new token too: the credentials need the permission to pull from and push to it."
_AGAIN = "Run this again: what is there of it already is not sent again."

_LOOK = 0.1
"""Seconds between two looks at whether a push is to end."""


class _RefusedError(Exception):
    """The daemon or the registry said no, in these words."""


class _NotLetInError(ProvisionError):
    """The registry takes no login that there is."""


class Registry:
    """One repository of a registry, as a daemon reaches it. A login is kept in this object alone.

    Args:
        client: of the daemon that has the images.
        repository: with its registry, without a tag.
        login: asked when a login is first needed, and once more for each request that the registry refuses for it.
        stop: once set, a push ends at once.
    """

    def __init__(self, client: DockerClient, repository: str, login: Login, stop: threading.Event) -> None:
        self._client = client
        self._login = login
        self._stop = stop
        self._known: tuple[str, str] | None = None
        self.repository = repository

    def find(self, key: str) -> str:
        """`<repository>@<digest>` of what lies there under a key; empty: nothing does.

        Raises:
            ProvisionError: the registry or the daemon refused.
        """
        return self._tried(f"Looked for {self.repository}:{key}", lambda login: self._found(key, login))

    def push(self, image: BuiltImage) -> str:
        """Push an image under its key; returns `<repository>@<digest>`.

        One that fails is made once more, unless the image is there by then: of two that push one key at once a registry
        whose tags cannot change refuses the second, and Distribution on a disk may fail with either.

        Raises:
            ProvisionError: the registry or the daemon refused.
            InterruptedRunError: `stop` was set; the registry has nothing under that key then, or all of it.
        """
        said = f"Pushed the image {image.tag} to {self.repository}:{image.key}"

        def ask(login: Mapping[str, str]) -> str:
            return self._pushed(image, login)

        try:
            return self._tried(said, ask)
        except _NotLetInError:
            raise
        except ProvisionError:
            with suppress(ProvisionError):
                return self.find(image.key) or self._tried(said, ask)
            raise

    def _tried(self, said: str, ask: Callable[[Mapping[str, str]], T]) -> T:
        """What a request comes to, with a new login where the first one is refused: a token ends after twelve hours."""
        from docker.errors import DockerException

        for renewed in (False, True):
            if renewed or self._known is None:
                self._known = self._login()
            user, token = self._known
            try:
                return ask({"username": user, "password": token})
            except _RefusedError as refused:
                words = str(refused).rstrip(".")
                if not _NO_LOGIN.search(words):
                    raise ProvisionError(f"{said}, and it failed: {words}.", hint=_AGAIN) from None
                if renewed:
                    raise _NotLetInError(f"{said}, and it failed: {words}.", hint=_LOGIN) from None
            except (DockerException, OSError, ValueError) as error:
                raise ProvisionError(f"{said}, and it failed: {error}.") from error
        raise AssertionError("the second try returns or raises")

    def _found(self, key: str, login: Mapping[str, str]) -> str:
        from docker.errors import APIError, NotFound

        api: Any = self._client.api  # this call of docker-py has no types
        try:
            about = api.inspect_distribution(f"{self.repository}:{key}", auth_config=dict(login))
        except NotFound:
            return ""
        except APIError as error:
            raise _RefusedError(error.explanation or str(error)) from error
        return f"{self.repository}@{about['Descriptor']['digest']}"

    def _pushed(self, image: BuiltImage, login: Mapping[str, str]) -> str:
        self._client.api.tag(image.reference, self.repository, image.key)
        digest = ""
        with self._answer(image.key, login) as lines:
            for line in lines:
                if "error" in line:
                    raise _RefusedError(str(line["error"]))
                digest = (line.get("aux") or {}).get("Digest", digest)
        if not digest:
            raise _RefusedError("the answer ended without a digest")
        return f"{self.repository}@{digest}"

    @contextmanager
    def _answer(self, key: str, login: Mapping[str, str]) -> Iterator[Iterator[dict[str, Any]]]:
        """What the daemon says of a push, line by line; it ends the push when nobody listens any more.

        docker-py's own `push` gives nothing by which that could be done (docker-py 7, `APIClient.push`).
        """
        from docker.auth import encode_header
        from docker.types.daemon import CancellableStream

        api = self._client.api
        response: Response = api.post(
            f"{api.base_url}/v{api.api_version}/images/{self.repository}/push",
            params={"tag": key},
            headers={"X-Registry-Auth": encode_header(dict(login))},
            stream=True,
            timeout=api.timeout,
        )
        if not response.ok:
            raise _RefusedError(_message(response))
        stream = CancellableStream(response.iter_lines(), response)
        over = threading.Event()
        watch = threading.Thread(target=_close_on, args=(stream, self._stop, over), daemon=True, name="push")
        watch.start()
        try:
            yield (json.loads(line) for line in stream if line)
            self._hold_going(key)
        except (OSError, ValueError):
            self._hold_going(key)
            raise
        finally:
            over.set()
            watch.join()
            response.close()

    def _hold_going(self, key: str) -> None:
        if self._stop.is_set():
            raise InterruptedRunError(f"The push to {self.repository}:{key} was ended before it was done.")


def _close_on(stream: CancellableStream[bytes], stop: threading.Event, over: threading.Event) -> None:
    while not over.wait(_LOOK):
        if stop.is_set():
            stream.close()
            return


def _message(response: Response) -> str:
    """What the daemon says of a request that it refuses: JSON, by its API."""
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code} {response.reason}"


def delivered(
    builder: ImageBuilder,
    registry: Registry,
    topology: Topology,
    tree: CommitTree,
    folder: str,
    *,
    skip: frozenset[str],
    listener: ProgressListener,
) -> Mapping[str, BuiltImage]:
    """The image of every service that has a build and is not in `skip`, by its digest at a registry.

    What lies there under its key is not built; the rest is, and then pushed, each key once.

    Args:
        builder: builds on the registry's daemon.
        registry: where they are to be.
        topology: whose services are built.
        tree: the commit's files.
        folder: where the topology's paths begin, relative to the repository's root.
        skip: services that run an image which is there already.
        listener: hears of each image.

    Raises:
        ProvisionError: a build or a push failed.
        ToolError: Docker does not answer, or nobody gives a login.
        InterruptedRunError: the builder's or registry's `stop` was set.
    """
    plans = {plan.service: plan for plan in builder.plans(topology, tree, folder, skip) if plan.service not in skip}
    there = {key: registry.find(key) for key in sorted({plan.key for plan in plans.values()})}
    images: dict[str, BuiltImage] = {}
    for name, plan in plans.items():
        if there[plan.key]:
            listener(Progress(Phase.BUILD, State.STARTED, name, plan.tag))
            listener(Progress(Phase.BUILD, State.DONE, name, "in the registry already", 0.0))
            images[name] = BuiltImage(there[plan.key], plan.tag, plan.key, built=False, seconds=0.0)
    for name, image in builder.build(topology, tree, folder, skip=skip | images.keys()).items():
        if not there[image.key]:
            began = time.monotonic()
            there[image.key] = registry.push(image)
            took = time.monotonic() - began
            listener(Progress(Phase.BUILD, State.INFO, name, f"pushed to {registry.repository}", took))
        images[name] = replace(image, reference=there[image.key])
    return {name: images[name] for name in plans}
