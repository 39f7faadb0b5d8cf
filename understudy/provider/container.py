"""Containers: made, joined to networks, filled, started in their order, waited for, and removed with all theirs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from docker.errors import APIError, NotFound

from understudy.errors import ProvisionError
from understudy.stacks.identity import LABEL
from understudy.targets.docker_endpoints import leave_networks
from understudy.targets.readiness import StoppedWaitingError, wait_ready

from .check import labels_of
from .container_facts import drifted, outputs, runs
from .container_spec import body, endpoint, networks, shares
from .container_start import start
from .container_table import CONTAINER
from .container_update import update_limits
from .container_uploads import archives
from .container_wait import after, ended, saved_logs
from .docker_errors import ConflictError, GoneError, docker, reason
from .room import Call, CancelledError
from .status import NotReadyError

__all__ = ["Containers"]

WAIT_TIMEOUT = 60.0
"""Seconds of `waitTimeout` where none are given: the published schema's default."""


class Containers:
    """Create, read, update and delete containers."""

    table = CONTAINER

    def create(self, call: Call, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Create a container and start it once those that it comes after have started; wait for it if asked.

        Raises:
            ProvisionError: it was not started; nothing of it is left.
            NotReadyError: it was started, and did not get ready or failed.
        """
        name, made = inputs["name"], ""
        try:
            call.refuse_foreign_target(inputs, "creating container")
            if shares(inputs):  # Docker looks at creation for the container whose namespace or mounts are shared
                after(call, _names(inputs), _wait_timeout(call, inputs))
            with call.room.slot(call.stop):
                try:
                    made = _make(call, inputs)
                except ConflictError:
                    _clear_leftover(call, inputs)
                    made = _make(call, inputs)
                _furnish(call, made, inputs)
            if not inputs.get("start", True):
                return made, outputs(_inspect(call, made), inputs)
            after(call, _names(inputs), _wait_timeout(call, inputs))
            with call.room.slot(call.stop):
                start(call, made, inputs)
        except BaseException as error:
            call.instance.board.failed(name, str(error))
            _discard(call, made, error)
            raise
        call.instance.board.started(name)
        try:
            return made, _settle(call, made, inputs)
        except NotReadyError as error:
            if call.abandoned():  # nobody records it
                _discard(call, made, error)
            raise

    def read(
        self, call: Call, object_id: str, inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Inputs and outputs as they are now; None when the container is gone, or not ours."""
        call.refuse_foreign_target(inputs, "reading container", afresh=True)
        try:
            facts = _inspect(call, object_id)
        except GoneError:
            return None
        if not call.is_ours((facts.get("Config") or {}).get("Labels"), inputs):
            return None
        now = drifted(facts, inputs)
        return now, outputs(facts, now)

    def update(self, call: Call, object_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
        """Change what Docker changes on a live container, start it again where it has to run, and wait as at first.

        After a creation that was recorded as failed the engine asks for an update without a change, "to continue
        awaiting initialization" (pulumi sdk v3.200.0, proto/pulumi/provider.proto, ErrorResourceInitFailed).

        Raises:
            ProvisionError: Docker refuses a change.
            NotReadyError: it did not get ready, or failed again.
        """
        call.refuse_foreign_target(new, "updating container")
        facts = _inspect(call, object_id)
        call.refuse_unowned((facts.get("Config") or {}).get("Labels"), new, f"Container {new['name']}")
        with call.room.slot(call.stop):
            update_limits(call, object_id, old, new)
            if _has_to_start(facts, new):
                start(call, object_id, new)
        return _settle(call, object_id, new) if new.get("start", True) else outputs(_inspect(call, object_id), new)

    def delete(self, call: Call, object_id: str, state: Mapping[str, Any]) -> None:
        """Remove a container that is ours, with its anonymous volumes; gone is fine."""
        call.refuse_foreign_target(state, "removing container", afresh=True)
        with call.room.slot(call.stop):
            _remove(call, object_id, state)


def _settle(call: Call, made: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Wait for a started container as asked, and say how it stands.

    Raises:
        NotReadyError: it did not get ready, failed, or nobody can say.
    """
    extra: dict[str, Any] = {}
    try:
        if inputs.get("attach"):
            ended(call, made, _wait_timeout(call, inputs) if "waitTimeout" in inputs else None)
        elif inputs.get("wait"):
            wait_ready(call.room.docker, made, _wait_timeout(call, inputs), call.stop, warn=call.warn)
        if inputs.get("logs"):
            extra["containerLogs"] = saved_logs(call, made)
        return {**outputs(_inspect(call, made), inputs), **extra}
    except ProvisionError as error:
        cancelled = isinstance(error, (CancelledError, StoppedWaitingError))
        message = f"Container {inputs['name']} was started and then cancelled while it was waited for."
        raise NotReadyError(message if cancelled else str(error), made, _last_outputs(call, made, inputs)) from error


def _has_to_start(facts: Mapping[str, Any], inputs: Mapping[str, Any]) -> bool:
    """Whether a container that does not run has to: always, for the first time, or as a job that has failed."""
    if runs(facts) or not inputs.get("start", True):
        return False
    job = inputs.get("attach") or labels_of(inputs).get(LABEL + "kind") == "job"
    failed = job and facts["State"].get("ExitCode", 0) != 0
    return bool(inputs.get("mustRun", True) or facts["State"].get("Status") == "created" or failed)


def _inspect(call: Call, object_id: str) -> dict[str, Any]:
    with docker(f"Reading container {object_id[:12]}"):
        return dict(call.room.docker.api.inspect_container(object_id))


def _last_outputs(call: Call, made: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return outputs(_inspect(call, made), inputs)
    except ProvisionError:
        return dict(inputs)


def _names(inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """The containers that have to be started before this one."""
    return tuple(n for n in labels_of(inputs).get(LABEL + "after", "").split(",") if n)


def _wait_timeout(call: Call, inputs: Mapping[str, Any]) -> float:
    return float(inputs.get("waitTimeout") or call.timeout or WAIT_TIMEOUT)


def _clear_leftover(call: Call, inputs: Mapping[str, Any]) -> None:
    """Remove a container of this name that an interrupted operation of this very environment left."""
    name = inputs["name"]
    try:
        facts = _inspect(call, name)
    except GoneError:
        return
    labels = (facts.get("Config") or {}).get("Labels")
    if facts["Name"] != f"/{name}" or not call.is_ours(labels, inputs):
        raise call.taken(
            labels,
            inputs,
            f"Creating container {name} failed: there is one of that name or id that is not of this environment.",
            f"`docker inspect {name}` shows whose it is.",
        )
    _remove(call, facts["Id"], inputs)


def _make(call: Call, inputs: Mapping[str, Any]) -> str:
    """Create the container, joined to its first network; Docker takes only one at creation up to API 1.43."""
    api, name = call.room.docker.api, inputs["name"]
    for volume in inputs.get("volumes") or ():
        if volume.get("volumeName"):
            with docker(f"Creating container {name} with volume {volume['volumeName']}"):
                api.inspect_volume(volume["volumeName"])
    with docker(f"Creating container {name} from image {inputs['image']}"):
        made = api.create_container_from_config(  # type: ignore[no-untyped-call]  # the stubs leave it out
            body(inputs, call.room.settings.pids_limit), name, inputs.get("platform")
        )
    for warning in made.get("Warnings") or ():
        call.warn(f"{name}: {warning}")
    return str(made["Id"])


def _furnish(call: Call, made: str, inputs: Mapping[str, Any]) -> None:
    """Join the further networks and put the uploads in place."""
    api, name = call.room.docker.api, inputs["name"]
    for link in networks(inputs)[1:]:
        with docker(f"Connecting container {name} to network {link['name']}"):
            api.connect_container_to_network(
                made, link["name"], aliases=endpoint(link)["Aliases"], ipv4_address=link.get("ipv4Address")
            )
    try:
        packed = list(archives(inputs))
    except ValueError as error:
        raise ProvisionError(f"Packing the uploads of container {name} failed: {error}.") from error
    for folder, archive in packed:
        with docker(f"Uploading files to {folder} of container {name}"):
            api.put_archive(made, folder, archive)


def _discard(call: Call, made: str, error: BaseException) -> None:
    """Remove what a failed creation made; what cannot be removed is added to the error's message."""
    if not made:
        return
    try:
        call.room.docker.api.remove_container(made, v=True, force=True)
    except NotFound:
        return
    except Exception as second:  # noqa: BLE001 - the first error must not be lost, whatever the second is
        error.add_note(f"Container {made[:12]} could not be removed either: {second}.")


def _remove(call: Call, object_id: str, state: Mapping[str, Any]) -> None:
    api, name = call.room.docker.api, state.get("name", object_id)
    try:
        facts = _inspect(call, object_id)
    except GoneError:
        return
    call.refuse_unowned((facts.get("Config") or {}).get("Labels"), state, f"Container {name}")
    grace = state.get("destroyGraceSeconds") or 0
    with docker(f"Removing container {name}"):
        leave_networks(call.room.docker, facts)
        if grace and runs(facts):
            api.stop(object_id, timeout=grace)
        try:
            api.remove_container(object_id, v=state.get("removeVolumes", True), force=True)
        except NotFound:
            return
        except APIError as error:
            if "already in progress" not in reason(error):
                raise
            _await_gone(call, object_id)


def _await_gone(call: Call, object_id: str, limit: float = 30.0) -> None:
    """Wait until a removal that somebody else began is over.

    Raises:
        ProvisionError: it is not over in time.
    """
    until = time.monotonic() + limit
    while time.monotonic() < until:
        try:
            call.room.docker.api.inspect_container(object_id)
        except NotFound:
            return
        time.sleep(0.1)
    raise ProvisionError(f"Removing container {object_id[:12]} was in progress already and did not end in {limit:g} s.")
