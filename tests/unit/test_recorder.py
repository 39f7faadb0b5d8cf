"""A defect while a run is recorded: its traceback is kept, the rest goes on, and the exit code says where it was."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from leases import a_lease
from report_records import shop

from understudy.aftermath import send
from understudy.errors import ExportError, UnderstudyError
from understudy.export import RunFolder
from understudy.export.sinks import Stage
from understudy.progress import Phase, Progress, State, silent
from understudy.recorder import Recorder
from understudy.stacks.cost.charges import Declared
from understudy.stacks.cost.estimate import estimate
from understudy.stacks.cost.table import Price, PriceTable, Source
from understudy.stacks.identity import Whose
from understudy.targets.interface import Followed, Outcome, Receipt


class OddFollower:
    def finish(self) -> Followed:
        raise ZeroDivisionError("nobody foresaw this")


class QuietFollower:
    def close(self, *, destroyed: bool) -> tuple[str, ...]:
        assert destroyed
        return ()


class OddOutbox:
    records = ()

    def send(self, *_: object, **__: object) -> tuple[UnderstudyError, ...]:
        raise ZeroDivisionError("nobody foresaw this either")


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    @contextmanager
    def phase(name: Phase) -> Iterator[None]:
        session.listener(Progress(name, State.STARTED))
        yield

    target = SimpleNamespace(follow=lambda *_: OddFollower(), reach=lambda: None)
    session: Any = SimpleNamespace(target=target, listener=silent, stop=threading.Event(), phase=phase)
    clone = SimpleNamespace(topology=SimpleNamespace(suites=()))
    blueprint: Any = SimpleNamespace(clone=clone)
    folder = RunFolder.create(tmp_path, "eabc", datetime(2026, 1, 2, tzinfo=UTC))
    lease: Any = SimpleNamespace(whose=Whose("eabc", "bxyz"))
    return Recorder(session, blueprint, lease, folder, shop(0), at=0.0)


def test_a_defect_while_exporting_is_a_failed_export_and_sinks_get_what_there_is(recorder: Recorder) -> None:
    sent: list[bool] = []
    recorder.export(a_lease(), {}, lambda: sent.append(True))
    assert recorder.exit_code == ExportError.exit_code
    assert [cause.phase for cause in recorder.record.causes] == [Phase.EXPORT]
    assert "nobody foresaw this" in (recorder.folder.path / "defect.txt").read_text(encoding="utf-8")
    assert sent == [True]


def test_a_defect_of_a_sink_is_a_failed_export_whenever_it_sends(recorder: Recorder) -> None:
    outbox: Any = OddOutbox()
    recorder.session.listener(Progress(Phase.RECEIPT, State.DONE))
    assert not send(recorder.session, recorder, outbox, Stage.FINAL)
    assert recorder.exit_code == ExportError.exit_code


def test_a_defect_elsewhere_counts_as_a_failed_provisioning(recorder: Recorder) -> None:
    with recorder.watch():
        raise ZeroDivisionError
    assert recorder.exit_code == UnderstudyError.exit_code


def test_what_was_never_there_whole_cost_its_estimate_at_most(recorder: Recorder) -> None:
    source = {"page": Source("a page", "https://prices.example", "2030")}
    table = PriceTable("eu-west-1", "USD", "2030-01-02", source, {"nat": Price(0.05, "hour", ("page",))})
    recorder.record = replace(recorder.record, phases=(), kept=None, receipt=None)
    recorder._follower = QuietFollower()  # type: ignore[assignment]  # all that is asked of it here
    recorder.session.listener(Progress(Phase.PROVISION, State.STARTED))
    recorder.estimated(estimate([Declared("aws:ec2/natGateway:NatGateway", "nat", {})], table))
    recorder.session.listener(Progress(Phase.PROVISION, State.FAILED))
    recorder.removed(Receipt("eabc", "aws:123456789012:eu-west-1", Outcome.CLEAN, "2026-01-02T00:00:00Z"))
    recorder.handed_over("by nobody: it is gone")
    cost = recorder.record.cost
    assert cost is not None
    assert (cost.per_hour, cost.at_most) == (0.05, True)
    assert cost.hours is not None
    assert cost.total == round(cost.hours * 0.05, 6)
