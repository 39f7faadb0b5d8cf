"""What the benchmark on AWS writes when it is run alone, and how it makes calls again whose ids were others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts"))
import bench_aws
import bench_aws_parts
from bench_kit import shown

PAGE = "# Benchmarks\n\n## Help\n\nold\n\n{}## Ready and gone\n\nrows\n\n## Goals\n\n- one: met\n{}"
SECTION = "## On AWS\n\nnew\n"


@pytest.mark.parametrize(("before", "goal"), [("", ""), ("## On AWS\n\nof yesterday\n\n", "- two, in 10 s: missed\n")])
def test_a_section_measured_alone_takes_the_place_of_its_own_and_the_rest_stays(before: str, goal: str) -> None:
    written = bench_aws.renewed(PAGE.format(before, goal), SECTION, ["- two, in 10 s: met"])
    assert written == PAGE.format(f"{SECTION}\n", "- two, in 10 s: met\n")
    assert bench_aws.renewed(written, SECTION, ["- two, in 10 s: met"]) == written


def test_a_call_made_again_names_what_there_is_now() -> None:
    asked: list[dict[str, object]] = []

    def ask(*_named: object, **given: object) -> dict[str, object]:
        asked.append(given)
        return {"Group": {"Id": f"sg-{len(asked)}"}}

    calls = bench_aws_parts.Calls(ask)
    calls.ask(None, "ec2", "create", "", {"Name": "web"})
    calls.ask(None, "ec2", "allow", "", {"Ids": ["sg-1"], "Text": '{"of": "arn:sg-1"}', "Port": 80})
    assert calls.again()["calls"] == 2
    assert asked[2:] == [{"Name": "web"}, {"Ids": ["sg-3"], "Text": '{"of": "arn:sg-3"}', "Port": 80}]
    calls.forget()
    assert calls.again()["calls"] == 0


def test_the_section_shows_each_way_each_user_and_where_the_seconds_went() -> None:
    used = {"commands": 4.0, "provider": 1.0, "cloud": 2.0, "used": 7.0}
    whole = {**used, "up": 5.0, "gone": 3.0, "both": 8.0, "resources": 25.0, **dict.fromkeys(bench_aws.STEPS, 1.5)}
    found = {way: [whole, {**whole, "both": 12.0}, {**whole, "both": 9.0}] for way in bench_aws.ENVIRONMENT.values()}
    found |= {bench_aws.EMPTY: [{**used, "up": 1.0, "gone": 0.5, "both": 2.0}]}
    found |= {bench_aws.FLOOR: [{**used, "calls": 78.0, "both": 0.7}]}
    written = bench_aws.section(found, shown)
    assert "an environment of 25 resources" in written
    assert "78 calls to AWS" in " ".join(written.split())
    assert f"| {bench_aws.ENVIRONMENT['S3']} | 5.00 / 5.00 | 3.00 / 3.00 | 8.00 / 9.00 |" in written
    assert f"| {bench_aws.FLOOR} |  |  | 0.70 / 0.70 |" in written
    assert f"| {bench_aws.EMPTY} | 4.00 / 4.00 | 1.00 / 1.00 | 2.00 / 2.00 | 7.00 / 7.00 |" in written
    assert written.count("| 1.50 / 1.50 |") == len(bench_aws.STEPS)
    assert [met for _, met in bench_aws.verdicts(found)] == [True, True]


def test_a_command_is_split_at_its_phase() -> None:
    heard = [
        {"phase": "clone", "state": "started", "subject": "", "at": 11.0},
        {"phase": "provision", "state": "started", "subject": "", "at": 12.0},
        {"phase": "provision", "state": "done", "subject": "queue orders", "at": 13.0},
        {"phase": "provision", "state": "done", "subject": "", "at": 15.0},
    ]
    assert bench_aws._around("provision", (10.0, 16.0), heard) == (2.0, 3.0, 1.0)
