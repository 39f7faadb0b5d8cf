"""A defect while a run is recorded: its traceback is kept, the rest goes on, and the exit code says where it was."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
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
from understudy.stacks.identity import Whose
from understudy.targets.interface import Followed


class OddFollower:
    def finish(self) -> Followed:
        raise ZeroDivisionError("nobody foresaw this")


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
