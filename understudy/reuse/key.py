"""The key of a suite: one hash over all that its result depends on, or why its result cannot be reused. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from understudy.stacks.clone import Clone
from understudy.stacks.serial import canonical_json, clone_data
from understudy.stacks.topology import Suite
from understudy.suites.interpreter import pytest_arguments
from understudy.suites.results import Outcome, SuiteResult, SuiteStatus

__all__ = ["Inputs", "key_of", "not_kept", "refusal"]

_VERSION = 1
"""Raised when what is in a key changes, so that no older key is taken for a new one."""

_UNSTEADY = frozenset({Outcome.FLAKY, Outcome.ENVIRONMENT, Outcome.INTERRUPTED, Outcome.NOT_RUN})


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a suite's result depends on.

    Attributes:
        suite: its definition.
        clone: the configuration of the environment, secrets as tokens.
        images: what runs (a service's name, or `(suite)`, `(relay)`, `(mocks)`) -> the digest or id of its image.
        files: property of the topology -> the git id of the files that it names: binds, configs, builds, mocks.
        read: path -> the git id of what the suite's tests read.
        pointers: files of the commit that are pointers of Git LFS where others have their contents.
        variables: what the suite's process is given beside the contract.
        interpreter: what `fingerprint` says of the interpreter of a pytest suite on the host; empty for any other.
        run: the options and versions that a result may depend on.
    """

    suite: Suite
    clone: Clone
    images: Mapping[str, str]
    files: Mapping[str, str]
    read: Mapping[str, str]
    pointers: tuple[str, ...]
    variables: Mapping[str, str]
    interpreter: Mapping[str, str]
    run: Mapping[str, str | int | None]


def key_of(inputs: Inputs) -> str:
    """SHA-256 of the inputs in one form, as 64 hex digits.

    Of the clone, what differs from production and where images come from are left out: what it is and which images
    it runs say all that tests can notice. Of the suites only this one counts.
    """
    clone = inputs.clone
    topology = replace(clone.topology, suites=(inputs.suite,), changes=(), warnings=())
    environment = clone_data(replace(clone, topology=topology, changes=(), unchanged_builds={}, pinned={}))
    data = {
        "version": _VERSION,
        "clone": environment,
        "images": dict(inputs.images),
        "files": dict(inputs.files),
        "read": dict(inputs.read),
        "pointers": sorted(inputs.pointers),
        "variables": dict(inputs.variables),
        "interpreter": dict(inputs.interpreter),
        "run": dict(inputs.run),
    }
    return hashlib.sha256(canonical_json(data).encode()).hexdigest()


def refusal(clone: Clone, suite: Suite, *, dirty: bool, shard: bool) -> str:
    """Why the result of a suite can be no other run's; empty: it can."""
    third_parties = ", ".join(external.name for external in clone.allowed)
    allowed = ", ".join(clone.topology.allowed)
    elsewhere = suite.runs_on == "host" and pytest_arguments(suite.command) is None
    reasons = (
        (dirty, "it is of the files of a working folder, which no commit has"),
        (shard, "one part of the tests is run"),
        (clone.open_network, "the environment reaches the outside, which changes unseen"),
        (third_parties, f"the environment reaches third parties, which change unseen: {third_parties}"),
        (allowed, f"the environment depends on this machine by what was allowed: {allowed}"),
        (elsewhere, "its command is not pytest and runs on the host, where it may use anything"),
    )
    return next((why for holds, why in reasons if holds), "")


def not_kept(result: SuiteResult) -> str:
    """Why a result is kept for no later run; empty: it is."""
    if result.status is not SuiteStatus.PASSED:
        return "it did not pass"
    if result.attempts != 1 or any(case.outcome in _UNSTEADY or case.earlier for case in result.cases):
        return "it passed only when tried again, or not all of it ran"
    return ""
