"""Task definitions at the end: deregistered, deleted by tens, counted as AWS describes them, not as it tags them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aws.world import (
    BACKEND,
    HERE,
    LATER,
    OTHER,
    OURS,
    WHOSE,
    Account,
    Session,
    Tags,
    Time,
    make_queue,
    moto,
    pairs,
    session,
    tags_of,
    target,
)
from leases import a_lease

from understudy.engine.fake import FakeEngine
from understudy.engine.interface import StackRef
from understudy.lease import Lease, LeaseState, LeaseStore
from understudy.owner import this_process
from understudy.progress import Progress, State
from understudy.receipts import find
from understudy.stacks.identity import OWNERSHIP, Environment, format_time, ownership_labels
from understudy.targets.interface import Outcome
from understudy.teardown import close_gone, settle, tear_down

CONTAINER = {"name": "web", "image": "shop/web:1", "cpu": 256, "memory": 512, "essential": True}


@pytest.fixture(autouse=True)
def _moto() -> Iterator[None]:
    with moto():
        yield


def defined(environment: str, count: int, tags: Tags | None = None, *, active: bool = False) -> list[str]:
    """Revisions of one family; as the engine's destroy leaves them, or `active`."""
    ecs = session().client("ecs")
    given = pairs(tags or tags_of(environment), "key", "value")
    made = [
        ecs.register_task_definition(family=f"{environment}-web", containerDefinitions=[CONTAINER], tags=given)
        for _ in range(count)
    ]
    arns = [str(each["taskDefinition"]["taskDefinitionArn"]) for each in made]
    for arn in arns if not active else ():
        ecs.deregister_task_definition(taskDefinition=arn)
    return arns


def statuses(arns: list[str]) -> set[str]:
    ecs = session().client("ecs")
    found = set()
    for arn in arns:
        try:
            found.add(ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]["status"])
        except ecs.exceptions.ClientException:
            found.add("gone")
    return found


def batches_of(aws: Session) -> list[list[str]]:
    return [asked["taskDefinitions"] for call, asked in aws.calls if call == "ecs:DeleteTaskDefinitions"]


def test_definitions_go_after_services_deregistered_first_and_deleted_by_tens() -> None:
    account, aws = Account(), session()
    account.make(
        OURS, tags_of(), kinds={"security-group", "task-definition", "target-group", "ecs-service", "ecs-task"}
    )
    ours = defined(OURS, 18) + defined(OURS, 4, active=True)
    theirs = defined(OTHER, 2)

    swept = target(aws=aws).sweep(WHOSE)

    assert swept.failed == ()
    changes = aws.changes()
    last = {name: len(changes) - 1 - changes[::-1].index(name) for name in set(changes)}
    first = {name: changes.index(name) for name in set(changes)}
    assert last["ecs:DeleteService"] < first["ecs:DeregisterTaskDefinition"]
    assert last["ecs:StopTask"] < first["ecs:DeregisterTaskDefinition"]
    assert last["ecs:DeregisterTaskDefinition"] < first["ecs:DeleteTaskDefinitions"]
    assert changes.count("ecs:DeregisterTaskDefinition") == 5  # those that were active: the service's own is one
    batches = batches_of(aws)
    assert [len(batch) for batch in batches] == [10, 10, 3]
    assert set(ours) <= {arn for batch in batches for arn in batch}
    assert statuses(ours) <= {"DELETE_IN_PROGRESS", "gone"}
    assert statuses(theirs) == {"INACTIVE"}
    assert target().receipt(WHOSE, HERE).outcome is Outcome.CLEAN


def test_what_aws_is_deleting_and_still_tags_is_nothing_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on AWS while a task refers to it; moto by itself has it gone at once."""
    from moto.ecs.models import EC2ContainerServiceBackend

    def begin(self: EC2ContainerServiceBackend, task_definitions: list[str]) -> Any:
        found = [self.describe_task_definition(arn) for arn in task_definitions]
        for each in found:
            assert each.status == "INACTIVE"
            each.status = "DELETE_IN_PROGRESS"
        return found, []

    monkeypatch.setattr(EC2ContainerServiceBackend, "delete_task_definitions", begin)
    (arn,) = defined(OURS, 1)
    assert target().receipt(WHOSE, HERE).outcome is Outcome.LEFTOVERS
    assert [item.id for item in target().sweep(WHOSE).removed] == [arn]
    tagged = session().client("resourcegroupstaggingapi").get_resources()["ResourceTagMappingList"]
    assert [each["ResourceARN"] for each in tagged] == [arn]
    assert statuses([arn]) == {"DELETE_IN_PROGRESS"}
    aws = session()
    receipt = target(aws=aws).receipt(WHOSE, HERE)
    assert (receipt.outcome, receipt.leftovers) == (Outcome.CLEAN, ())
    assert target(aws=aws).sweep(WHOSE).removed == ()
    assert not aws.changes()


def test_what_aws_does_not_delete_is_tried_again_and_then_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.ecs.models import DeleteTaskDefinitionFailure, EC2ContainerServiceBackend

    arns = defined(OURS, 2)
    delete = EC2ContainerServiceBackend.delete_task_definitions
    refuse = [True]

    def some(self: EC2ContainerServiceBackend, task_definitions: list[str]) -> Any:
        if not refuse:
            return delete(self, task_definitions)
        others = [arn for arn in task_definitions if arn != arns[0]]
        gone = delete(self, others)[0] if others else []
        return gone, [DeleteTaskDefinitionFailure("it is held", arns[0], self.account_id, self.region_name)]

    monkeypatch.setattr(EC2ContainerServiceBackend, "delete_task_definitions", some)
    time = Time()
    swept = target(time).sweep(WHOSE)
    assert [item.id for item in swept.removed] == [arns[1]]
    assert [(item.id, "AWS did not delete it" in why, "it is held" in why) for item, why in swept.failed] == [
        (arns[0], True, True)
    ]
    assert time.at >= 60
    refuse.clear()
    assert target().sweep(WHOSE).failed == ()
    assert statuses(arns) <= {"DELETE_IN_PROGRESS", "gone"}


def test_a_tag_that_goes_between_deregistration_and_deletion_keeps_the_definition() -> None:
    (arn,) = defined(OURS, 1, active=True)
    aws = session()

    def untag(call: str, _asked: dict[str, Any]) -> None:
        if call == "ecs:DeregisterTaskDefinition":
            session().client("ecs").untag_resource(resourceArn=arn, tagKeys=[OWNERSHIP[0]])

    aws.fail = untag
    swept = target(aws=aws).sweep(WHOSE)
    assert not batches_of(aws)
    assert "does not carry all ownership labels" in dict(swept.failed)[swept.failed[0][0]]
    assert statuses([arn]) == {"INACTIVE"}


def test_a_throttled_deletion_comes_again() -> None:
    arns, time, aws = defined(OURS, 3), Time(), session()
    left = [2]

    def throttle(call: str, _asked: dict[str, Any]) -> str | None:
        if call != "ecs:DeleteTaskDefinitions" or not left[0]:
            return None
        left[0] -= 1
        return "ThrottlingException"

    aws.fail = throttle
    assert target(time, aws).sweep(WHOSE).failed == ()
    assert statuses(arns) <= {"DELETE_IN_PROGRESS", "gone"}
    assert time.slept


def test_revisions_that_updates_left_do_not_count_towards_the_cap() -> None:
    arns = defined(OURS, 5)
    assert target(cap=3).sweep(WHOSE).failed == ()
    assert statuses(arns) <= {"DELETE_IN_PROGRESS", "gone"}


@pytest.fixture
def store(tmp_path: Path) -> LeaseStore:
    return LeaseStore.beside(f"file://{tmp_path}")


def test_teardown_ends_clean_and_says_of_definitions_nothing_that_would_alarm(store: LeaseStore) -> None:
    arns = defined(OURS, 12, active=True)
    lease = a_lease(OURS, target=HERE, backend_id=BACKEND)
    store.create(lease)
    engine, aws, told = FakeEngine(run_programs=False), session(), list[Progress]()
    destroy = engine.destroy

    def deregister(ref: StackRef, **given: Any) -> None:
        for arn in arns:
            session().client("ecs").deregister_task_definition(taskDefinition=arn)
        destroy(ref, **given)

    engine.destroy = deregister  # type: ignore[method-assign]  # as Pulumi's destroy does
    receipt = tear_down(lease, engine=engine, target=target(aws=aws), store=store, listener=told.append)
    assert (receipt.outcome, receipt.leftovers) == (Outcome.CLEAN, ())
    assert "ecs:DeregisterTaskDefinition" not in aws.changes()
    assert [len(batch) for batch in batches_of(aws)] == [10, 2]
    assert store.find(OURS) is None
    assert not [event for event in told if event.state in {State.WARNING, State.FAILED}]


def handed_over(store: LeaseStore) -> Lease:
    """A lease as a plain `pulumi up` that has ended leaves it, of stack `dev` in project `mine`."""
    dead = replace(this_process(), started=1)
    lease = a_lease(
        OURS, target=HERE, backend_id=BACKEND, state=LeaseState.HANDED_OVER, owner=dead, plain=True, project="mine"
    )
    lease = replace(lease, stack="dev", not_after=format_time(LATER))
    store.create(lease)
    return lease


def test_what_a_plain_pulumi_destroy_deregistered_goes_when_its_lease_is_settled(store: LeaseStore) -> None:
    arns = defined(OURS, 2, active=True)
    mine = StackRef("mine", "dev")
    handed_over(store)
    engine = FakeEngine(run_programs=False)
    engine.up(mine, lambda: None)
    assert settle(engine, target(), store, lambda _: None) == ()
    assert statuses(arns) == {"ACTIVE"}
    for arn in arns:
        session().client("ecs").deregister_task_definition(taskDefinition=arn)
    engine.destroy(mine, remove=False)
    (receipt,) = settle(engine, target(), store, lambda _: None)
    assert receipt.outcome is Outcome.CLEAN
    assert statuses(arns) <= {"DELETE_IN_PROGRESS", "gone"}
    assert store.find(OURS) is None
    proof = find(store, OURS)
    assert proof is not None
    assert proof.receipt == receipt


def test_pulumi_up_after_its_destroy_deletes_what_that_deregistered_and_closes_the_lease(store: LeaseStore) -> None:
    arns, theirs = defined(OURS, 12), defined(OTHER, 1)
    lease, aws = handed_over(store), session()
    receipt = close_gone(lease, target(aws=aws), store, lambda _: None)
    assert receipt is not None
    assert (receipt.outcome, store.find(OURS)) == (Outcome.CLEAN, None)
    assert statuses(arns) <= {"DELETE_IN_PROGRESS", "gone"}
    assert statuses(theirs) == {"INACTIVE"}
    assert set(aws.changes()) == {"ecs:DeleteTaskDefinitions"}


@pytest.mark.parametrize("beside", ["log-group", "task-definition"])
def test_while_anything_else_is_there_former_revisions_are_left_to_the_environment(
    store: LeaseStore, beside: str
) -> None:
    """As at a `pulumi up` that updates it: its revision is active, those of former updates are not."""
    former = defined(OURS, 2)
    if beside == "task-definition":
        defined(OURS, 1, active=True)
    else:
        Account().make(OURS, tags_of(), kinds={beside})
    lease, aws = handed_over(store), session()
    assert close_gone(lease, target(aws=aws), store, lambda _: None) is None
    assert not aws.changes()
    assert (statuses(former), store.find(OURS)) == ({"INACTIVE"}, lease)


def test_the_lease_stays_where_aws_does_not_delete_what_was_deregistered(store: LeaseStore) -> None:
    arns, aws, told = defined(OURS, 1), session(), list[Progress]()
    lease = handed_over(store)
    aws.fail = lambda call, _asked: "AccessDeniedException" if call == "ecs:DeleteTaskDefinitions" else None
    assert close_gone(lease, target(aws=aws), store, told.append) is None
    assert (statuses(arns), store.find(OURS), find(store, OURS)) == ({"INACTIVE"}, lease, None)
    (event,) = told
    assert (event.state, event.subject) == (State.WARNING, f"task-definition {arns[0].rpartition('/')[2]}")
    assert "do not permit it: DeleteTaskDefinitions" in event.detail


def test_what_was_made_under_a_later_lease_meanwhile_is_no_part_of_what_is_gone(store: LeaseStore) -> None:
    """Another process may close the same lease, and make the environment anew, before this one has looked again."""
    arns, aws = defined(OURS, 1), session()
    lease = handed_over(store)
    anew = ownership_labels(Environment(OURS, HERE, "shop", LATER + timedelta(seconds=1), BACKEND))

    def make(call: str, _asked: dict[str, Any]) -> None:
        if call == "ecs:DeleteTaskDefinitions":
            make_queue(f"{OURS}-jobs", anew)

    aws.fail = make
    assert close_gone(lease, target(aws=aws), store, lambda _: None) is None
    assert "sqs:DeleteQueue" not in aws.changes()
    assert statuses(arns) <= {"DELETE_IN_PROGRESS", "gone"}
    assert [item.name for item in target().inventory(WHOSE)] == [f"{OURS}-jobs"]
    assert store.find(OURS) == lease
