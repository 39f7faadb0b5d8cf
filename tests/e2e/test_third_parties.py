"""Third parties with real containers: HTTPS mocks that real clients verify, and ways out that are open or shut."""

from __future__ import annotations

import base64
import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from java_class import fetching_class
from support import Project, docker, wait_for

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

URL = "https://api.pay.example/charge"

CLIENTS = f"""\
services:
  python:
    image: python:3.11-slim
    command: [python, -c, "import urllib.request; print(urllib.request.urlopen('{URL}').read().decode())"]
    user: nobody
    read_only: true
    x-understudy: {{kind: job}}
  curl:
    image: python:3.11-slim
    command: [curl, --no-progress-meter, --fail, "{URL}"]
    environment: {{TOKEN: "${{TOKEN:-of-production}}"}}
    x-understudy: {{kind: job}}
  java:
    image: wiremock/wiremock:3.13.1
    entrypoint: [java, -cp, /classes, Get, "{URL}"]
    volumes: ["./classes:/classes:ro"]
    environment: {{JAVA_TOOL_OPTIONS: -Xmx64m}}
    x-understudy: {{kind: job}}
  untold:
    image: python:3.11-slim
    command: [sleep, "600"]
    environment: {{CURL_CA_BUNDLE: /etc/ssl/certs/ca-certificates.crt}}
x-understudy:
  secrets: [TOKEN]
  externals:
    pay: {{host: api.pay.example, port: 443, mock: mocks/pay}}
  tests:
    mock: {{command: [pytest, -q]}}
"""

SUITE = """\
import json, os, ssl, urllib.request
import pytest

URL = os.environ["UNDERSTUDY_PAY_443_URL"]

def test_the_mock_is_verified_with_the_authority():
    with open(os.environ["UNDERSTUDY_CONTRACT"]) as contract:
        assert json.load(contract)["ca_file"] == os.environ["UNDERSTUDY_CA_FILE"]
    trusted = ssl.create_default_context(cafile=os.environ["UNDERSTUDY_CA_FILE"])
    with urllib.request.urlopen(URL + "/__admin/requests", context=trusted) as answer:
        asked = json.load(answer)["requests"]
    assert [each["request"]["absoluteUrl"] for each in asked] == ["https://api.pay.example/charge"] * 3

def test_nobody_else_trusts_it():
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(URL)
"""


def containers(environment: str) -> dict[str, str]:
    """Service -> container id."""
    form = '{{.Label "dev.understudy.service"}} {{.ID}}'
    label = f"label=dev.understudy.environment={environment}"
    return dict(
        line.split() for line in docker("ps", "-a", "--no-trunc", "--filter", label, "--format", form).splitlines()
    )


@pytest.fixture
def clients(small: Callable[[str], Project]) -> Project:
    project = small(CLIENTS)
    mappings = project.folder / "mocks" / "pay" / "mappings"
    mappings.mkdir(parents=True)
    mapping = {"request": {"urlPath": "/charge"}, "response": {"status": 200, "body": "charged\n"}}
    (mappings / "charge.json").write_text(json.dumps(mapping), encoding="utf-8")
    (project.folder / "classes").mkdir()
    (project.folder / "classes" / "Get.class").write_bytes(fetching_class("Get"))
    (project.folder / "test_mock.py").write_text(SUITE, encoding="utf-8")
    project.commit("Call the payment provider")
    return project


def test_clients_of_every_kind_verify_an_https_mock(clients: Project) -> None:
    try:
        done = clients.understudy("up")
        assert done.code == 0, done.text
        (lease,) = clients.leases()
        environment = str(lease["id"])
        before = containers(environment)
        for name in ("python", "curl", "java"):
            log = subprocess.run(["docker", "logs", before[name]], capture_output=True, text=True, check=True)
            assert log.stdout.split() == ["charged"], name
        asked = ("exec", before["untold"], "curl", "--no-progress-meter", URL)
        refused = subprocess.run(["docker", *asked], capture_output=True, text=True, check=False)
        assert refused.returncode == 60, refused.stderr  # curl: the certificate could not be verified
        _hold_secrets(clients, before["pay"])

        again = clients.understudy("up")
        assert again.code == 0, again.text
        assert containers(environment) == before, "a second up replaces nothing"

        tested = clients.understudy("test")
        assert tested.code == 0, tested.text
        journal = json.loads((clients.latest() / "mocks" / "pay.json").read_text())
        assert len(journal["requests"]["requests"]) >= 3
    finally:
        done = clients.understudy("down")
    assert done.code == 0, done.text
    assert list(Path(clients.env["XDG_STATE_HOME"]).rglob("authorities/*")) == []


def _hold_secrets(project: Project, mock: str) -> None:
    """No private key is in the clear: not in the state, the authority's file or what Docker shows."""
    keystore = subprocess.run(
        ["docker", "exec", mock, "cat", "/var/wiremock/understudy.p12"], capture_output=True, check=True
    ).stdout
    rights = docker("exec", mock, "stat", "-c", "%a %U", "/var/wiremock/understudy.p12")
    assert rights.split() == ["600", "root"]
    encoded = base64.b64encode(keystore)
    state = Path(project.env["XDG_STATE_HOME"])
    files = [path for path in state.rglob("*") if path.is_file()]
    assert [path for path in files if path.parent.name == "authorities"]
    assert [path for path in files if encoded in path.read_bytes() or keystore in path.read_bytes()] == []
    assert encoded.decode() not in docker("inspect", mock)


def test_one_that_is_told_of_other_certificates_fails_and_that_was_on_the_record(clients: Project) -> None:
    compose = CLIENTS.replace('[sleep, "600"]', f'[curl, --no-progress-meter, "{URL}"]')
    (clients.folder / "compose.yaml").write_text(compose, encoding="utf-8")
    clients.commit("Call without a word about the authority")
    done = clients.understudy("run")
    assert done.code == 3, done.text
    assert "SSL certificate problem" in done.text
    (change,) = [c for c in clients.record()["changes"] if c["path"].startswith("services.untold.trust.")]
    assert change["path"] == "services.untold.trust.CURL_CA_BUNDLE"
    assert change["fidelity"] == "missing"
    assert clients.leases() == []


# ---- ways out

PROBER = """\
services:
  web:
    image: python:3.11-slim
    command: [sleep, "600"]
  closed:
    image: python:3.11-slim
    command: [sleep, "600"]
    networks: [closed]
networks:
  closed: {internal: true}
x-understudy:
  externals:
    real: {host: real.allowed.example, port: 8080, allow: true}
    first: {host: first.allowed.example, port: 443, allow: true}
    second: {host: second.allowed.example, port: 443, allow: true}
    silent: {host: silent.example, port: 8080}
"""

HELLO = """\
import socket, ssl, sys
_, host, port, name = sys.argv
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
context = ssl.create_default_context()
context.check_hostname = False
session = context.wrap_bio(incoming, outgoing, server_hostname=name or None)
try:
    session.do_handshake()
except ssl.SSLWantReadError:
    pass
with socket.create_connection((host, int(port)), timeout=10) as connection:
    connection.sendall(outgoing.read())
    print(connection.recv(100).decode().strip())
"""


@dataclass
class Outside:
    """A network of the test's own in the place of the internet, with servers on it."""

    name: str

    def serve(self, alias: str, *ports: int) -> str:
        """A server that says its own name on each port; returns its address."""
        listeners = "".join(f"nc -ll -p {port} -e echo {alias}:{port} & " for port in ports)
        made = docker(
            *("run", "-d", f"--label=dev.understudy.test-outside={self.name}", f"--network={self.name}"),
            *(f"--network-alias={alias}", "busybox:1.35", "sh", "-c", f"{listeners}wait"),
        ).strip()
        return docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", made).strip()


@pytest.fixture
def outside() -> Iterator[Outside]:
    name = f"outside{uuid.uuid4().hex[:8]}"
    label = f"dev.understudy.test-outside={name}"
    docker("network", "create", f"--label={label}", name)
    yield Outside(name)
    if made := docker("ps", "-aq", "--filter", f"label={label}").split():
        docker("rm", "-f", "-v", *made)
    docker("network", "rm", name)


@dataclass
class Inside:
    """A service of the clone that tries to get out."""

    container: str

    def tries(self, host: str, port: int, name: str = "") -> str:
        """What it reads after a TLS greeting for `name`; empty where there is no way."""
        done = subprocess.run(
            ["docker", "exec", self.container, "python", "-c", HELLO, host, str(port), name],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()


def test_only_what_is_allowed_is_reached(small: Callable[[str], Project], outside: Outside) -> None:
    real = outside.serve("real.allowed.example", 8080, 9090)
    for name in ("first.allowed.example", "second.allowed.example"):
        outside.serve(name, 443)
    unlisted = outside.serve("unlisted.example", 8080, 443)
    outside.serve("silent.example", 8080)
    project = small(PROBER)
    try:
        done = project.understudy("up")
        assert done.code == 0, done.text
        found = containers(str(project.leases()[0]["id"]))
        docker("network", "connect", outside.name, found["egress-outer"])
        web = Inside(found["web"])
        allowed = ("real.allowed.example", 8080)
        wait_for(lambda: web.tries(*allowed) == "real.allowed.example:8080", what="the third party that is allowed")
        assert web.tries("first.allowed.example", 443, "first.allowed.example") == "first.allowed.example:443"
        assert web.tries("second.allowed.example", 443, "second.allowed.example") == "second.allowed.example:443"

        assert web.tries("first.allowed.example", 443, "unlisted.example") == "", "a name that shares the port"
        assert web.tries("real.allowed.example", 9090) == "", "another port of one that is allowed"
        assert web.tries("real.allowed.example", 443, "real.allowed.example") == "", "another's port"
        assert web.tries(real, 8080) == "", "one that is allowed, by its address"
        assert web.tries("silent.example", 8080) == "", "one that is listed, and neither mocked nor allowed"
        assert web.tries("unlisted.example", 8080) == "", "one that nobody listed, by its name"
        assert web.tries(unlisted, 8080) == "", "one that nobody listed, by its address"
        assert Inside(found["closed"]).tries(*allowed) == "", "from a network that production closes"
        docker("network", "disconnect", outside.name, found["egress-outer"])
    finally:
        done = project.understudy("down")
    assert done.code == 0, done.text


def test_a_clone_that_allows_nothing_reaches_nobody(small: Callable[[str], Project], outside: Outside) -> None:
    unlisted = outside.serve("unlisted.example", 443)
    project = small(PROBER.partition("  closed:")[0])
    try:
        done = project.understudy("up")
        assert done.code == 0, done.text
        found = containers(str(project.leases()[0]["id"]))
        assert set(found) == {"web"}
        web = Inside(found["web"])
        assert web.tries("unlisted.example", 443, "unlisted.example") == ""
        assert web.tries(unlisted, 443, "unlisted.example") == ""
        control = docker(
            *("run", "--rm", f"--label=dev.understudy.test-outside={outside.name}", f"--network={outside.name}"),
            *("python:3.11-slim", "python", "-c", HELLO, unlisted, "443", "unlisted.example"),
        )
        assert control.strip() == "unlisted.example:443", "who is outside does reach it"
    finally:
        done = project.understudy("down")
    assert done.code == 0, done.text
