"""What is refused of a Compose file is named at once, and allowed by its name alone."""

from __future__ import annotations

import pytest
from compose_loading import FILES, load

from understudy.stacks.allowed import Allowed
from understudy.stacks.change import Fidelity
from understudy.stacks.sources.compose import RefusedError, read
from understudy.stacks.topology import Mount


def test_all_that_is_refused_is_named_at_once() -> None:
    body = "privileged: true\npid: host\nvolumes: ['/srv/x:/x', '../../up:/y']\nbuild: https://x/y.git"
    with pytest.raises(RefusedError) as caught:
        load(body)
    assert [refusal.allow for refusal in caught.value.refusals] == ["", "", "privileged", "host-pid", "bind:/srv/x"]
    assert "(4 more: `understudy topology check` lists them)" in str(caught.value)


def test_what_is_only_compared_is_refused_nothing() -> None:
    text = "services: {web: {image: x, privileged: true, pid: host, volumes: ['/srv:/x', '../up:/y']}}\n"
    found = read(text, "compose.yaml", variables={}, read_file=FILES.get, provisioned=False)
    assert found.services["web"].privileged
    assert [mount.source for mount in found.services["web"].mounts] == ["/srv", "../up"]


@pytest.mark.parametrize("name", ["sudo", "bind:", "bind:etc", "cap:CHOWN", "cap:", "host", ""])
def test_a_name_that_is_not_in_the_list_cannot_be_allowed(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be allowed; what can is bind:/PATH, build-entitlements"):
        Allowed.of((name,))


@pytest.mark.parametrize(
    ("allowed", "asked", "has"),
    [
        ("bind:/srv", "bind:/srv/data", True),
        ("bind:/srv/", "bind:/srv", True),
        ("bind:/srv", "bind:/srvx", False),
        ("bind:/srv/a", "bind:/srv/a/../b", False),
        ("bind:/", "bind:/etc", True),
        ("cap:CAP_SYS_ADMIN", "cap:SYS_ADMIN", True),
        ("cap:ALL", "cap:SYS_ADMIN", False),
    ],
)
def test_a_path_is_allowed_with_what_is_below_it(allowed: str, asked: str, has: bool) -> None:  # noqa: FBT001 - a parameter of pytest's
    assert Allowed.of((allowed,)).has(asked) is has


def test_a_read_only_path_of_the_host_is_left_out_unless_it_is_allowed() -> None:
    body = "volumes: ['/etc/localtime:/etc/localtime:ro']"
    found = load(body)
    (change,) = found.changes
    assert (change.path, change.production, change.fidelity) == (
        "services.web.volumes[0]",
        "declared",
        Fidelity.MISSING,
    )
    assert found.services["web"].mounts == ()
    assert load(body, allow=("bind:/etc/localtime",)).services["web"].mounts == (
        Mount("bind", "/etc/localtime", "/etc/localtime", read_only=True),
    )


def test_a_volume_of_a_path_of_the_host_is_cloned_where_it_is_allowed() -> None:
    more = "\nvolumes: {data: {driver: local, driver_opts: {type: none, o: bind, device: /srv/data}}}\n"
    assert load("volumes: ['data:/x']", more).volumes["data"].options == {}
    found = load("volumes: ['data:/x']", more, allow=("bind:/srv",))
    assert found.volumes["data"].options == {"type": "none", "o": "bind", "device": "/srv/data"}
