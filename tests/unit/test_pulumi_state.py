"""The export of a Pulumi stack as a whole: its secrets, what no mapper knows, and what is no export."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi_stack import SECRET, Stack

from understudy.stacks.clone import secret_token
from understudy.stacks.sources import compose
from understudy.stacks.sources.compose_writer import write
from understudy.stacks.sources.pulumi_state import MAPPERS, read
from understudy.stacks.topology import TopologyError

SHOWN = {**SECRET, "plaintext": '"in-plain-text"'}


def test_a_secret_of_the_stack_is_never_text() -> None:
    stack = Stack()
    stack.container("web", envs=SECRET, command=["serve", SHOWN], healthcheck=SECRET)
    stack.container("api", envs=["A=1", SHOWN], uploads=[{"file": "/key", "content": SECRET}])
    stack.container("sealed", image=SECRET)
    topology = stack.read()
    assert topology.services["web"].environment == {}
    assert topology.services["api"].environment == {"A": "1"}
    assert [(change.path, change.production) for change in topology.changes] == [
        ("services.web.command", "(secret)"),
        ("services.web.environment", "(secret)"),
        ("services.web.healthcheck", "(secret)"),
        ("services.api.environment[1]", "(secret)"),
        ("services.api.configs", "/key"),
        ("services.sealed", "a container"),
    ]
    assert "c1pher" not in repr(topology)
    assert "in-plain-text" not in repr(topology)


def test_plain_text_that_looks_like_a_secret_is_declared_one() -> None:
    stack = Stack()
    stack.container("db", envs=["POSTGRES_PASSWORD=open-sesame"])
    topology = stack.read()
    assert topology.secrets == ("POSTGRES_PASSWORD",)
    assert topology.services["db"].environment == {"POSTGRES_PASSWORD": secret_token("POSTGRES_PASSWORD")}


def test_types_that_no_mapper_knows_are_named_with_their_urn() -> None:
    stack = Stack()
    stack.add("pulumi:pulumi:Stack", "shop-prod", custom=False)
    stack.add("pulumi:providers:docker", "default")
    urn = stack.add("kubernetes:apps/v1:Deployment", "api", {})
    role = stack.add("aws:iam/role:Role", "task", {})
    stack.add("my:own:Component", "group", custom=False)
    stack.add("kubernetes:apps/v1:Deployment", "old", {}, delete=True)
    stack.container("web", privileged=True, gpus="all")
    topology = stack.read()
    assert [(c.path, c.production) for c in topology.changes] == [
        ("services.web.privileged", "True"),
        ("services.web.gpus", "all"),
        ("resources.api", "kubernetes:apps/v1:Deployment"),
    ]
    assert urn in topology.changes[-1].reason
    assert [warning for warning in topology.warnings if role in warning]


def test_a_state_file_is_read_like_an_export() -> None:
    stack = Stack()
    stack.container("web")
    state = {"version": 3, "checkpoint": {"stack": "prod", "latest": json.loads(stack.text())["deployment"]}}
    assert read(json.dumps(state), "prod.json") == stack.read()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no json", "it is no JSON"),
        ("[]", "a mapping is expected"),
        ("{}", "it is no export of a stack"),
        ('{"deployment": {"resources": []}}', "the stack is empty"),
        ('{"deployment": {"resources": [{"type": "x"}]}}', r"resources\[0\]: it is no resource"),
        ('{"deployment": {"resources": [{"urn": "urn:a::b::c::d", "type": "c"}]}}', "none of its 1 resources"),
        ("[" * 100_000, "it is no JSON"),
    ],
)
def test_what_is_no_export_is_refused(text: str, reason: str) -> None:
    with pytest.raises(TopologyError, match=reason):
        read(text, "export.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(SECRET),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KNOWN = st.sampled_from(
    [
        "image",
        "envs",
        "ports",
        "volumes",
        "mounts",
        "networksAdvanced",
        "labels",
        "healthcheck",
        "uploads",
        "memory",
        "command",
        "cpus",
        "ulimits",
        "hosts",
        "name",
        "containerDefinitions",
        "taskDefinition",
        "loadBalancers",
        "desiredCount",
        "engine",
        "port",
        "redrivePolicy",
        "cacheNodes",
        "capabilities",
        "versioning",
        "defaultActions",
    ]
)


@given(st.lists(st.tuples(st.sampled_from(sorted(MAPPERS)), st.dictionaries(KNOWN, JSON)), max_size=4))
def test_whatever_an_export_holds_it_is_a_topology_or_a_clear_error(found: list[tuple[str, dict[str, Any]]]) -> None:
    stack = Stack()
    stack.container("web")
    for index, (kind, inputs) in enumerate(found):
        stack.add(kind, f"r{index}", inputs)
    with contextlib.suppress(TopologyError):
        topology = stack.read()
        assert "web" in topology.services
        compose.read(write(topology), "topology.yaml", variables={}, read_file=lambda _: None, provisioned=False)


@given(JSON)
def test_any_json_is_a_topology_or_a_clear_error(found: object) -> None:
    with pytest.raises(TopologyError, match=r"export\.json"):
        read(json.dumps({"deployment": {"resources": [found]}}), "export.json")
