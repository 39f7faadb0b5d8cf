"""docs/topology.md: its tables are the schema's keys, and each of its examples means what the page says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

from understudy.stacks.clone import Clone
from understudy.stacks.derive import derive, profile_named
from understudy.stacks.profile import Profile, ServiceProfile
from understudy.stacks.secret_rules import SecretRule
from understudy.stacks.sources import compose
from understudy.stacks.sources.extension_keys import GROUPS, keys_of, schema
from understudy.stacks.topology import Managed, Need, OnAws, Suite, Topology

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "topology.md").read_text(encoding="utf-8")
TABLES = {
    "extension": "The extension keys",
    "secret": "Secrets",
    "external": "Third parties",
    "profile": "Profiles",
    "serviceProfile": "Profiles",
    "suite": "Tests",
    "service": "Kinds",
    "managed": "Managed services",
    "onAws": "Databases on AWS",
}
"""The table of keys -> the heading that it stands below."""

PLACES = {
    "extension": ("x-understudy",),
    "secret": ("x-understudy", "secrets", "*"),
    "external": ("x-understudy", "externals", "*"),
    "profile": ("x-understudy", "profiles", "*"),
    "serviceProfile": ("x-understudy", "profiles", "*", "services", "*"),
    "suite": ("x-understudy", "tests", "*"),
    "service": ("services", "*", "x-understudy"),
    "managed": ("services", "*", "x-understudy", "managed"),
    "onAws": ("services", "*", "x-understudy", "on_aws"),
}


def sections() -> dict[str, str]:
    parts = re.split(r"^#+ (.*)\n", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def examples(title: str) -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```$", sections()[title], re.MULTILINE | re.DOTALL)


def table(group: str) -> list[str]:
    found = re.search(rf"<!-- keys: {group} -->\n(.*?)<!-- end of keys -->", sections()[TABLES[group]], re.DOTALL)
    assert found, f"the page has no table of {group}"
    return re.findall(r"^\| `(\w+)` \|", found[1], re.MULTILINE)


def at(value: Any, place: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    if not place:
        yield from [value] if isinstance(value, Mapping) else []
    elif isinstance(value, Mapping):
        names = list(value) if place[0] == "*" else [place[0]]
        for name in names:
            yield from at(value.get(name), place[1:])


def read(text: str) -> Topology:
    topology = compose.read(text, "compose.yaml", variables={}, read_file=lambda _path: None)
    assert topology.warnings == ()
    return topology


def cloned(text: str, profile: str = "default") -> Clone:
    topology = read(text)
    return derive(topology, topology, commit="c", profile=profile_named(topology, profile), unchanged_builds={})


@pytest.mark.parametrize("group", GROUPS)
def test_every_key_of_the_schema_is_on_the_page_and_the_other_way_round(group: str) -> None:
    definitions: Any = schema()["definitions"]
    assert table(group) == list(definitions[group]["properties"]) == list(keys_of(group))


@pytest.mark.parametrize("group", GROUPS)
def test_every_key_has_an_example(group: str) -> None:
    documents = [YAML(typ="safe").load(text) for title in sections() for text in examples(title)]
    shown = {key for document in documents for found in at(document, PLACES[group]) for key in found}
    assert shown == set(keys_of(group))


@pytest.mark.parametrize("title", [title for title in sections() if examples(title)])
def test_every_example_is_valid_by_the_schema(title: str) -> None:
    for text in examples(title):
        plain = json.loads(json.dumps(YAML(typ="safe").load(text)))
        assert list(Draft7Validator(schema()).iter_errors(plain)) == []


def whole() -> None:
    topology = read(examples("The extension keys")[0])
    clone = cloned(examples("The extension keys")[0])
    assert topology.secrets == ("DB_PASSWORD",)
    assert [(mock.host, mock.port, mock.folder) for mock in clone.mocks] == [
        ("api.payments.example", 443, "mocks/payments")
    ]
    assert {(each.service, each.port) for each in clone.endpoints} >= {("web", 80), ("db", 5432), ("jobs", 6379)}
    assert clone.topology.services["web"].replicas == 1
    assert cloned(examples("The extension keys")[0], "load").topology.services["web"].replicas == 3
    assert cloned(examples("The extension keys")[0], "load").open_network
    assert [suite.name for suite in topology.suites] == ["integration", "contract"]
    assert topology.services["jobs"].kind == "queue"
    assert "dev-password" not in str(clone.topology.services)


def editors() -> None:
    assert read(examples("For editors")[0]).profiles["default"].memory == 256 * 1024**2


def secrets() -> None:
    topology = read(examples("Secrets")[0])
    assert dict(topology.secret_rules) == {
        "PIN": SecretRule(6, "0123456789"),
        "STRIPE_KEY": SecretRule(24, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "sk_test_{}"),
        "TENANT": SecretRule(format="uuid"),
        "ADMIN_PASSWORD": SecretRule(16, None, "password"),
    }
    assert set(topology.secrets) == {*topology.secret_rules, "DB_PASSWORD"}


def third_parties() -> None:
    topology = read(examples("Third parties")[0])
    found = {name: (each.scheme, each.port, each.mock, each.allow) for name, each in topology.externals.items()}
    assert found == {
        "payments": ("https", 443, "mocks/payments", False),
        "rates": ("http", 8080, "mocks/rates", False),
        "map": ("https", 443, None, True),
        "mail": ("http", 587, None, False),
    }
    assert [mock.name for mock in cloned(examples("Third parties")[0]).mocks] == ["payments", "rates"]


def endpoints() -> None:
    clone = cloned(examples("Endpoints")[0])
    assert [(each.service, each.port) for each in clone.endpoints] == [("web", 80), ("db", 5432)]


def profiles() -> None:
    text = examples("Profiles")[0]
    assert read(text).profiles == {
        "default": Profile(
            "default",
            replicas=1,
            memory=512 * 1024**2,
            without=("search",),
            services={"worker": ServiceProfile(2, 0.5, 1024**3)},
        ),
        "load": Profile("load", network="open", cpus=2),
    }
    services = cloned(text).topology.services
    assert sorted(services) == ["web", "worker"]
    assert (services["web"].replicas, services["worker"].replicas) == (1, 2)
    assert services["web"].depends_on == ()
    assert cloned(text, "load").topology.services["worker"].replicas == 6


def tests() -> None:
    integration, contract, schema, inside = read(examples("Tests")[0]).suites
    assert integration == Suite("integration", ("pytest", "-q"), "tests", ".venv/bin/python", 300, 2, retries=1)
    assert contract == Suite("contract", ("make", "check"), timeout=90, environment={"STRICT": "1"})
    assert schema == Suite("schema", ("pytest", "schema"), needs=(Need("db", 5432), Need("payments")))
    assert (inside.image, inside.runs_on, inside.needs) == ("example/tests:1", "network", (Need("web"),))
    assert (inside.inputs, schema.inputs) == (("openapi.yaml",), None)
    clone = cloned(examples("Tests")[0])
    assert [(e.service, e.port) for e in clone.endpoints] == [("web", 80), ("db", 5432), ("payments", 80)]
    (published,) = (change for change in clone.changes if change.path == "services.db.ports.5432/tcp")
    assert (published.production, published.clone) == (None, "relay:5432")
    assert "suite 'schema' needs it" in published.reason


def kinds() -> None:
    services = read(examples("Kinds")[0]).services
    assert {name: service.kind for name, service in services.items()} == {
        "web": "service",
        "jobs": "queue",
        "seed": "job",
        "db": "database",
    }


def managed() -> None:
    services = read(examples("Managed services")[0]).services
    assert services["db"].managed == Managed("rds", "shop-db", "postgres", "15.4", "shop", "shop", "PGPASSWORD")
    assert services["mail"].managed == Managed("sqs", "mail", options={"fifo": "true"})


def on_aws() -> None:
    services = read(examples("Databases on AWS")[0]).services
    assert {name: (service.kind, service.on_aws) for name, service in services.items()} == {
        "db": ("database", OnAws("snapshot", instance_class="db.t4g.medium")),
        "stock": ("database", OnAws("instance", instance_class="db.t4g.micro", storage=50)),
        "orders": ("database", OnAws("aurora-clone", source="orders-production")),
        "users": ("database", OnAws("shared")),
    }


MEANINGS: Mapping[str, Callable[[], None]] = {
    "The extension keys": whole,
    "For editors": editors,
    "Secrets": secrets,
    "Third parties": third_parties,
    "Endpoints": endpoints,
    "Profiles": profiles,
    "Tests": tests,
    "Kinds": kinds,
    "Managed services": managed,
    "Databases on AWS": on_aws,
}


@pytest.mark.parametrize("title", [title for title in sections() if examples(title)])
def test_every_example_means_what_the_page_says(title: str) -> None:
    MEANINGS[title]()
