"""The key of an image: the same for the same inputs at any commit, another for any other input."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from understudy.build.git import Repository
from understudy.build.keys import Origin, build_plans, image_tags, unchanged_builds
from understudy.errors import ProvisionError
from understudy.stacks.topology import Build, Service, Topology, Ulimit

PLATFORM = "linux/amd64"
WEB = Build("web", args={"A": "1", "B": "2"})


class Shop:
    """A repository with a topology in the folder `shop`, one service in `shop/web`, a shared Dockerfile in `docker`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._git("init", "-q")
        self.write("shop/web/Dockerfile", "FROM x\n")
        self.write("docker/Dockerfile", "FROM y\n")
        self.first = self.commit()

    def _git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.example")
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout.strip()

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text, encoding="utf-8")

    def commit(self) -> str:
        self._git("add", "--all")
        self._git("commit", "-qm", "x")
        return self._git("rev-parse", "HEAD")

    def at(self, sha: str) -> Origin:
        return Origin(Repository.find(self.folder), sha, "shop")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    return Shop(tmp_path / "repo")


def topology(build: Build, image: str | None = None, name: str = "web") -> Topology:
    return Topology("Shop!", {name: Service(name, image=image, build=build)})


def tag(build: Build, origin: Origin, platform: str = PLATFORM) -> str:
    return image_tags(topology(build), origin, platform)["web"]


def test_a_tag_is_the_project_the_service_and_sixteen_digits(shop: Shop) -> None:
    name, _, key = tag(WEB, shop.at(shop.first)).partition(":")
    assert name == "understudy/shop-web"
    assert len(key) == 16
    assert int(key, 16) >= 0


def test_a_commit_that_leaves_the_context_alone_has_the_same_tag(shop: Shop) -> None:
    shop.write("shop/other/file", "x")
    second = shop.commit()
    shop.write("shop/web/file", "x")
    third = shop.commit()
    assert tag(WEB, shop.at(shop.first)) == tag(WEB, shop.at(second))
    assert tag(WEB, shop.at(second)) != tag(WEB, shop.at(third))


@pytest.mark.parametrize(
    "other",
    [
        replace(WEB, args={"A": "1", "B": "3"}),
        replace(WEB, args={"A": "1"}),
        replace(WEB, target="stage"),
        replace(WEB, dockerfile="../../docker/Dockerfile"),
        replace(WEB, inline="FROM x"),
        replace(WEB, contexts={"more": "../docker"}),
        replace(WEB, contexts={"more": "docker-image://x"}),
        replace(WEB, secrets={"token": "web/Dockerfile"}),
        replace(WEB, labels={"a": "b"}),
        replace(WEB, network="none"),
        replace(WEB, extra_hosts=(("a", "192.0.2.1"),)),
        replace(WEB, shm=1024),
        replace(WEB, ulimits=(Ulimit("nofile", 1, 2),)),
    ],
)
def test_every_input_is_part_of_the_key(shop: Shop, other: Build) -> None:
    assert tag(other, shop.at(shop.first)) != tag(WEB, shop.at(shop.first))


def test_the_platform_is_part_of_the_key_and_the_order_of_arguments_is_not(shop: Shop) -> None:
    origin = shop.at(shop.first)
    assert tag(WEB, origin, "linux/arm64") != tag(WEB, origin)
    assert tag(replace(WEB, args={"B": "2", "A": "1"}), origin) == tag(WEB, origin)


def test_a_dockerfile_outside_of_the_context_counts(shop: Shop) -> None:
    build = Build("web", dockerfile="../../docker/Dockerfile")
    shop.write("docker/Dockerfile", "FROM z\n")
    assert tag(build, shop.at(shop.commit())) != tag(build, shop.at(shop.first))


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (Build("nope"), "build context 'nope'"),
        (Build("../../.."), "build context"),
        (Build("https://x.example/y.git"), "build context"),
        (Build("web", dockerfile="Nope"), "Dockerfile 'Nope'"),
        (Build("web", dockerfile="../web"), "Dockerfile"),
        (Build("out"), "build context"),
        (Build("web", contexts={"more": "nope"}), "build context 'nope'"),
        (Build("web", secrets={"token": "nope"}), "the secret 'token' of the build"),
    ],
)
def test_what_is_not_in_the_commit_is_named(shop: Shop, build: Build, named: str) -> None:
    (shop.folder / "shop/out").symlink_to("/etc")
    with pytest.raises(ProvisionError, match=named):
        build_plans(topology(build), shop.at(shop.commit()), PLATFORM)


def test_a_build_in_the_document_needs_no_dockerfile(shop: Shop) -> None:
    (plan,) = build_plans(topology(Build("../docker", inline="FROM z")), shop.at(shop.first), PLATFORM)
    assert (plan.context, plan.dockerfile) == ("docker", None)


def test_an_image_that_a_build_needs_is_planned_and_counts(shop: Shop) -> None:
    def both(base: Build) -> Topology:
        app = Service("app", build=Build("web", contexts={"base": "service:base"}))
        return Topology("shop", {"app": app, "base": Service("base", build=base)})

    origin = shop.at(shop.first)
    app, base = build_plans(both(WEB), origin, PLATFORM, frozenset({"base"}))
    assert (app.service, base.service, app.needs) == ("app", "base", {"base"})
    assert build_plans(both(replace(WEB, target="x")), origin, PLATFORM)[0].key != app.key
    with pytest.raises(ProvisionError, match="needs its own image"):
        build_plans(both(Build("web", contexts={"app": "service:app"})), origin, PLATFORM)
    with pytest.raises(ProvisionError, match="no service that is built"):
        build_plans(topology(Build("web", contexts={"x": "service:gone"})), origin, PLATFORM)


def test_a_platform_of_its_own_is_part_of_the_key(shop: Shop) -> None:
    found = topology(WEB)
    other = replace(found, services={"web": replace(found.services["web"], platform="linux/arm64")})
    (plan,) = build_plans(other, shop.at(shop.first), PLATFORM)
    assert plan.platform == "linux/arm64"
    assert plan.tag == tag(WEB, shop.at(shop.first), "linux/arm64")


def test_services_without_a_build_or_to_be_skipped_have_no_plan(shop: Shop) -> None:
    both = Topology("shop", {"web": Service("web", build=WEB), "db": Service("db", image="x")})
    origin = shop.at(shop.first)
    assert [plan.service for plan in build_plans(both, origin, PLATFORM)] == ["web"]
    assert build_plans(both, origin, PLATFORM, frozenset({"web"})) == ()


def test_names_of_any_form_make_references(shop: Shop) -> None:
    plan = build_plans(topology(WEB, name="__A..b__"), shop.at(shop.first), PLATFORM)[0]
    assert plan.tag.startswith("understudy/shop-a-b:")


def test_production_s_image_runs_where_the_build_is_the_same(shop: Shop) -> None:
    production, candidate = topology(WEB, "registry.example/web:1"), topology(WEB)
    shop.write("shop/other", "x")
    same, first = shop.at(shop.commit()), shop.at(shop.first)
    shop.write("shop/web/file", "x")
    changed = shop.at(shop.commit())
    assert unchanged_builds(production, first, candidate, same) == {"web": "registry.example/web:1"}
    assert unchanged_builds(production, first, candidate, changed) == {}
    assert unchanged_builds(production, first, topology(replace(WEB, target="x")), same) == {}
    assert unchanged_builds(candidate, first, candidate, same) == {"web": ""}
    assert unchanged_builds(topology(Build("nope"), "x"), first, topology(Build("nope")), same) == {}
