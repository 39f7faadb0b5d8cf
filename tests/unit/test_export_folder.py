from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar, cast

import pytest
from report_records import shop

from understudy.errors import ExportError, ToolError, UsageError
from understudy.export import RunFolder, fetch_mock_log
from understudy.export.mock_watch import MockWatch
from understudy.export.mocks import MockAddress, MockCounts
from understudy.files import write_file
from understudy.progress import Phase, Progress, State
from understudy.redact import MARK, Redactor
from understudy.report import RunRecord, utc
from understudy.stacks.clone import Change
from understudy.stacks.identity import Whose
from understudy.targets.interface import ContainerFacts, Followed, Follower, Outcome, Receipt, Sampler, Target

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FakeTarget:
    """A target of one container whose log and facts tell a secret; of a broken one the log is not whole."""

    def __init__(self, *, broken: bool = False, absent: bool = False) -> None:
        self.broken = broken
        self.absent = absent

    def follow(self, whose: Whose, folder: Path, redactor: Redactor, sample: Sampler) -> Follower:
        if self.absent:
            raise ToolError("the daemon is gone")
        folder.mkdir(mode=0o700)
        write_file(folder / "web.log", redactor.text(f"2026 {whose.environment} token hunter22\n").encode())
        sample({"service": "web hunter22", "cpu_seconds": 1.5})
        return FakeFollower(self, whose.environment)


class FakeFollower:
    def __init__(self, target: FakeTarget, environment: str) -> None:
        self.target = target
        self.environment = environment

    def finish(self) -> Followed:
        facts = ContainerFacts(f"{self.environment}-web", "web", {"health": "asked with hunter22", "exit_code": 0})
        return Followed(containers=(facts,), problems=("web: the disk is on fire",) if self.target.broken else ())

    def close(self, *, destroyed: bool) -> tuple[str, ...]:
        return ("web: its last lines: hunter22",) if destroyed and self.target.broken else ()


def fake(*, broken: bool = False, absent: bool = False) -> Target:
    return cast("Target", FakeTarget(broken=broken, absent=absent))


RECEIPT = Receipt("e1", "docker:x", Outcome.CLEAN, "2026-01-02T03:04:05Z")


def folder(base: Path) -> RunFolder:
    return RunFolder.create(base, "e1", NOW, Redactor(["hunter22"]))


def record() -> RunRecord:
    return RunRecord("r", "e1", "docker:x", "p", "", "", "c", "b hunter22", "main", utc(0))


def test_folders_are_unique_and_latest_names_the_last(tmp_path: Path) -> None:
    first, second = folder(tmp_path), folder(tmp_path)

    assert first.path == tmp_path / "understudy-runs" / "20260102T030405Z-e1"
    assert second.name == "20260102T030405Z-e1-2"
    assert (tmp_path / "understudy-runs" / "latest").resolve() == second.path
    assert first.path.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "understudy-runs" / ".gitignore").read_text() == "*\n"


def test_many_runs_at_once_each_have_their_own(tmp_path: Path) -> None:
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.append(folder(tmp_path).name)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(made)) == 12
    assert (tmp_path / "understudy-runs" / "latest").resolve().name in made


def test_a_folder_that_cannot_be_made_is_an_export_error(tmp_path: Path) -> None:
    (tmp_path / "understudy-runs").write_text("a file")

    with pytest.raises(ExportError, match="Made a run folder"):
        folder(tmp_path)


def test_a_latest_that_is_no_link_is_only_a_warning(tmp_path: Path) -> None:
    (tmp_path / "understudy-runs" / "latest" / "x").mkdir(parents=True)

    made = folder(tmp_path)

    assert [(failure.part, failure.required) for failure in made.failures] == [("latest", False)]
    made.finish()


def test_everything_written_is_redacted_private_and_listed(tmp_path: Path) -> None:
    made = folder(tmp_path)
    target = fake()

    made.write_changes([Change("services.web", "hunter22", None, "r")])
    made.write_receipt(RECEIPT)
    made.write_text("notes/a.txt", "x hunter22")
    made.event(Progress(Phase.TEST, State.DONE, "hunter22", "d", 1.0, at=0.0), 2.5)
    made.event(Progress(Phase.TEST, State.DONE))
    (facts,) = made.collect_containers(made.follow(target, Whose("e1", "b1"), 0.0)).containers
    made.write_run(record())
    made.finish()

    assert made.files() == (
        "changes.json",
        "containers.json",
        "events.jsonl",
        "logs/web.log",
        "notes/a.txt",
        "receipt.json",
        "run.json",
        "usage.jsonl",
    )
    for name in made.files():
        assert "hunter22" not in (made.path / name).read_text()
        assert (made.path / name).stat().st_mode & 0o777 == 0o600
    assert facts.facts["health"] == f"asked with {MARK}"
    events = [json.loads(line) for line in (made.path / "events.jsonl").read_text().splitlines()]
    assert events[0] == {
        "at": "1970-01-01T00:00:00.000000Z",
        "offset": 2.5,
        "phase": "test",
        "state": "done",
        "subject": MARK,
        "detail": "d",
        "seconds": 1.0,
    }
    assert RunRecord.from_json((made.path / "run.json").read_text()).branch == f"b {MARK}"
    assert json.loads((made.path / "receipt.json").read_text())["outcome"] == "CLEAN"


def test_one_part_that_fails_stops_no_other(tmp_path: Path) -> None:
    made = folder(tmp_path)
    made.collect_containers(made.follow(fake(broken=True), Whose("e1", "b1"), 0.0))
    made.collect_containers(made.follow(fake(absent=True), Whose("e1", "b1"), 0.0))
    made.collect_mocks({"payments": MockAddress("127.0.0.1", 1)})
    made.write_json("odd.json", {"a": object()}, required=False)
    made.write_changes([])

    assert (made.path / "logs" / "web.log").read_text() == f"2026 e1 token {MARK}\n"
    assert "changes.json" in made.files()
    assert [failure.part for failure in made.failures] == ["logs", "logs", "mocks/payments", "odd.json"]
    with pytest.raises(
        ExportError, match="3 of its parts failed: logs: web: the disk is on fire; logs: the daemon is gone; mocks"
    ):
        made.finish()


def test_a_record_that_does_not_fit_the_schema_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = folder(tmp_path)
    monkeypatch.setattr(RunRecord, "to_data", lambda _self: {"schema": 1})

    with pytest.raises(ExportError, match="does not fit"):
        made.write_run(record())

    assert made.files() == ()


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = folder(tmp_path)
    made.write_run(record())
    before = (made.path / "run.json").read_text()

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ExportError, match="No space left"):
        made.write_run(record())
    made.write_changes([])

    assert (made.path / "run.json").read_text() == before
    assert made.files() == ("run.json",)
    assert [failure.part for failure in made.failures] == ["changes.json"]


def test_a_listener_that_cannot_write_says_so_once(tmp_path: Path) -> None:
    made = folder(tmp_path)
    (made.path / "events.jsonl").mkdir()

    for _ in range(3):
        made.event(Progress(Phase.TEST, State.DONE))

    assert [failure.part for failure in made.failures] == ["events.jsonl"]


class Journal(BaseHTTPRequestHandler):
    answers: ClassVar[dict[str, bytes]] = {
        "/__admin/requests": b'{"requests": [{"url": "/pay", "headers": {"x": "hunter22"}}, {}]}',
        "/__admin/requests/unmatched": b'{"requests": [{"url": "/else"}]}',
    }

    def do_GET(self) -> None:
        body = self.answers.get(self.path, b"")
        self.send_response(200 if self.path in self.answers else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def mock_port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Journal)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_mocks_are_asked_and_counted(tmp_path: Path, mock_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    made = folder(tmp_path)

    counts = made.collect_mocks({"pay/ments": MockAddress("127.0.0.1", mock_port)})

    assert (counts["pay/ments"].requests, counts["pay/ments"].unmatched) == (2, 1)
    (name,) = made.files()
    data = json.loads((made.path / name).read_text())
    assert data["requests"]["requests"][0]["headers"]["x"] == MARK
    made.finish()


def test_what_a_test_removes_from_a_journal_is_kept_and_said(
    tmp_path: Path, mock_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def journal(*idents: str) -> None:
        whole = json.dumps({"requests": [{"id": ident, "request": {"url": "/pay"}} for ident in idents]}).encode()
        none = json.dumps({"requests": [{"url": ident} for ident in idents]}).encode()
        monkeypatch.setattr(Journal, "answers", {"/__admin/requests": whole, "/__admin/requests/unmatched": none})

    address = MockAddress("127.0.0.1", mock_port)
    journal("a", "b")
    watch = MockWatch({"pay": address, "silent": MockAddress("127.0.0.1", 1)}, every=0.01)
    while not watch.seen("pay", 2):
        assert watch.alive
    journal("c")
    while not watch.seen("pay", 3):
        assert watch.alive
    journal("d")
    made = folder(tmp_path)
    counts = made.collect_mocks({"pay": address}, watch.close())

    assert counts["pay"] == MockCounts(requests=4, unmatched=4, lost=3)
    data = json.loads((made.path / "mocks" / "pay.json").read_text())
    assert data["lost"] == 3
    assert {entry["id"] for entry in data["requests"]["requests"]} == {"a", "b", "c", "d"}


@pytest.mark.parametrize("body", [b"no json", b"[]", b"[" * 100_000])
def test_a_mock_that_answers_nonsense_is_an_export_error(
    body: bytes, mock_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Journal, "answers", {"/__admin/requests": body})

    with pytest.raises(ExportError, match="/__admin/requests"):
        fetch_mock_log(MockAddress("127.0.0.1", mock_port))


def test_a_mock_is_bound_in_time_size_and_path(mock_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ExportError, match="larger than 10 bytes"):
        fetch_mock_log(MockAddress("127.0.0.1", mock_port), largest=10)
    with pytest.raises(ExportError, match="took too long"):
        fetch_mock_log(MockAddress("127.0.0.1", mock_port), time_limit=0)
    monkeypatch.setattr(Journal, "answers", {})
    with pytest.raises(ExportError, match="404"):
        fetch_mock_log(MockAddress("127.0.0.1", mock_port))


def test_folders_nested_deeper_than_a_path_may_be_end_no_run(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x")
    handle = os.open(tmp_path, os.O_RDONLY)
    for _ in range(25):
        os.mkdir("a" * 200, dir_fd=handle)
        below = os.open("a" * 200, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(os.open("deep", os.O_CREAT, dir_fd=handle))
    os.close(handle)
    try:
        assert RunFolder(tmp_path).files() == ("plain",)
    finally:
        shutil.rmtree(tmp_path / ("a" * 200))


def test_a_link_in_the_place_of_the_runs_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "understudy-runs").symlink_to("elsewhere")
    with pytest.raises(UsageError, match="is a link, which is not followed"):
        RunFolder.create(tmp_path, "e1", NOW)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_secret_that_is_a_word_of_the_record_leaves_a_record(tmp_path: Path) -> None:
    words = ("passed", "failed", "environment", "docker", "schema", "outcome", "suites", "CLEAN", "assert")
    folder = RunFolder.create(tmp_path, "e1", NOW, Redactor(words))
    record = shop(3, failing=1)
    folder.write_run(record)
    folder.write_summary(record)
    text = (folder.path / "run.json").read_text(encoding="utf-8")
    read = RunRecord.from_json(text)
    assert [case.outcome for case in read.suites[0].tests] == [case.outcome for case in record.suites[0].tests]
    assert read.commit == record.commit
    assert "assert 502" not in text  # in a stranger's text it is taken out
    assert MARK in text


def test_everything_that_may_hold_a_secret_is_its_owner_s_alone(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "e1", NOW)
    folder.write_run(shop(1))
    folder.write_summary(shop(1))
    folder.append("events.jsonl", {"a": 1})
    for path in (tmp_path / "understudy-runs").rglob("*"):
        if not path.is_symlink():
            assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
