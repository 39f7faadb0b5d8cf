"""The model's own rules: references, circles, ports."""

import pytest

from understudy.stacks.topology import (
    Dependency,
    Mount,
    Network,
    NetworkLink,
    Port,
    Service,
    Topology,
    TopologyError,
    Where,
)


def service(name: str, *needs: str, **more: object) -> Service:
    depends_on = tuple(Dependency(other) for other in needs)
    where = Where("c.yaml", 3, 5, f"services.{name}")
    return Service(name, image="x", depends_on=depends_on, where=where, **more)  # type: ignore[arg-type]  # by name


def topology(*services: Service) -> Topology:
    return Topology("shop", {s.name: s for s in services}, {"default": Network("default")})


def test_a_place_reads_like_a_compiler_message() -> None:
    assert str(Where("c.yaml", 3, 5, "services.web")) == "c.yaml:3:5: services.web"
    assert str(Where("c.yaml")) == "c.yaml"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (service("web", networks=(NetworkLink("back"),)), "joins network 'back'"),
        (service("web", mounts=(Mount("volume", "/d", "data"),)), "mounts volume 'data'"),
        (service("web", "db"), "depends on 'db'"),
        (Service("web"), "neither an image nor a build"),
    ],
)
def test_a_reference_to_nothing_is_refused(bad: Service, message: str) -> None:
    with pytest.raises(TopologyError, match=message):
        topology(bad)


def test_an_optional_dependency_may_be_missing() -> None:
    web = Service("web", image="x", depends_on=(Dependency("db", required=False),))
    assert topology(web).services["web"].depends_on[0].service == "db"


def test_a_circle_is_named_from_end_to_end_in_the_order_of_dependence() -> None:
    with pytest.raises(TopologyError, match=r"a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c") as caught:
        topology(service("a", "b"), service("b", "c"), service("c", "a"))
    assert caught.value.where.line == 3


def test_a_long_chain_needs_no_recursion() -> None:
    chain = [service("s0"), *(service(f"s{i}", f"s{i - 1}") for i in range(1, 3000))]
    assert len(topology(*chain).services) == 3000


def test_container_ports_are_those_of_the_container_once_each() -> None:
    web = service("web", ports=(Port(80, "8080"), Port(80, "8081")), expose=(Port(80), Port(53, protocol="udp")))
    assert web.container_ports == (Port(80), Port(53, protocol="udp"))
