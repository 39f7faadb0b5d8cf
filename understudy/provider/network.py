"""Networks: subnets out of our own pool, and removal that outlives endpoints which linger."""

from __future__ import annotations

import ipaddress
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from docker.types import IPAMConfig, IPAMPool

from understudy.errors import ProvisionError
from understudy.stacks.identity import LABEL
from understudy.targets.docker_endpoints import clear_network, network_lock

from .check import labels_of
from .docker_errors import ConflictError, GoneError, docker, reason
from .room import Call
from .status import NotReadyError
from .subnets import choose, prefix_for
from .tables import NETWORK
from .taken import taken_subnets

__all__ = ["Networks"]

ATTEMPTS = 24
"""Subnets tried before giving up; each loss means that another process took the same one first."""

REMOVALS = 8
FIRST_PAUSE = 0.2


class Networks:
    """Create, read, update and delete networks."""

    table = NETWORK

    def create(self, call: Call, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Create a network; with no `ipamConfigs` its subnet comes from the pool of the settings.

        Raises:
            ProvisionError: it was not created.
            NotReadyError: it was, and Docker does not say how it stands.
        """
        call.refuse_foreign_target(inputs, "creating network")
        with call.room.slot(call.stop):
            try:
                made = self._make(call, inputs)
            except ConflictError:
                self._clear_leftover(call, inputs)
                made = self._make(call, inputs)
            try:
                outputs, twins = (
                    self._outputs(self._inspect(call, made), inputs),
                    self._twins(call, made, inputs["name"]),
                )
            except ProvisionError as error:
                raise NotReadyError(str(error), made, dict(inputs)) from error
            if not twins:
                return made, outputs
            _remove(call, made, inputs)
        raise call.taken(
            twins[0].get("Labels"),
            inputs,
            f"Creating network {inputs['name']} failed: another process made one of that name at the same time.",
            f"`docker network ls --filter name={inputs['name']}` shows it; try again.",
        )

    def read(
        self, call: Call, object_id: str, inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Inputs and outputs as they are now; None when the network is gone, or not ours."""
        call.refuse_foreign_target(inputs, "reading network", afresh=True)
        try:
            facts = self._inspect(call, object_id)
        except GoneError:
            return None
        return (dict(inputs), self._outputs(facts, inputs)) if call.is_ours(facts.get("Labels"), inputs) else None

    def update(self, call: Call, object_id: str, _old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing of a network changes in place."""
        return self._outputs(self._inspect(call, object_id), new)

    def delete(self, call: Call, object_id: str, state: Mapping[str, Any]) -> None:
        """Remove a network that is ours, taking our own containers off it; gone is fine."""
        call.refuse_foreign_target(state, "removing network", afresh=True)
        with call.room.slot(call.stop):
            _remove(call, object_id, state)

    def _inspect(self, call: Call, object_id: str) -> dict[str, Any]:
        with docker(f"Reading network {object_id}"):
            return dict(call.room.docker.api.inspect_network(object_id))

    def _clear_leftover(self, call: Call, inputs: Mapping[str, Any]) -> None:
        """Remove a network of this name that an interrupted operation of this very environment left."""
        try:
            facts = self._inspect(call, inputs["name"])
        except GoneError:
            return
        if not call.is_ours(facts.get("Labels"), inputs) or facts.get("Containers"):
            raise call.taken(
                facts.get("Labels"),
                inputs,
                f"Creating network {inputs['name']} failed: one of that name is in use, or of somebody else.",
                f"`docker network inspect {inputs['name']}` shows whose it is.",
            )
        _remove(call, facts["Id"], inputs)

    def _twins(self, call: Call, made: str, name: str) -> list[dict[str, Any]]:
        """Other networks of this name: two that ask at once may both be given one, and nobody can join either by name.

        Docker looks for the name before it makes a network (Docker Engine API, NetworkCreate: CheckDuplicate is "best
        effort").
        """
        with docker(f"Listing the networks called {name}"):
            found = call.room.docker.api.networks(names=[name])
        return [row for row in found if row["Name"] == name and row["Id"] != made]

    def _make(self, call: Call, inputs: Mapping[str, Any]) -> str:
        if inputs.get("ipamConfigs") or inputs.get("driver", "bridge") != "bridge":
            pools = [
                IPAMPool(subnet=c.get("subnet"), gateway=c.get("gateway"), iprange=c.get("ipRange"))
                for c in inputs.get("ipamConfigs") or ()
            ]
            return _post(call, inputs, pools)
        for _ in range(ATTEMPTS):
            call.check_stop()
            with self._subnet(call, inputs) as subnet:
                try:
                    return _post(call, inputs, [IPAMPool(subnet=str(subnet))])
                except ProvisionError as error:
                    if "overlap" not in reason(error.__cause__).lower():
                        raise
        raise ProvisionError(
            f"Creating network {inputs['name']} failed: {ATTEMPTS} free subnets of {call.room.settings.subnet_pool} "
            "were tried, and other processes took each of them first.",
            hint="Try again, or give this process a pool of its own with UNDERSTUDY_SUBNET_POOL.",
        )

    @contextmanager
    def _subnet(self, call: Call, inputs: Mapping[str, Any]) -> Iterator[ipaddress.IPv4Network]:
        """A subnet that no network of this daemon, no route of this host and no other call has."""
        room = call.room
        members = labels_of(inputs).get(LABEL + "hosts", "")
        prefix = prefix_for(int(members) if members.isdigit() else None)
        pool = ipaddress.IPv4Network(room.settings.subnet_pool)
        with room.reserving:
            taken = [*taken_subnets(room.docker), *room.reserved]
            found = choose(pool, prefix, taken, random.randrange(2**16))  # noqa: S311 - spreads processes, hides nothing
            if found is None:
                raise ProvisionError(
                    f"Creating network {inputs['name']} failed: no /{prefix} is free in the pool {pool}.",
                    hint="`understudy list` shows what could go; UNDERSTUDY_SUBNET_POOL names another pool.",
                )
            room.reserved.add(found)
        try:
            yield found
        finally:
            with room.reserving:
                room.reserved.discard(found)

    def _outputs(self, facts: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
        configs = [
            {
                key: entry[name]
                for key, name in (("subnet", "Subnet"), ("gateway", "Gateway"), ("ipRange", "IPRange"))
                if entry.get(name)
            }
            for entry in (facts.get("IPAM") or {}).get("Config") or ()
        ]
        return {
            **inputs,
            "name": facts["Name"],
            "driver": facts["Driver"],
            "internal": facts["Internal"],
            "attachable": facts["Attachable"],
            "scope": facts["Scope"],
            "ipamConfigs": configs,
        }


def _post(call: Call, inputs: Mapping[str, Any], pools: list[IPAMPool]) -> str:
    with docker(f"Creating network {inputs['name']}"):
        made = call.room.docker.api.create_network(
            inputs["name"],
            driver=inputs.get("driver", "bridge"),
            options=dict(inputs.get("options") or {}),
            ipam=IPAMConfig(pool_configs=pools) if pools else None,
            check_duplicate=True,
            internal=inputs.get("internal", False),
            labels=labels_of(inputs),
            attachable=inputs.get("attachable", False),
        )
    return str(made["Id"])


def _remove(call: Call, object_id: str, state: Mapping[str, Any]) -> None:
    name, last = state.get("name", object_id), ""
    for attempt in range(REMOVALS):
        try:
            with docker(f"Removing network {name}"):
                _remove_once(call, object_id, state)
        except GoneError:
            return
        except ProvisionError as error:
            last = reason(error.__cause__)
            if "active endpoints" not in last:
                raise
        else:
            return
        time.sleep(FIRST_PAUSE * (attempt + 1))  # also when cancelled: what is left behind costs more
    raise ProvisionError(
        f"Removing network {name} was tried {REMOVALS} times, and Docker says: {last}.",
        hint="If `docker network inspect` shows no container on it, the daemon has lost count of its endpoints "
        "(moby#42119): restart the Docker daemon, then remove it.",
    )


def _remove_once(call: Call, object_id: str, state: Mapping[str, Any]) -> None:
    """Take what is left of this environment off a network, and remove it; somebody else's container stays."""
    name, client = state.get("name", object_id), call.room.docker
    facts = client.api.inspect_network(object_id)
    call.refuse_unowned(facts.get("Labels"), state, f"Network {name}")
    with network_lock(facts["Id"]):
        stranger = clear_network(client, facts, lambda labels: call.is_ours(labels, state))
        if stranger:
            raise ProvisionError(
                f"Removing network {name} failed: container {stranger} is on it and is not of this environment.",
                hint=f"`docker network disconnect {name} {stranger}`, then try again.",
            )
        client.api.remove_network(facts["Id"])
