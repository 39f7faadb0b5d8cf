"""Two topologies, property by property: nothing is lost, and no secret is shown."""

from __future__ import annotations

from dataclasses import replace

from understudy.stacks.compare import Row, compare, properties
from understudy.stacks.topology import (
    Device,
    External,
    FileMount,
    Mount,
    Network,
    NetworkLink,
    Port,
    Resources,
    Service,
    Topology,
    Ulimit,
    Volume,
)

FULL = Service(
    "web",
    image="web:1",
    environment={"A": "1"},
    ports=(Port(80, "8080", host_ip="::1"), Port(80, "8081"), Port(53, protocol="udp")),
    mounts=(Mount("volume", "/data", "data", read_only=True, options=(("nocopy", "true"),)),),
    networks=(NetworkLink("front", ("www",)),),
    ulimits=(Ulimit("nofile", 1024, 2048),),
    devices=(Device("/dev/fuse", "/dev/fuse"),),
    extra_hosts=(("db", "10.0.0.1"),),
    files=(FileMount("secret", "key", "/run/secrets/key", content="of-production"),),
    resources=Resources(cpus=1.5),
    dns=("1.1.1.1", "8.8.8.8"),
)


def topology(service: Service = FULL, **more: object) -> Topology:
    made = Topology("shop", {"web": service}, {"front": Network("front")}, {"data": Volume("data")})
    return replace(made, **more)  # type: ignore[arg-type]  # the caller names the model's own fields


def changed(left: Topology, right: Topology) -> dict[str, tuple[str | None, str | None]]:
    return {row.path: (row.left, row.right) for row in compare(left, right) if not row.same}


def test_a_topology_is_the_same_as_itself_in_every_property() -> None:
    found = compare(topology(), topology())
    assert all(row.same and row.left == row.right for row in found)
    assert Row("services.web.resources.cpus", "1.5", "1.5", same=True) in found
    assert Row("services.web.privileged", "false", "false", same=True, given=False) in found
    given = {row.path.removeprefix("services.web."): row.left for row in found if row.given}
    assert given == {
        "image": "web:1",
        "environment.A": "1",
        "ports.80/tcp": "[::1]:8080:80, 8081:80",
        "ports.53/udp": "53/udp",
        "mounts./data": "volume data at /data nocopy=true (ro)",
        "networks.front": "front as www",
        "resources.cpus": "1.5",
        "ulimits.nofile": "nofile=1024:2048",
        "devices./dev/fuse": "/dev/fuse:/dev/fuse:rwm",
        "extra_hosts.db": "10.0.0.1",
        "files./run/secrets/key": "secret key from its own content at /run/secrets/key",
        "dns": '["1.1.1.1", "8.8.8.8"]',
    }


def test_members_of_lists_are_compared_each_by_its_key() -> None:
    other = replace(
        FULL,
        ports=(Port(53, protocol="udp"), Port(80, "8080", host_ip="::1"), Port(80, "8081")),
        ulimits=(),
        networks=(NetworkLink("front"),),
        extra_hosts=(("db", "10.0.0.2"),),
    )
    assert changed(topology(), topology(other)) == {
        "services.web.networks.front": ("front as www", "front"),
        "services.web.ulimits.nofile": ("nofile=1024:2048", None),
        "services.web.extra_hosts.db": ("10.0.0.1", "10.0.0.2"),
    }


def test_contents_that_are_not_shown_are_compared_all_the_same() -> None:
    other = replace(FULL, files=(replace(FULL.files[0], content="of-the-commit"),))
    text = "secret key from its own content at /run/secrets/key"
    assert changed(topology(), topology(other)) == {
        "services.web.files./run/secrets/key": (text, f"{text} (other content)")
    }


def test_what_stands_on_one_side_is_one_row() -> None:
    right = topology(externals={"pay": External("pay", "pay.example", 443)}, volumes={}, services={})
    assert changed(topology(), right) == {
        "services.web": ("web:1", None),
        "volumes.data": ("volume", None),
        "externals.pay": (None, "pay.example:443"),
    }


def test_no_value_of_a_secret_is_shown_on_any_side() -> None:
    left = topology(replace(FULL, environment={"PASSWORD": "hunter2-left", "URL": "pg://u:hunter2-left@db"}))
    right = topology(
        replace(FULL, environment={"PASSWORD": "hunter2-right", "URL": "pg://u:x@db"}), secrets=("PASSWORD",)
    )
    assert changed(left, right) == {
        "services.web.environment.URL": (
            "pg://u:(secret PASSWORD)@db",
            "(withheld: the other side holds secret PASSWORD)",
        )
    }
    assert "hunter2" not in repr(compare(left, right) + compare(right, left))


def test_one_thing_has_its_properties_as_texts() -> None:
    found = properties(Network("front", internal=True), "networks.front")
    assert found == {
        "networks.front.internal": "true",
        "networks.front.external": "false",
        "networks.front.ipv6": "false",
    }
