from __future__ import annotations

from collections.abc import Callable

import pytest
from support import Project

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

GOOD = """\
services:
  web:
    image: busybox:1.35
    command: [httpd, -f, -p, "8080"]
    ports: ["8080"]
x-understudy:
  tests:
    smoke: {command: ["true"]}
"""


def check(project: Project, *arguments: str, code: int, says: str, env: dict[str, str] | None = None) -> None:
    done = project.understudy(*arguments, env=env)
    assert done.code == code, done.text
    assert says in done.text
    assert "Traceback" not in done.text
    if env is None:
        assert project.leases() == []


@pytest.mark.parametrize(
    ("compose", "says"),
    [
        ("services: [", "compose.yaml"),
        ("", "compose.yaml"),
        ("services: {}\n", "services"),
        ("services:\n  web: {image: [3]}\n", "services.web.image"),
        ("services:\n  web: {image: a, depends_on: [b]}\n", "'b'"),
        ("services:\n  web: {privileged: true, image: a}\n", "privileged"),
        (GOOD.replace("smoke", "x").replace('["true"]', "[no-such-command]"), "no-such-command"),
        (GOOD.partition("x-understudy")[0], "tests"),
    ],
)
def test_a_topology_that_cannot_be_run(small: Callable[[str], Project], compose: str, says: str) -> None:
    check(small(compose), "run", code=2, says=says)


def test_what_is_not_there(small: Callable[[str], Project]) -> None:
    project = small(GOOD)
    check(project, "run", "-f", "missing.yaml", code=2, says="missing.yaml")
    check(project, "run", "--commit", "deadbeef", code=2, says="deadbeef")
    check(project, "run", "--commit=--upload-pack=x", code=2, says="upload-pack")
    check(project, "run", "--profile", "huge", code=2, says="huge")
    check(project, "run", "--ttl", "soon", code=2, says="soon")
    check(project, "test", "nothing", code=7, says="nothing")
    check(project, "down", "nothing", code=7, says="nothing")
    check(project, "logs", "nothing", code=7, says="nothing")


def test_a_file_that_is_not_committed_is_named(small: Callable[[str], Project]) -> None:
    project = small(GOOD)
    (project.folder / "other.yaml").write_text(GOOD)
    check(project, "run", "-f", "other.yaml", code=2, says="--dirty")


def test_an_image_that_is_nowhere(small: Callable[[str], Project]) -> None:
    project = small(GOOD.replace("busybox:1.35", "understudy-test/no-such-image:1"))
    check(project, "run", code=3, says="understudy-test/no-such-image:1")


def test_no_docker(small: Callable[[str], Project]) -> None:
    check(small(GOOD), "run", code=2, says="Docker", env={"DOCKER_HOST": "unix:///nonexistent/docker.sock"})


def test_no_pulumi(small: Callable[[str], Project]) -> None:
    check(small(GOOD), "run", code=2, says="Pulumi", env={"UNDERSTUDY_PULUMI": "/nonexistent/pulumi"})


def test_a_long_branch_and_no_repository(small: Callable[[str], Project]) -> None:
    project = small(GOOD)
    project.git("checkout", "-q", "-b", "b" * 200)
    done = project.understudy("run")
    assert done.code == 0, done.text
    check(project, "run", "-f", "/nonexistent/compose.yaml", code=2, says="/nonexistent")
