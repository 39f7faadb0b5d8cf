"""Check and Diff without a daemon: what is refused, by which words, and what is no difference."""

from __future__ import annotations

from typing import Any

import pytest

from understudy.provider.check import check, chosen_name
from understudy.provider.container_table import CONTAINER
from understudy.provider.diff import Change, diff
from understudy.provider.schema import Table
from understudy.provider.tables import IMAGE, NETWORK, VOLUME
from understudy.provider.values import UNKNOWN, from_struct, has_unknown, to_struct
from understudy.stacks.identity import OWNERSHIP

EVERYWHERE = "0.0.0.0"  # noqa: S104 - the published schema's default
LABELS = [{"label": key, "value": "x"} for key in OWNERSHIP]
GOOD = {"name": "web", "image": "busybox", "labels": LABELS}


def failures(table: Table, inputs: dict[str, Any]) -> dict[str, str]:
    return {failure.path: failure.reason for failure in check(table, inputs)}


@pytest.mark.parametrize("table", [CONTAINER, NETWORK, VOLUME])
@pytest.mark.parametrize("missing", OWNERSHIP)
def test_each_ownership_label_is_needed(table: Table, missing: str) -> None:
    labels = [label for label in LABELS if label["label"] != missing]
    inputs = {**({"image": "busybox"} if table is CONTAINER else {}), "name": "x", "labels": labels}
    found = failures(table, inputs)
    assert list(found) == ["labels"]
    assert f"lacks {missing}:" in found["labels"]


@pytest.mark.parametrize(
    "inputs",
    [
        {"envs": "PASSWORD=4711"},
        {"envs": [4711]},
        {"uploads": [{"file": "/x", "content": 4711}]},
        {"uploads": [{"file": "/x", "contentBase64": 4711}]},
        {"uploads": [{"file": "/x", "contentBase64": "4711!"}]},
    ],
)
def test_what_may_be_a_secret_is_not_repeated(inputs: dict[str, Any]) -> None:
    found = failures(CONTAINER, {**GOOD, **inputs})
    assert len(found) == 1
    assert "4711" not in "".join(found.values())


def test_an_image_needs_none() -> None:
    assert not failures(IMAGE, {"name": "busybox"})


@pytest.mark.parametrize(
    ("inputs", "path", "words"),
    [
        ({"restart": "sometimes"}, "restart", "no, always, on-failure or unless-stopped"),
        ({"privileged": True}, "privileged", "dev.understudy.allow"),
        ({"volumes": [{"containerPath": "/a", "hostPath": "/b", "fromContainer": "c"}]}, "volumes[0]", "at most one"),
        ({"volumes": [{"volumeName": "v"}]}, "volumes[0].containerPath", "is required"),
        ({"ipcMode": "other"}, "ipcMode", "shareable"),
        ({"uploads": [{"file": "/a", "content": "", "owner": "root"}]}, "uploads[0].owner", "a number"),
        ({"rm": True}, "rm", "false"),
        ({"ports": [{"internal": 0}]}, "ports[0].internal", "1 to 65535"),
        ({"ports": [{"internal": "80"}]}, "ports[0].internal", "a whole number"),
        ({"memory": 1.5}, "memory", "a whole number"),
        ({"memory": True}, "memory", "a whole number"),
        ({"envs": "A=1"}, "envs", "a list"),
        ({"envs": ["A=1", 2]}, "envs[1]", "a string"),
        ({"tmpfs": ["/x"]}, "tmpfs", "a map"),
        ({"healthcheck": ["CMD"]}, "healthcheck", "an object"),
        ({"healthcheck": {"interval": "10"}}, "healthcheck.interval", "a duration"),
        ({"uploads": [{"content": "x"}]}, "uploads[0].file", "required"),
        ({"uploads": [{"file": "/x"}]}, "uploads[0]", "exactly one"),
        ({"uploads": [{"file": "/x", "content": "", "contentBase64": ""}]}, "uploads[0]", "exactly one"),
        ({"uploads": [{"file": "x", "content": ""}]}, "uploads[0].file", "an absolute path"),
        ({"volumes": [{"containerPath": "/x", "hostPath": "x"}]}, "volumes[0].hostPath", "an absolute path"),
        ({"volumes": [{"containerPath": "/x", "hostPath": "/x", "volumeName": "y"}]}, "volumes[0]", "at most one"),
        ({"networkMode": "host", "networksAdvanced": [{"name": "n"}]}, "networkMode", "networksAdvanced"),
        ({"maxRetryCount": 2}, "maxRetryCount", "on-failure"),
        ({"logs": True}, "logs", "attach"),
        ({"cpus": "half"}, "cpus", "processors"),
        ({"name": "a b"}, "name", "letters"),
        ({"gpus": "all"}, "gpus", "has no property `gpus`"),
        ({"ports": [{"internal": 80, "extern": 1}]}, "ports[0].extern", "has no property `extern`"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(inputs: dict[str, Any], path: str, words: str) -> None:
    found = failures(CONTAINER, {**GOOD, **inputs})
    assert list(found) == [path]
    assert words in found[path]


def test_a_bad_subnet_is_named() -> None:
    configs = [{"subnet": "10.0.0.1/8"}]
    found = failures(NETWORK, {"name": "n", "labels": LABELS, "ipamConfigs": configs})
    assert "host bits" in found["ipamConfigs[0].subnet"]


def test_a_missing_image_is_named() -> None:
    assert failures(CONTAINER, {"name": "x", "labels": LABELS}) == {"image": "is required"}


@pytest.mark.parametrize("name", sorted(CONTAINER.inputs))
def test_an_unknown_is_right_anywhere(name: str) -> None:
    assert not failures(CONTAINER, {**GOOD, name: UNKNOWN})


def test_unknown_labels_may_turn_out_to_be_the_right_ones() -> None:
    assert not failures(VOLUME, {"name": "v", "labels": [{"label": UNKNOWN, "value": "x"}]})
    assert not failures(VOLUME, {"name": "v", "labels": [{"label": key, "value": UNKNOWN} for key in OWNERSHIP]})


def test_a_long_value_is_cut_in_messages() -> None:
    assert len(failures(CONTAINER, {**GOOD, "restart": "x" * 5000})["restart"]) < 200


def test_a_chosen_name_is_stable_and_one_that_docker_takes() -> None:
    assert chosen_name("my net/x", b"seed") == chosen_name("my net/x", b"seed")
    assert chosen_name("my net/x", b"seed").startswith("my-net-x-")
    assert chosen_name("x", b"1") != chosen_name("x", b"2")
    assert not failures(VOLUME, {"name": chosen_name("ümläut " * 20, b""), "labels": LABELS})


def changed(old: dict[str, Any], new: dict[str, Any], table: Table = CONTAINER) -> dict[str, tuple[Change, bool]]:
    return {d.path: (d.change, d.replace) for d in diff(table, old, new)}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"labels": [{"label": "a", "value": "1"}, {"label": "b", "value": "2"}]},
         {"labels": [{"label": "b", "value": "2"}, {"label": "a", "value": "1"}]}),
        ({"envs": ["A=1", "B=2"]}, {"envs": ["B=2", "A=1"]}),
        ({"memory": 64}, {"memory": 64.0}),
        ({}, {"restart": "no", "mustRun": True, "readOnly": False, "waitTimeout": 60}),
        ({"ports": [{"internal": 80}]}, {"ports": [{"internal": 80, "protocol": "tcp", "ip": EVERYWHERE}]}),
        ({"envs": []}, {}),
        ({"networksAdvanced": [{"name": "n", "aliases": ["a", "b"]}]},
         {"networksAdvanced": [{"name": "n", "aliases": ["b", "a"]}]}),
    ],
)  # fmt: skip
def test_what_means_the_same_is_no_difference(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert not changed(old, new)


def test_what_differs_says_how_and_whether_it_replaces() -> None:
    old = {"image": "a", "restart": "no", "memory": 64, "user": "x", "networksAdvanced": [{"name": "1"}, {"name": "2"}]}
    new = {
        "image": "b",
        "restart": "always",
        "memory": 32,
        "hostname": "h",
        "networksAdvanced": [{"name": "2"}, {"name": "1"}],
    }
    assert changed(old, new) == {
        "image": (Change.UPDATE, True),
        "restart": (Change.UPDATE, False),
        "memory": (Change.UPDATE, False),
        "user": (Change.DELETE, True),
        "hostname": (Change.ADD, True),
        "networksAdvanced": (Change.UPDATE, True),
    }


def test_a_memory_limit_can_be_changed_but_not_lifted_in_place() -> None:
    assert changed({"memory": 64}, {})["memory"] == (Change.DELETE, True)


def test_what_is_not_known_yet_differs() -> None:
    assert changed({"image": "a"}, {"image": UNKNOWN}) == {"image": (Change.UPDATE, True)}
    assert changed({"envs": ["A=1"]}, {"envs": [UNKNOWN]}) == {"envs": (Change.UPDATE, True)}


def test_values_survive_the_wire() -> None:
    values = {"a": 8080, "b": "x", "c": [True, {"d": UNKNOWN}], "e": 1.5}
    assert from_struct(to_struct(values)) == values
    assert has_unknown(values)
    assert from_struct(to_struct({"a": None})) == {}
