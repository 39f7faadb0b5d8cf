"""A cloud's metadata address, which a daemon's host reaches: no closed network leads there, nor does the egress relay.

The cloud is a network namespace beside that of a daemon of the suite's own, with an address to which that host routes.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from private_daemon import BASE_IMAGES, PrivateDaemon, private_daemon

from understudy.components import egress_config
from understudy.components.egress_config import outer_config, outer_port
from understudy.stacks.topology import External

pytestmark = [pytest.mark.private, pytest.mark.images, pytest.mark.xdist_group("hostile_network")]

METADATA = "169.254.169.254"
ROUTED = """
set -e
inside="nsenter --net=/proc/$1/ns/net -- ip"
ip link add vhost type veth peer name vcloud netns "$1"
ip address add 198.18.0.1/30 dev vhost
ip link set vhost up
$inside address add 198.18.0.2/30 dev vcloud
$inside address add 169.254.169.254/32 dev lo
$inside link set lo up
$inside link set vcloud up
$inside route add default via 198.18.0.1
ip route add 169.254.169.254/32 via 198.18.0.2
"""
WEB = """
import http.server
class Credentials(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"credentials")
print("made", flush=True)
input()
server = http.server.HTTPServer(("169.254.169.254", 80), Credentials)
print("ready", flush=True)
server.serve_forever()
"""
NAMES = """
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], 53))
print("ready", flush=True)
while True:  # one A record for whatever is asked (RFC 1035, section 4)
    asked, sender = server.recvfrom(512)
    end = asked.index(b"\\0", 12) + 5
    answer = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\0\\0\\4" + socket.inet_aton("169.254.169.254")
    server.sendto(asked[:2] + b"\\x81\\x80\\0\\1\\0\\1\\0\\0\\0\\0" + asked[12:end] + answer, sender)
"""


@pytest.fixture(scope="module")
def cloud() -> Iterator[tuple[PrivateDaemon, str]]:
    """The daemon, and where its host answers questions for names: each is the metadata address."""
    with private_daemon(images=BASE_IMAGES) as daemon, ExitStack() as stack:
        daemon.docker("network", "create", "open")
        daemon.docker("network", "create", "--internal", "closed")
        gateway = daemon.docker("network", "inspect", "open", "--format", "{{(index .IPAM.Config 0).Gateway}}").strip()
        web = _server(stack, daemon, ["unshare", "--net", sys.executable, "-c", WEB], "made")
        routed = daemon.inside(["sh", "-c", ROUTED, "sh", str(web.pid)])
        subprocess.run(routed, env=daemon.env, check=True, timeout=30)
        print(file=web.stdin, flush=True)
        assert web.stdout is not None
        assert web.stdout.readline() == "ready\n"
        _server(stack, daemon, [sys.executable, "-c", NAMES, gateway], "ready")
        yield daemon, gateway


def _server(stack: ExitStack, daemon: PrivateDaemon, argv: list[str], says: str) -> subprocess.Popen[str]:
    started = subprocess.Popen(
        daemon.inside(argv), env=daemon.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    stack.enter_context(started)
    stack.callback(started.kill)
    assert started.stdout is not None
    assert started.stdout.readline() == f"{says}\n"
    return started


def asked(daemon: PrivateDaemon, network: str, host: str, port: int = 80) -> str:
    """What a container on the network gets from there, less the head of HTTP."""
    command = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 {host} {port} || true"
    said = daemon.docker("run", "--rm", "--network", network, "busybox:1.35", "sh", "-c", command)
    return said.rpartition("\n")[2].strip() or "nothing"


def test_a_closed_network_does_not_lead_there_and_an_open_one_does(cloud: tuple[PrivateDaemon, str]) -> None:
    daemon, _ = cloud
    assert asked(daemon, "closed", METADATA) == "nothing"
    assert asked(daemon, "open", METADATA) == "credentials"  # as docs/security.md says


@pytest.mark.parametrize(("never", "answer"), [(egress_config.NEVER, "nothing"), ("192.0.2.1", "credentials")])
def test_the_egress_relay_leads_no_name_there(
    cloud: tuple[PrivateDaemon, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    never: str,
    answer: str,
) -> None:
    daemon, names = cloud
    monkeypatch.setattr(egress_config, "NEVER", never)
    file = tmp_path / "haproxy.cfg"
    file.write_text(outer_config([External("api", "api.example", 80, allow=True)]), encoding="utf-8")
    file.chmod(0o644)
    sysctl = "net.ipv4.ip_unprivileged_port_start=0"
    relay = ("--name", f"relay{len(answer)}", "--network", "open", "--dns", names, "--sysctl", sysctl)
    daemon.docker("create", *relay, "haproxy:2.6")
    daemon.docker("cp", str(file), f"relay{len(answer)}:/usr/local/etc/haproxy/haproxy.cfg")
    daemon.docker("start", f"relay{len(answer)}")
    address = daemon.docker(
        "inspect", f"relay{len(answer)}", "--format", "{{.NetworkSettings.Networks.open.IPAddress}}"
    ).strip()
    end = time.monotonic() + 20
    ready = f"nc -w 1 {address} {outer_port(0)} -e true"
    while "no" in daemon.docker(
        "run", "--rm", "--network", "open", "busybox:1.35", "sh", "-c", f"{ready} && echo yes || echo no"
    ):
        assert time.monotonic() < end, daemon.docker("logs", f"relay{len(answer)}")
    assert asked(daemon, "open", address, outer_port(0)) == answer
