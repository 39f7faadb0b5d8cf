"""A topology written as a Compose file reads back to the same topology."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from understudy.stacks.clone import secret_token
from understudy.stacks.profile import LEAST_MEMORY, Profile
from understudy.stacks.secret_rules import SecretRule
from understudy.stacks.serial import topology_data
from understudy.stacks.sources import compose
from understudy.stacks.sources.compose_writer import write
from understudy.stacks.sources.yaml_writer import dump
from understudy.stacks.topology import (
    Build,
    Dependency,
    External,
    FileMount,
    HealthCheck,
    Logging,
    Managed,
    Mount,
    Need,
    Network,
    NetworkLink,
    OnAws,
    Port,
    Resources,
    Restart,
    Service,
    Suite,
    Topology,
    Ulimit,
    Volume,
)

ROOT = Path(__file__).resolve().parents[2]

NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,7}[a-z0-9]", fullmatch=True)
TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff") | st.sampled_from("${}:#'\"\\ \t\n-"),
    max_size=12,
)
"""Any text that a process can be given; what is special to YAML and to interpolation is frequent."""

KEYS = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True)
SECRETS = ("DB_PASSWORD", "TOKEN")
VALUES = TEXTS | st.sampled_from([secret_token(name) for name in SECRETS]) | st.just(f"a{secret_token('TOKEN')}$b")
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
SECONDS = st.integers(0, 10**6).map(lambda milliseconds: milliseconds / 1000)
PORTS = st.builds(
    Port,
    st.integers(1, 65535),
    st.none() | st.integers(1, 65535).map(str),
    st.sampled_from(["tcp", "udp"]),
    st.sampled_from([None, "127.0.0.1", "::1"]),
)
EXPOSED = st.builds(Port, st.integers(1, 65535), protocol=st.sampled_from(["tcp", "udp"]))
CHECKS = st.just(HealthCheck(("NONE",))) | st.builds(
    HealthCheck,
    st.none() | st.lists(VALUES, min_size=1, max_size=3).map(lambda words: ("CMD", *words)),
    st.none() | SECONDS,
    st.none() | SECONDS,
    st.none() | SECONDS,
    st.none() | st.integers(0, 9),
)
RESTARTS = st.sampled_from(["no", "always", "unless-stopped", "on-failure"]).map(Restart) | st.integers(0, 9).map(
    lambda attempts: Restart("on-failure", attempts)
)
RESOURCES = st.builds(
    Resources,
    st.none() | st.integers(1, 64000).map(lambda thousandths: thousandths / 1000),
    st.none() | st.integers(1, 1 << 40),
    st.none() | st.integers(1, 10**6),
    memory_reservation=st.none() | st.integers(1, 1 << 20),
    memory_swap=st.sampled_from([None, -1]),
    cpu_shares=st.none() | st.integers(2, 4096),
    cpuset=st.sampled_from([None, "0", "0-2,4"]),
    shm=st.none() | st.integers(1, 1 << 30),
)
SYSTEM = st.sampled_from(["net.core.somaxconn", "net.ipv4.ip_forward"])
FURTHER: Mapping[str, st.SearchStrategy] = {
    "domainname": st.none() | NAMES,
    "platform": st.sampled_from([None, "linux/amd64"]),
    "runtime": st.sampled_from([None, "runsc"]),
    "tty": st.booleans(),
    "stdin_open": st.booleans(),
    "cap_add": st.sampled_from([(), ("NET_BIND_SERVICE",)]),
    "cap_drop": st.sampled_from([(), ("ALL", "CHOWN")]),
    "security_opt": st.sampled_from([(), ("no-new-privileges:true",)]),
    "sysctls": st.dictionaries(SYSTEM, st.integers(0, 9).map(str), max_size=2),
    "ulimits": st.sampled_from([(), (Ulimit("nofile", 1024, 2048), Ulimit("nproc", 5, 5))]),
    "group_add": st.sampled_from([(), ("audio", "1000")]),
    "extra_hosts": st.sampled_from([(), (("legacy", "10.0.0.1"), ("six", "::1"))]),
    "dns": st.sampled_from([(), ("10.0.0.2",)]),
    "dns_search": st.sampled_from([(), ("internal", "example")]),
    "dns_opt": st.sampled_from([(), ("ndots:2",)]),
    "logging": st.none() | st.builds(Logging, st.just("json-file"), st.dictionaries(NAMES, TEXTS, max_size=2)),
    "ipc": st.sampled_from([None, "private", "shareable"]),
}
"""What a service may say besides, each independent of the others."""


PROFILES = st.builds(
    Profile,
    replicas=st.none() | st.integers(1, 9),
    network=st.sampled_from(["closed", "open"]),
    cpus=st.none() | st.integers(1, 4000).map(lambda thousandths: thousandths / 1000),
    memory=st.none() | st.integers(LEAST_MEMORY, 1 << 40),
)


MANAGED = st.builds(
    Managed,
    st.sampled_from(["rds", "elasticache", "sqs", "s3"]),
    NAMES,
    st.none() | st.just("postgres"),
    st.none() | st.sampled_from(["15.4", "7.1", "8.0.mysql_aurora.3.05.2"]),
    st.none() | NAMES,
    st.none() | TEXTS.filter(bool),
    st.none() | st.just("DB_PASSWORD"),
    st.dictionaries(NAMES, TEXTS, max_size=2),
)

ON_AWS = st.builds(
    OnAws,
    st.sampled_from(["instance", "snapshot", "aurora-clone"]),
    st.none() | st.just("rds:shop-db-2030-01-02"),
    st.none() | st.just("db.t4g.medium"),
    st.none() | st.integers(20, 1000),
)


def unique(strategy: st.SearchStrategy, **more: object) -> st.SearchStrategy:
    return st.lists(strategy, max_size=3, unique=True, **more).map(tuple)


def mapping(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.dictionaries(KEYS, values, max_size=3)


TOKEN_FILE = FileMount("secret", "token", "/run/secrets/token", content=secret_token("TOKEN"), mode=0o400)


def config(name: str, text: str) -> FileMount:
    return FileMount("config", f"{name}-conf", "/etc/app.conf", content=text, mode=0o440, uid="1")


@st.composite
def services(draw: st.DrawFn, name: str, others: tuple[str, ...], networks: list[str], volumes: list[str]) -> Service:
    """A service that depends on some of `others` and joins some of the networks and volumes."""
    mounts = [
        draw(
            st.builds(Mount, st.just("volume"), st.just(f"/v{index}"), st.sampled_from([None, *volumes]), st.booleans())
            | st.builds(Mount, st.just("bind"), st.just(f"/b{index}"), PATHS, st.booleans())
            | st.builds(
                Mount,
                st.just("tmpfs"),
                st.just(f"/t{index}"),
                st.none(),
                st.booleans(),
                st.sampled_from([(), (("mode", "1777"), ("size", "1024"))]),
            )
        )
        for index in range(draw(st.integers(0, 3)))
    ]
    joined = draw(unique(st.sampled_from(networks)))
    links = tuple(NetworkLink(network, draw(unique(NAMES))) for network in joined)
    replicas = draw(st.integers(1, 5))
    kind = draw(st.sampled_from(["service", "database", "cache", "queue", "gateway"]))
    image = draw(st.none() | st.sampled_from(["postgres:15", "example.com/team/web:1", "sha256:" + "a" * 64]))
    built = st.builds(Build, PATHS, st.just("Dockerfile") | PATHS, st.none() | NAMES, mapping(TEXTS))
    return Service(
        name,
        kind=kind,
        image=image,
        build=draw(built if image is None else st.none() | built),
        command=draw(st.none() | st.lists(VALUES, max_size=3).map(tuple)),
        entrypoint=draw(st.none() | st.lists(VALUES, max_size=3).map(tuple)),
        environment=draw(mapping(VALUES)),
        ports=draw(unique(PORTS)),
        expose=draw(unique(EXPOSED)),
        mounts=tuple(mounts),
        networks=links,
        hostname=draw(st.none() | NAMES),
        depends_on=tuple(
            Dependency(other, draw(st.sampled_from(["started", "healthy"])), draw(st.booleans()))
            for other in draw(unique(st.sampled_from(others)) if others else st.just(()))
        ),
        healthcheck=draw(st.none() | CHECKS),
        replicas=replicas,
        resources=draw(RESOURCES),
        restart=draw(RESTARTS),
        labels=draw(st.dictionaries(NAMES, TEXTS, max_size=2)),
        user=draw(st.none() | st.sampled_from(["1000", "app:app", "0"])),
        working_dir=draw(st.none() | PATHS.map(lambda path: f"/{path}")),
        init=draw(st.none() | st.booleans()),
        stop_signal=draw(st.none() | st.just("SIGINT")),
        stop_grace_period=draw(st.none() | SECONDS),
        read_only=draw(st.booleans()),
        container_name=draw(st.none() | st.just(f"c-{name}")) if replicas == 1 else None,
        managed=draw(st.none() | MANAGED),
        on_aws=draw(st.none() | ON_AWS),
        files=draw(st.just(()) | st.just((TOKEN_FILE,)) | TEXTS.filter(bool).map(lambda text: (config(name, text),))),
        **{key: draw(strategy) for key, strategy in FURTHER.items()},
    )


def needs(names: list[str]) -> st.SearchStrategy[tuple[Need, ...]]:
    return st.lists(st.builds(Need, st.sampled_from(names), st.none() | st.integers(1, 65535)), unique=True).map(tuple)


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    networks = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    volumes = draw(st.lists(NAMES, max_size=2, unique=True))
    made = {name: draw(services(name, tuple(names[:index]), networks, volumes)) for index, name in enumerate(names)}
    first = made[names[0]]
    secrets = {f"S{index}": secret_token(name) for index, name in enumerate(SECRETS)}
    made[names[0]] = replace(first, environment={**first.environment, **secrets})
    joined = {link.network for service in made.values() for link in service.networks}
    mounted = {m.source for s in made.values() for m in s.mounts if m.kind == "volume"}
    labels = st.dictionaries(NAMES, TEXTS, max_size=2)
    return Topology(
        draw(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True)),
        made,
        {name: Network(name, draw(st.booleans()), draw(labels)) for name in networks if name in joined},
        {name: Volume(name, draw(labels)) for name in volumes if name in mounted},
        {"pay": External("pay", "api.pay.example", draw(st.integers(1, 442)), draw(st.none() | PATHS))},
        secrets=SECRETS,
        suites=(
            Suite("all", ("pytest", draw(TEXTS)), "tests", timeout=60.0, environment={"A": draw(TEXTS)}),
            Suite(
                "in",
                ("x",),
                image="t:1",
                runs_on="network",
                needs=draw(needs(names)),
                retries=draw(st.integers(0, 3)),
                inputs=draw(st.sampled_from([None, (), ("a", "b/c")])),
            ),
        ),
        profiles=draw(st.dictionaries(NAMES, PROFILES, max_size=2)),
        secret_rules=draw(st.just({}) | st.just({"TOKEN": SecretRule(12, "abc$", "sk_{}")})),
        secret_stores=draw(st.just({}) | st.just({"TOKEN": "parameter"})),
        endpoints=tuple((names[0], port) for port in draw(unique(st.integers(1, 65535)))),
    )


def properties(topology: Topology) -> dict[str, object]:
    """Every leaf by its path, so that a difference is one line."""
    found: dict[str, object] = {}

    def walk(value: object, path: str) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                walk(item, f"{path}.{key}")
        else:
            found[path] = value

    walk(topology_data(topology), "")
    return found


def back(text: str, variables: Mapping[str, str] | None = None) -> Topology:
    return compose.read(text, "compose.yaml", variables=variables or {}, read_file=lambda _: None)


@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate])  # shrinking takes minutes
@given(topologies())
def test_what_is_written_reads_back_to_the_same_topology(topology: Topology) -> None:
    text = write(topology, about=("Read from production.\nToday.",))
    named = {name: replace(profile, name=name) for name, profile in topology.profiles.items()}
    found, expected = back(text), replace(topology, profiles=named)
    assert properties(found) == properties(expected)
    assert found == expected


def test_the_example_reads_back_to_the_same_topology() -> None:
    example = ROOT / "examples" / "shop" / "compose.yaml"
    topology = back(example.read_text(encoding="utf-8"))
    assert back(write(topology)) == topology


def test_a_comment_cannot_break_out_of_its_line() -> None:
    topology = Topology("t", {"web": Service("web", image="web:1")})
    text = write(topology, about=("one\r\ntwo\u2028services: {}\x1b[31m",))
    assert back(text) == topology
    assert text.startswith("# one\n# two\n# services: {}?[31m\n")


@pytest.mark.parametrize(
    "word", ["yes", "no", "on", "y", "null", "~", "1_000", "0x1f", "1e3", "12:30", ".5", "", "=", "2001-01-01"]
)
def test_what_a_yaml_reader_could_take_for_something_else_is_quoted(word: str) -> None:
    assert dump({"key": word}) == f'key: "{word}"\n'


@given(st.dictionaries(st.text(string.printable, min_size=1, max_size=9), st.text(max_size=30), max_size=4))
def test_any_text_survives_yaml(document: dict[str, str]) -> None:
    from ruamel.yaml import YAML

    assert (YAML(typ="safe", pure=True).load(dump(document)) or {}) == document
