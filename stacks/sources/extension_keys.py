"""The keys of `x-understudy`, declared once: for those who read them, for editors, and for the page about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from understudy.stacks.profile import LEAST_MEMORY
from understudy.stacks.secret_rules import ALPHABETS, LONGEST, SecretStore

from .extension_shapes import (
    ENDPOINT,
    FLAG,
    NAME,
    NEED,
    NUMBER,
    PATH,
    PORT,
    SECONDS,
    TEXT,
    TRUE,
    VARIABLE,
    Shape,
    choices,
    list_of,
    mapping_of,
    matching,
    or_nothing,
    size,
    union,
    whole,
)
from .kinds import KINDS

__all__ = ["COMPOSE_SCHEMA", "GROUPS", "ON_AWS_FORMS", "SECRET_STORES", "Form", "Group", "Key", "keys_of", "schema"]

COMPOSE_SCHEMA = "https://raw.githubusercontent.com/compose-spec/compose-spec/main/schema/compose-spec.json"
"""Where the Compose specification publishes its own schema."""

Form = Literal["shared", "instance", "snapshot", "aurora-clone"]
ON_AWS_FORMS: tuple[Form, ...] = ("shared", "instance", "snapshot", "aurora-clone")
"""What a database may be on AWS instead of a container; a cache is one that is `shared`."""

SECRET_STORES: Mapping[str, SecretStore] = {"secret": "secret", "parameter": "parameter"}
"""What may keep a secret on AWS, by its word."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key: what it means, what it is where it is not given (empty: it has to be), and what may stand there."""

    name: str
    meaning: str
    default: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Group:
    """The keys that one mapping may have, and `rules` about them together, in JSON Schema's words."""

    name: str
    meaning: str
    keys: tuple[Key, ...]
    rules: Mapping[str, object]


_HOST = r"^(?![0-9.]+$)(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?$"
_LENGTH = r"^(?=.{1,18}$)0*([1-9][0-9]{0,2}|10[01][0-9]|102[0-4])$"
_GB = r"^(?=.{1,18}$)0*([2-9][0-9]|[1-9][0-9]{2,})$"
_EACH_ONCE = r"^(?!.*(.).*\1)..+$"
_ONE_PLACE = r"^((?!\{\}).)*\{\}((?!\{\}).)*$"

_COMMAND = union(
    {"type": "array", "minItems": 1, "items": [{**TEXT, "not": {"const": ""}}], "additionalItems": TEXT},
    {"type": "string", "pattern": r"\S"},
    {"type": ["number", "boolean"]},
)
_VARIABLES = union(
    list_of(union({"type": "string", "pattern": "^[^=]"}, {"type": ["number", "boolean"]})),
    mapping_of(or_nothing(TEXT), "^[^=]+$"),
)
_REPLICAS = Key("replicas", "the most containers", "production's number", whole(1))
_LIMITS = (
    Key("cpus", "the most processors of each container", "production's limit", NUMBER),
    Key(
        "memory",
        "the most memory of each container, in bytes or such as `256m`; at least 6 MiB",
        "production's limit",
        size(LEAST_MEMORY),
    ),
)


def _given(name: str, shape: Shape) -> Mapping[str, object]:
    return {"required": [name], "properties": {name: shape}}


def _reference(group: str) -> Shape:
    return {"$ref": f"#/definitions/{group}"}


_SECRET = Group(
    "secret",
    "How a secret that is made anew looks, and what keeps it on AWS.",
    (
        Key(
            "length",
            f"how many characters are drawn, 1 to {LONGEST}",
            "40; of a password 24",
            whole(1, LONGEST, _LENGTH),
        ),
        Key(
            "alphabet",
            f"the characters that are drawn from, each once, or one of {', '.join(f'`{name}`' for name in ALPHABETS)}",
            "`hex`",
            union({"enum": list(ALPHABETS)}, matching(_EACH_ONCE)),
        ),
        Key(
            "format",
            "`uuid`; `password`, which has a lower and an upper case letter, a digit and one of `-._~`; or a text with "
            "`{}` once, where what is drawn goes",
            "what is drawn, alone",
            union({"enum": ["", "uuid", "password"]}, matching(_ONE_PLACE)),
        ),
        Key(
            "on_aws",
            "what keeps it with `--target aws`: a `secret` of Secrets Manager, or a `parameter`, a SecureString of "
            "Systems Manager's Parameter Store, which has no price of its own",
            "what does in production, else `secret`",
            choices(SECRET_STORES),
        ),
    ),
    {
        "allOf": [
            {
                "if": _given("format", {"const": "uuid"}),
                "then": {"properties": {"length": {"type": "null"}, "alphabet": {"type": "null"}}},
            },
            {
                "if": _given("format", {"const": "password"}),
                "then": {
                    "properties": {
                        "length": or_nothing(whole(8, None, r"^(?=.{1,18}$)0*([89]|[1-9][0-9]+)$")),
                        "alphabet": {"type": "null"},
                    }
                },
            },
        ]
    },
)

_EXTERNAL = Group(
    "external",
    "A third party: mocked, allowed, or out of reach.",
    (
        Key("host", "the host name that production calls; no address, and no name of a service", "", matching(_HOST)),
        Key("port", "the port", "443 with `scheme: https`, else 80", PORT),
        Key(
            "scheme",
            "`http` or `https`: what a mock speaks",
            "`https` on the ports 443, 8443 and 9443, else `http`",
            choices(("http", "https")),
        ),
        Key("mock", "a folder with WireMock's files, relative to the Compose file", "none", PATH),
        Key("allow", "`true`: the clone reaches the real one, through the egress relay", "`false`", FLAG),
    ),
    {
        "not": {
            "required": ["mock", "allow"],
            "properties": {"mock": {"not": {"type": "null"}}, "allow": TRUE},
        }
    },
)

_PROFILE_OF_SERVICE = Group(
    "serviceProfile",
    "What one service has in the clone, also where that is more than production's.",
    (_REPLICAS, *_LIMITS),
    {},
)

_PROFILE = Group(
    "profile",
    "How a clone is scaled.",
    (
        _REPLICAS,
        Key(
            "network",
            "`closed`: services reach nothing outside; `open`: they do, and that is a Change",
            "`closed`",
            choices(("closed", "open")),
        ),
        *_LIMITS,
        Key("without", "services that the clone does not have", "none", list_of(TEXT)),
        Key(
            "services",
            "`replicas`, `cpus` and `memory` of single services by name, whatever stands above",
            "none",
            mapping_of(or_nothing(_reference("serviceProfile"))),
        ),
    ),
    {},
)

_SUITE = Group(
    "suite",
    "One part of the test stage.",
    (
        Key("command", "what runs: a list, or a text that is split", "", _COMMAND),
        Key("folder", "where it runs, relative to the Compose file, in the commit's tree", "`.`", PATH),
        Key("python", "the interpreter of a pytest command", "see [tests.md](tests.md#interpreter)", TEXT),
        Key("image", "the container image that it runs in", "none: it runs on the host", matching(r"\S")),
        Key(
            "runs_on",
            "`host`, or `network`: in a container of its `image` on the environment's networks",
            "`network` with an `image`, else `host`",
            choices(("host", "network")),
        ),
        Key(
            "needs",
            "services and mocks that have to be ready before it starts: `NAME`, or `NAME:PORT`",
            "everything",
            list_of(NEED),
        ),
        Key("timeout", "a number of seconds, or a duration such as `5m`", "600", SECONDS),
        Key("retries", "how often a failed test is run again", "0", whole(0, None, r"^[0-9]{1,18}$")),
        Key("workers", "the most test processes at once", "what is left of `--workers`", whole(1)),
        Key("environment", "further variables, as list or mapping", "none", _VARIABLES),
        Key(
            "inputs",
            "what of the commit its tests read beside its `folder`, for [`--reuse`](history.md#reuse)",
            "everything in the commit",
            list_of(PATH),
        ),
    ),
    {
        "allOf": [
            {
                "if": _given("runs_on", {"const": "network"}),
                "then": _given("image", {"not": {"type": "null"}}),
            },
            {
                "if": _given("runs_on", {"const": "host"}),
                "then": {"properties": {"image": {"type": "null"}}},
            },
        ]
    },
)

_TOP = Group(
    "extension",
    "What Understudy needs to know of a topology beside what Compose says.",
    (
        Key(
            "secrets",
            "variables whose values are made anew: a list of names, or a mapping of names to forms",
            "none",
            union(
                list_of({"type": "string", "pattern": VARIABLE}),
                mapping_of(or_nothing(_reference("secret")), VARIABLE),
            ),
        ),
        Key("externals", "third parties by name", "none", mapping_of(_reference("external"), NAME)),
        Key(
            "endpoints",
            "`SERVICE:PORT`, published to tests beside every service with `ports`",
            "none",
            list_of(ENDPOINT),
        ),
        Key("profiles", "how the clone is scaled, by name", "`default`", mapping_of(or_nothing(_reference("profile")))),
        Key("tests", "the suites, by name", "none", mapping_of(_reference("suite"), NAME)),
    ),
    {},
)

_MANAGED = Group(
    "managed",
    "What a cloud runs in production in the service's place.",
    (
        Key("service", "`rds`, `elasticache`, `sqs` or `s3`", "", choices(("rds", "elasticache", "sqs", "s3"))),
        Key("name", "its name there: an instance's identifier, a queue's or bucket's name", "", TEXT),
        Key("engine", "of RDS and ElastiCache, as the cloud says it, such as `aurora-postgresql`", "none", TEXT),
        Key("version", "the engine's, as the cloud says it", "none", TEXT),
        Key("database", "the database that it was made with", "none", TEXT),
        Key("user", "its first user", "none", TEXT),
        Key("password", "the declared secret that is this user's password", "none", TEXT),
        Key(
            "options",
            "settings that a program may notice, such as `fifo`",
            "none",
            mapping_of(or_nothing(TEXT)),
        ),
    ),
    {},
)

_SERVICE = Group(
    "service",
    "What Understudy needs to know of one service.",
    (
        Key("kind", f"one of {', '.join(f'`{kind}`' for kind in KINDS)}", "see [below](#kinds)", choices(KINDS)),
        Key("managed", "what a cloud runs in its place in production", "none", _reference("managed")),
        Key("on_aws", "what a database or cache is with `--target aws`", "a container", _reference("onAws")),
    ),
    {},
)

_ON_AWS = Group(
    "onAws",
    "What a database or cache is in a clone on AWS, instead of a container.",
    (
        Key(
            "form",
            "`shared`: a database, or a cache's user and keys, on the platform's instance; of databases also "
            "`instance`: an empty one of RDS; `snapshot`: one of RDS from a snapshot; `aurora-clone`: a copy-on-write "
            "clone of a cluster",
            "",
            choices(ON_AWS_FORMS),
        ),
        Key(
            "source",
            "the identifier of the snapshot or cluster",
            "the newest automated snapshot of production's instance; production's cluster",
            TEXT,
        ),
        Key("instance_class", "such as `db.t4g.medium`", "production's", TEXT),
        Key(
            "storage",
            "GB of the disk of an empty instance, at least 20",
            "production's, else 20",
            whole(20, None, _GB),
        ),
    ),
    {},
)

GROUPS: Mapping[str, Group] = {
    group.name: group
    for group in (
        *(_TOP, _SECRET, _EXTERNAL, _PROFILE, _PROFILE_OF_SERVICE, _SUITE),
        *(_SERVICE, _MANAGED, _ON_AWS),
    )
}
"""Every mapping of ours, by the name that it has in the schema."""


def keys_of(group: str) -> tuple[str, ...]:
    """The keys that a mapping may have, in the order in which they are told."""
    return tuple(key.name for key in GROUPS[group].keys)


def _definition(group: Group) -> Shape:
    required = [key.name for key in group.keys if not key.default]
    properties = {
        key.name: {"description": _plain(key), **(or_nothing(key.shape) if key.default else key.shape)}
        for key in group.keys
    }
    return {
        "description": group.meaning,
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        **({"required": required} if required else {}),
        **group.rules,
    }


def _plain(key: Key) -> str:
    """The meaning as an editor shows it, which knows no links of a page."""
    default = key.default.partition("[")[0].removesuffix("see ")
    told = key.meaning[0].upper() + key.meaning[1:] if key.meaning[0] != "`" else key.meaning
    return f"{told}. Default: {default}." if default else f"{told}."


def schema() -> Mapping[str, object]:
    """The JSON Schema (draft 7) of a Compose file's extension keys; all else in the file is left to Compose's own."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "The extension keys of Understudy in a Compose file",
        "type": "object",
        "properties": {
            "x-understudy": or_nothing(_reference("extension")),
            "services": {
                "additionalProperties": {"properties": {"x-understudy": or_nothing(_reference("service"))}},
            },
        },
        "definitions": {name: _definition(group) for name, group in GROUPS.items()},
    }
