"""ministack with real containers, a platform on it, the images; only `make test-aws-e2e` collects what is here."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from s3_server import credentials
from support import ROOT, Project, docker, make_project

from understudy.provider.server import PackageServer

HERE = Path(__file__).parent
REGION = "eu-west-1"
ACCOUNT = "000000000000"
"""The account of an access key that is not twelve digits: the only one for which ministack's balancers answer."""

PYTHON = os.environ.get("AWS_E2E_PYTHON", "")
"""The interpreter that has ministack, which `make test-aws-e2e` names."""

collect_ignore_glob = [] if PYTHON else ["test_*"]

_LIMIT = 120.0
"""Seconds for ministack to answer, and to end."""


@dataclass(frozen=True)
class Ministack:
    """The emulator: `server` is its host and port, `log` what it says."""

    server: str
    log: Path

    @property
    def url(self) -> str:
        return f"http://{self.server}"


def containers_of(ministack: Ministack) -> list[str]:
    """All containers that this ministack has started, by their ids."""
    return docker("ps", "-aq", "--filter", _label(ministack)).split()


def volumes_of(ministack: Ministack) -> list[str]:
    """All volumes that this ministack has made, by their names."""
    return docker("volume", "ls", "-q", "--filter", _label(ministack)).split()


def _label(ministack: Ministack) -> str:
    return f"label=ministack.instance={ministack.server}"


@pytest.fixture(scope="session")
def ministack(tool_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    """ministack with its adapters, on the host's address on Docker's bridge: tasks reach it, strangers not."""
    folder = tmp_path_factory.mktemp("ministack")
    host = docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}").strip()
    with socket.create_server((host, 0)) as free:
        port = free.getsockname()[1]
    there = Ministack(f"{host}:{port}", folder / "log")
    given = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))},
        "BIND_HOST": host,
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": host,
        "MINISTACK_HOSTNAME": host,
        "MINISTACK_REGION": REGION,
        "DOCKER_NETWORK": "bridge",
        "TOOL_IMAGE": tool_image,
        "TMPDIR": str(folder),
        "HOME": str(folder),
    }
    variables = credentials(there.url) | {"AWS_ACCESS_KEY_ID": "test", "AWS_ENDPOINT_URL": there.url}
    with there.log.open("wb") as log, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in variables.items():
            patch.setenv(name, value)
        command = [PYTHON, str(HERE / "serve.py")]
        with subprocess.Popen(command, stdout=log, stderr=log, env=given, cwd=folder) as process:
            try:
                _answers(there, process)
                yield there
            finally:
                _end(process, there)


def _answers(there: Ministack, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _LIMIT
    while True:
        with contextlib.suppress(OSError), contextlib.closing(http.client.HTTPConnection(there.server, timeout=5)) as c:
            c.request("GET", "/_ministack/health")
            if c.getresponse().status == http.client.OK:
                return
        assert process.poll() is None, there.log.read_text()
        assert time.monotonic() < end, there.log.read_text()
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes], there: Ministack) -> None:
    """End it, and remove what it leaves where a test has failed: it starts tasks anew until the last moment."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for command, left in ((("rm", "-f", "-v"), containers_of(there)), (("volume", "rm"), volumes_of(there))):
        if left:
            docker(*command, *left)


@pytest.fixture(scope="session")
def aws_provider(ministack: Ministack) -> Iterator[PackageServer]:
    """The provider of `aws` resources of the tests, which waits for steady services as the published one does."""
    from aws.provider.package import AwsPackage

    assert os.environ["AWS_ENDPOINT_URL"] == ministack.url
    with PackageServer(AwsPackage(steady=True), threads=64) as server:
        yield server


@pytest.fixture(scope="session")
def new_project(
    ministack: Ministack,  # noqa: ARG001 - it has to be there
    aws_provider: PackageServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Project]:
    """Make an empty repository, with what the command needs for environments on a platform that it has made.

    All have one state folder, as the repositories of one machine have.
    """
    state = tmp_path_factory.mktemp("state")

    def make(folder: str) -> Project:
        project = make_project(tmp_path_factory.mktemp("shop"), state, folder)
        project.env |= {"PULUMI_DEBUG_PROVIDERS": f"aws:{aws_provider.port}", "UNDERSTUDY_AWS_ACCOUNTS": ACCOUNT}
        return project

    made = make(".").understudy("platform", "up", "--format", "json", limit=600)
    assert made.code == 0, made.text
    return make


@pytest.fixture(scope="session")
def tool_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image of the containers that fetch files; only its name goes, the layers are Docker's build cache."""
    tag = f"understudy-tests-aws-tool:{tmp_path_factory.getbasetemp().name.lower()}"
    given = {**os.environ, "DOCKER_BUILDKIT": "0"}
    command = ["docker", "build", "-q", "-t", tag, str(HERE / "tool")]
    subprocess.run(command, check=True, capture_output=True, env=given, timeout=300)
    yield tag
    docker("image", "rm", "-f", tag)


@pytest.fixture(scope="session")
def shop_images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The images of the example at HEAD, by service: those that Docker has, else built; they are a cache."""
    import docker as docker_py
    from aws.plans import shop

    from understudy.build.git import Repository
    from understudy.build.images import ImageBuilder
    from understudy.build.tree import CommitTree

    folder = tmp_path_factory.mktemp("images")
    repository = Repository.find(ROOT)
    tree = CommitTree.take(repository, repository.commit("HEAD").sha, folder)
    with contextlib.closing(docker_py.from_env()) as client:
        built: Any = ImageBuilder(client, folder, folder).build(shop().topology, tree, "examples/shop")
    return {name: image.reference for name, image in built.items()}
