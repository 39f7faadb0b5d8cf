"""What of a resource differs: of a bridged provider by its outputs, JSON by its value, and never a secret."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from understudy.diff.drift import drifted, kind_of_type, name_of
from understudy.diff.properties import differing
from understudy.diff.values import between, leaves, meant
from understudy.engine.interface import Seen
from understudy.stacks import aws_names
from understudy.stacks.aws_names import logicals

E1 = "eaaaaaaaaaa"
QUEUE = "aws:sqs/queue:Queue"
WITHHELD = "(withheld: a value of a container's environment)"

Found = list[tuple[str, str | None, str | None]]


def found(
    type_: str, before: dict[str, object], now: dict[str, object], declares: Iterable[str] | None = None
) -> Found:
    """What differs where the outputs were `before` and are `now`; all or what is named of them is declared too."""
    declared = {key: before.get(key) for key in (before if declares is None else declares)}
    shown = {key: now[key] for key in declared if key in now}
    seen = Seen(f"urn:pulumi:s::p::{type_}::{E1}-x", type_, "id", declared, before, (shown, now))
    return [(each.path, each.provisioned, each.actual) for each in differing(seen)]


@pytest.mark.parametrize(
    ("value", "flat"),
    [
        (None, {}),
        ([], {}),
        ("text", {"p": "text"}),
        (True, {"p": "true"}),
        (["a", "b"], {"p": '["a", "b"]'}),
        ([{"name": "n", "aliases": ["x"]}, {"y": 1}], {"p[n].name": "n", "p[n].aliases": '["x"]', "p[1].y": "1"}),
        ({"a": {"b": 1.5}}, {"p.a.b": "1.5"}),
    ],
)
def test_leaves_of_a_value(value: object, flat: dict[str, str]) -> None:
    assert leaves("p", value) == flat


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"policy": '{"a": [1, {"b": 2}], "c": "d"}'}, {"policy": '{"c":"d","a":[1,{"b":2}]}'}),
        ({"subnets": ["a", "b"]}, {"subnets": ["b", "a"]}),
        ({"rules": [{"id": "a"}, {"id": "b"}]}, {"rules": [{"id": "b"}, {"id": "a"}]}),
        ({"check": {"path": "/", "__defaults": []}}, {"check": {"path": "/", "__defaults": ["path"]}}),
        ({"redrivePolicy": "", "fifoQueue": False}, {}),
        ({"delaySeconds": 0}, {"delaySeconds": 0.0}),
        ({"tagsAll": {"a": "b"}}, {"tagsAll": {"a": "b", "aws:cloudformation:stack-name": "x"}}),
    ],
    ids=["JSON", "a set", "a set of blocks", "marks of the bridge", "nothing said", "numbers", "tags of AWS's own"],
)
def test_what_means_the_same_is_no_difference(before: dict[str, object], now: dict[str, object]) -> None:
    assert found("aws:other/thing:Thing", before, now) == []


def test_what_was_declared_and_settings_left_at_their_default_count_and_other_outputs_do_not() -> None:
    before: dict[str, object] = {"name": "q", "messageRetentionSeconds": 345600, "url": "u", "policy": ""}
    now = {**before, "messageRetentionSeconds": 60, "url": "other", "policy": "of a resource of its own"}
    assert found(QUEUE, before, now, declares=["name"]) == [("messageRetentionSeconds", "345600", "60")]
    assert found("aws:lb/targetGroup:TargetGroup", {"port": 80}, {"port": 80, "loadBalancerArns": ["a"]}) == []


def test_members_that_somebody_added_show_although_a_refresh_gives_only_as_many_inputs_as_there_were() -> None:
    inputs: dict[str, object] = {"securityGroups": ["sg-1"]}
    seen = Seen(
        "u::p::t::x", "aws:ecs/service:Service", "i", inputs, inputs, (inputs, {"securityGroups": ["sg-1", "sg-2"]})
    )
    [each] = differing(seen)
    assert (each.path, each.provisioned, each.actual) == ("securityGroups", '["sg-1"]', '["sg-1", "sg-2"]')


def test_tags_that_were_taken_and_given_show_by_their_names_and_none_that_looks_like_a_secret() -> None:
    before, now = {"a": "b", "kept": "k"}, {"kept": "k", "API_TOKEN": "hush", "c": "d"}
    assert found(QUEUE, {"tagsAll": before}, {"tagsAll": now}, declares=[]) == [
        ("tags.a", "b", None),
        ("tags.API_TOKEN", None, "(withheld: the key looks like a secret's)"),
        ("tags.c", None, "d"),
    ]


@pytest.mark.parametrize(
    ("inputs", "before", "now"),
    [
        ("[secret]", "[secret]", "[secret]"),
        ("[secret]", "[secret]", "plain"),
        ("[secret]", "plain", "other"),
        ({"a": "[secret]"}, {"a": "plain"}, {"a": "other"}),
        (["[secret]"], ["[secret]"], ["plain"]),
        ("x:[secret]@y", "x:plain@y", "x:other@y"),
        ({"a": "b"}, {"a": "b", "c": "[secret]"}, {"a": "b", "c": {"d": "plain"}}),
        ('{"a": "[secret]"}', '{"a": "[secret]"}', '{"a": {"b": "plain"}}'),
    ],
)
def test_a_secret_is_neither_compared_nor_shown(inputs: object, before: object, now: object) -> None:
    given = {"value": inputs}
    seen = Seen("u::p::t::x", "aws:other/thing:Thing", "i", given, {"value": before}, (given, {"value": now}))
    assert list(differing(seen)) == []


@pytest.mark.parametrize(
    ("type_", "secret", "trace", "values"),
    [
        (
            "aws:secretsmanager/secretVersion:SecretVersion",
            "secretString",
            "versionStages",
            (["AWSCURRENT"], ["AWSPREVIOUS"]),
        ),
        ("aws:ssm/parameter:Parameter", "value", "version", (1, 2)),
    ],
)
def test_that_a_secret_has_another_value_shows_by_its_version(
    type_: str, secret: str, trace: str, values: tuple[object, object]
) -> None:
    before, now = ({secret: "[secret]", trace: value} for value in values)
    [(path, old, new)] = found(type_, before, now, declares=[secret])
    assert (path, json.loads(str(old)), json.loads(str(new))) == (trace, *values)


def test_that_an_object_has_other_content_shows_without_its_digest() -> None:
    type_, digest = "aws:s3/bucketObjectv2:BucketObjectv2", "(withheld: a digest of the content)"
    assert found(type_, {"key": "k", "etag": "a"}, {"key": "k", "etag": "b"}, ["key"]) == [("etag", digest, digest)]


def definitions(**container: object) -> str:
    return json.dumps([{"name": "web", "image": "web:1", **container}])


def test_definitions_of_containers_differ_by_their_leaves_and_show_no_value_of_an_environment() -> None:
    before = definitions(
        environment=[{"name": "A", "value": "hush-1"}, {"name": "B", "value": "b"}], command=["a", "b"]
    )
    now = definitions(
        image="web:2",
        environment=[{"name": "B", "value": "b"}, {"name": "A", "value": "hush-2"}, {"name": "C", "value": "hush-3"}],
        command=["b", "--password=hush-4"],
    )
    old, new = (meant(text, "containerDefinitions") for text in (before, now))
    differ = [(each.path, each.provisioned, each.actual) for each in between("containerDefinitions", old, new)]
    place = "containerDefinitions[web]"
    assert differ == [
        (f"{place}.image", "web:1", "web:2"),
        (f"{place}.environment.A", WITHHELD, WITHHELD),
        (f"{place}.command", '["a", "b"]', '["b", "--password=(withheld)"]'),
        (f"{place}.environment.C", None, WITHHELD),
    ]
    odd = json.loads(definitions(environment=[{"name": "A", "value": "hush", "more": 1}]))
    for shown in (meant(odd), "[hush", meant(definitions(dockerLabels={"a": "hush"}), "containerDefinitions")):
        assert "hush" not in str(list(between("containerDefinitions", [], shown)))


@pytest.mark.parametrize("text", ["{", "[1, 2", '{"a": }', "[" * 100_000, "[" * 200 + "]" * 200], ids=len)
def test_a_text_that_only_looks_like_json_or_is_none_that_aws_has_is_a_text(text: str) -> None:
    assert meant(text) == text


def test_a_resource_is_named_as_its_service_is() -> None:
    long = "a-service-with-quite-a-long-name"
    services = logicals(E1, "aws:1:eu", ["web", "orders", long])
    for type_, inputs, name, service in (
        ("aws:ecs/service:Service", {"name": aws_names.service(E1, "web")}, f"{E1}-web", "web"),
        ("aws:ecs/taskDefinition:TaskDefinition", {"family": f"{E1}-web"}, f"{E1}-web", "web"),
        ("aws:iam/rolePolicy:RolePolicy", {"name": "understudy", "role": f"{E1}-web"}, f"{E1}-x", "web"),
        (QUEUE, {"name": aws_names.queue(E1, "orders", fifo=True)}, f"{E1}-orders.fifo", "orders"),
        ("aws:lb/targetGroup:TargetGroup", {"name": (cut := aws_names.target_group(E1, long))}, cut, long),
        ("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", {}, f"{E1}-x", ""),
    ):
        seen = Seen(f"urn:pulumi:s::p::a$b::{E1}-x", type_, "i", inputs, {}, None)
        gone = drifted(seen, environment=E1, services=services)
        assert gone is not None
        assert (gone.name, gone.service, gone.state) == (name, service, "gone"), type_
        assert name_of(seen, E1) == name
        assert gone.title == (name if name.endswith(f"-{service}") or not service else f"{name} ({service})")


def test_a_type_is_named_as_in_the_sdk() -> None:
    assert kind_of_type("aws:ecs/service:Service") == "ecs.Service"
    assert kind_of_type("docker:index/container:Container") == "Container"
    assert kind_of_type("random:index/randomPassword:RandomPassword") == "random.RandomPassword"
    assert kind_of_type("custom::Thing") == "custom.Thing"
