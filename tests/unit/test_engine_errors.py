from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from understudy.engine import errors
from understudy.engine.commands import interrupted
from understudy.engine.errors import RULES, EngineError, classify
from understudy.engine.event_log import EventLog, Record
from understudy.engine.events import Diagnostic, EngineEvent, Op, ResourceFailed
from understudy.engine.stale_locks import Lock
from understudy.engine.verbs import outcome
from understudy.errors import ProvisionError, UsageError

LOCKED = """\
error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock \
file with `pulumi cancel`.
  file:///b/.pulumi/locks/organization/p/s/abc.json?no_tmp_dir=true: created by joe@h1 (pid 17) at 2026-01-02T03:04:05Z
"""

# What the CLI 3.200.0 says; test_engine_messages.py triggers those that can be triggered.
SAID: list[tuple[str, type[EngineError]]] = [
    (LOCKED, errors.StackLockedError),
    ("error: no stack named 'organization/p/nono' found", errors.StackNotFoundError),
    ("error: stack 'organization/p/s1' already exists", errors.StackExistsError),
    ("error: 's1' still has resources; removal rejected. Possible actions:\n- ...", errors.StackNotEmptyError),
    (
        "no resource plugin 'pulumi-resource-docker' found in the workspace or on your $PATH",
        errors.PluginMissingError,
    ),
    ('could not find latest version for provider nosuch: Get "https://x": no such host', errors.PluginMissingError),
    ("docker (resource) plugin [docker] did not begin responding to RPC connections", errors.PluginMissingError),
    (
        "error: getting stack configuration: get stack secrets manager: incorrect passphrase",
        errors.PassphraseError,
    ),
    (
        (
            "error: could not create secrets manager for new stack: passphrase must be set with "
            "PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE environment variables"
        ),
        errors.PassphraseError,
    ),
    (
        (
            "error: getting stack configuration: get stack secrets manager: unable to read "
            "PULUMI_CONFIG_PASSPHRASE_FILE: open /nope: no such file or directory"
        ),
        errors.PassphraseError,
    ),
    (
        "error: unable to open bucket file:///nono?no_tmp_dir=true: stat /nono: no such file or directory",
        errors.BackendError,
    ),
    (
        'error: read ".pulumi/meta.yaml": blob (key ".pulumi/meta.yaml") (code=Unknown): MissingRegion: could not find',
        errors.BackendError,
    ),
    ("error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions", errors.BackendError),
    (
        "error: getting stack configuration: get stack secrets manager: failed to load checkpoint: place 1: invalid",
        errors.BackendError,
    ),
    ("error: unknown flag: --event-log", errors.CliUnsupportedError),
    ('error: unknown command "quatsch" for "pulumi"', errors.CliUnsupportedError),
    ("python inline source runtime error: boom\nTraceback (most recent call last):\n ...", errors.ProgramError),
    ("The program failed:\nTraceback (most recent call last):\n ...", errors.ProgramError),
    ("update canceled", errors.InterruptedOperationError),
    ("panic: runtime error: index out of range\n\ngoroutine 1 [running]:\n", errors.EngineCrashedError),
]


@pytest.mark.parametrize(("text", "kind"), SAID, ids=[f"{kind.__name__}-{i}" for i, (_, kind) in enumerate(SAID)])
def test_the_table_maps_what_the_cli_says(text: str, kind: type[EngineError]) -> None:
    error = classify(text, verb="pulumi up", stack="organization/p/s", code=255)
    assert type(error) is kind
    assert "`pulumi up`" in str(error)
    assert "organization/p/s" in str(error)
    assert error.exit_code == (130 if kind is errors.InterruptedOperationError else 3)


def test_every_rule_has_a_message_in_this_test() -> None:
    for rule in RULES:
        assert any(rule.pattern.search(text) and kind is rule.error for text, kind in SAID), rule


def test_every_error_is_an_engine_error_and_in_the_tree_of_the_docstring() -> None:
    for name in errors.__all__:
        value = getattr(errors, name)
        if isinstance(value, type) and issubclass(value, Exception):
            assert issubclass(value, ProvisionError)
            assert name in (errors.__doc__ or "")


def test_a_lock_says_whose_it_is() -> None:
    error = classify(LOCKED, verb="pulumi up", stack="s")
    assert isinstance(error, errors.StackLockedError)
    assert error.locks == (Lock("joe", "h1", 17, "2026-01-02T03:04:05Z"),)


def test_several_locks_are_said_each_or_not_at_all() -> None:
    other = "\n  .pulumi/locks/b.json: created by ann@h2 (pid 18) at 2026-01-02T03:04:06Z"
    both = LOCKED.replace("1 lock(s)", "2 lock(s)")
    error = classify(both + other, verb="pulumi up", stack="s")
    assert isinstance(error, errors.StackLockedError)
    assert [(lock.user, lock.pid) for lock in error.locks] == [("joe", 17), ("ann", 18)]
    error = classify(both, verb="pulumi up", stack="s")
    assert isinstance(error, errors.StackLockedError)
    assert error.locks == ()


def test_a_lock_without_a_holder_is_still_a_lock() -> None:
    error = classify("the stack is currently locked by 1 lock(s).", verb="pulumi up", stack="s")
    assert isinstance(error, errors.StackLockedError)
    assert error.locks == ()


def test_what_no_rule_knows_keeps_its_text_and_a_signal_is_a_crash() -> None:
    assert type(classify("error: never heard of", verb="v", stack="s", code=1)) is EngineError
    assert "never heard of" in str(classify("error: never heard of", verb="v", stack="s", code=1))
    crashed = classify("", verb="v", stack="s", code=-11)
    assert isinstance(crashed, errors.EngineCrashedError)
    assert "signal 11" in str(crashed)


def test_a_foreign_text_is_cut() -> None:
    assert len(str(classify("x" * 100_000, verb="v", stack="s"))) < 3000


URN = "urn:pulumi:s::p::docker:index/container:Container::db"


def _record(*events: Diagnostic | ResourceFailed) -> Record:
    record = Record()
    for event in events:
        record.add(event)
    return record


def test_a_failed_resource_is_named_before_its_consequences() -> None:
    record = _record(
        ResourceFailed(0, URN, "docker:index/container:Container", Op.CREATE),
        Diagnostic(0, "error", "it died: exit 1", URN),
        ResourceFailed(0, URN + "2", "docker:index/container:Container", Op.CREATE),
        Diagnostic(0, "error", "update canceled"),
    )
    error = outcome(classify(record.text, verb="pulumi up", stack="st"), record, RuntimeError("channel closed"))
    assert isinstance(error, errors.ResourceFailedError)
    assert (error.urn, error.reason) == (URN, "it died: exit 1")
    assert "docker:index/container:Container 'db' failed: it died: exit 1" in str(error)


@pytest.mark.parametrize(
    ("kind", "reason", "told"),
    [
        ("aws:lb/targetGroup:TargetGroup", "elbv2.create_target_group failed: TooManyTargetGroups: of 100", True),
        ("aws:ec2/vpc:Vpc", "operation error EC2: CreateVpc, api error VpcLimitExceeded: the maximum", True),
        ("aws:ecs/cluster:Cluster", "ClusterQuotaForCustomerExceeded: no", True),
        ("aws:rds/instance:Instance", "api error InstanceQuotaExceeded: no", True),
        ("aws:ssm/parameter:Parameter", "ServiceQuotaExceededException: no", True),
        ("aws:ec2/vpc:Vpc", "api error RequestLimitExceeded: slow down", False),
        ("aws:sns/topic:Topic", "TooManyRequestsException: slow down", False),
        ("aws:iam/role:Role", "AccessDenied: not authorized", False),
        ("docker:index/network:Network", "LimitExceeded", False),
    ],
)
def test_a_quota_of_aws_is_told_apart_and_says_what_to_do(kind: str, reason: str, *, told: bool) -> None:
    error = errors.ResourceFailedError(f"urn:pulumi:st::p::{kind}::x", reason, verb="pulumi up", stack="st")
    assert ("Service Quotas" in error.hint) is told


def test_what_fails_after_our_stop_was_cancelled_and_is_no_failure(tmp_path: Path) -> None:
    def failing(urn: str) -> dict[str, Any]:
        metadata = {"op": "create", "urn": urn, "type": "docker:index/container:Container"}
        return {"resOpFailedEvent": {"metadata": metadata}}

    stopped = interrupted("pulumi up", "st")
    for failed_before, kind in ((False, errors.InterruptedOperationError), (True, errors.ResourceFailedError)):
        seen: list[EngineEvent] = []
        stop = threading.Event()
        log = EventLog(tmp_path / "none", seen.append, stop)
        if failed_before:
            log.take_event(failing(URN))
        stop.set()
        log.take_event(failing(URN + "2"))
        assert len(seen) == 1 + failed_before
        assert type(outcome(stopped, log.record, RuntimeError("cancelled"))) is kind


def test_our_own_error_in_a_program_is_shown_as_its_message() -> None:
    cause = UsageError("The topology is missing.", hint="Name one with -f.")
    wrapped = RuntimeError("wrapped")
    wrapped.__cause__ = cause
    failure = classify("The topology is missing.", verb="pulumi up", stack="st")
    for raised in (cause, wrapped):
        error = outcome(failure, _record(), raised)
        assert isinstance(error, errors.ProgramError)
        assert str(error) == str(cause)


def test_a_resource_that_was_refused_is_named_though_no_step_failed() -> None:
    record = _record(
        Diagnostic(0, "error", "image: must be text", URN), Diagnostic(0, "error", "an unhandled error occurred: x")
    )
    error = outcome(classify(record.text, verb="pulumi up", stack="st"), record, RuntimeError("x"))
    assert isinstance(error, errors.ResourceFailedError)
    assert error.reason == "image: must be text"


def test_the_programs_exception_is_named_with_its_type() -> None:
    record = _record(Diagnostic(0, "error", "python inline source runtime error: boom\nTraceback ..."))
    error = outcome(classify(record.text, verb="pulumi up", stack="st"), record, KeyError("boom"))
    assert isinstance(error, errors.ProgramError)
    assert "KeyError: 'boom'" in str(error)
    assert "Traceback" not in str(error)


def test_a_missing_plugin_is_not_blamed_on_the_provider_resource() -> None:
    urn = "urn:pulumi:s::p::pulumi:providers:docker::default"
    record = _record(Diagnostic(0, "error", "no resource plugin 'pulumi-resource-docker' found in the workspace", urn))
    error = outcome(classify(record.text, verb="pulumi up", stack="st"), record, None)
    assert isinstance(error, errors.PluginMissingError)
