from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.redact import MARK, Redactor
from understudy.targets.log_file import LogFile

SECRET = "hunter2hunter2"  # noqa: S105 - what must not come out


def stamp(second: int) -> bytes:
    return f"2026-01-02T03:04:{second % 60:02}.{second:09}Z ".encode()


def moment(number: int) -> bytes:
    return f"2026-01-02T03:04:05.{number:09}Z ".encode()


def written(log: LogFile) -> str:
    log.close()
    return log.path.read_text(encoding="utf-8")


def test_a_line_that_was_cut_is_one_again_and_no_secret_hides_in_the_cut(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log", Redactor([SECRET]))
    log.take(1, stamp(1) + b"before hunter2")
    log.take(1, stamp(1) + b"hunter2 after\n")
    log.take(2, stamp(2) + b"next\n")
    assert written(log) == f"{stamp(1).decode()}before {MARK} after\n{stamp(2).decode()}next\n"
    assert log.path.stat().st_mode & 0o777 == 0o600


def test_the_other_stream_breaks_a_line_and_hides_no_secret(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log", Redactor([SECRET]))
    log.take(1, stamp(1) + (b"x" * (16 << 10) + b"hunter2")[-(16 << 10) :])
    log.take(2, stamp(2) + b"in between\n")
    log.take(1, stamp(1) + b"hunter2 after\n")
    log.take(1, stamp(3) + b"next\n")
    first, *others = written(log).splitlines()
    assert first.removeprefix(stamp(1).decode()).strip("x") == ""
    assert others[0] == f"{stamp(2).decode()}in between"
    assert others[1].endswith(f"{MARK} after")
    assert others[2] == f"{stamp(3).decode()}next"


def test_a_cut_line_without_its_end_ends_where_the_next_begins(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log", Redactor([SECRET]))
    log.take(1, stamp(1) + b"a")
    log.take(1, stamp(2) + b"b")
    log.take(2, stamp(3) + b"c")
    assert written(log) == f"{stamp(1).decode()}a\n{stamp(2).decode()}b\n{stamp(3).decode()}c"


def test_what_is_no_text_is_readable_also_across_a_cut(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log", Redactor([SECRET]))
    data = "zażółć".encode()
    for byte in data:
        log.take(1, stamp(1) + bytes([byte]))
    log.take(1, stamp(1) + b"\xff\xe9\n")
    assert written(log) == f"{stamp(1).decode()}zażółć\\xff\\xe9\n"


@given(
    st.lists(st.tuples(st.integers(1, 2), st.integers(0, 5)), max_size=40),
    st.integers(0, 40),
)
@settings(max_examples=50, deadline=None)
def test_a_log_that_is_read_on_has_each_message_once(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, int]], broken_at: int
) -> None:
    """Stamps may be alike, and a little out of order; the daemon leaves out what is older than it is asked for."""
    steady = [(1, 0)] * 1500  # more than is remembered
    messages = [
        (stream, moment(number // 4 + late) + b"%d\n" % number) for number, (stream, late) in enumerate(steady + drawn)
    ]
    log = LogFile(tmp_path_factory.mktemp("log") / "a.log", Redactor())
    for each in messages[: 1480 + broken_at]:
        log.take(*each)
    since = log.resume()
    for stream, message in messages:
        if not since or message[:30] >= since:
            log.take(stream, message)
    assert [line.split()[1] for line in written(log).splitlines()] == [str(number) for number in range(len(messages))]


def test_a_line_of_50_mb_takes_little_memory(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log", Redactor([SECRET]))
    piece = stamp(1) + b"x" * (16 << 10)
    tracemalloc.start()
    try:
        for _ in itertools.repeat(None, (50 << 20) >> 14):
            log.take(1, piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    log.close()
    assert log.path.stat().st_size == (50 << 20) + len(stamp(1))
    assert peak < 2 << 20


def test_a_log_is_never_written_over_another(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("of another run")
    with pytest.raises(FileExistsError):
        LogFile(tmp_path / "a.log", Redactor())


def test_an_unfinished_line_stands_in_the_log_but_for_what_may_begin_a_secret(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "web.log", Redactor([SECRET]))
    begin = "." * ((16 << 10) - len("hunter2h"))
    log.take(1, stamp(1) + f"{begin}hunter2h".encode())
    log.settle()
    assert log.path.read_text(encoding="utf-8") == stamp(1).decode() + begin
    log.take(1, stamp(1) + b"unter2, done\n")
    log.take(2, stamp(3) + b"bye")
    assert written(log).splitlines() == [stamp(1).decode() + f"{begin}{MARK}, done", stamp(3).decode() + "bye"]
