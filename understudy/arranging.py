"""Before the tests: what the history and the options say of which of them run here, and in which order."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from understudy.blueprint import Blueprint
from understudy.build.git import Repository
from understudy.documents import from_commit, from_folder
from understudy.errors import UsageError
from understudy.files import open_regular
from understudy.history.access import base_branch, recall
from understudy.history.arrange import orders_of
from understudy.history.past import Past
from understudy.history.place import history_place
from understudy.lease import Lease
from understudy.options import Options
from understudy.session import Session
from understudy.suites.arrangement import Arrangement, can_be_split
from understudy.suites.shards import Durations, Shard, parse_durations, parse_shard, split

__all__ = ["DURATIONS", "arrange", "hold_durations", "hold_options", "shard_of"]

DURATIONS = "understudy-durations.json"
"""The file beside the Compose file that shards are split by, where the commit has one."""

_LARGEST = 64 << 20


def shard_of(options: Options) -> Shard | None:
    """Which part of the tests this machine runs; None: all of them."""
    return parse_shard(options.shard, os.environ)


def hold_options(options: Options) -> None:
    """Hold that the options of this module can be used, before anything is made.

    Raises:
        UsageError: the history's URL is none, there is none to reuse results of, or the file of durations is not there.
    """
    place = history_place(options.history)
    if options.reuse and place is None:
        raise UsageError("Results are to be reused, and there is no history to take them from.", hint="Drop --history.")
    if options.durations:
        _read_durations(Path(options.durations))


def hold_durations(options: Options, blueprint: Blueprint) -> None:
    """Hold that the commit's own file of durations, where the run is split by it, can be read, before anything is made.

    Raises:
        UsageError: it cannot.
    """
    repository = blueprint.repository
    if shard_of(options) is None or options.durations or repository is None:
        return
    where = "the working folder" if blueprint.dirty else f"commit {blueprint.commit.short}"
    reader = (
        from_folder(repository.root, blueprint.folder)
        if blueprint.dirty
        else from_commit(repository, blueprint.commit.sha, blueprint.folder)
    )
    if (data := reader(DURATIONS)) is not None:
        _parsed(data, f"{DURATIONS} of {where}")


def arrange(session: Session, blueprint: Blueprint, lease: Lease) -> tuple[Arrangement, Past]:
    """The arrangement of the test stage, and the past that it and the record's earlier ends come from.

    The parts of shards follow from the commit and the file of durations, which are the same on every machine; the
    order within each follows from whatever that machine knows.

    Raises:
        UsageError: the file of durations cannot be read.
    """
    options = session.options
    past = recall(
        history_place(options.history),
        repository=lease.repository,
        topology=lease.topology,
        branch=lease.branch,
        base=_base(session, blueprint),
    )
    orders = orders_of(past) if options.order == "history" else {}
    shard = shard_of(options)
    if shard is None:
        return Arrangement(orders), past
    suites = [(suite.name, can_be_split(suite)) for suite in blueprint.clone.topology.suites]
    durations = _durations(options, Path(lease.tree) / blueprint.folder)
    return Arrangement(orders, shard, split(suites, durations, shard.of)), past


def _base(session: Session, blueprint: Blueprint) -> tuple[str, str]:
    repository = blueprint.repository
    if repository is None:
        with suppress(UsageError):
            repository = Repository.find(session.folder)
    return base_branch(repository, blueprint.production_ref, os.environ)


def _durations(options: Options, project: Path) -> Durations:
    """Those of the file that an option names, else of the commit's own, else none."""
    if options.durations:
        return _read_durations(Path(options.durations))
    path = project / DURATIONS
    return _read_durations(path) if os.path.lexists(path) else Durations()


def _read_durations(path: Path) -> Durations:
    try:
        with open_regular(path) as source:
            data = source.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(
            f"Read the durations {path}, and it failed: {error}.", hint="`understudy history --export FILE` writes one."
        ) from error
    return _parsed(data, str(path))


def _parsed(data: bytes, name: str) -> Durations:
    if len(data) > _LARGEST:
        raise UsageError(f"Read the durations {name}, and it is larger than {_LARGEST >> 20} MiB.")
    return parse_durations(data, name)
