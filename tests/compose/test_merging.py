"""Merging of generated documents: what Compose makes of two and three files, and laws that hold without it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from compose import oracle
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from understudy.stacks.sources.document import load, printed
from understudy.stacks.topology import TopologyError

ENV_FILES = {"one.env": b"A=1\nFILE=one\n", "two.env": b"A=2\nOTHER=two\n", "x.label": b"a=file\nf=1\n"}
VARIABLES = {"GIVEN": "given"}


@dataclass(frozen=True)
class Tagged:
    tag: str
    value: Any


def written(value: Any) -> str:
    """Plain data and tags as YAML in flow style."""
    if isinstance(value, Tagged):
        return f"{value.tag} {written(value.value)}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {written(child)}" for key, child in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def some(*choices: Any, least: int = 0) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(choices), min_size=least, max_size=3, unique_by=json.dumps)


def mapping(keys: Sequence[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(keys), values, max_size=3)


def part(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=parts)


def either(name: Sequence[str], *, bare: bool = True) -> st.SearchStrategy[Any]:
    """A mapping, or a list of `key=value`, with and without values."""
    values = st.sampled_from(("", "x", "a=b", 1, 1.5, True, *((None,) if bare else ())))
    entries = [f"{key}={value}" for key in name for value in ("", "1", "a=b")]
    return mapping(name, values) | some(*entries, *(name if bare else ()))


WORDS = st.sampled_from(("run", "run --all 'a b'", "")) | some("run", "--all", "a b")
PORTS = some(
    80,
    "80",
    "80:80",
    "81:80",
    "127.0.0.1:80:80",
    "80:80/udp",
    "90-91:90-91",
    {"target": 80},
    {"target": 80, "published": "80"},
    {"target": 80, "published": "80", "name": "web"},
    {"target": 90, "published": "90", "protocol": "udp", "mode": "host"},
)
MOUNTS = some(
    "/a",
    "./b:/a",
    "./c:/c:ro",
    "./c/../d:/c/",
    {"type": "bind", "source": "./e", "target": "/c"},
    {"type": "tmpfs", "target": "/t", "tmpfs": {"size": "1m"}},
    {"type": "volume", "target": "/a", "volume": {"nocopy": True}},
)
FILES = ("f1", "f2", {"source": "f1", "target": "/x"}, {"source": "f2", "target": "/x"}, {"source": "f1", "mode": 288})
LIMIT = st.integers(1, 9) | part(soft=st.integers(1, 4), hard=st.integers(5, 9)).filter(lambda limit: len(limit) == 2)
DEPENDENCY = st.fixed_dictionaries(
    {"condition": st.sampled_from(("service_started", "service_healthy"))}, optional={"restart": st.booleans()}
)
ENDPOINT = st.none() | part(aliases=some("a", "b", "c"), ipv4_address=st.sampled_from(("10.0.0.1", "10.0.0.2")))
POOL = st.fixed_dictionaries(
    {"subnet": st.sampled_from(("10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16"))},
    optional={"gateway": st.sampled_from(("10.0.0.1", "10.1.0.1")), "ip_range": st.just("10.0.1.0/24")},
)

SERVICE: Mapping[str, st.SearchStrategy[Any]] = {
    "environment": either(("A", "B", "GIVEN", "ABSENT")),
    "labels": either(("a", "b", "c")),
    "annotations": either(("a", "b")),
    "sysctls": either(("n.a", "n.b"), bare=False),
    "command": WORDS,
    "entrypoint": WORDS,
    "restart": st.sampled_from(("always", "no", "on-failure:3")),
    "hostname": st.sampled_from(("h1", "h2")),
    "healthcheck": part(
        test=st.sampled_from(("curl x", ["CMD", "a"], ["NONE"])),
        interval=st.sampled_from(("5s", "1m")),
        retries=st.integers(1, 3),
        disable=st.booleans(),
    ),
    "build": st.sampled_from(("./one", "./two"))
    | part(
        context=st.sampled_from(("./one", ".")),
        target=st.sampled_from(("t1", "t2")),
        args=either(("X", "Y", "GIVEN")),
        labels=either(("l", "m")),
        tags=some("t:1", "t:2"),
        cache_from=some("c1", "c2"),
        additional_contexts=mapping(("r", "s"), st.just("./ctx")) | some("r=./other"),
        extra_hosts=mapping(("h",), st.just("10.0.0.1")) | some("h=10.0.0.1", "h=10.0.0.2"),
    ),
    "depends_on": some("d1", "d2") | mapping(("d1", "d2"), DEPENDENCY),
    "networks": some("front", "back") | mapping(("front", "back"), ENDPOINT),
    "ports": PORTS,
    "volumes": MOUNTS,
    "expose": some("80", 80, "81", "82/udp"),
    "dns": st.sampled_from(("1.1.1.1", "8.8.8.8")) | some("1.1.1.1", "8.8.8.8"),
    "dns_search": st.just("a.example") | some("a.example", "b.example"),
    "dns_opt": some("use-vc", "no-tld-query"),
    "tmpfs": st.just("/run") | some("/run", "/scratch:size=1m", "/scratch:size=2m"),
    "cap_add": some("NET_ADMIN", "SYS_TIME"),
    "security_opt": some("a:b", "c:d"),
    "group_add": some("audio", "1000"),
    "devices": some("/dev/a", "/dev/b:/dev/a", "/dev/c:/dev/d:r", {"source": "/dev/e", "target": "/dev/d"}),
    "extra_hosts": mapping(("h", "i"), st.sampled_from(("10.0.0.1", ["10.0.0.1", "10.0.0.2"])))
    | some("h=10.0.0.1", "h:10.0.0.3", "i=::1"),
    "env_file": st.sampled_from(("one.env", "two.env"))
    | some("one.env", "two.env", {"path": "one.env"}, {"path": "none.env", "required": False}),
    "label_file": st.just("x.label") | some("x.label"),
    "logging": part(
        driver=st.sampled_from(("json-file", "syslog")), options=mapping(("max-size", "tag"), st.sampled_from(("1", 2)))
    ),
    "ulimits": mapping(("nofile", "nproc"), LIMIT),
    "deploy": part(
        replicas=st.integers(0, 3),
        labels=either(("a", "b")),
        placement=part(constraints=some("a==b", "c==d")),
        resources=part(limits=part(memory=st.sampled_from(("64M", "1g"))), reservations=part(cpus=st.just("0.5"))),
    ),
    "configs": some(*FILES),
    "secrets": some(*FILES),
    "storage_opt": mapping(("size", "other"), st.sampled_from(("1G", "2G"))),
    "post_start": some({"command": "a"}, {"command": ["b", "c"], "user": "root"}),
    "x-own": mapping(("a", "b"), st.integers(0, 3)) | some(1, 2),
}
NETWORK = part(
    driver=st.sampled_from(("bridge", "overlay")),
    internal=st.booleans(),
    labels=either(("a", "b")),
    driver_opts=mapping(("m", "n"), st.sampled_from(("1", 2))),
    ipam=part(driver=st.just("default"), config=st.lists(POOL, max_size=3)),
)
VOLUME = part(
    driver=st.sampled_from(("local", "other")), labels=either(("a", "b")), driver_opts=mapping(("m", "n"), st.just("1"))
)


@st.composite
def layers(draw: st.DrawFn, count: int = 2) -> list[dict[str, Any]]:
    """Parts of one service and its network and volume, as `count` files say them; most keys stand in several files."""
    keys = draw(st.sets(st.sampled_from(sorted(SERVICE)), min_size=1, max_size=4))
    found: list[dict[str, Any]] = []
    for _ in range(count):
        service: dict[str, Any] = {}
        for key in sorted(keys):
            value = draw(st.none() | SERVICE[key] | SERVICE[key])
            how = draw(st.sampled_from(("", "", "", "", "", "!override", "!reset"))) if found else ""
            if value is not None or how == "!reset":
                service[key] = Tagged(how, value) if how else value
        found.append({"service": service, "network": draw(NETWORK), "volume": draw(VOLUME)})
    return found


def documents(parts: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, bytes]:
    """Files, each with all the parts side by side: `s0`, `s1` and so on."""
    files: dict[str, bytes] = dict(ENV_FILES)
    for level in range(len(parts[0])):
        document: dict[str, Any] = {"services": {}, "networks": {"front": {}, "back": {}}, "volumes": {}}
        if level == 0:
            document["services"] = {"d1": {"image": "i"}, "d2": {"image": "i"}}
            document["configs"] = document["secrets"] = {"f1": {"file": "./f1"}, "f2": {"file": "./f2"}}
        for number, layer in enumerate(parts):
            base = {"image": "i"} if level == 0 else {}
            document["services"][f"s{number}"] = base | layer[level]["service"]
            document["networks"][f"n{number}"] = layer[level]["network"]
            document["volumes"][f"v{number}"] = layer[level]["volume"]
            user = {"image": "i", "networks": {f"n{number}": None}, "volumes": [f"v{number}:/v"]}
            document["services"][f"u{number}"] = user if level == 0 else {}
        files[f"{level}.yaml"] = written(document).encode()
    return files


def names(files: Mapping[str, bytes]) -> list[str]:
    return sorted(name for name in files if name.endswith(".yaml"))


def show(files: Mapping[str, bytes], folder: str = "/project", order: Sequence[str] = ()) -> Any:
    """What is printed of the files."""
    document = load(order or names(files), read_file=files.get, variables=VARIABLES, folder="project")
    return printed(document.root, folder)


def taken(parts: Sequence[Sequence[Mapping[str, Any]]]) -> bool:
    try:
        show(documents(parts))
    except TopologyError:
        return False
    return True


ORACLE = settings(max_examples=8, derandomize=True, suppress_health_check=list(HealthCheck))


def put(folder: Path, files: Mapping[str, bytes]) -> Path:
    project = folder / "project"
    project.mkdir()
    for name, text in files.items():
        (project / name).write_bytes(text)
    return project


@pytest.mark.compose
@pytest.mark.parametrize("count", [2, 3])
@ORACLE
@given(data=st.data())
def test_compose_makes_the_same_of_several_files(
    count: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    parts = [layer for layer in data.draw(st.lists(layers(count), min_size=8, max_size=12)) if taken([layer])]
    assume(parts)
    files = documents(parts)
    project = put(tmp_path_factory.mktemp("case"), files)
    theirs = oracle.config(project, names(files), variables=VARIABLES).data
    assert show(files, str(project)) == theirs


CONFLICTS: tuple[tuple[str, Any, Any], ...] = (
    ("security_opt", ["a:b"], ["a:b"]),
    ("group_add", ["audio"], ["audio"]),
    ("ports", ["80:80"], {"target": 80}),
    ("deploy", {"replicas": 1}, "one"),
    ("image", "i", ["i"]),
    ("restart", "always", True),
    ("configs", ["f1"], ["f3"]),
    ("networks", ["front"], ["absent"]),
    ("depends_on", ["d1"], {"absent": {"condition": "service_started"}}),
    ("volumes", ["/a"], ["absent:/b"]),
    ("tmpfs", ["/v"], ["/a:size=1m", "/a"]),
    ("healthcheck", {"test": ["CMD", "a"]}, {"test": ["a"]}),
    ("ulimits", {"nofile": 1}, {"nofile": {"soft": 1}}),
    ("mem_limit", "1g", "much"),
    ("expose", ["80"], [True]),
)


@pytest.mark.compose
@settings(ORACLE, max_examples=25)
@given(layer=layers(), conflict=st.sampled_from(CONFLICTS))
def test_compose_refuses_what_is_refused(
    layer: list[dict[str, Any]], conflict: tuple[str, Any, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    key, first, second = conflict
    for level, value in zip(layer, (first, second), strict=True):
        level["service"][key] = value
    files = documents([layer])
    answer = oracle.config(put(tmp_path_factory.mktemp("case"), files), names(files), variables=VARIABLES)
    assert (answer.code == 0) == taken([layer]), answer.err


LAWS = settings(max_examples=40, suppress_health_check=list(HealthCheck))


@LAWS
@given(layer=layers().filter(lambda layer: taken([layer])), empty=st.sampled_from((b"{}", b"services: {}")))
def test_an_empty_file_changes_nothing(layer: list[dict[str, Any]], empty: bytes) -> None:
    files = documents([layer])
    for order in (("e.yaml", "0.yaml", "1.yaml"), ("0.yaml", "e.yaml", "1.yaml"), ("0.yaml", "1.yaml", "e.yaml")):
        assert show(files | {"e.yaml": empty}, order=order) == show(files)


@LAWS
@given(layer=layers().filter(lambda layer: taken([layer])))
def test_documents_in_one_file_are_merged_as_files_are(layer: list[dict[str, Any]]) -> None:
    files = documents([layer])
    together = {name: text for name, text in files.items() if name in ENV_FILES}
    together["all.yaml"] = b"\n---\n".join(files[name] for name in names(files))
    assert show(together) == show(files)
