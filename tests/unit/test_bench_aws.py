"""What the benchmark on AWS writes when it is run alone, and how it makes calls again whose ids were others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts"))
import bench_aws
import bench_aws_parts

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
