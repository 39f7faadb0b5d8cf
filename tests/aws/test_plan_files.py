"""Files of the commit are read from its tree and nothing outside of it, and every name of a plan fits AWS."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aws.plans import ENV, SHOP, declare, everything, everything_plan, planned, service, shop, shop_plan, topology
from aws.plans import SOURCES as FOUND

from understudy.components.aws.sources import sources
from understudy.errors import UsageError
from understudy.stacks.aws.plan import Source
from understudy.stacks.aws_names import LIMITS
from understudy.stacks.clone import Clone, Endpoint, Mock, secret_token
from understudy.stacks.topology import FileMount, Mount, Service
from understudy.stacks.trust import Certificates


def clone(*mounts: Mount, **fields: Any) -> Clone:
    return Clone(topology(service("web", mounts=mounts, **fields)), mocks=(Mock("pay", "pay.example", 80, "mock"),))


def test_folders_files_and_mocks_are_found(tmp_path: Path) -> None:
    (tmp_path / "conf" / "deep").mkdir(parents=True)
    (tmp_path / "conf" / "deep" / "a").write_bytes(b"a")
    run = tmp_path / "run.sh"
    run.write_bytes(b"#!")
    run.chmod(0o755)
    (tmp_path / "mock" / "mappings").mkdir(parents=True)
    (tmp_path / "mock" / "mappings" / "one.json").write_bytes(b"{}")
    (tmp_path / "mock" / "README").write_bytes(b"not served")
    mounts = (Mount("bind", "/c", "conf"), Mount("bind", "/r", "run.sh"), Mount("bind", "/n", "nowhere"))
    given = clone(*mounts, files=(FileMount("config", "c", "/x/c", "run.sh"),))
    assert sources(given, str(tmp_path)) == {
        "conf": Source({"deep/a": b"a"}),
        "run.sh": Source({"run.sh": b"#!"}, single=True, executable=frozenset({"run.sh"})),
        "mock": Source({"mappings/one.json": b"{}"}),
    }


def test_what_leaves_the_tree_or_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "link").symlink_to("/etc/hostname")
    with pytest.raises(UsageError, match="leaves the project's folder"):
        sources(clone(Mount("bind", "/c", "conf")), str(tmp_path))
    (tmp_path / "conf" / "link").unlink()
    os.mkfifo(tmp_path / "conf" / "pipe")
    with pytest.raises(UsageError, match="'pipe', which is not a file"):
        sources(clone(Mount("bind", "/c", "conf")), str(tmp_path))


def test_a_large_folder_is_refused_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    for number in range(201):
        (tmp_path / "conf" / str(number)).touch()
    with pytest.raises(UsageError, match="has 201 files"):
        sources(clone(Mount("bind", "/c", "conf")), str(tmp_path))


def test_the_keystore_of_a_mock_hides_nothing_of_wiremock() -> None:
    (mock,) = [c.definition for c in everything_plan().service("payments").task.containers if c.definition["essential"]]
    hidden = [point["containerPath"] for point in mock["mountPoints"]]
    assert hidden == ["/home/wiremock", "/var/understudy"]  # /var/wiremock/lib has its program
    store = mock["command"][mock["command"].index("--https-keystore") + 1]
    assert store == "/var/understudy/understudy.p12"


def test_a_mock_is_healthy_once_its_own_port_takes_a_connection() -> None:
    (mock,) = [c.definition for c in everything_plan().service("payments").task.containers if c.definition["essential"]]
    assert mock["healthCheck"] == {
        "command": ["CMD", "bash", "-c", ": </dev/tcp/127.0.0.1/443"],
        "interval": 5,
        "timeout": 3,
        "retries": 10,
        "startPeriod": 60,
    }


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("resolver 127.0.0.11 valid=1s;", True),
        ("nameserver docker 127.0.0.11:53", True),
        ("  # resolver 127.0.0.11;", False),
        ("resolver 127.0.0.110; listen 127.0.0.11.5;", False),
    ],
)
def test_a_file_that_asks_docker_s_dns_is_on_the_record(text: str, *, named: bool) -> None:
    given = Clone(
        topology(
            service("web", mounts=(Mount("bind", "/etc/proxy", "conf"),)),
            service("edge", files=(FileMount("config", "c", "/x/c", "one.conf"),)),
        )
    )
    content = f"http {{\n{text}\n}}\n".encode()
    found = {
        "conf": Source({"deep/a.conf": content, "b.conf": b"resolver 10.0.0.2;"}),
        "one.conf": Source({"one.conf": content}, single=True),
    }
    said = [
        (each.path, each.production, each.clone)
        for each in planned(given, sources=found).changes
        if "Docker's own DNS" in each.reason
    ]
    there = [
        ("services.edge.files./x/c", "127.0.0.11 in one.conf", None),
        ("services.web.mounts./etc/proxy", "127.0.0.11 in deep/a.conf", None),
    ]
    assert sorted(said) == (there if named else [])


def test_the_example_asks_no_dns_of_docker() -> None:
    assert not [each for each in shop_plan().changes if "Docker's own DNS" in each.reason]


def test_a_mock_without_mappings_is_refused() -> None:
    with pytest.raises(UsageError, match="has no mapping"):
        planned(clone(), sources={})


def test_the_first_container_sets_owner_and_permissions() -> None:
    plan = planned(everything(), sources=FOUND, certificates=Certificates({"ca.pem": b"a"}, {"payments": b"p"}))
    fetch = next(c.definition for c in plan.service("full").task.containers if "full-files" in c.definition["name"])
    lines = fetch["command"][0].split(" && ")
    assert lines[0].startswith("aws s3 cp --recursive --only-show-errors s3://eabcdefghij-understudy-files-")
    assert lines[1:] == [
        "chmod -R a+rX /understudy-files",
        "chmod a+x /understudy-files/1/deep/b.conf",
        "chown 5:0 /understudy-files/5/key",
        "chmod 0400 /understudy-files/5/key",
    ]


def hostile(number: int) -> str:
    return f"{'A_very.long-name' * 20}{number}--s3alias"


def test_every_physical_name_fits_and_is_alone() -> None:
    renamed = {name: hostile(number) for number, name in enumerate(everything().topology.services)}
    found = everything()

    def told(each: Service) -> Service:
        depends_on = tuple(replace(d, service=renamed[d.service]) for d in each.depends_on)
        given = {"depends_on": depends_on, "environment": {"A": secret_token("DB")}}
        return replace(each, name=renamed[each.name], network_of=renamed.get(each.network_of or ""), **given)

    services = {renamed[name]: told(each) for name, each in found.topology.services.items()}
    long = replace(
        found,
        topology=replace(found.topology, services=services),
        endpoints=(Endpoint(renamed["web"], 8080, "http"),),
    )
    certificates = Certificates({"ca.pem": b"a"}, {"payments": b"p"})
    recording = declare(planned(long, sources=FOUND, certificates=certificates))
    kinds = {
        "Service": ("service", r"[a-zA-Z0-9_-]+"),
        "TargetGroup": ("target_group", r"[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]"),
        "Role": ("role", r"[\w+=,.@-]+"),
        "Queue": ("queue", r"[a-zA-Z0-9_-]+(\.fifo)?"),
        "Secret": ("secret", r"[A-Za-z0-9/_+=.@-]+"),
        "SecurityGroup": ("security_group", r"[a-z0-9-]+"),
        "LogGroup": ("log_group", r"[\w./#-]+"),
        "HttpNamespace": ("namespace", r"[!-~]+"),
    }
    for kind, (limit, alphabet) in kinds.items():
        names = [r.inputs["name"] for r in recording.resources if r.type.endswith(f":{kind}") and "name" in r.inputs]
        assert names
        assert len(set(names)) == len(names)
        for name in names:
            assert len(name) <= LIMITS[limit]
            assert re.fullmatch(alphabet, name)
    for task in recording.of("TaskDefinition", "aws:ecs"):
        assert len(task.inputs["family"]) <= LIMITS["family"]
        containers = [each["name"] for each in json.loads(task.inputs["containerDefinitions"])]
        assert len(set(containers)) == len(containers)
        assert all(len(name) <= LIMITS["container"] for name in containers)
    assert all(r.inputs["bucket"].startswith(ENV.id) for r in recording.of("Bucket", "aws:s3"))


def test_the_example_needs_nothing_that_fargate_lacks() -> None:
    plan = planned(
        shop(),
        sources=sources(shop(), str(SHOP)),
        certificates=Certificates({"ca.pem": b"a"}, {"payments": b"p"}),
    )
    assert [each.logical for each in plan.services if each.kind == "job"] == ["migrate"]
    missing = {change.path for change in plan.changes if change.fidelity == "missing"}
    assert missing == {"endpoints.db:5432", "endpoints.queue:6379", "endpoints.payments:443"}
