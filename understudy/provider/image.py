"""Images: found on the daemon or pulled, and removed only where this resource itself has pulled them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docker.utils import parse_repository_tag

from understudy.errors import ProvisionError

from .docker_errors import ConflictError, GoneError, docker, reason
from .room import Call
from .tables import IMAGE

__all__ = ["Images"]

_PULLED = "pulled:"
"""How the id of an image begins that was not there before: only such a one is ours to remove."""


class Images:
    """Create, read, update and delete remote images."""

    table = IMAGE

    def create(self, call: Call, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Find the image on the daemon, else pull it."""
        name, mark = inputs["name"], ""
        try:
            facts = self._inspect(call, name)
        except GoneError:
            with call.room.pulling(call.stop):
                self._pull(call, inputs)
            facts, mark = self._inspect(call, name), _PULLED
        return f"{mark}{facts['Id']}{name}", _outputs(facts, inputs)

    def read(
        self, call: Call, _object_id: str, inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Inputs and outputs as they are now; None when the image is gone."""
        try:
            facts = self._inspect(call, inputs["name"])
        except GoneError:
            return None
        return dict(inputs), _outputs(facts, inputs)

    def update(self, call: Call, _object_id: str, _old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
        """What changes in place counts at deletion only."""
        return _outputs(self._inspect(call, new["name"]), new)

    def delete(self, call: Call, object_id: str, state: Mapping[str, Any]) -> None:
        """Remove an image that this resource pulled, unless it is to be kept or still used."""
        if state.get("keepLocally", False) or not object_id.startswith(_PULLED):
            return
        name = state["name"]
        try:
            with docker(f"Removing image {name}"):
                call.room.docker.api.remove_image(name, force=state.get("forceRemove", False))
        except GoneError:
            return
        except ConflictError as error:
            call.warn(f"Image {name} is still used and was kept: {reason(error.__cause__)}.")

    def _inspect(self, call: Call, name: str) -> dict[str, Any]:
        with docker(f"Reading image {name}"):
            return dict(call.room.docker.images.get(name).attrs)

    def _pull(self, call: Call, inputs: Mapping[str, Any]) -> None:
        name = inputs["name"]
        repository, tag = parse_repository_tag(name)
        tried = f"Image {name} is not on this daemon, and pulling it"
        hint = "Check the name, build or load the image first, or log in with `docker login`."
        failure = None
        try:
            with docker(tried):
                for line in call.room.docker.api.pull(
                    repository, tag=tag or "latest", platform=inputs.get("platform"), stream=True, decode=True
                ):
                    call.check_stop()
                    failure = line.get("error") or failure
        except ProvisionError as error:
            error.hint = error.hint or hint
            raise
        if failure:
            raise ProvisionError(f"{tried} failed: {failure}.", hint=hint)


def _outputs(facts: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    digests = facts.get("RepoDigests") or [""]
    return {**inputs, "imageId": facts["Id"], "repoDigest": digests[0]}
