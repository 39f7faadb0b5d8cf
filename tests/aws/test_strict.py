"""The check of inputs finds planted mistakes: nested names, types, what is missing."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from aws.strict import arguments, mismatches

GOOD: dict[str, dict[str, Any]] = {
    "aws:lb/listener:Listener": {
        "loadBalancerArn": "arn:x",
        "port": 80.0,
        "defaultActions": [{"type": "fixed-response", "fixedResponse": {"contentType": "text/plain"}}],
    },
    "aws:sqs/queue:Queue": {"name": "x", "visibilityTimeoutSeconds": 30, "tags": {"a": "b"}},
    "aws:ecs/service:Service": {"serviceConnectConfiguration": {"enabled": True, "services": [{"portName": "a"}]}},
    "aws:s3/bucketVersioning:BucketVersioning": {"bucket": "b", "versioningConfiguration": {"status": "Enabled"}},
}


@pytest.mark.parametrize("token", GOOD)
def test_what_is_right_passes(token: str) -> None:
    assert mismatches(GOOD[token], arguments(token), "x") == []


@pytest.mark.parametrize(
    ("token", "path", "value", "found"),
    [
        (
            "aws:lb/listener:Listener",
            ("defaultActions", 0, "fixedRespons"),
            {},
            "defaultActions[0].fixedRespons is not",
        ),
        (
            "aws:lb/listener:Listener",
            ("defaultActions",),
            {"type": "forward"},
            "defaultActions: {'type': 'forward'} is no",
        ),
        ("aws:lb/listener:Listener", ("loadBalancerArn",), None, "x.loadBalancerArn is required"),
        ("aws:lb/listener:Listener", ("defaultActions", 0, "type"), None, "x.defaultActions[0].type is required"),
        ("aws:lb/listener:Listener", ("port",), 80.5, "x.port: 80.5 is no int"),
        ("aws:sqs/queue:Queue", ("visibilityTimeoutSeconds",), "not a number", "'not a number' is no int"),
        ("aws:sqs/queue:Queue", ("visibilityTimeoutSeconds",), True, "True is no int"),
        ("aws:sqs/queue:Queue", ("tags", "a"), 5, "x.tags.a: 5 is no str"),
        ("aws:sqs/queue:Queue", ("tags",), ["a"], "x.tags: ['a'] is no mapping"),
        ("aws:sqs/queue:Queue", ("colour",), "red", "x.colour is not in the schema"),
        ("aws:ecs/service:Service", ("serviceConnectConfiguration",), "on", "'on' is no Service"),
        ("aws:ecs/service:Service", ("serviceConnectConfiguration", "services", 0, "portName"), None, "is required"),
    ],
)
def test_a_mistake_is_found(token: str, path: tuple[Any, ...], value: Any, found: str) -> None:
    wrong = deepcopy(GOOD[token])
    place: Any = wrong
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    (mistake,) = mismatches(wrong, arguments(token), "x")
    assert found in mistake
