"""Endpoints of a clone: which ports they are, of what scheme, and under which variables tests know them."""

import pytest
from derivation import clone_of, one

from understudy.stacks.clone import Endpoint, Fidelity
from understudy.stacks.endpoints import scheme_of, variable_name
from understudy.stacks.topology import TopologyError


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
