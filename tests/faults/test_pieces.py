"""A run in pieces: what is done is not made again, what failed is, and a miss or a lack ends it with 1."""

from __future__ import annotations

import argparse
import contextlib
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from faults import __main__ as command
from faults import report
from faults.nemesis import LENGTHS, PHASES, draw_moment
from faults.trial import KINDS, STRATUM, Trial

Piece = Callable[..., int]


class Lanes:
    """Stands in for the lanes: makes a record of whatever is wanted."""

    def __init__(self) -> None:
        self.made: list[tuple[str, int]] = []
        self.failing: set[tuple[str, int]] = set()
        self.not_counting: set[tuple[str, int]] = set()
        self.commit, self.day = "aaaaaaaaaaaa", "2026-01-01"

    def __call__(self, given: argparse.Namespace, wanted: list[command.Wanted]) -> Iterator[dict[str, Any]]:
        for each in wanted:
            self.made.append((each.kind, each.index))
            key = (each.kind, each.index)
            yield Trial(
                each.kind,
                given.seed,
                each.index,
                counted=key not in self.not_counting,
                ok=key not in self.failing,
                seconds=2.5,
                cpu=6.0,
                commit=self.commit,
                made=f"{self.day}T00:00:00Z",
            ).to_json() | {"lane": 0}


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> Lanes:
    found = Lanes()
    monkeypatch.setattr(command, "_made", found)
    return found


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "guarantees.md"
    path.write_text(f"before\n{report.BEGIN}\n{report.END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(report, "PAGE", path)
    return path


@pytest.fixture
def piece(lanes: Lanes, page: Path, tmp_path: Path) -> Piece:  # noqa: ARG001 - what is put in place
    def run(*arguments: str) -> int:
        return command.main([*arguments, "--results", str(tmp_path / "results")])

    return run


def row(page: Path, kind: str) -> list[str]:
    (line,) = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{kind}` ")]
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_pieces_make_one_table_and_nothing_twice(piece: Piece, lanes: Lanes, page: Path) -> None:
    assert piece("--only", "disk") == 0
    assert f"{report.BEGIN}\n{report.END}" in page.read_text(encoding="utf-8"), "a part is not the table of all"
    lanes.commit, lanes.day = "bbbbbbbbbbbb", "2026-01-02"
    assert piece("--only", "phase", "--count", "3", "--resume") == 0
    assert row(page, "phase")[2:4] == ["16", "3"]
    lanes.commit, lanes.day = "cccccccccccc", "2026-01-03"
    assert piece("--resume") == 0
    assert len(lanes.made) == len(set(lanes.made)) == sum(kind.count for kind in KINDS.values())
    assert {name: row(page, name)[3] for name in KINDS} == {name: str(kind.count) for name, kind in KINDS.items()}
    assert row(page, "disk")[9:] == ["aaaaaaaaaaaa", "2026-01-01"]
    assert row(page, "phase")[9:] == ["bbbbbbbbbbbb, cccccccccccc", "2026-01-02, 2026-01-03"]
    assert row(page, "kill")[6:9] == ["1.0%", "2.5 / 2.5 / 2.5", "6.0"]
    assert page.read_text(encoding="utf-8").startswith("before\n")
    assert page.read_text(encoding="utf-8").endswith("\nafter\n")


def test_what_failed_is_made_again_and_stays_in_the_table(piece: Piece, lanes: Lanes, page: Path) -> None:
    lanes.failing = {("disk", 3)}
    assert piece("--only", "disk", "--resume") == 1
    assert row(page, "disk")[3:7] == ["12", "1", "0", "-"]
    lanes.made.clear()
    lanes.failing = set()
    assert piece("--only", "disk", "--resume") == 0
    assert lanes.made == [("disk", 3)]
    assert row(page, "disk")[3:7] == ["12", "0", "1", "-"]


def test_what_did_not_count_is_lacking(piece: Piece, lanes: Lanes, page: Path) -> None:
    lanes.not_counting = {("disk", 3)}
    assert piece("--only", "disk", "--resume") == 1
    assert row(page, "disk")[3:5] == ["11", "0"]


def test_another_seed_is_another_table(piece: Piece, page: Path) -> None:
    assert piece("--only", "disk", "--seed", "1") == 0
    assert piece("--only", "phase", "--seed", "2", "--resume") == 0
    assert row(page, "disk")[3] == "0"
    assert row(page, "phase")[3] == "16"


def test_without_resume_earlier_results_are_gone(piece: Piece, tmp_path: Path) -> None:
    piece("--only", "disk")
    piece("--only", "phase")
    lines = (tmp_path / "results" / "trials.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["kind"] for line in lines} == {"phase"}


def test_a_lane_that_is_lost_is_made_anew_and_only_so_often(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened: list[int] = []

    def feed(given: argparse.Namespace, number: int, todo: Any, came: Any, until: float) -> bool:  # noqa: ARG001 - as it is called
        opened.append(number)
        each = todo.get_nowait()
        lost = len(opened) < losses
        came.put(Trial(each.kind, given.seed, each.index, ok=not lost, lane_lost=lost).to_json())
        return lost

    monkeypatch.setattr(command, "_feed", feed)
    results = ("--results", str(tmp_path / "results"), "--lanes", "1", "--only", "disk", "--count", "3")
    losses = 3
    assert command.main(list(results)) == 1
    assert len(opened) == 3
    opened.clear()
    losses = 100
    assert command.main([*results, "--count", "9"]) == 1
    assert len(opened) == command.LANES_LOST


def test_what_crowds_the_machine_comes_when_no_limit_is_held_any_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rounds: list[set[str]] = []

    def drive(given: argparse.Namespace, number: int, todo: Any, came: Any, until: float) -> None:  # noqa: ARG001 - as it is called
        with contextlib.suppress(Empty):
            while each := todo.get_nowait():
                rounds[-1].add(each.kind)
        came.put(None)

    def together(given: argparse.Namespace, wanted: list[command.Wanted], until: float) -> Iterator[dict[str, Any]]:
        rounds.append(set())
        return whole(given, wanted, until)

    whole = command._together
    monkeypatch.setattr(command, "_drive", drive)
    monkeypatch.setattr(command, "_together", together)
    command.main(["--results", str(tmp_path / "results"), "--count", "1", "--lanes", "1"])
    assert rounds == [set(KINDS) - {"sixty", "decoys", "reaper-points", "reapers"}, set(KINDS) - rounds[0]]


def test_what_comes_too_late_is_drawn_anew_earlier_in_the_same_phase() -> None:
    for number, phase in enumerate(PHASES):
        tries = [draw_moment(random.Random(seed), number + tried * STRATUM) for tried in (0, 3) for seed in range(50)]  # noqa: S311 - no secret
        assert {each.phase for each in tries} == {phase}
        assert max(each.after for each in tries[50:]) <= LENGTHS[phase] / 8 < max(each.after for each in tries[:50])
