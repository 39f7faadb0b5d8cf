"""Suites in containers on an environment's networks: what they reach, what they are told, and that none is left."""

from __future__ import annotations

import os
import shutil
import textwrap
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from leases import BACKEND
from support import wait_for

from understudy.errors import ProvisionError, UsageError
from understudy.progress import silent
from understudy.stacks.clone import Clone, Mock
from understudy.stacks.identity import LABEL, OWNERSHIP, PROTECT, Environment, name, ownership_labels
from understudy.stacks.parts import NetworkLink, Port
from understudy.stacks.suite import Suite
from understudy.stacks.topology import Network as Net
from understudy.stacks.topology import Service, Topology
from understudy.suites.contract import Contract, EndpointAddress
from understudy.suites.network import Network, hold_images
from understudy.suites.results import SuiteResult, SuitesResult, SuiteStatus
from understudy.suites.runner import run_suites
from understudy.targets.docker import DockerTarget
from understudy.targets.docker_client import client, daemon_identity
from understudy.targets.docker_sweep import sweep
from understudy.targets.interface import Outcome
from understudy.targets.ownership import protected

PYTHON, BUSYBOX = "python:3.11-slim", "busybox:1.35"
PAGE = "mkdir /www && echo hello > /www/index.html && exec httpd -f -p {} -h /www"

pytestmark = [pytest.mark.docker, pytest.mark.images, pytest.mark.xdist_group("suites_network")]


def service(called: str, image: str, port: int, network: str) -> Service:
    return Service(called, image=image, expose=(Port(port),), networks=(NetworkLink(network),))


def _file(module: str) -> Path:
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin)


class Place:
    """An environment of two closed networks, made without the engine, and a project whose suites run in it."""

    def __init__(self, base: Path) -> None:
        self.docker = client()
        self.identity = daemon_identity(self.docker)
        until = datetime.now(UTC) + timedelta(hours=1)
        self.environment = Environment(f"e{uuid.uuid4().hex[:10]}", self.identity, "shop", until, BACKEND)
        self.id, self.whose = self.environment.id, self.environment.whose
        services = {s.name: s for s in (service("db", BUSYBOX, 5432, "back"), service("web", PYTHON, 80, "front"))}
        self.clone = Clone(
            Topology("shop", services, networks={n: Net(n) for n in ("front", "back")}),
            mocks=(Mock("payments", "api.pay.example", 8080, "mocks"),),
        )
        for logical in ("front", "back", "edge"):
            labels = self.labels(logical)
            self.docker.networks.create(name(self.id, logical), labels=labels, internal=logical != "edge")
        self.container("db", BUSYBOX, 5432, {"back": ["db"]})
        self.container("payments", BUSYBOX, 8080, {"front": ["api.pay.example"]})
        self.project = base / "tree"
        self.project.mkdir()
        self.folder = base / "run"
        self.folder.mkdir()
        self.target = DockerTarget()
        self.stop = threading.Event()

    def labels(self, logical: str) -> dict[str, str]:
        return {**ownership_labels(self.environment), LABEL + "service": logical}

    def container(self, logical: str, image: str, port: int, networks: dict[str, list[str]]) -> None:
        (first, aliases), *_ = networks.items()
        made = self.docker.api.create_container(
            image,
            ["sh", "-c", PAGE.format(port)],
            name=name(self.id, logical),
            labels=self.labels(logical),
            stop_signal="SIGKILL",
            networking_config={
                "EndpointsConfig": {name(self.id, first): self.docker.api.create_endpoint_config(aliases=aliases)}
            },
            host_config=self.docker.api.create_host_config(network_mode=name(self.id, first)),
        )
        self.docker.api.start(made["Id"])

    def suite(self, called: str, *command: str, image: str = PYTHON, **more: Any) -> Suite:
        (self.project / called).mkdir(exist_ok=True)
        given = {"folder": called, "timeout": 60.0, **more}
        return Suite(called, command, image=image, runs_on="network", **given)

    def tests(self, called: str, code: str, **more: Any) -> Suite:
        """A pytest suite; the image has Python alone, so pytest lies in the tree."""
        site = self.project / "site"
        for package in ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "xdist", "execnet"):
            if not (site / package).exists():
                shutil.copytree(_file(package).parent, site / package)  # compiled files too: they save seconds
        shutil.copy(_file("py"), site)
        for entry_points in _file("xdist").parents[1].glob("pytest_xdist-*.dist-info"):
            shutil.copytree(entry_points, site / entry_points.name, dirs_exist_ok=True)
        made = self.suite(called, "pytest", "-q", "-p", "no:cacheprovider", **more)
        (self.project / called / "test_it.py").write_text(textwrap.dedent(code))
        environment = {"PYTHONPATH": "/understudy-suite/files/site", **made.environment}
        return Suite(**{**{f: getattr(made, f) for f in made.__slots__}, "environment": environment})

    def run(self, *suites: Suite, **more: Any) -> SuitesResult:
        contract = Contract(self.id, (EndpointAddress("web", 80, "127.0.0.1", 32001),), {"DB": "secret-0123"})
        return run_suites(
            suites,
            project=self.project,
            folder=self.folder,
            **{"contract": contract, "workers": 1, "stop_after": 1, "stop": self.stop, "listener": silent, **more},
            network=Network(self.environment, self.clone, 512),
        )

    def one(self, suite: Suite, **more: Any) -> SuiteResult:
        (result,) = self.run(suite, **more).suites
        return result

    def log(self, called: str) -> bytes:
        return (self.folder / "suites" / called / "output.log").read_bytes()

    def boxes(self) -> list[str]:
        found = self.target.inventory(self.whose)
        return [item.id for item in found if item.labels.get(LABEL + "kind") == "suite"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("place"))
    try:
        yield place
    finally:
        sweep(place.docker, place.whose, place.identity)
    assert place.target.receipt(place.whose, place.identity).outcome is Outcome.CLEAN


@pytest.fixture(autouse=True)
def fresh(place: Place, tmp_path: Path) -> Iterator[None]:
    """A run folder for each test; no suite's container is left by any."""
    place.folder, place.stop = tmp_path, threading.Event()
    yield
    assert place.boxes() == []


REACHES = """
    import json, os, pathlib, socket, urllib.request
    import pytest
    def fetch(url):
        return urllib.request.urlopen(url, timeout=5).read()
    def test_production_names_resolve_as_for_services():
        assert fetch("http://db:5432/") == fetch("http://api.pay.example:8080/") == b"hello\\n"
    def test_the_contract_names_what_is_inside():
        assert (os.environ["UNDERSTUDY_DB_5432_HOST"], os.environ["UNDERSTUDY_DB_5432_PORT"]) == ("db", "5432")
        assert os.environ["UNDERSTUDY_PAYMENTS_8080_URL"] == "http://api.pay.example:8080"
        assert os.environ["UNDERSTUDY_WEB_80_URL"] == "http://web:80"
        document = json.loads(pathlib.Path(os.environ["UNDERSTUDY_CONTRACT"]).read_text())
        assert document["endpoints"]["db:5432"]["host"] == "db"
    def test_it_is_closed():
        with pytest.raises(OSError):
            socket.create_connection(("192.0.2.1", 80), timeout=0.3)
    def test_no_variable_of_the_host_is_here():
        assert "canary" not in pathlib.Path("/proc/self/environ").read_text()
        assert os.environ["UNDERSTUDY_SECRET_DB"] == "secret-0123"
    def test_it_writes_into_the_tree_and_not_into_the_contract():
        pathlib.Path("written").touch()
        with pytest.raises(OSError):
            pathlib.Path(os.environ["UNDERSTUDY_CONTRACT"]).write_text("{}")
"""


def test_a_suite_reaches_production_by_its_names_and_nothing_else(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("PULUMI_ACCESS_TOKEN", "AWS_SECRET_ACCESS_KEY", "HOME", "LC_NAME", "VIRTUAL_ENV"):
        monkeypatch.setenv(key, "canary")

    result = place.one(place.tests("reaches", REACHES), workers=2)

    assert result.status is SuiteStatus.PASSED, (result, place.log("reaches"))
    assert result.counts()["passed"] == 5
    assert {case.worker for case in result.cases} == {"gw0", "gw1"}
    assert (place.project / "reaches" / "written").stat().st_uid == os.getuid()
    assert "suites/reaches/results.jsonl" in result.files


def test_its_container_is_one_of_the_environment_with_limits_and_goes_with_it(place: Place) -> None:
    suite = place.suite("waits", "sh", "-c", "touch begun; until [ -e go ]; do sleep 0.05; done")
    with ThreadPoolExecutor(1) as pool, place.target.watch(place.whose) as watch:
        running = pool.submit(place.one, suite)
        try:
            wait_for((place.project / "waits" / "begun").exists, what="the suite's start")
            (box,) = place.boxes()
            facts = place.docker.api.inspect_container(box)
            receipt = place.target.receipt(place.whose, place.identity)
            guests = place.target.guests(place.whose)
        finally:
            (place.project / "waits" / "go").touch()
        result = running.result()
        deaths = watch.settle(5)

    assert list(deaths) == []
    labels, host = facts["Config"]["Labels"], facts["HostConfig"]
    assert {key: labels[key] for key in OWNERSHIP} == ownership_labels(place.environment)
    assert not protected({PROTECT: "true", **labels}), "a label of its image would keep it"
    assert (receipt.outcome, guests) == (Outcome.LEFTOVERS, ())
    assert box in {left.id for left in receipt.leftovers}
    joined = set(facts["NetworkSettings"]["Networks"])
    assert joined == {name(place.id, "front"), name(place.id, "back")}
    assert host["PidsLimit"] == 512
    assert 0 < host["Memory"] == host["MemorySwap"] < place.docker.info()["MemTotal"]
    assert host["Privileged"] is False
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert (result.status, result.exit_code) == (SuiteStatus.PASSED, 0)


def test_a_failure_stops_what_ignores_sigterm_and_every_byte_of_its_output_is_kept(place: Place) -> None:
    deaf = place.suite(
        "deaf",
        "sh",
        "-c",
        r"trap '' TERM; printf '\377\000out\r'; printf 'err\n' >&2; touch begun; while :; do sleep 1; done",
    )
    fails = place.tests(
        "fails",
        """
        import pathlib, time
        def test_it():
            while not pathlib.Path("../deaf/begun").exists():
                time.sleep(0.01)
            assert False, "broken"
        def test_later(): pass
        """,
    )

    result = place.run(deaf, fails, workers=2)

    stopped, failed = result.suites
    assert (stopped.status, stopped.exit_code) == (SuiteStatus.STOPPED, -9)
    assert (failed.status, failed.counts()["failed"], failed.counts()["not-run"]) == (SuiteStatus.FAILED, 1, 1)
    log = place.log("deaf")
    assert b"err\n" in log
    assert log.replace(b"err\n", b"") == b"\xff\x00out\r"


def test_another_command_counts_by_exit_code_and_by_what_it_wrote(place: Place) -> None:
    xml = '<testsuite><testcase name="a"/><testcase name="b"><failure message="no"/></testcase></testsuite>'
    suite = place.suite("other", "sh", "-c", f"echo '{xml}' > $UNDERSTUDY_JUNIT; echo $0 $@; exit 3", "x y", "z")

    result = place.one(suite)

    assert (result.status, result.exit_code) == (SuiteStatus.FAILED, 3)
    assert (result.counts()["passed"], result.counts()["failed"]) == (1, 1)
    assert place.log("other") == b"x y z\n"


@pytest.mark.parametrize(
    ("image", "python", "why"),
    [
        (PYTHON, None, "python3 of image python:3.11-slim has no pytest"),
        (BUSYBOX, None, "image busybox:1.35 has no python3"),
        ("no.registry.invalid/nothing:1", None, "no.registry.invalid/nothing:1"),
        ("web", None, "no container yet"),
    ],
)
def test_what_cannot_start_is_an_error_that_says_why(place: Place, image: str, python: str | None, why: str) -> None:
    suite = place.suite("unstarted", "pytest", image=image, python=python)

    result = place.one(suite)

    assert result.status is SuiteStatus.ERROR
    assert "could not be started" in result.reason
    assert why in result.reason


def test_the_environments_authority_is_trusted_as_services_trust_it(place: Place) -> None:
    volume = place.docker.volumes.create(name(place.id, "trust"), labels=place.labels("understudy-trust-0123abcd"))
    code = """
        [ "$SSL_CERT_FILE" = /understudy/bundle.pem ] && [ "$NODE_EXTRA_CA_CERTS" = /mine ] && [ -d /understudy ]
        [ "$(cat $UNDERSTUDY_CA_FILE)" = certificate ] && ! touch /understudy/new
    """
    suite = place.suite("trusts", "sh", "-ec", code, image=BUSYBOX, environment={"NODE_EXTRA_CA_CERTS": "/mine"})
    try:
        result = place.one(suite, contract=Contract(place.id, authority="certificate"))
    finally:
        volume.remove()

    assert result.status is SuiteStatus.PASSED, place.log("trusts")


def test_a_daemon_elsewhere_is_refused_before_anything_is_made(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2376")
    clone = Clone(Topology("shop", {}, suites=(place.suite("far", "true"),)))

    with pytest.raises(UsageError, match=r"tcp://192\.0\.2\.1:2376"):
        hold_images(clone, threading.Event())


def test_an_image_that_names_a_service_is_the_one_that_it_runs(place: Place) -> None:
    result = place.one(place.suite("shared", "busybox", "true", image="db"))

    assert result.status is SuiteStatus.PASSED


def test_an_image_that_cannot_be_had_is_told_before_anything_is_made(place: Place) -> None:
    suites = (place.suite("a", "true", image="no.registry.invalid/nothing:1"), place.suite("b", "true", image="db"))
    topology = place.clone.topology
    clone = Clone(Topology("shop", topology.services, networks=topology.networks, suites=suites))

    with pytest.raises(ProvisionError, match=r"no\.registry\.invalid/nothing:1 is not on this daemon"):
        hold_images(clone, threading.Event())
