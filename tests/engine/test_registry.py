"""Images at a real registry, by the real daemon: asked for, built where they are not there, pushed under their key."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from docker.errors import ImageNotFound
from registry import USER, Asked, Distribution, serve_registry

from understudy.build.cache import ImageCache
from understudy.build.images import BuiltImage
from understudy.build.pushing import Registry, delivered
from understudy.build.tree import CommitTree
from understudy.errors import InterruptedRunError, ProvisionError
from understudy.progress import State
from understudy.stacks.topology import Build
from understudy.targets.docker_client import client

from .image_shop import OnlyOf, Shop, shop

__all__ = ["shop"]

pytestmark = [pytest.mark.docker, pytest.mark.registry, pytest.mark.xdist_group("registry")]


@pytest.fixture(scope="module")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Distribution]:
    with serve_registry(tmp_path_factory.mktemp("registry")) as served:
        yield served


@pytest.fixture
def distribution(_served: Distribution) -> Iterator[Distribution]:
    """The registry with nothing in it; what the daemon calls by its name is called so no more afterwards."""
    _served.forget()
    yield _served
    for image in client().api.images(filters={"reference": _served.repository}):
        for name in (*(image["RepoTags"] or ()), *(image["RepoDigests"] or ())):
            if name.startswith(_served.repository):
                with contextlib.suppress(ImageNotFound):  # its digest goes with its last tag
                    client().api.remove_image(name, force=True, noprune=True)


class Tokens:
    """Tokens as AWS gives them: a new one at each request, and the registry takes the newest alone."""

    def __init__(self, distribution: Distribution) -> None:
        self.distribution = distribution
        self.given: list[str] = []
        self.valid = True

    def __call__(self) -> tuple[str, str]:
        self.given.append(f"canary-{secrets.token_hex(16)}")
        if self.valid:
            self.distribution.let_in(self.given[-1])
        return USER, self.given[-1]

    def expire(self) -> None:
        """None that was given is good any more."""
        self.distribution.let_in(secrets.token_hex(16))


@pytest.fixture
def tokens(distribution: Distribution) -> Tokens:
    return Tokens(distribution)


@pytest.fixture
def registry(distribution: Distribution, tokens: Tokens) -> Registry:
    return Registry(client(), distribution.repository, tokens, threading.Event())


def files(*names: str) -> dict[str, str]:
    return {
        path: text
        for name in names
        for path, text in (
            (f"{name}/Dockerfile", "FROM scratch\nCOPY mark /mark\n"),
            (f"{name}/mark", uuid.uuid4().hex),
        )
    }


def image_of(shop: Shop) -> BuiltImage:
    return shop.build(shop.commit(files("web")), web=Build("web"))["web"]


def deliver(shop: Shop, registry: Registry, tree: CommitTree, *names: str) -> dict[str, BuiltImage]:
    topology = shop.topology(**{name: Build(name) for name in names})
    given = delivered(shop.builder(), registry, topology, tree, "", skip=frozenset(), listener=shop.events.append)
    return dict(given)


def processes() -> bytes:
    """The arguments and variables of all processes of this machine that may be read."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            for name in ("cmdline", "environ"):
                try:
                    found.append((folder / name).read_bytes())
                except OSError:
                    continue
    return b"\0".join(found)


def contents(*folders: Path) -> bytes:
    return b"".join(path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file())


def test_what_is_built_lies_there_under_its_key_and_the_second_run_builds_and_pushes_nothing(
    shop: Shop, registry: Registry, distribution: Distribution, tokens: Tokens
) -> None:
    tree = shop.commit(files("web", "api"))
    first = deliver(shop, registry, tree, "web", "api")
    assert distribution.stored("_manifests", "tags") == {image.key for image in first.values()}
    digests = distribution.stored("_manifests", "revisions", "sha256")
    assert {image.reference for image in first.values()} == {
        f"{distribution.repository}@sha256:{digest}" for digest in digests
    }
    assert all(image.built for image in first.values())
    assert len(tokens.given) == 1

    distribution.asked.clear()
    shop.events.clear()
    for image in first.values():  # as on another machine: this daemon has none of it any more
        client().api.remove_image(image.tag, force=True)
        client().api.remove_image(f"{distribution.repository}:{image.key}", force=True)
    again = Registry(client(), distribution.repository, tokens, threading.Event())
    second = deliver(shop, again, tree, "web", "api")
    assert {name: image.reference for name, image in second.items()} == {
        name: image.reference for name, image in first.items()
    }
    assert not any(image.built for image in second.values())
    assert distribution.asked
    assert not distribution.writes()
    assert {event.detail for event in shop.events if event.state is State.DONE} == {"in the registry already"}


def test_services_with_one_key_are_pushed_once_and_only_what_is_missing_is_built(
    shop: Shop, registry: Registry, distribution: Distribution
) -> None:
    tree = shop.commit(files("web", "api"))
    deliver(shop, registry, tree, "web")
    distribution.asked.clear()
    topology = shop.topology(web=Build("web"), api=Build("api"), worker=Build("api"))
    made = delivered(shop.builder(), registry, topology, tree, "", skip=frozenset(), listener=shop.events.append)
    assert list(made) == ["web", "api", "worker"]
    assert made["api"].reference == made["worker"].reference != made["web"].reference
    puts = [each.path for each in distribution.asked if each.method == "PUT" and "/manifests/" in each.path]
    assert puts == [f"/v2/understudy/previews/manifests/{made['api'].key}"]


def test_a_token_is_in_no_argument_variable_file_or_log_while_it_is_used_and_after(
    shop: Shop, registry: Registry, distribution: Distribution, tokens: Tokens, tmp_path: Path
) -> None:
    seen: list[bytes] = []

    def look(asked: Asked) -> None:
        if asked.method in {"PATCH", "PUT"}:
            seen.append(processes())

    distribution.answer = look
    made = deliver(shop, registry, shop.commit(files("web")), "web")
    (token,) = tokens.given
    places = (tmp_path, Path(os.environ["XDG_STATE_HOME"]), Path.home() / ".docker")
    assert seen
    for text in (*seen, processes(), contents(*places), distribution.log, repr((made, shop.events)).encode()):
        assert token.encode() not in text
    assert any(b"PATH=" in text for text in seen), "the look sees variables"


def test_a_token_that_is_over_is_got_anew_once_for_a_look_and_for_a_push(
    shop: Shop, registry: Registry, distribution: Distribution, tokens: Tokens
) -> None:
    image = image_of(shop)
    assert registry.find(image.key) == ""
    tokens.expire()
    reference = registry.push(image)
    assert len(tokens.given) == 2
    tokens.expire()
    assert registry.find(image.key) == reference
    assert len(tokens.given) == 3
    assert distribution.stored("_manifests", "tags") == {image.key}


def test_who_is_not_let_in_is_told_so_and_nothing_is_there(
    shop: Shop, registry: Registry, distribution: Distribution, tokens: Tokens
) -> None:
    image = image_of(shop)
    tokens.valid = False
    for ask in (lambda: registry.find(image.key), lambda: registry.push(image)):
        with pytest.raises(ProvisionError, match="and it failed: unauthorized: authentication required") as raised:
            ask()
        assert f"{distribution.repository}:{image.key}" in str(raised.value)
        assert "permission" in raised.value.hint
        assert not any(token in str(raised.value) for token in tokens.given)
    assert not distribution.stored()


def test_amazons_word_for_a_token_that_is_over_is_understood(
    shop: Shop, registry: Registry, distribution: Distribution, tokens: Tokens
) -> None:
    over = "Your authorization token has expired. Reauthenticate and try again."
    left = [1]

    def refuse(asked: Asked) -> tuple[int, str] | None:
        if asked.method != "POST" or not left:
            return None
        left.pop()
        return 403, f'{{"errors": [{{"code": "DENIED", "message": "{over}"}}]}}'

    distribution.answer = refuse
    assert registry.push(image_of(shop)).startswith(f"{distribution.repository}@sha256:")
    assert len(tokens.given) == 2


@pytest.mark.parametrize("how", ["it fails", "its disk is full"])
def test_a_registry_that_cannot_write_is_an_error_in_words_and_has_nothing_under_the_key(
    how: str, shop: Shop, registry: Registry, distribution: Distribution
) -> None:
    image = image_of(shop)
    if how == "it fails":
        distribution.answer = lambda asked: (
            (503, "no time") if asked.method == "PUT" and "/manifests/" in asked.path else None
        )
    else:
        place = distribution.folder / "data/docker/registry/v2/repositories/understudy/previews"
        place.mkdir(parents=True)
        (place / "_manifests").write_text("no folder can be made here", encoding="ascii")
    with pytest.raises(ProvisionError, match=r"Pushed the image understudy/.* and it failed: .*50[03]") as raised:
        registry.push(image)
    assert "Run this again" in raised.value.hint
    distribution.forget()
    assert registry.find(image.key) == ""
    assert registry.push(image)


def test_two_that_push_one_key_at_once_both_have_it(shop: Shop, distribution: Distribution, tokens: Tokens) -> None:
    image = image_of(shop)
    tokens()  # one that both may use
    login = (USER, tokens.given[-1])
    both = threading.Barrier(2)

    def push(_: int) -> str:
        registry = Registry(client(), distribution.repository, lambda: login, threading.Event())
        both.wait(30)
        return registry.push(image)

    with ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(push, range(2)))) == 1
    assert distribution.stored("_manifests", "tags") == {image.key}


def test_where_tags_cannot_change_the_first_of_two_counts(
    shop: Shop, registry: Registry, distribution: Distribution
) -> None:
    """Amazon ECR, where a repository is so set, refuses the manifest of the second (ImageTagAlreadyExistsException)."""
    image, other = image_of(shop), image_of(shop)
    second = BuiltImage(other.reference, other.tag, image.key, built=True, seconds=0.0)
    first = registry.push(image)
    words = f"The image tag '{image.key}' already exists and cannot be overwritten because the repository is immutable."
    distribution.answer = lambda asked: (
        (400, f'{{"errors": [{{"code": "TAG_INVALID", "message": "{words}"}}]}}')
        if asked.method == "PUT" and "/manifests/" in asked.path
        else None
    )
    assert registry.push(second) == first


def test_a_push_ends_at_once_when_it_is_to_and_leaves_nothing_under_the_key(
    shop: Shop, distribution: Distribution, tokens: Tokens
) -> None:
    image, stop, begun, go_on = image_of(shop), threading.Event(), threading.Event(), threading.Event()

    def hold(asked: Asked) -> None:
        if asked.method == "PATCH":
            begun.set()
            go_on.wait(60)

    distribution.answer = hold
    with ThreadPoolExecutor(1) as pool:
        pushed = pool.submit(Registry(client(), distribution.repository, tokens, stop).push, image)
        assert begun.wait(60)
        stop.set()
        with pytest.raises(InterruptedRunError, match="was ended before it was done"):
            pushed.result(30)  # while the registry still says nothing
    go_on.set()
    distribution.answer = lambda _asked: None
    registry = Registry(client(), distribution.repository, tokens, threading.Event())
    assert registry.find(image.key) == ""
    assert registry.push(image)


def test_a_registry_that_does_not_answer_is_an_error_in_words(shop: Shop) -> None:
    registry = Registry(client(), "127.0.0.1:1/understudy/previews", lambda: (USER, "none"), threading.Event())
    image = image_of(shop)
    try:
        for ask in (lambda: registry.find(image.key), lambda: registry.push(image)):
            with pytest.raises(ProvisionError, match="connection refused"):
                ask()
    finally:
        client().api.remove_image(f"{registry.repository}:{image.key}", force=True, noprune=True)


def test_a_pushed_image_is_pruned_like_any_other_that_was_built(
    shop: Shop, registry: Registry, distribution: Distribution
) -> None:
    image = image_of(shop)
    registry.push(image)
    cache = ImageCache(OnlyOf(shop.name), shop.state)  # type: ignore[arg-type] # the daemon, seen through one project
    assert set(cache.prune(0, recent=0).removed) == {image.tag, f"{distribution.repository}:{image.key}"}
    assert not client().api.images(filters={"reference": image.tag})
