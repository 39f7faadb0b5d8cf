"""A pass on a real daemon with the real engine: what is over and ours goes, decoys stay.

Other environments live on the daemon: the pass sees what carries this test's mark only, by a label of its own.
"""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from leases import give_id
from reap_world import at, labels, lease
from support import docker

from understudy import receipts
from understudy.engine.interface import StackRef
from understudy.options import Options
from understudy.progress import silent
from understudy.reap import Judgement, Policy
from understudy.reap.passing import reap
from understudy.session import open_session
from understudy.stacks.identity import LABEL
from understudy.stops import Stop
from understudy.targets.docker import DockerTarget
from understudy.targets.interface import Outcome, Owned

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

MARK = "reap-test"


def flags(with_labels: dict[str, str]) -> list[str]:
    return [part for key, value in with_labels.items() for part in ("--label", f"{key}={value}")]


@pytest.fixture
def mark() -> Iterator[str]:
    made = secrets.token_hex(6)
    yield made
    chosen = ("--filter", f"label={MARK}={made}")
    for listing, remove in (
        (("ps", "-aq"), ("rm", "-f", "-v")),
        (("network", "ls", "-q"), ("network", "rm")),
        (("volume", "ls", "-q"), ("volume", "rm")),
    ):
        for name in docker(*listing, *chosen).split():
            subprocess.run(["docker", *remove, name], check=False, capture_output=True)


def test_what_is_over_and_ours_goes_from_a_real_daemon(
    mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = DockerTarget.claimed

    def marked(target: DockerTarget) -> tuple[Owned, ...]:
        return tuple(item for item in every(target) if item.labels.get(MARK) == mark)

    monkeypatch.setattr(DockerTarget, "claimed", marked)
    orphan, over, young, kept, foreign = (f"e{mark}{letter}" for letter in "abcde")
    with open_session(Options(image_budget=10_000.0), tmp_path, silent, Stop()) as session:
        here = session.target.identity()
        give_id(session.store)

        def of(environment: str, until: str, **changes: str) -> list[str]:
            return flags({**labels(environment, until, target=changes.pop("target", here), **changes), MARK: mark})

        docker("network", "create", *of(orphan, at(-9)), f"{orphan}-net")
        docker("run", "-d", "--network", f"{orphan}-net", *of(orphan, at(-9)), "busybox:1.35", "sleep", "600")
        docker("volume", "create", *of(over, at(5)), f"{over}-data")
        docker("volume", "create", *of(young, at(5)), f"{young}-data")
        docker("volume", "create", *of(kept, at(-9), protect="true"), f"{kept}-data")
        docker("volume", "create", *of(foreign, at(-9), target="docker:another"), f"{foreign}-data")
        docker(
            "volume", "create", "--label", f"{LABEL}environment={orphan}", "--label", f"{MARK}={mark}", f"{mark}-half"
        )
        session.engine.up(StackRef("understudy", over), lambda: None)
        session.engine.up(StackRef("understudy", f"e{mark}f"), lambda: None)
        for name, until in ((over, at(-1)), (young, at(1))):
            session.store.create(lease(name, target=here, expires=until, backend=session.settings.backend))
        dry = reap(session, Policy(), dry=True)
        assert {v.subject.name for v in dry.verdicts if v.kind is Judgement.REAP} == {
            orphan,
            over,
            f"understudy/e{mark}f",
        }
        made = reap(session, Policy(), dry=False)
        assert made.exit_code == 5, made
        assert all(each.clean for each in made.reaped)
        assert {item.name for item in session.target.claimed()} == {
            f"{young}-data",
            f"{kept}-data",
            f"{foreign}-data",
            f"{mark}-half",
        }
        assert session.engine.list() == ()
        proof = receipts.find(session.store, orphan)
        assert proof is not None
        assert (proof.receipt.outcome, proof.receipt.target) == (Outcome.CLEAN, here)
        assert [each.id for each in session.store.list()[0]] == [young]
        again = reap(session, Policy(), dry=False)
        assert (again.wanted, again.exit_code) == (0, 5)
        assert again.facts.skew.total_seconds() < 60
