"""A stranger's commit in a real run beside somebody else's environment: whatever it tries, nothing is reached."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest
from support import Project, docker

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

PRODUCTION = """\
name: {name}
services:
  web:
    image: busybox:1.35
    command: [sh, -c, "mkdir /www && echo whole > /www/index.html && exec httpd -f -p 8080 -h /www"]
    ports: ['8080']
    networks: [back]
networks: {{back: {{}}}}
x-understudy:
  tests:
    escape: {{command: [sh, escape.sh], folder: tests, image: "busybox:1.35", timeout: 120, needs: [web]}}
"""
FORK = """\
name: {name}
services:
  web:
    image: busybox:1.35
    command: [sh, -c, "mkdir /www; sh /tests/attempts.sh > /www/attempts; exec httpd -f -p 8080 -h /www"]
    environment: {{STOLEN: "${{CANARY_TOKEN:-}}"}}
    volumes: ['./tests:/tests:ro']
    ports: ['8080']
    networks: [back]
networks: {{back: {{}}}}
x-understudy:
  tests:
    evil: {{command: [sh, -c, "echo ESCAPED on the host"]}}
"""
ATTEMPTS = """\
attempt() {{ what=$1; shift; if "$@" > /dev/null 2>&1; then echo "ESCAPED $what"; else echo "held $what"; fi; }}
one() {{ cat "$@" 2>/dev/null | head -n 1; }}
own=$(ip -4 -o addr show eth0 | awk '{{print $4}}')
network=$(ipcalc -n "$own" | cut -d= -f2)
gateway=${{network%.*}}.$((${{network##*.}} + 1))
disk() {{ mknod /tmp/disk b {major} {minor} && dd if=/tmp/disk of=/tmp/block count=1; }}
gains() {{ grep -q '^NoNewPrivs:.*0' /proc/self/status; }}
stolen() {{ env | grep -q {canary}; }}
unlimited() {{ one /sys/fs/cgroup/$1 /sys/fs/cgroup/*/$2 | grep -qE '^(max|9223372036854771712|-1)$|^$'; }}
kernel() {{ echo '|/tmp/x' > /proc/sys/kernel/core_pattern; }}
attempt "a cloud's metadata" nc -w 1 169.254.169.254 80 -e true
attempt "the outside" nc -w 1 198.51.100.1 443 -e true
attempt "Docker's socket" sh -c 'ls /var/run/docker.sock || ls /run/docker.sock'
attempt "Docker's port" nc -w 1 $gateway 2375 -e true
attempt "another environment by its address" nc -w 1 {address} 8080 -e true
attempt "another environment by its name" wget -T 1 -q -O - http://{container}:8080/
attempt "another environment by its port" nc -w 1 $gateway {port} -e true
attempt "another environment by Docker's bridge" nc -w 1 172.17.0.1 {port} -e true
attempt "a mount" mount -t tmpfs none /mnt
attempt "the host's disk" disk
attempt "the host's kernel" kernel
attempt "new privileges" gains
attempt "the caller's environment" stolen
attempt "processes without limit" unlimited pids.max pids.max
attempt "memory without limit" unlimited memory.max memory.limit_in_bytes
"""
SUITE = """\
sh attempts.sh > mine
wget -q -O theirs http://web:8080/attempts
sed 's/^/suite: /' mine; sed 's/^/service: /' theirs
cat mine theirs | grep -q ESCAPED && exit 1
grep -q '^CapBnd:.*[1-9a-f]' /proc/self/status && echo "capabilities are left" && exit 1
[ "$CI" = "" ]
"""
MADE = 15
CANARY = "canary-5f0e-of-the-caller"


def test_a_stranger_s_commit_reaches_nothing(small: Callable[[str], Project]) -> None:
    project = small("services: {}")
    name = project.root.name
    (project.folder / "compose.yaml").write_text(PRODUCTION.format(name=name), encoding="utf-8")
    (project.folder / "tests").mkdir()
    (project.folder / "tests" / "escape.sh").write_text("exit 1\n", encoding="utf-8")
    project.commit("Describe production")
    victim = project.understudy("up", "--untrusted", "--name", "victim", "--format", "json")
    assert victim.code == 0, victim.text
    there = json.loads(victim.out)
    try:
        refused = project.understudy("test", there["environment"])
        assert (refused.code, "of an untrusted commit" in refused.text) == (2, True), refused.text
        _attack(project, there)
    finally:
        assert project.understudy("down", there["environment"]).code == 0


def _attack(project: Project, victim: dict[str, object]) -> None:
    (endpoint,) = victim["endpoints"]  # type: ignore[misc]  # JSON of our own
    label = f"label=dev.understudy.environment={victim['environment']}"
    (container,) = docker("ps", "-q", "--filter", label, "--filter", "label=dev.understudy.service=web").split()
    facts = json.loads(docker("inspect", container))[0]
    (network,) = facts["NetworkSettings"]["Networks"].values()
    device = os.stat("/").st_dev  # noqa: PTH116 - the number alone
    script = ATTEMPTS.format(
        major=os.major(device),
        minor=os.minor(device),
        canary=CANARY,
        address=network["IPAddress"],
        container=facts["Name"].lstrip("/"),
        port=endpoint["port"],
    )
    project.git("checkout", "-q", "-b", "fork")
    (project.folder / "tests" / "attempts.sh").write_text(script, encoding="utf-8")
    (project.folder / "tests" / "escape.sh").write_text(SUITE, encoding="utf-8")
    (project.folder / "compose.yaml").write_text(FORK.format(name=project.root.name), encoding="utf-8")
    (project.folder / "understudy.toml").write_text("export = ['sh -c \"touch escaped\"']\n", encoding="utf-8")
    project.commit("Be evil")

    done = project.understudy("run", "--untrusted", env={"CANARY_TOKEN": CANARY, "CI": "true"})

    output = (project.latest() / "suites" / "escape" / "output.log").read_text(encoding="utf-8")
    assert done.code == 0, done.text + output
    assert len([line for line in output.splitlines() if line.startswith("suite: held")]) == MADE, output
    assert len([line for line in output.splitlines() if line.startswith("service: held")]) == MADE, output
    assert "ESCAPED" not in done.text
    assert not (project.folder / "escaped").exists()
    record = json.loads((project.latest() / "run.json").read_text(encoding="utf-8"))
    assert [suite["name"] for suite in record["suites"]] == ["escape"]
    assert any("because the commit is untrusted" in change["reason"] for change in record["changes"])
    assert record["receipt"]["outcome"] == "CLEAN"
