"""Derivation: what each step changes, and that every difference from production is on the record with its reason."""

import pytest

from understudy.stacks.clone import Change, Clone, Endpoint, Fidelity, Mock
from understudy.stacks.derive import derive, profile_named
from understudy.stacks.endpoints import scheme_of, variable_name
from understudy.stacks.fidelity import fidelity, fidelity_report
from understudy.stacks.profile import DEFAULT, Profile
from understudy.stacks.sources.compose import read
from understudy.stacks.steps import build_after_all
from understudy.stacks.topology import NetworkLink, Port, Topology, TopologyError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def load(text: str) -> Topology:
    return read(text, "compose.yaml", variables={}, read_file={}.get)


def clone_of(text: str, at_commit: str | None = None, profile: Profile | None = None, **unchanged: str) -> Clone:
    return derive(
        load(text),
        load(at_commit or text),
        commit=COMMIT,
        profile=Profile() if profile is None else profile,
        unchanged_builds=unchanged,
    )


def at(clone: Clone, path: str) -> tuple[Change, ...]:
    return tuple(change for change in clone.changes if change.path == path)


def one(clone: Clone, path: str) -> tuple[str | None, str | None, Fidelity]:
    (change,) = at(clone, path)
    assert change.reason
    return change.production, change.clone, change.fidelity


def verdicts(clone: Clone) -> dict[str, Fidelity]:
    """Of services and third parties; the clone stands for production too, so that only what is recorded counts."""
    found = fidelity(fidelity_report(clone.topology, clone))
    kept = {key: value for key, value in found.items() if key.startswith(("services.", "externals."))}
    return {key.partition(".")[2]: value for key, value in kept.items()}


QUIET = "networks: {default: {internal: true}}\n"
WEB = "services: {web: {image: x}}\n" + QUIET


def test_a_topology_that_needs_no_change_is_faithful() -> None:
    clone = clone_of(WEB)
    assert clone.changes == ()
    assert clone.topology == load(WEB)
    assert verdicts(clone) == {"web": Fidelity.FAITHFUL}


def test_what_the_commit_changes_is_named_key_by_key() -> None:
    before = """
services:
  web: {image: 'x:1', environment: {A: '1', B: '2'}, command: [a, b], ports: ['80'], depends_on: [old]}
  old: {image: y}
"""
    after = """
services:
  web:
    image: x:2
    environment: {A: '1', B: '3', C: '4'}
    command: [a, c]
    ports: ['80', '81/udp']
    healthcheck: {test: t, interval: 1.5s}
    mem_limit: 1k
    build: {context: w, args: {V: '1'}}
  new: {build: ./new}
"""
    clone = clone_of(before + QUIET, after + QUIET)
    found = {c.path: (c.production, c.clone) for c in clone.changes if "changed by commit 0123456789ab" in c.reason}
    assert found == {
        "services.web.image": ("x:1", "built from w at 0123456789ab"),
        "services.web.environment.B": ("2", "3"),
        "services.web.environment.C": (None, "4"),
        "services.web.command": ('["a", "b"]', '["a", "c"]'),
        "services.web.ports.81/udp": (None, None),  # it is added, and the relay publishes TCP only
        "services.web.depends_on.old": ("old started", None),
        "services.web.healthcheck.test": (None, '["CMD-SHELL", "t"]'),
        "services.web.healthcheck.interval": (None, "1.5"),
        "services.web.resources.memory": (None, "1048576"),  # whole mebibytes
        "services.web.build.context": (None, "w"),
        "services.web.build.dockerfile": (None, "Dockerfile"),
        "services.web.build.args.V": (None, "1"),
        "services.old": ("y", None),
        "services.new": (None, "built from new"),
    }
    ways = {c.path: c.fidelity for c in clone.changes if "changed by commit" in c.reason}
    assert ways.pop("services.web.ports.81/udp") is Fidelity.MISSING
    assert ways.pop("services.web.resources.memory") is Fidelity.CHANGED
    assert set(ways.values()) == {Fidelity.CHANGED}


def test_networks_volumes_and_third_parties_count_too() -> None:
    before = "services: {web: {image: x, volumes: ['data:/a']}}\nvolumes: {data: }\n" + QUIET
    after = """
services: {web: {image: x, volumes: ['other:/a'], networks: [n]}}
volumes: {other: }
networks: {n: {internal: true}}
x-understudy: {externals: {pay: {host: pay.example}}}
"""
    found = {c.path: (c.production, c.clone) for c in clone_of(before, after).changes if "commit" in c.reason}
    assert found == {
        "services.web.mounts./a": ("volume data at /a", "volume other at /a"),
        "services.web.networks.default": ("default", None),
        "services.web.networks.n": (None, "n"),
        "networks.default": ("internal network", None),
        "networks.n": (None, "internal network"),
        "volumes.data": ("volume", None),
        "volumes.other": (None, "volume"),
        "externals.pay": (None, None),
    }


def test_hostile_values_are_kept_as_they_are() -> None:
    after = 'services: {web: {image: x, environment: {A: "<script>\\u001b[2J\\n"}}}\n' + QUIET
    assert one(clone_of(WEB, after), "services.web.environment.A")[1] == "<script>\x1b[2J\n"


BUILT = "services: {web: {image: 'shop/web:1', build: ./web}}\n" + QUIET


def test_the_same_build_context_runs_productions_image() -> None:
    clone = clone_of(BUILT, web="shop/web@sha256:aa")
    assert clone.unchanged_builds == {"web": "shop/web@sha256:aa"}
    assert one(clone, "services.web.image") == ("shop/web@sha256:aa", "shop/web@sha256:aa", Fidelity.FAITHFUL)
    assert verdicts(clone) == {"web": Fidelity.FAITHFUL}


@pytest.mark.parametrize(
    ("after", "unchanged"),
    [
        (BUILT, {}),
        (BUILT.replace("./web", "{context: ./web, args: {A: b}}"), {"web": "shop/web:1"}),
    ],
    ids=["context differs", "arguments differ"],
)
def test_any_other_build_is_a_change(after: str, unchanged: dict[str, str]) -> None:
    clone = clone_of(BUILT, after, **unchanged)
    assert clone.unchanged_builds == {}
    assert one(clone, "services.web.image") == ("shop/web:1", "built from web at 0123456789ab", Fidelity.CHANGED)


def test_another_reference_of_the_same_build_is_no_difference() -> None:
    clone = clone_of(BUILT, BUILT.replace("web:1", "web:2"), web="shop/web:1")
    assert one(clone, "services.web.image") == ("shop/web:1", "shop/web:1", Fidelity.FAITHFUL)


SHARED = "services: {web: {image: myapp, build: .}, celery: {image: 'myapp:latest'}, db: {image: x}}\n" + QUIET


def test_a_service_that_names_the_image_another_builds_runs_what_is_built() -> None:
    clone = clone_of(SHARED)
    services = clone.topology.services
    assert services["celery"].build == services["web"].build
    assert services["db"].build is None
    assert one(clone, "services.celery.build") == ("that of web", "that of web", Fidelity.FAITHFUL)
    assert one(clone, "services.celery.image")[1] == "built from . at 0123456789ab"


def test_a_shared_build_that_is_unchanged_runs_productions_image_for_both() -> None:
    clone = clone_of(SHARED, web="myapp")
    assert clone.unchanged_builds == {"web": "myapp", "celery": "myapp"}
    assert verdicts(clone) == dict.fromkeys(("web", "celery", "db"), Fidelity.FAITHFUL)


def test_what_is_left_out_is_missing_on_the_record() -> None:
    text = (
        """
services:
  web: {image: x, oom_score_adj: 5, deploy: {labels: {a: b}}}
  debug: {image: x, profiles: [debug]}
"""
        + QUIET
    )
    clone = clone_of(text)
    assert one(clone, "services.web.oom_score_adj") == ("5", None, Fidelity.MISSING)
    assert one(clone, "services.web.deploy.labels") == ("declared", None, Fidelity.FAITHFUL)
    assert one(clone, "services.debug") == ("declared", None, Fidelity.MISSING)
    assert verdicts(clone) == {"web": Fidelity.MISSING, "debug": Fidelity.MISSING}
    gone = clone_of(text, WEB)
    assert "changed by commit" in at(gone, "services.web.oom_score_adj")[0].reason


def test_no_path_is_recorded_twice() -> None:
    after = """
services:
  web: {image: y, scale: 3, restart: always, labels: {com.docker.compose.x: y}, build: .}
  job: {image: x, restart: always, x-understudy: {kind: job}}
networks: {default: {internal: false}}
x-understudy: {externals: {pay: {host: pay.example}}}
"""
    clone = clone_of(WEB.replace("{image: x}", "{image: x, scale: 2}"), after, Profile(replicas=1))
    paths = [change.path for change in clone.changes]
    assert len(paths) == len(set(paths))
    assert one(clone, "services.web.replicas") == ("2", "1", Fidelity.CHANGED)


def test_replicas_are_scaled_by_the_profile() -> None:
    text = "services: {web: {image: x, scale: 5}, api: {image: x, scale: 2}, one: {image: x}}\n" + QUIET
    clone = clone_of(text, profile=Profile(replicas=2))
    assert [service.replicas for service in clone.topology.services.values()] == [2, 2, 1]
    assert one(clone, "services.web.replicas") == ("5", "2", Fidelity.SCALED)
    assert len(clone.changes) == 1
    assert verdicts(clone)["web"] is Fidelity.SCALED
    assert [s.replicas for s in clone_of(text).topology.services.values()] == [5, 2, 1]


def test_host_ports_and_container_names_go_and_the_name_stays_an_alias() -> None:
    clone = clone_of(
        "services: {web: {image: x, container_name: shopweb,"
        " ports: ['127.0.0.1:8080:80', '8081:80', '81', '53:53/udp'],"
        " networks: {default: {aliases: [w]}}}}\n" + QUIET
    )
    web = clone.topology.services["web"]
    assert web.ports == (Port(80), Port(81), Port(53, protocol="udp"))
    assert web.container_name is None
    assert web.networks == (NetworkLink("default", ("w", "shopweb")),)
    assert one(clone, "services.web.ports.80/tcp") == ("127.0.0.1:8080:80, 8081:80", "relay:80", Fidelity.CHANGED)
    assert at(clone, "services.web.ports.81/tcp") == ()
    assert one(clone, "services.web.ports.53/udp") == ("53:53/udp", None, Fidelity.MISSING)
    assert one(clone, "services.web.container_name") == ("shopweb", None, Fidelity.CHANGED)


def test_networks_are_closed_unless_the_profile_opens_them() -> None:
    text = "services: {web: {image: x, networks: [a, b]}}\nnetworks: {a: , b: {internal: true}}"
    closed = clone_of(text)
    assert all(network.internal for network in closed.topology.networks.values())
    assert [c.path for c in closed.changes] == ["networks.a.internal"]
    opened = clone_of(text, profile=Profile(network="open"))
    assert opened.open_network
    assert opened.topology.networks == load(text).networks
    assert one(opened, "profile.network") == (None, "open", Fidelity.CHANGED)


THIRD = """
services: {web: {image: x}}
networks: {default: {internal: true}}
x-understudy:
  externals:
    pay: {host: pay.example, port: 8080, mock: mocks/pay}
    mail: {host: smtp.example, port: 25}
"""


def test_third_parties_are_mocked_or_missing() -> None:
    clone = clone_of(THIRD)
    assert clone.mocks == (Mock("pay", "pay.example", 8080, "mocks/pay"),)
    assert one(clone, "externals.pay") == ("pay.example:8080", "mock of mocks/pay", Fidelity.MOCKED)
    assert one(clone, "externals.mail") == ("smtp.example:25", None, Fidelity.MISSING)
    assert verdicts(clone) == {"web": Fidelity.FAITHFUL, "pay": Fidelity.MOCKED, "mail": Fidelity.MISSING}


def test_an_open_profile_reaches_what_has_no_mock() -> None:
    clone = clone_of(THIRD, profile=Profile(network="open"))
    assert one(clone, "externals.mail")[1] == "smtp.example:25"
    assert verdicts(clone)["mail"] is Fidelity.FAITHFUL
    assert verdicts(clone)["pay"] is Fidelity.MOCKED


def test_volumes_start_empty() -> None:
    clone = clone_of(
        "services: {db: {image: x, volumes: ['data:/d', /anon, './conf:/c']}}\nvolumes: {data: }\n" + QUIET
    )
    missing = [c.path for c in clone.changes if c.fidelity is Fidelity.MISSING]
    assert missing == ["volumes.data.data", "volumes.(db:/anon).data"]
    assert verdicts(clone) == {"db": Fidelity.FAITHFUL}


def test_labels_that_say_whose_an_object_is_are_left_out() -> None:
    clone = clone_of(
        "services: {web: {image: x, labels: {a: b, com.docker.compose.project: p, dev.understudy.environment: e}}}\n"
        "networks: {default: {internal: true, labels: {dev.understudy.target: t}}}"
    )
    assert clone.topology.services["web"].labels == {"a": "b"}
    assert clone.topology.networks["default"].labels == {}
    assert [c.path for c in clone.changes] == [
        "services.web.labels.com.docker.compose.project",
        "services.web.labels.dev.understudy.environment",
        "networks.default.labels.dev.understudy.target",
    ]


def test_endpoints_are_ports_declared_endpoints_and_mocks() -> None:
    clone = clone_of("""
services:
  web: {image: 'nginx:1', ports: ['80', '8443', '53/udp', '7000']}
  edge: {image: haproxy, expose: ['7001']}
  api: {image: x, expose: ['9999']}
  db: {image: 'postgres:15'}
  mig: {image: x, ports: ['8080:80']}
  app: {image: x, depends_on: {mig: {condition: service_completed_successfully}}}
networks: {default: {internal: true}}
x-understudy:
  endpoints: ['db:5432', 'web:80', 'api:9999']
  externals: {pay: {host: pay.example, mock: m}}
""")
    assert clone.endpoints == (
        Endpoint("web", 80, "http"),
        Endpoint("web", 8443, "https"),
        Endpoint("web", 7000, "http"),
        Endpoint("edge", 7001, "http"),
        Endpoint("db", 5432, "postgresql"),
        Endpoint("api", 9999, "tcp"),
        Endpoint("pay", 80, "http"),
    )
    assert one(clone, "services.db.ports.5432/tcp") == (None, "relay:5432", Fidelity.CHANGED)
    assert one(clone, "services.mig.ports.80/tcp") == ("8080:80", None, Fidelity.CHANGED)


def test_ports_that_suites_on_the_host_need_are_published_as_changes() -> None:
    clone = clone_of("""
services:
  web: {image: x, ports: ['80'], expose: ['9000', '53/udp']}
  db: {image: 'postgres:15'}
  api: {image: x, expose: ['9999']}
  mig: {image: x, expose: ['1']}
  app: {image: x, depends_on: {mig: {condition: service_completed_successfully}}}
x-understudy:
  externals: {pay: {host: pay.example, mock: m}}
  tests:
    unit: {command: x, needs: [web, 'db:5432', mig, pay]}
    more: {command: x, needs: ['db:5432']}
    inside: {command: x, image: t, needs: [api, 'db:1']}
""")
    assert [(e.service, e.port) for e in clone.endpoints] == [("web", 80), ("web", 9000), ("db", 5432), ("pay", 80)]
    published = {c.path: c for c in clone.changes if (c.clone or "").startswith("relay:") and c.production is None}
    assert set(published) == {"services.web.ports.9000/tcp", "services.db.ports.5432/tcp"}
    change = published["services.db.ports.5432/tcp"]
    assert "published for tests only" in change.reason
    assert "suite 'unit' needs it on the host; suite 'more' needs it on the host" in change.reason
    assert change.rule == "compose.yaml:11:37; compose.yaml:12:32"


@pytest.mark.parametrize(
    ("port", "kind", "scheme"),
    [
        (80, "service", "http"),
        (3000, "service", "http"),
        (443, "gateway", "https"),
        (3306, "database", "mysql"),
        (6379, "cache", "redis"),
        (5672, "queue", "amqp"),
        (27017, "database", "mongodb"),
        (1234, "service", "tcp"),
        (1234, "gateway", "http"),
    ],
)
def test_schemes_are_guessed_from_the_port(port: int, kind: str, scheme: str) -> None:
    assert scheme_of(port, kind) == scheme


def test_endpoints_have_distinct_variables() -> None:
    assert variable_name("my-api.v1", 80) == "UNDERSTUDY_MY_API_V1_80"
    with pytest.raises(TopologyError, match="'a-b' and 'a_b' would both"):
        clone_of("services: {a-b: {image: x, ports: ['80']}, a_b: {image: x, ports: ['80']}}")


def test_profiles_have_names() -> None:
    found = load(WEB + "x-understudy: {profiles: {big: {replicas: 9}}}")
    assert profile_named(found) == DEFAULT
    assert profile_named(found, "big") == Profile("big", replicas=9)
    assert profile_named(load(WEB + "x-understudy: {profiles: {default: {replicas: 2}}}")) == Profile(replicas=2)
    with pytest.raises(TopologyError, match="no profile 'huge'; profiles are default, big"):
        profile_named(found, "huge")


def test_the_order_of_the_record_is_the_same_each_time() -> None:
    first, second = clone_of(THIRD, WEB), clone_of(THIRD, WEB)
    assert first == second
    assert [c.path for c in first.changes] == [c.path for c in second.changes]


def test_production_is_not_changed() -> None:
    production, before = load(THIRD), load(THIRD)
    derive(production, load(WEB), commit=COMMIT, profile=DEFAULT, unchanged_builds={})
    assert production == before


def test_a_job_that_would_never_end_is_let_end_on_the_record() -> None:
    text = (
        "services: {once: {image: x, restart: always, x-understudy: {kind: job}}, web: {image: y, restart: always}}\n"
    )
    clone = clone_of(text + QUIET)
    assert one(clone, "services.once.restart.policy") == ("always", "no", Fidelity.CHANGED)
    assert clone.topology.services["once"].restart.policy == "no"
    assert clone.topology.services["web"].restart.policy == "always"
    assert at(clone, "services.web.restart.policy") == ()


def test_a_production_image_that_cannot_be_had_is_built_after_all_on_the_record() -> None:
    text = "services: {a: {image: 'p/a:1', build: ./a}, b: {image: 'p/b:1', build: ./b}}\n" + QUIET
    clone = clone_of(text, a="p/a:1", b="p/b:1")
    built = build_after_all(clone, {"p/a:1": "no registry answers"})
    assert built.unchanged_builds == {"b": "p/b:1"}
    (change,) = at(built, "services.a.image")
    assert "no registry answers" in change.reason
    assert change.fidelity is Fidelity.CHANGED
    assert at(built, "services.b.image") == at(clone, "services.b.image")


def test_a_build_of_the_same_context_is_faithful_without_an_image_of_production() -> None:
    clone = clone_of("services: {a: {build: ./a}, b: {build: ./b}}\n" + QUIET, a="")
    assert clone.unchanged_builds == {}
    assert one(clone, "services.a.image")[2] is Fidelity.FAITHFUL
    assert one(clone, "services.b.image")[2] is Fidelity.CHANGED
