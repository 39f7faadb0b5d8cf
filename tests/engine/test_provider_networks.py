"""Networks, volumes and images over the real daemon."""

from __future__ import annotations

import ipaddress
import secrets
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from docker.errors import NotFound
from requests.exceptions import ReadTimeout

from understudy.errors import ProvisionError
from understudy.provider.image import Images
from understudy.provider.network import Networks
from understudy.provider.status import NotReadyError
from understudy.provider.volume import Volumes

from .docker_objects import CONTAINER, IMAGE, NETWORK, SLEEP, VOLUME

pytestmark = pytest.mark.docker


def inputs(driver: Any, logical: str = "net", labels: dict[str, str] | None = None, **more: Any) -> dict:
    return {"name": driver.name(logical), "internal": True, "labels": driver.labels(**(labels or {})), **more}


def subnet(outputs: dict) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(outputs["ipamConfigs"][0]["subnet"])


def test_subnets_come_from_the_pool_in_the_size_of_their_members(driver: Any) -> None:
    _, small = driver.create(NETWORK, inputs(driver, "small", {"hosts": "3"}))
    _, large = driver.create(NETWORK, inputs(driver, "large", {"hosts": "70"}))
    pool = ipaddress.IPv4Network("10.213.0.0/16")
    assert subnet(small).prefixlen == 26
    assert subnet(large).prefixlen == 25
    assert subnet(small).subnet_of(pool)
    assert not subnet(small).overlaps(subnet(large))


def test_a_declared_subnet_is_used(driver: Any) -> None:
    third = secrets.randbelow(256)  # two runs of this test on one daemon must not meet
    declared = [{"subnet": f"10.211.{third}.0/28", "gateway": f"10.211.{third}.1"}]
    made, outputs = driver.create(NETWORK, inputs(driver, ipamConfigs=declared))
    assert outputs["ipamConfigs"] == declared
    assert driver.read(NETWORK, made, inputs(driver))[1]["scope"] == "local"


def test_many_networks_at_once_over_two_servers_of_two_processes(driver: Any) -> None:
    """A small pool and a process of its own: both take from it at the same time and none fails."""
    other = subprocess.Popen(
        [sys.executable, "-c", _TAKE, driver.environment.id, driver.environment.backend],
        stdout=subprocess.PIPE,
        text=True,
    )
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda n: driver.create(NETWORK, inputs(driver, f"n{n}")), range(4)))
    out, _ = other.communicate(timeout=60)
    assert other.returncode == 0
    assert len({str(subnet(o)) for _, o in made} | set(out.split())) == 8


_TAKE = """
import ipaddress, sys, threading
from docker.errors import APIError
from understudy.provider.instance import Instance
from understudy.provider.network import Networks
from understudy.provider.room import Call, Room
from understudy.provider.settings import ProviderSettings
from understudy.stacks.identity import Environment, ownership_labels
from datetime import datetime, UTC
room = Room(ProviderSettings())
call = Call(room, Instance("x"), "urn", threading.Event())
labels = ownership_labels(Environment(sys.argv[1], room.identity, "provider-tests", datetime.now(UTC), sys.argv[2]))
entries = [{"label": k, "value": v} for k, v in labels.items()]
for n in range(4):
    made = Networks().create(call, {"name": f"{sys.argv[1]}-p{n}", "internal": True, "labels": entries})
    print(made[1]["ipamConfigs"][0]["subnet"])
"""


def test_a_network_is_removed_with_our_own_containers_on_it(driver: Any) -> None:
    made, outputs = driver.create(NETWORK, inputs(driver))
    driver.create(CONTAINER, driver.container("web", SLEEP, networksAdvanced=[{"name": driver.name("net")}]))
    driver.delete(NETWORK, made, outputs)
    driver.delete(NETWORK, made, outputs)
    with pytest.raises(NotFound):
        driver.client.api.inspect_network(made)


def test_a_network_with_somebody_elses_container_is_kept_and_says_whose(driver: Any) -> None:
    made, outputs = driver.create(NETWORK, inputs(driver))
    foreign = driver.client.containers.run("busybox:1.35", SLEEP, network=made, detach=True, name=driver.name("guest"))
    try:
        with pytest.raises(grpc.RpcError, match="guest is on it"):
            driver.delete(NETWORK, made, outputs)
        assert foreign.id in driver.client.api.inspect_network(made)["Containers"]
    finally:
        foreign.remove(force=True)
    driver.delete(NETWORK, made, outputs)


def test_parallel_removal_leaves_no_endpoint(driver: Any) -> None:
    made, outputs = driver.create(NETWORK, inputs(driver))
    joined = [{"name": driver.name("net")}]
    with ThreadPoolExecutor(8) as pool:
        containers = list(
            pool.map(
                lambda n: driver.create(CONTAINER, driver.container(f"c{n}", SLEEP, networksAdvanced=joined)), range(8)
            )
        )
        list(pool.map(lambda c: driver.delete(CONTAINER, *c), containers))
    driver.delete(NETWORK, made, outputs)


def test_a_network_of_an_interrupted_operation_is_replaced_a_foreign_one_not(driver: Any) -> None:
    left, _ = driver.create(NETWORK, inputs(driver))
    made, outputs = driver.create(NETWORK, inputs(driver))
    assert made != left
    other = inputs(driver)
    other["labels"] = [
        {**entry, "value": "another"} if entry["label"].endswith("project") else entry for entry in other["labels"]
    ]
    with pytest.raises(grpc.RpcError, match="somebody else"):
        driver.create(NETWORK, other)
    with pytest.raises(grpc.RpcError, match="was not removed"):
        driver.delete(NETWORK, made, other)
    driver.delete(NETWORK, made, outputs)


def test_of_two_that_make_a_network_of_one_name_at_once_each_gives_its_own_back(driver: Any) -> None:
    """Docker looks for the name before it makes a network, so that both may get one."""
    name, twins = driver.name("net"), []
    labels = {"dev.understudy.environment": driver.environment.id, "dev.understudy.backend": "b9999999999"}

    def at_once(*given: Any, **more: Any) -> Any:
        twins.append(driver.client.api.create_network(name, check_duplicate=False, labels=labels)["Id"])
        return driver.client.api.create_network(*given, **{**more, "check_duplicate": False})

    try:
        with pytest.raises(ProvisionError, match="made by another backend, b9999999999"):
            Networks().create(call(Faulty(driver.client, create_network=at_once)), inputs(driver))
        assert [row["Id"] for row in driver.client.api.networks(names=[name])] == twins
    finally:
        driver.client.api.remove_network(twins[0])


def test_a_full_pool_says_so(connect: Any) -> None:
    from understudy.provider.instance import Instance
    from understudy.provider.room import Call, Room
    from understudy.provider.settings import ProviderSettings

    driver = connect()
    pool = f"10.212.{secrets.randbelow(256)}.0/24"
    driver.create(NETWORK, inputs(driver, ipamConfigs=[{"subnet": pool}]))
    room = Room(ProviderSettings(subnet_pool=pool))
    call = Call(room, Instance("x"), "urn", threading.Event())
    with pytest.raises(ProvisionError, match=f"no /26 is free in the pool {pool}"):
        Networks().create(call, inputs(driver, "second"))


def test_a_volume_is_made_read_and_removed(driver: Any) -> None:
    declared = {"name": driver.name("data"), "labels": driver.labels()}
    made, outputs = driver.create(VOLUME, declared)
    assert outputs["mountpoint"].startswith("/")
    assert driver.read(VOLUME, made, declared)[0] == declared
    driver.delete(VOLUME, made, outputs)
    driver.delete(VOLUME, made, outputs)
    assert driver.read(VOLUME, made, declared) is None


def test_a_volume_in_use_is_tried_again(driver: Any) -> None:
    declared = {"name": driver.name("data"), "labels": driver.labels()}
    made, outputs = driver.create(VOLUME, declared)
    user = driver.client.containers.create("busybox:1.35", volumes={made: {"bind": "/d", "mode": "rw"}})
    with ThreadPoolExecutor(1) as pool:
        removal = pool.submit(driver.delete, VOLUME, made, outputs)
        time.sleep(0.2)  # lets the first try meet the container; the outcome does not depend on it
        user.remove()
        removal.result(timeout=30)
    assert driver.read(VOLUME, made, declared) is None


def test_a_foreign_volume_of_that_name_is_neither_used_nor_removed(driver: Any) -> None:
    name = driver.name("data")
    driver.client.volumes.create(name, labels={"dev.understudy.environment": driver.environment.id})
    declared = {"name": name, "labels": driver.labels()}
    with pytest.raises(grpc.RpcError, match="not of this environment"):
        driver.create(VOLUME, declared)
    with pytest.raises(grpc.RpcError, match="was not removed"):
        driver.delete(VOLUME, name, declared)
    assert driver.client.volumes.get(name)


def test_an_image_that_is_there_is_found_and_stays(driver: Any) -> None:
    made, outputs = driver.create(IMAGE, {"name": "busybox:1.35", "keepLocally": False})
    assert outputs["imageId"].startswith("sha256:")
    driver.delete(IMAGE, made, outputs)
    assert driver.read(IMAGE, made, {"name": "busybox:1.35"})[1]["imageId"] == outputs["imageId"]


def test_an_image_that_cannot_be_pulled_says_so(driver: Any) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        driver.create(IMAGE, {"name": "127.0.0.1:1/no-such:1"})
    assert "127.0.0.1:1/no-such:1 is not on this daemon, and pulling it failed" in raised.value.details()


def call(client: Any) -> Any:
    from understudy.provider.instance import Instance
    from understudy.provider.room import Call, Room
    from understudy.provider.settings import ProviderSettings

    return Call(Room(ProviderSettings(), client), Instance("x"), "urn", threading.Event())


class Faulty:
    """The daemon with some calls of its API replaced."""

    def __init__(self, genuine: Any, **replaced: Any) -> None:
        self.api, self._genuine, self._replaced = self, genuine.api, replaced

    def __getattr__(self, attribute: str) -> Any:
        return self._replaced.get(attribute) or getattr(self._genuine, attribute)


def unanswered(*_: Any, **__: Any) -> None:
    raise ReadTimeout("read timed out")


def test_a_network_that_cannot_be_looked_at_after_it_was_made_is_recorded(driver: Any) -> None:
    with pytest.raises(NotReadyError, match="read timed out") as raised:
        Networks().create(call(Faulty(driver.client, inspect_network=unanswered)), inputs(driver))
    assert driver.client.api.inspect_network(raised.value.object_id)["Name"] == driver.name("net")


def test_a_daemon_that_does_not_answer_is_told_with_what_to_do(driver: Any) -> None:
    network, _ = driver.create(NETWORK, inputs(driver))
    volume, _ = driver.create(VOLUME, {"name": driver.name("data"), "labels": driver.labels()})
    state = inputs(driver)
    silent = Faulty(driver.client, remove_network=unanswered, remove_volume=unanswered, remove_image=unanswered)
    for act in (
        lambda: Networks().delete(call(silent), network, state),
        lambda: Volumes().delete(call(silent), volume, {**state, "name": volume}),
        lambda: Images().delete(call(silent), "pulled:x", {"name": "no-such-image:1"}),
    ):
        with pytest.raises(ProvisionError, match="read timed out") as raised:
            act()
        assert raised.value.hint


def test_a_cancelled_removal_still_waits_between_its_tries(driver: Any) -> None:
    volume, outputs = driver.create(VOLUME, {"name": driver.name("data"), "labels": driver.labels()})
    user = driver.client.containers.create("busybox:1.35", volumes={volume: {"bind": "/d", "mode": "rw"}})
    cancelled = call(driver.client)
    with ThreadPoolExecutor(1) as pool:
        try:
            cancelled.stop.set()
            removal = pool.submit(Volumes().delete, cancelled, volume, outputs)
            time.sleep(0.3)  # lets tries without a wait between them run out; the outcome does not depend on it
        finally:
            user.remove()
        removal.result(timeout=30)
    with pytest.raises(NotFound):
        driver.client.volumes.get(volume)
