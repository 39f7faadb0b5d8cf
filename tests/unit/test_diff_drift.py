"""What the engine and the target see, as drift; and the steps of a preview, as one record a resource."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from understudy.diff.drift import drift_of, drifted
from understudy.diff.preview import steps_of
from understudy.diff.record import DriftRecord
from understudy.engine.event_log import seen
from understudy.engine.interface import PreviewStep, Seen
from understudy.errors import NotFoundError
from understudy.stacks.identity import LABEL
from understudy.targets.docker_drift import observed
from understudy.targets.interface import ContainerFacts, Owned, Stray

URN = "urn:pulumi:s::p::understudy:index:Service$docker:index/container:Container::e1-web-container"
INPUTS = {"name": "e1-web", "memory": 32, "labels": [{"label": "dev.understudy.pids", "value": "100"}]}
AS_IT_WAS = Seen(URN, "docker:index/container:Container", "id", INPUTS, {"name": "e1-web"}, (INPUTS, {}))


def facts(**changed: object) -> tuple[ContainerFacts, ...]:
    return (ContainerFacts("e1-web", "web", {"state": "running", "exit_code": 0, "pids_limit": 100, **changed}),)


def stands(seen: Seen, facts: Iterable[ContainerFacts] = ()) -> DriftRecord | None:
    """How a resource stands by what its provider and a Docker daemon show."""
    noted = observed([seen], facts, (), ()).noted
    return drifted(seen, noted[seen.urn]) if noted else drifted(seen)


def test_what_is_as_it_was_is_no_drift() -> None:
    assert stands(AS_IT_WAS, facts()) is None


def test_a_resource_that_is_gone() -> None:
    found = stands(replace(AS_IT_WAS, now=None))
    assert found is not None
    assert (found.kind, found.name, found.state) == ("Container", "e1-web", "gone")


def test_a_container_that_stopped_and_one_that_is_paused() -> None:
    stopped = stands(replace(AS_IT_WAS, now=({**INPUTS, "mustRun": False}, {})), facts(state="exited", exit_code=137))
    assert stopped is not None
    assert (stopped.state, stopped.detail, stopped.properties) == ("stopped", "exited, exit code 137", ())
    paused = stands(AS_IT_WAS, facts(state="paused"))
    assert paused is not None
    assert paused.state == "paused"
    job = {**INPUTS, "mustRun": False}
    assert stands(replace(AS_IT_WAS, inputs=job, now=(job, {})), facts(state="exited")) is None


def test_properties_that_changed_each_with_both_values() -> None:
    found = stands(replace(AS_IT_WAS, now=({**INPUTS, "memory": 64}, {})), facts(pids_limit=None))
    assert found is not None
    assert [(each.path, each.provisioned, each.actual) for each in found.properties] == [
        ("memory", "32", "64"),
        ("pids limit", "100", None),
    ]


def test_outputs_count_where_they_name_another_thing() -> None:
    image = Seen("u::t::x", "docker:index/remoteImage:RemoteImage", "i", {"name": "a:1"}, {"imageId": "1"}, None)
    assert stands(replace(image, now=({"name": "a:1"}, {"imageId": "1", "repoDigest": "y"})), {}) is None
    found = stands(replace(image, now=({"name": "a:1"}, {"imageId": "2"})))
    assert found is not None
    assert (found.kind, found.name, found.properties[0].path) == ("RemoteImage", "a:1", "imageId")


def test_what_no_state_has_is_a_stray_but_what_a_suite_runs_in() -> None:
    owned = [
        Owned("container", "id", "e1-web"),
        Owned("container", "other", "e1-more"),
        Owned("container", "suite", "e1-suite", {LABEL + "kind": "suite"}),
    ]
    assert observed([AS_IT_WAS], facts(), owned, [Owned("container", "g", "guest")]).strays == (
        Stray("Container", "e1-more", "it has the environment's labels"),
        Stray("Container", "guest", "a stranger's, on a network of the environment"),
    )


@pytest.mark.parametrize(
    ("there", "here", "hint"),
    [
        ("aws:111122223333:eu-west-1", "aws:444455556666:eu-west-1", "credentials of account 111122223333"),
        ("docker:one", "docker:other", "DOCKER_HOST"),
    ],
)
def test_an_environment_on_another_target_is_said_to_be_and_nothing_is_asked(there: str, here: str, hint: str) -> None:
    session: Any = SimpleNamespace(target=SimpleNamespace(identity=lambda: here))
    lease: Any = SimpleNamespace(id="e1", target=there)
    side: Any = None
    with pytest.raises(NotFoundError, match=f"is on {there}, and this is {here}") as told:
        drift_of(session, side, lease)
    assert hint in told.value.hint


def event(op: str, **metadata: object) -> dict[str, object]:
    old = {"custom": True, "id": "i", "inputs": {"a": 1}, "outputs": {"b": 2}}
    base = {"op": op, "urn": URN, "type": "docker:index/container:Container", "old": old, "new": old}
    return {"resOutputsEvent": {"metadata": {**base, **metadata}, "planning": True}}


def test_what_the_engine_sees_is_read_from_its_events() -> None:
    same = seen(event("same"))
    assert same == Seen(URN, "docker:index/container:Container", "i", {"a": 1}, {"b": 2}, ({"a": 1}, {"b": 2}))
    for gone in (event("delete"), event("refresh", new=None)):
        found = seen(gone)
        assert found is not None
        assert found.now is None
    assert seen(event("same", old={"custom": False})) is None
    assert seen(event("same", type="pulumi:providers:docker")) is None
    assert seen({"summaryEvent": {}}) is None


def test_the_steps_of_a_replacement_are_one() -> None:
    other = URN.replace("web", "db")
    steps = (
        PreviewStep("create-replacement", URN, {"image": "update-replace"}),
        PreviewStep("replace", URN, {"image": "update-replace"}),
        PreviewStep("delete-replaced", URN),
        PreviewStep("update", other, {"memory": "update"}),
    )
    first, second = steps_of(steps)
    assert (first.op, first.type, first.name) == ("replace", "docker:index/container:Container", "e1-web-container")
    assert first.properties == {"image": "update-replace"}
    assert (second.op, second.properties) == ("update", {"memory": "update"})
    assert steps_of((PreviewStep("create", "odd"),))[0].urn == "odd"
