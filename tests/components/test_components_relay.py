from __future__ import annotations

import re
from typing import Any

import pytest

from understudy.components.haproxy import Route, haproxy_config, offered, routes
from understudy.components.relay import endpoint_addresses
from understudy.errors import UsageError
from understudy.stacks.clone import Clone, Endpoint, Mock
from understudy.stacks.topology import Service, Topology

WEB = Endpoint("web", 80, "http")
MOCK = Mock("pay", "pay.example", 8080, "mocks/pay")


def clone(*endpoints: Endpoint, **fields: Any) -> Clone:
    return Clone(Topology("shop", {name: Service(name, image="i") for name in ("web", "pay2")}), endpoints, **fields)


def test_mocks_are_offered_beside_the_declared_endpoints() -> None:
    assert offered(clone(WEB, mocks=(MOCK,))) == (WEB, Endpoint("pay", 8080, "http"))


def test_an_endpoint_that_is_offered_twice_is_one() -> None:
    assert [e.service for e in offered(clone(WEB, Endpoint("pay", 8080), WEB, mocks=(MOCK,)))] == ["web", "pay"]


def test_an_endpoint_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match=r"ghost:1 is of no service and no mock(.|\n)*pay2, web"):
        offered(clone(Endpoint("ghost", 1)))


def test_a_service_and_a_mock_on_one_endpoint_are_refused() -> None:
    with pytest.raises(UsageError, match="both called 'web' and offer port 80"):
        offered(clone(WEB, mocks=(Mock("web", "w.example", 80, "m"),)))


def test_every_endpoint_gets_a_port_of_its_own() -> None:
    found = routes([WEB, Endpoint("db", 80)], [("e-web",), ("e-db",)])
    assert [(r.listen, r.containers) for r in found] == [(20001, ("e-web",)), (20002, ("e-db",))]


def test_the_configuration_resolves_when_a_connection_comes() -> None:
    text = haproxy_config([Route(WEB, 20001, ("e-web",)), Route(Endpoint("db", 5432), 20002, ("e-db",))])
    assert "nameserver docker 127.0.0.11:53" in text
    assert re.findall(r"bind :(\d+)", text) == ["20001", "20002"]
    assert re.findall(r"do-resolve\(txn.address,docker,ipv4\) str\((.*?)\)$", text, re.MULTILINE) == ["e-web", "e-db"]
    assert re.findall(r"server any 0.0.0.0:(\d+)", text) == ["80", "5432"]
    assert "check" not in text


def test_replicas_share_an_endpoint() -> None:
    text = haproxy_config([Route(WEB, 20001, ("e-web", "e-web-2", "e-web-3"))])
    assert "rand(3)" in text
    assert re.findall(r"str\((.*?)\) if \{ var\(txn.chosen\) -m int eq (\d) \}", text) == [
        ("e-web", "0"),
        ("e-web-2", "1"),
        ("e-web-3", "2"),
    ]


@pytest.mark.parametrize("name", ["", "e web", "e-web)\n    server x", "-e", "E", "e.web", "e-web\n"])
def test_nothing_but_a_container_name_gets_into_the_configuration(name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a container"):
        haproxy_config([Route(WEB, 20001, (name,))])


def test_a_hostile_service_name_does_not_get_into_the_configuration() -> None:
    text = haproxy_config([Route(Endpoint("x\nglobal\n    insecure-fork-wanted", 80), 20001, ("e-x",))])
    assert "insecure" not in text


@pytest.mark.parametrize(
    ("bind", "published", "host", "url"),
    [
        ("127.0.0.1", [{"internal": 20001.0, "external": 7.0}], "127.0.0.1", "http://127.0.0.1:7"),
        ("0.0.0.0", [{"internal": 20001, "external": 7}], "127.0.0.1", "http://127.0.0.1:7"),  # noqa: S104 - the case
        ("::", [{"internal": 20001, "external": 7}], "::1", "http://[::1]:7"),
        (
            "10.0.0.9",
            [{"internal": 9, "external": 1}, {"internal": 20001, "external": 7}],
            "10.0.0.9",
            "http://10.0.0.9:7",
        ),
        ("127.0.0.1", [{"internal": 20001}], "127.0.0.1", None),
        ("127.0.0.1", [{"internal": 20001, "external": 0}], "127.0.0.1", None),
        ("127.0.0.1", [], "127.0.0.1", None),
    ],
)
def test_addresses_come_from_the_published_ports(
    bind: str, published: list[dict[str, object]], host: str, url: str | None
) -> None:
    found = endpoint_addresses([Route(WEB, 20001, ("e-web",))], bind, published)
    assert found == {"web:80": {"host": host, "port": 7 if url else None, "url": url}}
