"""Ready and gone: `understudy up` and `down` beside Docker Compose, and beside docker-py alone as the floor."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path

import docker
from bench_kit import UNDERSTUDY, commit_all, run, timed

__all__ = ["FLOOR_THREADS", "IMAGE", "Series", "ready_and_gone"]

IMAGE = "busybox:1.35"
FLOOR_THREADS = 8


@dataclass
class Series:
    """The seconds of one thing, one a round."""

    name: str
    ready: list[float] = field(default_factory=list)
    gone: list[float] = field(default_factory=list)

    @property
    def both(self) -> list[float]:
        return [a + b for a, b in zip(self.ready, self.gone, strict=True)]


def compose_text(count: int) -> str:
    services = "".join(
        f"  s{n}:\n    image: {IMAGE}\n    command: [httpd, -f, -p, '8080']\n    ports: ['8080']\n"
        for n in range(count)
    )
    return f"name: bench\nservices:\n{services}"


def ready_and_gone(count: int, rounds: int, plugin: Path) -> tuple[Series, Series, Series]:
    """Series of understudy, Compose, the floor: a round of each in turn, the first round not counted."""
    ours, compose, floor = Series("understudy"), Series("compose"), Series("docker-py")
    client = docker.from_env(max_pool_size=64)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "bench"
        folder.mkdir()
        (folder / "compose.yaml").write_text(compose_text(count))
        env = {**os.environ, "XDG_STATE_HOME": temporary, "DOCKER_CONFIG": str(docker_config(temporary, plugin))}
        env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        commit_all(folder, env)
        # fmt: off
        turns: list[tuple[Series, Callable[[], object], Callable[[], object]]] = [
            (ours,
             lambda: run(str(UNDERSTUDY), "up", "--progress", "plain", cwd=folder, env=env),
             lambda: run(str(UNDERSTUDY), "down", "--progress", "plain", cwd=folder, env=env)),
            (compose,
             lambda: run("docker", "compose", "up", "-d", "--wait", cwd=folder, env=env),
             lambda: run("docker", "compose", "down", "-t", "0", "-v", cwd=folder, env=env)),
            (floor, lambda: floor_up(client, count), lambda: floor_down(client, count)),
        ]
        # fmt: on
        try:
            for number in range(-1, rounds):
                for series, up, down in turns:
                    ready, gone = timed(up), timed(down)
                    if number >= 0:
                        series.ready.append(ready)
                        series.gone.append(gone)
        except BaseException:
            for _, _, down in turns:  # whatever of it is there
                with contextlib.suppress(Exception, SystemExit):
                    down()
            raise
    return ours, compose, floor


def docker_config(temporary: str, plugin: Path) -> Path:
    """A DOCKER_CONFIG of its own that has the Compose plugin."""
    config = Path(temporary) / "docker"
    (config / "cli-plugins").mkdir(parents=True)
    (config / "cli-plugins" / "docker-compose").symlink_to(plugin)
    return config


def floor_up(client: docker.DockerClient, count: int) -> None:
    client.networks.create("bench-floor")

    def start(number: int) -> None:
        client.containers.run(
            IMAGE,
            ["httpd", "-f", "-p", "8080"],
            name=f"bench-floor-{number}",
            network="bench-floor",
            ports={"8080/tcp": ("127.0.0.1", None)},
            detach=True,
        )

    with futures.ThreadPoolExecutor(FLOOR_THREADS) as pool:
        list(pool.map(start, range(count)))


def floor_down(client: docker.DockerClient, count: int) -> None:
    with futures.ThreadPoolExecutor(FLOOR_THREADS) as pool:
        list(pool.map(lambda n: client.containers.get(f"bench-floor-{n}").remove(force=True, v=True), range(count)))
    client.networks.get("bench-floor").remove()
