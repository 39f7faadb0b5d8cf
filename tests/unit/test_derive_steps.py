"""Derivation: what each step changes, and that every difference from production is on the record with its reason."""

import pytest
from derivation import COMMIT, QUIET, WEB, at, clone_of, load, one, verdicts

from understudy.stacks.clone import Fidelity, Mock
from understudy.stacks.derive import derive, profile_named
from understudy.stacks.profile import DEFAULT, Profile
from understudy.stacks.topology import NetworkLink, Port, TopologyError


def test_a_topology_that_needs_no_change_is_faithful() -> None:
    clone = clone_of(WEB)
    assert clone.changes == ()
    assert clone.topology == load(WEB)
    assert verdicts(clone) == {"web": Fidelity.FAITHFUL}


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
