"""Images from a commit, on the real daemon: built once, found again, told when they fail, ended when stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from understudy.build.builder import Builder
from understudy.build.cache import KEY_LABEL, ImageCache
from understudy.build.images import BuiltImage, daemon_platform
from understudy.build.keys import Origin, image_tags
from understudy.errors import InterruptedRunError, ProvisionError, ToolError
from understudy.progress import State
from understudy.stacks.identity import CACHE_LABEL
from understudy.stacks.topology import Build
from understudy.targets.docker_client import client

from .image_shop import BASE, MARK, OnlyOf, Shop, dockerfile, shop

__all__ = ["shop"]

pytestmark = [pytest.mark.docker, pytest.mark.images]


def run_in(image: BuiltImage, *command: str) -> str:
    """What a command prints in an image, read after its exit: a followed log can lose the last words of the quick."""
    container = client().containers.create(image.reference, list(command))
    try:
        container.start()
        container.wait()
        return container.logs().decode()
    finally:
        container.remove(v=True, force=True)


def test_an_image_is_built_from_the_commit_once_and_found_again(shop: Shop) -> None:
    files = {
        "web/Dockerfile": dockerfile("ARG WHO", "ENV WHO=$WHO", "COPY . /app"),
        "web/.dockerignore": "secret\n",
        "web/app": "the commit's",
        "web/secret": "x",
    }
    tree = shop.commit(files)
    (shop.folder / "repo/web/app").write_text("the folder's", encoding="utf-8")
    build = Build("web", args={"WHO": "a b; $(c)"})
    first = shop.build(tree, web=build)["web"]
    shop.git("checkout", "web/app")
    second = shop.build(shop.commit({"other": "x"}), web=build)["web"]
    assert first.built
    assert not second.built
    assert (first.reference, first.tag, first.key) == (second.reference, second.tag, second.key)
    assert first.reference.startswith("sha256:")
    origin = Origin(tree.repository, tree.treeish)
    assert first.tag == image_tags(shop.topology(web=build), origin, daemon_platform(client()))["web"]
    assert run_in(first, "sh", "-c", "cat /app/app; ls /app; echo $WHO") == ("the commit'sDockerfile\napp\na b; $(c)\n")
    labels = client().images.get(first.reference).labels
    assert (labels[CACHE_LABEL], labels[KEY_LABEL]) == ("image", first.key)
    assert [event.state for event in shop.events] == [State.STARTED, State.DONE] * 2
    assert MARK in (shop.logs / "web.log").read_text(encoding="utf-8")


def test_services_that_build_the_same_share_one_image(shop: Shop) -> None:
    tree = shop.commit({"app/Dockerfile": dockerfile()})
    images = shop.build(tree, web=Build("app"), worker=Build("app"))
    assert images["web"].reference == images["worker"].reference
    assert sorted(image.built for image in images.values()) == [False, True]
    assert images["worker"].tag.startswith(f"understudy/{shop.name}-worker:")
    assert client().images.get(images["worker"].tag).id == images["web"].reference


def test_a_target_and_a_dockerfile_outside_of_the_context_are_built(shop: Shop) -> None:
    text = dockerfile("RUN echo one >/one") + f"FROM {BASE} AS two\nCOPY file /two\nFROM two AS three\nRUN exit 1\n"
    tree = shop.commit({"docker/My.Dockerfile": text, "web/file": "two"})
    build = Build("web", dockerfile="../docker/My.Dockerfile", target="two")
    assert run_in(shop.build(tree, web=build)["web"], "cat", "/two") == "two"


def test_a_failing_step_ends_the_others_and_is_quoted(shop: Shop) -> None:
    files = {
        "bad/Dockerfile": dockerfile("RUN echo the-reason && exit 7"),
        "slow/Dockerfile": dockerfile("RUN sleep 60"),
    }
    with pytest.raises(ProvisionError) as caught:
        shop.build(shop.commit(files), slow=Build("slow"), bad=Build("bad"))
    assert "'bad'" in str(caught.value)
    assert "the-reason" in str(caught.value)
    assert {event.subject for event in shop.events if event.state is State.FAILED} == {"bad", "slow"}


def test_an_unknown_base_image_is_said(shop: Shop) -> None:
    tree = shop.commit({"web/Dockerfile": "FROM understudy.invalid/nope:1\n"})
    with pytest.raises(ProvisionError, match="base image"):
        shop.build(tree, web=Build("web"))


def test_a_stop_ends_a_build_and_leaves_nothing(shop: Shop) -> None:
    tree = shop.commit({"web/Dockerfile": dockerfile("RUN echo begun && sleep 60")})
    stop = threading.Event()
    errors: list[BaseException] = []

    def build() -> None:
        try:
            shop.build(tree, stop, web=Build("web"))
        except InterruptedRunError as error:
            errors.append(error)

    thread = threading.Thread(target=build)
    thread.start()
    log = shop.logs / "web.log"
    wait_for(lambda: log.exists() and "begun\n" in log.read_text(encoding="utf-8").replace("begun &&", ""))
    stop.set()
    thread.join(30)
    assert len(errors) == 1
    assert client().api.images(filters={"reference": f"understudy/{shop.name}-*"}) == []
    wait_for(
        lambda: not [c for c in client().api.containers() if "sleep 60" in c["Command"] and "begun" in c["Command"]]
    )


def test_several_processes_build_a_key_once(shop: Shop) -> None:
    tree = shop.commit({"web/Dockerfile": dockerfile("RUN sleep 1"), "web/mark": "x"})
    program = f"""
import sys
from pathlib import Path
from understudy.build.git import Repository
from understudy.build.images import ImageBuilder
from understudy.build.tree import CommitTree
from understudy.stacks.topology import Build, Service, Topology
from understudy.targets.docker_client import client
tree = CommitTree(Path({str(tree.root)!r}), {tree.treeish!r}, Repository.find(Path({str(shop.folder / "repo")!r})))
topology = Topology({shop.name!r}, {{"web": Service("web", build=Build("web"))}})
logs = Path({str(shop.folder)!r}) / sys.argv[1]
print(ImageBuilder(client(), Path({str(shop.state)!r}), logs).build(topology, tree, "")["web"].built)
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", program, str(n)], stdout=subprocess.PIPE, text=True) for n in range(3)
    ]
    assert sorted(process.communicate(timeout=60)[0].strip() for process in processes) == ["False", "False", "True"]


def test_a_missing_docker_cli_is_said(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = shop.commit({"web/Dockerfile": dockerfile()})
    bin_folder = shop.folder / "bin"
    bin_folder.mkdir()
    (bin_folder / "git").symlink_to(
        subprocess.run(["which", "git"], capture_output=True, check=True).stdout.decode().strip()
    )
    monkeypatch.setenv("PATH", str(bin_folder))
    with pytest.raises(ToolError, match="docker CLI"):
        shop.build(tree, web=Build("web"))


def test_pruning_takes_the_least_recently_used_and_never_what_is_used(shop: Shop) -> None:
    cache = ImageCache(OnlyOf(shop.name), shop.state)  # type: ignore[arg-type] # the daemon, seen through one project
    images = {}
    for age, name in enumerate(("used", "old", "mine", "young", "fresh")):
        tree = shop.commit({f"{name}/Dockerfile": dockerfile()})
        images[name] = shop.build(tree, **{name: Build(name)})[name]
        os.utime(shop.state / "images" / images[name].key, (1000 + age, 1000 + age))
    cache.touch(images["fresh"].key)
    container = client().containers.create(images["used"].reference, ["true"])
    client().images.get(images["mine"].reference).tag(f"understudy-{shop.name}", "kept")
    try:
        size = client().images.get(images["old"].reference).attrs["Size"]
        assert cache.prune(10 * size).removed == ()
        assert cache.prune(4 * size).removed == (images["old"].tag,)
        assert cache.prune(0).removed == (images["young"].tag,)
        assert cache.prune(0, recent=0).removed == (images["fresh"].tag,)
        left = client().api.images(filters={"reference": f"understudy/{shop.name}-*"})
        assert {image["Id"] for image in left} == {images["used"].reference, images["mine"].reference}
    finally:
        container.remove()
        client().images.remove(f"understudy-{shop.name}:kept")


def wait_for(condition: Callable[[], object], limit: float = 30.0) -> None:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("the condition did not come true")


def test_a_dockerfile_in_the_document_is_built_over_its_context(shop: Shop) -> None:
    tree = shop.commit({"web/page": "of the commit\n"})
    inline = f"FROM {BASE}\nCOPY page /page\nRUN cat /etc/hosts > /hosts\n"
    build = Build(
        "web", inline=inline, extra_hosts=(("other.example", "192.0.2.1"),), labels={"a": "b"}, network="none"
    )
    image = shop.build(tree, web=build)["web"]
    attributes = client().images.get(image.reference).attrs
    assert attributes["Config"]["Labels"]["a"] == "b"
    run = ["docker", "run", "--rm", "--network=none", image.reference, "cat", "/page", "/hosts"]
    printed = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert printed.startswith("of the commit\n")
    assert "192.0.2.1\tother.example" in printed
    assert not shop.build(tree, web=build)["web"].built


def test_what_only_buildx_can_build_says_so_without_it(shop: Shop) -> None:
    if Builder.find().buildx:
        pytest.skip("buildx is here, and builds it")
    tree = shop.commit({"web/Dockerfile": dockerfile(), "more/file": "x"})
    with pytest.raises(ToolError, match="needs further contexts, and the docker CLI here has the classic builder only"):
        shop.build(tree, web=Build("web", contexts={"more": "more"}))
