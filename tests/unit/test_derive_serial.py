"""Topologies and clones as JSON: deterministic, complete, without places."""

import json

from understudy.stacks.clone import Clone
from understudy.stacks.derive import derive
from understudy.stacks.profile import DEFAULT
from understudy.stacks.serial import canonical_json, clone_data, topology_data
from understudy.stacks.sources.compose import read
from understudy.stacks.topology import Topology

TEXT = """
services:
  web: {image: 'x:1', ports: ['8080:80'], environment: {A: b}, healthcheck: {test: t, interval: 1s}}
  db: {image: postgres, volumes: ['data:/d']}
volumes: {data: }
x-understudy: {tests: {unit: {command: [pytest]}}, profiles: {default: {replicas: 1}}, endpoints: ['db:5432']}
"""


def load(text: str) -> Topology:
    return read(text, "c.yaml", variables={}, read_file={}.get)


def cloned() -> Clone:
    return derive(load(TEXT), load(TEXT), commit="c" * 40, profile=DEFAULT, unchanged_builds={})


def test_a_clone_is_json_and_comes_out_the_same_each_time() -> None:
    data = clone_data(cloned())
    assert json.loads(json.dumps(data)) == data
    assert canonical_json(data) == canonical_json(clone_data(cloned()))
    assert set(data) == {
        "topology",
        "endpoints",
        "mocks",
        "changes",
        "open_network",
        "unchanged_builds",
        "allowed",
        "outward",
        "pinned",
    }


def test_values_keep_their_names() -> None:
    data = topology_data(load(TEXT))
    services = data["services"]
    assert isinstance(services, dict)
    assert services["web"]["ports"] == [{"target": 80, "published": "8080", "protocol": "tcp", "host_ip": None}]
    assert services["db"]["kind"] == "database"
    assert data["endpoints"] == [["db", 5432]]
    assert "where" not in services["web"]


def test_the_data_is_of_the_meaning_and_not_of_the_lines() -> None:
    moved = "# a note\n\n" + TEXT.replace("image: 'x:1'", 'image: "x:1"')
    assert topology_data(load(moved)) == topology_data(load(TEXT))
    assert topology_data(load(TEXT.replace("x:1", "x:2"))) != topology_data(load(TEXT))
