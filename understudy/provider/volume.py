"""Volumes: created only where none of that name is, removed only where the labels still say that they are ours."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from understudy.errors import ProvisionError

from .check import labels_of
from .docker_errors import ConflictError, GoneError, docker, reason
from .room import Call
from .tables import VOLUME

__all__ = ["Volumes"]

REMOVALS = 10
FIRST_PAUSE = 0.1


class Volumes:
    """Create, read, update and delete volumes."""

    table = VOLUME

    def create(self, call: Call, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Create a volume, empty: Docker would hand out an existing one of that name without a word."""
        call.refuse_foreign_target(inputs, "creating volume")
        name = inputs["name"]
        with call.room.slot(call.stop):
            self._clear_leftover(call, inputs)
            with docker(f"Creating volume {name}"):
                facts = call.room.docker.api.create_volume(
                    name,
                    driver=inputs.get("driver", "local"),
                    driver_opts=dict(inputs.get("driverOpts") or {}),
                    labels=labels_of(inputs),
                )
        if not call.is_ours(facts.get("Labels"), inputs):
            message = f"Creating volume {name} failed: somebody else made one of that name first."
            raise call.taken(facts.get("Labels"), inputs, message, f"`docker volume inspect {name}` shows whose it is.")
        return name, _outputs(facts, inputs)

    def read(
        self, call: Call, object_id: str, inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Inputs and outputs as they are now; None when the volume is gone, or another one has its name."""
        call.refuse_foreign_target(inputs, "reading volume", afresh=True)
        try:
            facts = self._inspect(call, object_id)
        except GoneError:
            return None
        return (dict(inputs), _outputs(facts, inputs)) if call.is_ours(facts.get("Labels"), inputs) else None

    def update(self, call: Call, object_id: str, _old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing of a volume changes in place."""
        return _outputs(self._inspect(call, object_id), new)

    def delete(self, call: Call, object_id: str, state: Mapping[str, Any]) -> None:
        """Remove a volume that is ours; gone is fine, `in use` is tried again for a few seconds."""
        call.refuse_foreign_target(state, "removing volume", afresh=True)
        with call.room.slot(call.stop):
            self._remove(call, object_id, state)

    def _inspect(self, call: Call, name: str) -> dict[str, Any]:
        with docker(f"Reading volume {name}"):
            return dict(call.room.docker.api.inspect_volume(name))

    def _clear_leftover(self, call: Call, inputs: Mapping[str, Any]) -> None:
        try:
            facts = self._inspect(call, inputs["name"])
        except GoneError:
            return
        if not call.is_ours(facts.get("Labels"), inputs):
            raise call.taken(
                facts.get("Labels"),
                inputs,
                f"Creating volume {inputs['name']} failed: there is one of that name that is not of this environment.",
                f"`docker volume inspect {inputs['name']}` shows whose it is.",
            )
        self._remove(call, inputs["name"], inputs)

    def _remove(self, call: Call, name: str, state: Mapping[str, Any]) -> None:
        api, last = call.room.docker.api, ""
        for attempt in range(REMOVALS):
            try:
                with docker(f"Removing volume {name}"):
                    call.refuse_unowned(api.inspect_volume(name).get("Labels"), state, f"Volume {name}")
                    api.remove_volume(name)
            except GoneError:
                return
            except ConflictError as error:
                last = reason(error.__cause__)
                if "in use" not in last:
                    raise
            else:
                return
            time.sleep(FIRST_PAUSE * (attempt + 1))  # also when cancelled: what is left behind costs more
        raise ProvisionError(f"Removing volume {name} was tried {REMOVALS} times, and Docker says: {last}.")


def _outputs(facts: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {**inputs, "name": facts["Name"], "driver": facts["Driver"], "mountpoint": facts.get("Mountpoint", "")}
