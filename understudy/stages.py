"""The stages of a run: provisioning and tests at once, each suite from the moment on which what it needs is ready."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from understudy.arranging import arrange
from understudy.authority import certificate_of
from understudy.awaited import Awaited, OfReady
from understudy.blueprint import Blueprint
from understudy.errors import NotTestedError, UnderstudyError
from understudy.export.mocks import MockAddress
from understudy.known_secrets import known_secrets
from understudy.lease import Lease, LeaseState
from understudy.making import Making
from understudy.preparation import environment_of
from understudy.progress import Phase, Progress, State, stoppable
from understudy.provider.settings import ProviderSettings
from understudy.provision import Provisioned, addresses, clone, hold_suites, provision, untestable
from understudy.recorder import Recorder
from understudy.reuse.lookup import look_up
from understudy.seed import secret_values, seed_for
from understudy.session import Session
from understudy.suites.arrangement import Arrangement
from understudy.suites.contract import Contract, EndpointAddress
from understudy.suites.interpreter import check_suites
from understudy.suites.network import Network
from understudy.suites.places import Inside
from understudy.suites.results import SuiteResult, SuitesResult
from understudy.suites.runner import only_reused, run_suites

__all__ = ["authority_of", "known_of", "mocks_of", "run_stages", "run_tests", "secrets_of"]


def run_stages(session: Session, blueprint: Blueprint, lease: Lease, recorder: Recorder) -> None:
    """Clone, build, provision and test; what comes of it is in the record.

    Where every suite's result is reused, nothing is provisioned. Else a provisioning failure ends the tests, and a
    failure of the tests the provisioning.

    Raises:
        UsageError: a suite could not start; nothing was provisioned.
        ProvisionError: a build, a resource or a service failed.
        NotTestedError: the target runs nothing of what was made.
        InterruptedRunError: a signal came.
    """
    lease, tree = clone(session, blueprint, lease)
    suites = blueprint.clone.topology.suites
    prepared = check_suites(suites, tree.root / blueprint.folder, _origin(blueprint, tree.root), tree.root)
    hold_suites(session, blueprint, tree.root)
    awaited = Awaited(blueprint.clone, lease.id, early=_early(session))
    reuse = look_up(session, blueprint, tree, prepared)
    if reuse.results and not reuse.rest(suites):
        with session.phase(Phase.TEST):
            recorder.tested(only_reused(reuse.results, recorder.folder.path), awaited)
        return

    def make(stop: threading.Event) -> Provisioned:
        logs = recorder.folder.path / "builds"
        told = replace(session, listener=stoppable(session.listener, stop))
        made = provision(told, blueprint, lease, tree, logs, stop=stop, awaited=awaited, estimated=recorder.estimated)
        recorder.provisioned(made)  # at once: a run that is killed while its tests run has it in the record
        _hold_tested(session, made.untestable)
        session.store.update(lease, check=_ready)
        return made

    with Making(make, session.stop, awaited.fail) as making:
        arrangement, past = arrange(session, blueprint, lease)
        recorder.arranged(arrangement, past)
        here = arrangement.suites(reuse.rest(suites))
        making.until(lambda: session.halt.said is not None or any(map(awaited.is_open, here)))
        session.store.update(lease, state=LeaseState.TESTING)
        result = _test(session, blueprint, lease, recorder, awaited, arrangement=arrangement, reused=reuse.results)
        if session.options.stop_after is not None and not result.passed and making.cancel():
            session.listener(Progress(Phase.PROVISION, State.INFO, detail="the tests failed: it goes no further"))
        try:
            making.end()
        finally:
            recorder.tested(reuse.noted(result), awaited)


def _early(session: Session) -> bool:
    """Whether what the engine has made is ready, as the embedded provider sees to.

    The published one waits for Docker's health checks alone, and on AWS what counts is asked for at the end.
    """
    return not session.on_aws and session.options.docker_provider == "embedded"


def _hold_tested(session: Session, why: str) -> None:
    """Hold that what was made can answer, in the phase that would wait for it."""
    if not why:
        return
    with session.phase(Phase.READY):
        raise NotTestedError(
            f"Nothing was tested: {why}.",
            hint="A run against AWS itself, without AWS_ENDPOINT_URL, tests what it makes.",
        )


def _ready(now: Lease) -> dict[str, object]:
    """All of it is there, and where no suite was early nobody tests yet."""
    return {"state": LeaseState.READY} if now.state is LeaseState.PROVISIONING else {}


def run_tests(session: Session, blueprint: Blueprint, lease: Lease, recorder: Recorder) -> None:
    """Test an environment that is there, once all of it is ready.

    Raises:
        UsageError: a suite could not start.
        NotTestedError: the target runs nothing.
        ProvisionError: the environment did not get ready.
        InterruptedRunError: a signal came.
    """
    _hold_tested(session, untestable(session))
    awaited = Awaited(blueprint.clone, lease.id, early=False)
    with session.phase(Phase.READY):
        since = time.monotonic()
        awaited.complete(session.target.wait_ready(lease.whose, session.options.ready_timeout), since)
    recorder.found_ready()
    arrangement, past = arrange(session, blueprint, lease)
    recorder.arranged(arrangement, past)
    recorder.tested(_test(session, blueprint, lease, recorder, awaited, arrangement=arrangement), awaited)


def _test(
    session: Session,
    blueprint: Blueprint,
    lease: Lease,
    recorder: Recorder,
    awaited: Awaited,
    *,
    arrangement: Arrangement,
    reused: Sequence[SuiteResult] = (),
) -> SuitesResult:
    tree = Path(lease.tree)
    known = {result.name for result in reused}

    def endpoints() -> tuple[EndpointAddress, ...]:
        found = addresses(session, blueprint, lease)
        recorder.reached(found, mocks_of(session, blueprint, lease))
        return found

    with session.phase(Phase.TEST) as fail, session.target.watch(lease.whose) as watch:
        result = run_suites(
            [suite for suite in blueprint.clone.topology.suites if suite.name not in known],
            project=tree / blueprint.folder,
            contract=Contract(
                lease.id,
                secrets=secrets_of(session, blueprint, lease),
                authority=authority_of(session, blueprint, lease),
            ),
            endpoints=endpoints,
            folder=recorder.folder.path,
            workers=session.options.workers,
            stop_after=session.options.stop_after,
            stop=session.stop,
            listener=session.listener,
            redactor=recorder.folder.redactor,
            origin=_origin(blueprint, tree),
            tree=tree,
            gate=awaited,
            watch=OfReady(watch, awaited),
            network=_inside(session, blueprint, lease),
            arrangement=arrangement,
            so_far=recorder.testing,
            halt=session.halt,
            reused=reused,
        )
        if not result.passed:
            fail()
    return result


def _inside(session: Session, blueprint: Blueprint, lease: Lease) -> Inside | None:
    """Where suites run that run inside the environment."""
    if session.on_aws:
        from understudy import on_aws

        return on_aws.inside(session, blueprint, lease)
    return Network(
        environment_of(blueprint, lease),
        blueprint.clone,
        ProviderSettings.from_environment().pids_limit,
        closed=bool(blueprint.trusted_sha),
    )


def secrets_of(session: Session, blueprint: Blueprint, lease: Lease) -> Mapping[str, str]:
    """The values of the environment's secrets that were made anew, by rule."""
    topology = blueprint.clone.topology
    return secret_values(seed_for(session.settings, lease.id, topology), topology)


def known_of(session: Session, blueprint: Blueprint, lease: Lease) -> frozenset[str]:
    """Every secret that the command knows, made anew or given."""
    made = secrets_of(session, blueprint, lease).values()
    return known_secrets(made, blueprint, session.settings, os.environ)


def authority_of(session: Session, blueprint: Blueprint, lease: Lease) -> str:
    """The certificate that the environment's HTTPS mocks are verified with; empty where there is none of them."""
    return certificate_of(session.store.authority(lease.id)) if blueprint.clone.speaks_https else ""


def mocks_of(session: Session, blueprint: Blueprint, lease: Lease) -> dict[str, MockAddress]:
    """Mock -> where it answers; what the target does not say is left out."""
    try:
        found = session.target.endpoints(lease.whose)
    except UnderstudyError:
        return {}
    authority = ""
    with suppress(UnderstudyError):  # its mocks cannot be asked then, which the export says of each
        authority = authority_of(session, blueprint, lease)
    return {
        mock.name: MockAddress(*found[f"{mock.name}:{mock.port}"], authority if mock.scheme == "https" else "")
        for mock in blueprint.clone.mocks
        if f"{mock.name}:{mock.port}" in found
    }


def _origin(blueprint: Blueprint, tree: Path) -> Path:
    """The user's own project folder, where a suite's `python: .venv/bin/python` is; else the tree's."""
    repository = blueprint.repository
    return (repository.root if repository else tree) / blueprint.folder
