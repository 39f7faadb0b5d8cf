from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from report_records import BEGAN, case, folder_of, shop, suite

from understudy.report import EndpointRecord, PartRecord, RunRecord, SectionRecord, utc
from understudy.report_html.evidence import logs_of
from understudy.report_html.log_windows import LogFile, opened
from understudy.report_html.touched import MEANWHILE, mentions, touched
from understudy.suites.results import Outcome

SERVICES = ("gateway", "orders", "db", "mailer", "payments")


def log(*lines: tuple[float | None, str]) -> bytes:
    return "".join((f"{utc(at)} " if at is not None else "") + said + "\n" for at, said in lines).encode()


@pytest.mark.parametrize(("start", "end"), [(0.0, 9.0), (2.0, 5.0), (2.5, 2.6), (6.0, 99.0), (-5.0, 1.0), (50.0, 60.0)])
def test_a_window_holds_the_lines_of_its_time_and_no_others(start: float, end: float) -> None:
    stamps = [0.0, 1.0, 2.0, 2.0, 2.5, 4.999, 5.0, 6.0, 7.0]
    found, more = LogFile(log(*((at, f"at {at}") for at in stamps))).window(start, end, 100)

    assert [each.at for each in found] == [at for at in stamps if start <= at < end]
    assert all(each.text == f"at {each.at}" for each in found)
    assert more == 0


def test_lines_without_a_stamp_go_with_what_stands_before_them() -> None:
    data = log((1.0, "one"), (None, "  and more"), (None, ""), (2.0, "two"), (3.0, "three"), (None, "end"))

    assert [each.text for each in LogFile(data).window(1.0, 2.5, 10)[0]] == ["one", "  and more", "", "two"]


def test_a_line_of_fifty_megabytes_hides_no_other() -> None:
    data = log((1.0, "before"), (2.0, "x" * 50_000_000), (3.0, "after"))
    found, _ = LogFile(data).window(1.5, 9.0, 10)

    assert [each.text[:5] for each in found] == ["xxxxx", "after"]
    assert len(found[0].text) < 2200
    assert "50000029 bytes" in found[0].text


def test_what_is_too_much_is_counted_and_the_last_lines_stay() -> None:
    data = log(*((float(at), str(at)) for at in range(10)))

    found, more = LogFile(data).window(0.0, 10.0, 3)
    assert ([each.text for each in found], more) == (["7", "8", "9"], 7)
    tail, more = LogFile(data.rstrip(b"\n")).tail(2)
    assert ([each.text for each in tail], more) == (["8", "9"], 1)
    assert LogFile(data).tail(20)[1] == 0


def test_bytes_that_are_no_text_and_no_log_at_all_do_no_harm(tmp_path: Path) -> None:
    assert LogFile(b"\xff\xfe\x00no stamp\n").window(0.0, 9.0, 5) == ((), 0)
    assert [each.text for each in LogFile(utc(1.0).encode() + b" \xff\x00\n").window(0.0, 9.0, 5)[0]] == [
        "\ufffd\u2400"
    ]
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/hostname")
    for name in ("empty", "pipe", "link", "absent"):
        with opened(tmp_path / name) as found:
            assert found is None


def record() -> RunRecord:
    endpoint = EndpointRecord("db", 5432, "127.0.0.1", 32926, "postgresql", "postgresql://127.0.0.1:32926")
    return replace(shop(), endpoints=(endpoint,))


@pytest.mark.parametrize(
    ("detail", "named"),
    [
        ("KeyError: UNDERSTUDY_ORDERS_80_URL", {"orders"}),
        ('connection to "127.0.0.1", port 32926 failed', {"db"}),
        ("postgresql://127.0.0.1:32926/shop", {"db"}),
        ("the mailer said no", {"mailer"}),
        ("reorders, orders-api and 127.0.0.1:329260", set()),
    ],
)
def test_a_failure_names_services_by_name_variable_or_address(detail: str, named: set[str]) -> None:
    failed = replace(case("t::x", Outcome.FAILED), message="", detail="", sections=(SectionRecord("out", detail),))

    why = touched(failed, (), record().graph, mentions(record(), SERVICES))
    assert {name for name, reason in why.items() if reason == "named in the failure"} == named
    assert set(why) == set(SERVICES)


def test_what_stands_behind_a_named_service_comes_after_it_and_the_rest_last() -> None:
    failed = replace(case("t::x", Outcome.FAILED), message="the orders are gone", detail="", sections=())

    why = touched(failed, ("mailer",), record().graph, mentions(record(), SERVICES))
    assert list(why.items()) == [
        ("orders", "named in the failure"),
        ("mailer", "the suite needs it"),
        ("db", "orders depends on it"),
        ("payments", "orders depends on it"),
        ("gateway", MEANWHILE),
    ]


def test_a_failed_test_has_the_lines_of_its_window(tmp_path: Path) -> None:
    failed = case("t::orders", Outcome.FAILED, at=2.0, seconds=1.0)
    run = replace(shop(), suites=(suite("one", (case("t::fine", at=1.0), failed)),))
    lines = log((BEGAN + 1.9, "early"), (BEGAN + 2.1, "during"), (BEGAN + 3.4, "late"), (BEGAN + 3.6, "too late"))
    folder = folder_of(run, tmp_path, {"orders": lines.decode(), "mailer": lines.decode(), "db": ""})

    found = logs_of(run, folder)

    assert list(found.tests) == [(0, 1)]
    excerpts = {each.service: each for each in found.tests[0, 1]}
    assert [each.text for each in excerpts["orders"].lines] == ["during", "late"]
    assert excerpts["mailer"].why == MEANWHILE
    assert excerpts["db"].lines == ()
    assert found.whole
    assert logs_of(run, None).tests == {}


@pytest.mark.parametrize("health", ["exited", "starting"])
def test_a_service_that_was_not_well_shows_its_last_lines(tmp_path: Path, health: str) -> None:
    run = shop()
    ill = tuple(replace(node, health=health) if node.name == "db" else node for node in run.graph.nodes)
    run = replace(run, graph=replace(run.graph, nodes=ill))

    (tail,) = logs_of(run, folder_of(run, tmp_path, {"db": log((1.0, "bye")).decode()})).tails

    assert (tail.service, tail.why, tail.lines[0].text) == ("db", f"was {health} at the end", "bye")


def test_logs_behind_a_link_are_none_of_the_run(tmp_path: Path) -> None:
    run = shop()
    ill = tuple(replace(node, health="exited") if node.name == "db" else node for node in run.graph.nodes)
    run = replace(run, graph=replace(run.graph, nodes=ill))
    folder = folder_of(run, tmp_path, {"db": log((1.0, "of another")).decode()})
    (folder / "logs").rename(tmp_path / "elsewhere")
    (folder / "logs").symlink_to(tmp_path / "elsewhere")

    assert logs_of(run, folder).tails == ()


def test_a_test_of_a_joined_run_has_the_lines_of_its_part(tmp_path: Path) -> None:
    failed = replace(case("t::orders", Outcome.FAILED, at=2.0, seconds=1.0), part="parts/2-of-2")
    parts = tuple(
        PartRecord(f"{n}/2", f"r{n}", f"e{n}", folder, utc(BEGAN), 9.0, 1, "CLEAN")
        for n, folder in ((1, "parts/1-of-2"), (2, "parts/2-of-2"), (3, "../stranger"), (4, "parts/linked"))
    )
    run = replace(shop(), suites=(suite("one", (failed,)),), parts=parts)
    folder = folder_of(run, tmp_path, {})
    for name in ("../stranger", "parts/1-of-2", "parts/2-of-2"):
        (folder / name / "logs").mkdir(parents=True)
        (folder / name / "logs" / "orders.log").write_bytes(log((BEGAN + 2.1, f"of {name}")))
    (folder / "parts" / "linked").symlink_to(folder / "parts" / "2-of-2")

    (excerpt,) = (each for each in logs_of(run, folder).tests[0, 0] if each.service == "orders")

    assert [each.text for each in excerpt.lines] == ["of parts/2-of-2"]
    assert excerpt.file == "parts/2-of-2/logs/orders.log"
    ill = tuple(replace(node, health="exited") if node.name == "orders" else node for node in run.graph.nodes)
    tails = logs_of(replace(run, graph=replace(run.graph, nodes=ill)), folder).tails
    assert [each.file for each in tails] == ["parts/1-of-2/logs/orders.log", "parts/2-of-2/logs/orders.log"]
