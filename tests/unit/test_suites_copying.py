from __future__ import annotations

from pathlib import Path

import pytest

from understudy.redact import Redactor
from understudy.suites.copying import Copies, Copy, Follower

SECRET = "generated-0123456789"  # noqa: S105 - of no use


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    source, target = tmp_path / "raw", tmp_path / "kept"
    source.mkdir()
    target.mkdir()
    return source, target


def test_what_was_printed_is_there_at_once_but_no_beginning_of_a_secret(places: tuple[Path, Path]) -> None:
    source, target = (place / "output.log" for place in places)
    with source.open("wb", buffering=0) as out:
        follower = Follower(source, Copy(target, Redactor([SECRET])))
        seen = []
        for piece in (b"ready\n", b"it is " + SECRET[:9].encode(), SECRET[9:].encode() + b" \xff", b".\n"):
            out.write(piece)
            follower.step()
            follower.step()
            seen.append(target.read_bytes())
    assert seen == [b"ready\n", b"ready\nit is ", b"ready\nit is [secret] \xff", b"ready\nit is [secret] \xff.\n"]
    follower.finish()
    assert target.read_bytes() == seen[-1]
    assert target.stat().st_mode & 0o777 == 0o600


def test_one_look_is_bounded_and_the_end_is_whole(places: tuple[Path, Path]) -> None:
    source, target = (place / "output.log" for place in places)
    source.write_bytes(b"x" * 100 + SECRET.encode())
    follower = Follower(source, Copy(target, Redactor([SECRET])))
    follower.step(40)
    assert target.stat().st_size <= 40
    follower.finish()
    assert target.read_bytes() == b"x" * 100 + b"[secret]"


def test_a_log_that_the_suite_empties_or_replaces_is_read_on(places: tuple[Path, Path], tmp_path: Path) -> None:
    source, target = (place / "output.log" for place in places)
    source.write_bytes(b"before\n")
    follower = Follower(source, Copy(target, Redactor()))
    follower.step()
    source.write_bytes(b"after\n")  # as `> /dev/stderr` in a script does
    follower.step()
    (tmp_path / "mine").write_text("none of the suite's")
    source.unlink()
    source.symlink_to(tmp_path / "mine")
    follower.step()
    assert follower.last(4) == b"ter\n"
    follower.finish()
    assert target.read_bytes() == b"before\nafter\n"


def test_what_cannot_be_written_is_said_once_and_ends_nothing(places: tuple[Path, Path]) -> None:
    source, target = places
    (source / "output.log").write_bytes(b"text")
    (target / "output.log").write_bytes(b"of another")
    copies = Copies(source, target, Redactor())
    copies.step()
    copies.results.take(b"{}\n")
    (problem,) = copies.finish()
    assert "File exists" in problem
    assert (target / "output.log").read_bytes() == b"of another"
    assert copies.names() == ["results.jsonl"]
    assert copies.finish() == [problem]
