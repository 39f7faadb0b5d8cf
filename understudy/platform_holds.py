"""What holds before a platform is made or removed: the account is its own, and nothing of another's is in the way."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from understudy.console import printable
from understudy.engine.interface import StackRef
from understudy.errors import LeftoversError, UsageError
from understudy.on_aws import PROJECT, aws_of
from understudy.options import CONFIG_FILE, Options
from understudy.platform_state import (
    Holding,
    State,
    holding_of,
    is_named,
    is_of,
    outputs_in,
    owner_in,
    places_in,
    sort_out,
    state_of,
)
from understudy.session import Session
from understudy.stacks.aws.platform import PLATFORM, TAG, execution_role, owner_named, platform_of
from understudy.targets.aws.platform import standing
from understudy.targets.interface import Owned

__all__ = [
    "hold_alone",
    "hold_data",
    "hold_own",
    "hold_place",
    "hold_table",
    "named",
    "of_whom",
    "others_names",
    "owner",
]

_MOST = 8
"""Objects that a message names of many."""


def owner(session: Session, ref: StackRef, state: State, *, write: bool) -> str:
    """The value of the tag on all that a stack's platform has: as its state has it, so that a moved stack keeps it.

    `write`: keep the backend's id, if it is asked for the first time.
    """
    return owner_in(state) or owner_named(ref.name, session.store.backend_id(write=write))


def hold_table(options: Options, ref: StackRef, state: State, done: str) -> None:
    """Hold that the table [platform] of the configuration, if there is one, names the stack's own platform.

    Args:
        options: with that table.
        ref: the stack.
        state: its state.
        done: what would be done to it, for the message.

    Raises:
        UsageError: it names another, or is not usable.
    """
    if options.platform is None:
        return
    table = platform_of(options.platform, f"the table [platform] of {CONFIG_FILE}")
    outputs = outputs_in(state)
    made = None if outputs is None else platform_of(outputs, f"the stack {ref.project}/{ref.name}")
    if made is not None and (table.vpc_id, table.cluster_arn) == (made.vpc_id, made.cluster_arn):
        return
    has = "none" if made is None else f"{made.cluster_arn} in {made.vpc_id}"
    raise UsageError(
        f"The table [platform] of {CONFIG_FILE} says that environments stand on {printable(table.cluster_arn)} in "
        f"{printable(table.vpc_id)}, and the platform of the stack {ref.project}/{ref.name} is {printable(has)}: "
        f"nothing was {done}.",
        hint="`platform up` and `down` work on the stack alone, never on what a table names, and while there is the "
        "table no environment stands on the stack's. Take the table out of the file, or call from a folder without it.",
    )


def hold_place(ref: StackRef, state: State, here: str, done: str) -> None:
    """Hold that the credentials are of the account and region that the platform's stack says it is in.

    Args:
        ref: the stack.
        state: its state.
        here: the identity of the target, just asked.
        done: what would be done to it, for the message.

    Raises:
        UsageError: it is in another.
    """
    if is_of(state, here):
        return
    (accounts, regions), (_, account, region) = places_in(state), here.split(":")
    there = f"account {', '.join(sorted(accounts)) or account} and region {', '.join(sorted(regions)) or region}"
    raise UsageError(
        f"The platform {ref.project}/{ref.name} is of {printable(there)}, and the credentials are of account {account} "
        f"and region {region}: nothing was {done}.",
        hint="Use the credentials of its account, and --aws-region for its region. A platform of these credentials' "
        "account and region needs a stack of its own in this backend: --aws-platform NAME.",
    )


def hold_alone(session: Session, ref: StackRef, state: State, own: str) -> None:
    """Hold that no other stack's platform is in the account and region: names of AWS objects have room for one.

    Args:
        session: of the command.
        ref: the stack.
        state: its state; what was made by half, or kept by a removal, is its own.
        own: the value of the tag on what is the stack's.

    Raises:
        UsageError: there is one, or what nobody can tell to be this stack's.
        ToolError: AWS does not answer.
    """
    here, held = session.target.identity(), holding_of(state)
    roles = held.roles | {execution_role(here.rpartition(":")[2])}
    found = sort_out(standing(aws_of(session), here, roles), own, held.names)
    if not found.others and not found.unknown:
        return
    raise UsageError(
        f"Looked for other platforms on {here} before {ref.project}/{ref.name} is made, and there are "
        f"{of_whom(session, (*found.others, *found.unknown))}: nothing was made.",
        hint="An account and region have one platform. Environments can stand on that one: name its stack by "
        "--aws-platform and its backend by PULUMI_BACKEND_URL, or its ids under [platform] in "
        f"{CONFIG_FILE}. `understudy platform down` with both removes it. Another region or account has room for "
        "another.",
    )


def hold_data(ref: StackRef, state: State, *, shared_database: bool) -> None:
    """Hold that a shared database which is there is wanted again: it keeps data, and no update takes it away.

    Args:
        ref: the stack.
        state: its state.
        shared_database: whether it is wanted.

    Raises:
        UsageError: it is not.
    """
    if not shared_database and any(kind == "rds-instance" for kind, _ in holding_of(state).data):
        raise UsageError(
            f"The platform {ref.project}/{ref.name} has a shared database, and --shared-database was not given: "
            "nothing was made.",
            hint="Give it again: what keeps data is not taken away by an update. `understudy platform down "
            "--delete-data` deletes it.",
        )


def hold_own(session: Session, ref: StackRef, held: Holding, own: str) -> None:
    """Hold that nothing which the stack's state has is another's: AWS may have given it what was there by that name.

    Args:
        session: of the command.
        ref: the stack.
        held: what its state has.
        own: the value of the tag on what is the stack's.

    Raises:
        LeftoversError: something is.
        ToolError: AWS does not answer.
        EngineError: another stack of this backend cannot be read.
    """
    found = standing(aws_of(session), session.target.identity(), held.roles)
    ours = [item for item in found if is_named(item, held.names)]
    strange = [item for item in ours if item.labels[TAG] not in (own, PLATFORM)]
    if unsaid := [item for item in ours if item.labels[TAG] == PLATFORM]:
        shared = others_names(session, ref)
        strange += [item for item in unsaid if is_named(item, shared)]
    if strange:
        raise LeftoversError(
            f"Looked at what the state of {ref.project}/{ref.name} has before it is removed, and among it are "
            f"{of_whom(session, strange)}, which another stack has too: nothing was removed.",
            hint="With the variables of `understudy env`, `pulumi state delete --target-dependents URN` takes each out "
            f"of the state of organization/{ref.project}/{ref.name}, and deletes nothing on AWS; then call this again.",
        )


def others_names(session: Session, ref: StackRef) -> Collection[str]:
    """All by which AWS may name what other platforms of this backend have in the account and region."""
    here = session.target.identity()
    others = [each.ref for each in session.engine.list() if each.ref.project == PROJECT and each.ref != ref]
    states = [state for each in others if is_of(state := state_of(session.engine, each), here)]
    return {name for state in states for name in holding_of(state).names}


def of_whom(session: Session, items: Iterable[Owned]) -> str:
    """Objects with a platform's tag by whose they are, in words."""
    by_owner: dict[str, list[Owned]] = {}
    for item in items:
        by_owner.setdefault(item.labels.get(TAG, PLATFORM), []).append(item)
    return " and ".join(f"{named(found)} ({_whose(session, said)})" for said, found in sorted(by_owner.items()))


def _whose(session: Session, said: str) -> str:
    stack, at, backend = said.rpartition("@")
    if not at:
        return "whose tag says no stack"
    if backend == session.store.backend_id(write=False):
        return f"of this backend's stack {PROJECT}/{printable(stack)}"
    return f"of the stack {PROJECT}/{printable(stack)} in the backend with the id {printable(backend)}"


def named(items: Iterable[Owned]) -> str:
    """The first of some objects by kind and name, and how many there are beside them."""
    found = [f"{item.kind} {item.name}" for item in items]
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return printable(", ".join(found[:_MOST]) + more)
