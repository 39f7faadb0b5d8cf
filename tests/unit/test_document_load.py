"""Documents as Compose prints them: short forms, defaults, names, types, and the place of each value."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from understudy.stacks.sources.document import Document, load, printed
from understudy.stacks.sources.document.tree import get
from understudy.stacks.topology import TopologyError


def loaded(text: str, files: Mapping[str, str] | None = None, **more: Any) -> Document:
    """The document `compose.yaml` with other files beside it."""
    given = {"compose.yaml": text, **(files or {})}
    more.setdefault("variables", {})
    more.setdefault("project", "p")
    names = more.pop("names", ("compose.yaml",))
    return load(names, read_file=lambda name: given[name].encode() if name in given else None, **more)


def shown(text: str, files: Mapping[str, str] | None = None, **more: Any) -> Any:
    return printed(loaded(text, files, **more).root, "/p")


def service(keys: str, **more: Any) -> dict[str, Any]:
    """What is printed of one service, less what is printed of every one."""
    found = shown("services: {web: {image: a, " + keys + "}}\n" + more.pop("rest", ""), **more)["services"]["web"]
    return {key: value for key, value in found.items() if value is not None and key not in {"image", "networks"}}


def test_a_small_document_is_printed_whole() -> None:
    assert shown("services: {web: {image: a}}") == {
        "name": "p",
        "services": {"web": {"image": "a", "command": None, "entrypoint": None, "networks": {"default": None}}},
        "networks": {"default": {"name": "p_default", "ipam": {}}},
    }


@pytest.mark.parametrize(
    ("keys", "result"),
    [
        (
            "environment: {A: 1, B: true, C: 1.10, D: 1e6, E: }",
            {"A": "1", "B": "true", "C": "1.1", "D": "1e+06", "E": None},
        ),
        ("environment: [A=1, B=, C]", {"A": "1", "B": "", "C": None}),
        ("labels: [a, b=1]", {"a": "", "b": "1"}),
        ("labels: {a: , b: 1}", {"a": "", "b": "1"}),
        ("command: sh -c 'a b' > x", ["sh", "-c", "a b"]),
        ('entrypoint: ""', []),
        (
            "healthcheck: {test: a b, interval: 90s, retries: '3'}",
            {"test": ["CMD-SHELL", "a b"], "interval": "1m30s", "retries": 3},
        ),
        ("healthcheck: {disable: true}", {"disable": True}),
        ("depends_on: [db]", {"db": {"condition": "service_started", "required": True}}),
        ("links: ['db:x']", ["db:x"]),
        ("ulimits: {nofile: 5, nproc: {soft: 0, hard: 5}}", {"nofile": 5, "nproc": {"hard": 5}}),
        ("mem_limit: 1.5g", "1610612736"),
        ("memswap_limit: -1", "-1"),
        ("cpus: '0.1'", 0.1),
        ("gpus: all", [{"count": -1}]),
        (
            "devices: ['/a:/b:r', /c]",
            [
                {"source": "/a", "target": "/b", "permissions": "r"},
                {"source": "/c", "target": "/c", "permissions": "rwm"},
            ],
        ),
        ("extra_hosts: ['b:1.1.1.1', 'a=[::1]']", ["a=::1", "b=1.1.1.1"]),
        ("env_file: []", {}),
        ("stop_grace_period: 1d", "24h0m0s"),
        ("deploy: {}", {"resources": {}, "placement": {}}),
        ("tmpfs: /a", ["/a"]),
        ("build: ./web", {"context": "/p/web", "dockerfile": "Dockerfile"}),
        ("build: 'https://github.com/a/b.git'", {"context": "https://github.com/a/b.git", "dockerfile": "Dockerfile"}),
        ("pull_policy: if_not_present", "missing"),
    ],
)
def test_forms_are_made_one(keys: str, result: object) -> None:
    found = (
        service(keys, rest="")
        if "db" not in keys
        else shown("services: {web: {image: a, " + keys + "}, db: {image: b}}")["services"]["web"]
    )
    assert found.get(keys.partition(":")[0], {}) == result


@pytest.mark.parametrize(
    ("port", "result"),
    [
        ("80", [{"target": 80}]),
        ("8080:80/udp", [{"target": 80, "published": "8080", "protocol": "udp"}]),
        ("127.0.0.1::80", [{"target": 80, "host_ip": "127.0.0.1"}]),
        ("'[::1]:1:2'", [{"target": 2, "published": "1", "host_ip": "::1"}]),
        ("5-6:7-8", [{"target": 7, "published": "5"}, {"target": 8, "published": "6"}]),
        ("5-6:7", [{"target": 7, "published": "5-6"}]),
        ("{target: '80', published: 1}", [{"target": 80, "published": "1"}]),
    ],
)
def test_ports(port: str, result: list[dict[str, Any]]) -> None:
    assert service(f"ports: [{port}]")["ports"] == [{"mode": "ingress", "protocol": "tcp", **item} for item in result]


@pytest.mark.parametrize(
    ("mount", "result"),
    [
        (
            "./a:/b:ro,z",
            {
                "type": "bind",
                "source": "/p/a",
                "target": "/b",
                "read_only": True,
                "bind": {"selinux": "z", "create_host_path": True},
            },
        ),
        ("../a:/b/", {"type": "bind", "source": "/a", "target": "/b", "bind": {"create_host_path": True}}),
        ("~/a:/b", {"type": "bind", "source": "/home/a", "target": "/b", "bind": {"create_host_path": True}}),
        ("data:/b:nocopy", {"type": "volume", "source": "data", "target": "/b", "volume": {"nocopy": True}}),
        ("/data", {"type": "volume", "target": "/data", "volume": {}}),
        ("{type: bind, source: ., target: /b}", {"type": "bind", "source": "/p", "target": "/b"}),
        (
            "{type: tmpfs, target: /b, tmpfs: {size: 1k, mode: 0700}}",
            {"type": "tmpfs", "target": "/b", "tmpfs": {"size": "1024", "mode": 448}},
        ),
    ],
)
def test_mounts(mount: str, result: dict[str, Any]) -> None:
    assert service(
        f"volumes: ['{mount}']" if mount[0] != "{" else f"volumes: [{mount}]", rest="volumes: {data: }", home="/home"
    )["volumes"] == [result]


def test_resources_get_names_and_those_unused_go() -> None:
    found = shown(
        "services: {web: {image: a, networks: [n], volumes: ['vol:/v'], secrets: [s], configs: [c]}}\n"
        "networks: {n: {external: true}, m: {}}\n"
        "volumes: {vol: {name: x}, w: {}}\n"
        "secrets: {s: {file: ./s}, t: {environment: T}}\n"
        "configs: {c: {content: 'a$$b'}}\n"
    )
    assert found["networks"] == {"n": {"name": "n", "external": True, "ipam": {}}}
    assert found["volumes"] == {"vol": {"name": "x"}}
    assert found["secrets"] == {"s": {"name": "p_s", "file": "/p/s"}}
    assert found["configs"] == {"c": {"name": "p_c", "content": "a$$b"}}
    assert found["services"]["web"]["secrets"] == [{"source": "s", "target": "/run/secrets/s"}]


def test_what_a_service_uses_of_another_is_a_dependency() -> None:
    found = shown(
        "services:\n"
        "  web: {image: a, links: ['b:x'], volumes_from: ['c:ro'], network_mode: 'service:d'}\n"
        "  b: {image: b}\n  c: {image: c}\n  d: {image: d}\n"
    )["services"]["web"]["depends_on"]
    assert {name: entry.get("restart", False) for name, entry in found.items()} == {
        "b": True,
        "c": False,
        "d": True,
    }


def test_services_of_inactive_profiles_are_left_out_with_the_reason() -> None:
    text = (
        "services:\n"
        "  web: {image: a, depends_on: {dbg: {condition: service_started, required: false}}}\n"
        "  dbg: {image: b, profiles: [debug]}\n"
    )
    document = loaded(text)
    assert document.inactive == {"dbg": "it has the profile debug"}
    assert set(printed(document.root, "/p")["services"]) == {"web"}
    for more in ({"profiles": ["debug"]}, {"profiles": ["*"]}, {"variables": {"COMPOSE_PROFILES": "x, debug"}}):
        assert set(shown(text, **more)["services"]) == {"web", "dbg"}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"project": None, "folder": "My Folder_1"}, "myfolder_1"),
        ({"project": None, "folder": "x", "variables": {"COMPOSE_PROJECT_NAME": "env"}}, "env"),
        ({"project": "flag", "variables": {"COMPOSE_PROJECT_NAME": "env"}}, "flag"),
    ],
)
def test_the_projects_name(given: dict[str, Any], name: str) -> None:
    assert loaded("services: {web: {image: a}}", **given).name == name


def test_the_projects_name_is_interpolated_and_known_to_the_document() -> None:
    found = shown("name: A-${X:-b}\nservices: {web: {image: '$COMPOSE_PROJECT_NAME'}}", project=None)
    assert (found["name"], found["services"]["web"]["image"]) == ("a-b", "a-b")


def test_each_value_keeps_its_place_under_its_new_path() -> None:
    document = loaded("services:\n  web:\n    image: a\n    ports:\n      - '80:81'\n")
    ports = get(document.root, "services", "web", "ports")
    assert ports is not None
    assert isinstance(ports.value, tuple)
    target = get(ports.value[0], "target")
    assert target is not None
    assert str(target.where) == "compose.yaml:5:9: services.web.ports[0].target"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("services: {web: {image: a, prots: []}}", "1:28: services.web.prots", "the nearest: ports"),
        (
            "services: {web: {image: a, bogus: 1}}",
            "1:28: services.web.bogus",
            "docs/compose-keys.md lists those that are",
        ),
        (
            "services: {web: {image: a, logging: {drivr: x}}}",
            "1:38: services.web.logging.drivr",
            "driver; allowed are driver, options",
        ),
        ("services: {web: {image: a, user: 1}}", "1:34: services.web.user", "allowed is a text"),
        ("services: {web: {image: a, environment: {D: 2024-01-01}}}", "1:45", "a date that is not in quotes"),
        ("services: {web: {image: a, environment: }}", "1:40", "allowed is a mapping or a list"),
        ("services: {web: {image: a, security_opt: [a, a]}}", "1:46", "stands twice"),
        ("services: {web: {image: a, scale: -1}}", "1:35", "at least 0"),
        ("services: {web: {image: a, cpu_percent: 101}}", "1:41", "at most 100"),
        ("services: {web: {image: a, privileged: maybe}}", "1:40", "neither true nor false"),
        ("services: {web: {image: a, volumes: [{type: bind, target: /a}]}}", "1:38", "'source' is missing"),
        ("services: {web: {image: a, volumes: [{source: a, target: /a}]}}", "1:38", "'type' is missing"),
        ("services: {web: {image: a, ports: ['1.2.3:1:1']}}", "1:36", "no IP address"),
        ("services: {web: {image: a, ports: ['1-2:3-5']}}", "1:36", "differ in length"),
        ("services: {web: {}}", "1:17: services.web", "neither 'image' nor 'build'"),
        ("services: {web: {image: a, networks: [n]}}", "1:39", "not declared in 'networks'"),
        ("services: {web: {image: a, depends_on: [x]}}", "1:41", "not declared"),
        ("services: {a: {image: a, depends_on: [b]}, b: {image: b, depends_on: [a]}}", "1:", "in a circle"),
        ("services: {web: {image: a, network_mode: host, networks: [n]}}\nnetworks: {n: }", "1:42", "exclude each"),
        ("services: {web: {image: a, healthcheck: {test: [x]}}}", "1:49", "begins with CMD"),
        ("services: {web: {image: a, scale: 2, container_name: web}}", "1:54", "cannot have one name"),
        ("services: {web: {image: a, container_name: w1}, b: {image: a, container_name: w1}}", "1:79", "already"),
        ("services: {web: {image: a, tmpfs: [/a], volumes: ['./x:/a']}}", "1:51", "mounted already"),
        ("services: {web: {image: a}}\nvolumes: {v: {external: true, driver: x}}", "2:39", "beside 'external: true'"),
        ("services: {web: {image: a}}\nsecrets: {s: {}}", "2:14", "one of file, environment"),
        ("services: {web: {image: a}}\n---\n", "3:1", "is empty"),
        ("- a", "1:1", "has a list at its top"),
        ("", "1:1", "is empty"),
    ],
)
def test_what_compose_refuses_is_refused_with_its_place(text: str, place: str, message: str) -> None:
    with pytest.raises(TopologyError) as caught:
        loaded(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"compose.yaml:{place}")


def test_extensions_stay_at_the_top_of_json_and_everywhere_in_the_tree() -> None:
    document = loaded("x-top: {a: $$1}\nservices: {web: {image: a, x-understudy: {kind: queue}}}")
    assert json.loads(json.dumps(printed(document.root, "/p")))["x-top"] == {"a": "$$1"}
    assert "x-understudy" not in printed(document.root, "/p")["services"]["web"]
    assert get(document.root, "services", "web", "x-understudy", "kind") is not None
