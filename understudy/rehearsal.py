"""A rehearsal: the program of an environment for a preview; nothing is built or kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from understudy import on_docker
from understudy.blueprint import Blueprint
from understudy.build.tree import CommitTree
from understudy.engine.interface import Program
from understudy.lease import Lease
from understudy.preparation import take_tree, trees
from understudy.provision import prepared
from understudy.scratch import Scratch
from understudy.session import Session

__all__ = ["rehearsed"]


@contextmanager
def rehearsed(session: Session, blueprint: Blueprint, lease: Lease) -> Iterator[Program]:
    """What a preview's engine is handed; the files that it names are there as long as the context lasts.

    Args:
        session: the command at work, or plain Pulumi.
        blueprint: what the environment is to be.
        lease: that of the environment that is there, else one that was never written.

    Raises:
        UsageError: a file or a secret is missing, or the target cannot do it.
        LimitError: it has no room, or it would cost more than is allowed.
        ToolError: git or the target does not answer.
    """
    blueprint = prepared(session, blueprint, pull=False)
    with _passing_tree(blueprint, session.settings.state, lease) as tree:
        if session.on_aws:
            from understudy.on_aws import Site

            yield Site.of(session, blueprint, lease, tree).held(keep=False).program
        else:
            yield on_docker.program(session, blueprint, lease, tree, on_docker.tags(blueprint, tree), keep=False)


@contextmanager
def _passing_tree(blueprint: Blueprint, state: Path, lease: Lease) -> Iterator[CommitTree]:
    """The tree that the lease already keeps, or a passing one."""
    kept = Path(lease.tree)
    if kept == trees(state, lease.id) / blueprint.commit.sha[:16] / "files" and kept.is_dir():
        yield take_tree(blueprint, state, lease.id)
        return
    with Scratch("preview") as folder:
        yield take_tree(blueprint, folder, "preview")
