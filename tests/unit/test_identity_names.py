"""Names fit every platform's alphabet and length, and distinct inputs have distinct names (faults.md, section 5)."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.stacks.identity import (
    OWNERSHIP,
    Environment,
    environment_id,
    environment_key,
    format_time,
    name,
    ownership_labels,
    parse_time,
)

ID = environment_id("https://host/repo.git", "compose.yaml", "branch:main")
HOSTILE = (
    "",
    "-",
    "a$(touch${IFS}x)",
    "../../etc/passwd",
    "a" * 300,
    "--ol-s3",
    "s3alias",
    "web-s3alias",
    "xn--a",
    "internal-x",
    "web",
    "Web",
    "web_",
    "web.",
    "web-",
    "-web",
    "w--eb",
    "w-eb",
    "\0",
    "\n",
    "é",
    "e\u0301",
    "🚢",
    "\ud800",
    "ﬁ",
    "İ",
    "ß",
    "192.168.0.1",
    "con",
    "web-0abcdefghi",
    "0abcdefghi",
)
PLATFORMS = {
    "DNS label": (63, r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"),
    "Docker": (63, r"[a-zA-Z0-9][a-zA-Z0-9_.-]+"),
    "load balancer": (32, r"(?!internal-)[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?"),
    "RDS": (63, r"(?!.*--)[a-z][a-z0-9-]*(?<!-)"),
    "S3": (63, r"(?!xn--|sthree-|amzn-s3-demo-)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?<!-s3alias)(?<!--ol-s3)"),
    "OpenSearch": (28, r"[a-z][a-z0-9-]{2,27}"),
    "ElastiCache": (40, r"(?!.*--)[a-z][a-z0-9-]*(?<!-)"),
    "SQS": (80, r"[a-zA-Z0-9_-]{1,80}"),
    "Pulumi stack": (100, r"[a-zA-Z0-9_.-]{1,100}"),
}
TEXTS = st.one_of(st.text(), st.sampled_from(HOSTILE), st.text(alphabet="abc-0_A", max_size=40))


@pytest.mark.parametrize("platform", PLATFORMS)
@settings(max_examples=50, deadline=None)
@given(logical=TEXTS)
def test_any_text_becomes_a_name_of_each_platform(platform: str, logical: str) -> None:
    limit, pattern = PLATFORMS[platform]
    made = name(ID, logical, limit)
    assert len(made) <= limit
    assert re.fullmatch(pattern, made)
    assert made.startswith(f"{ID}-")


@pytest.mark.parametrize("limit", sorted({limit for limit, _ in PLATFORMS.values()}))
@settings(max_examples=50, deadline=None)
@given(logicals=st.lists(TEXTS, unique=True, max_size=20))
def test_distinct_texts_have_distinct_names(limit: int, logicals: list[str]) -> None:
    assert len({name(ID, logical, limit) for logical in logicals}) == len(logicals)


@pytest.mark.parametrize("limit", [28, 63])
def test_ten_thousand_texts_have_ten_thousand_names(limit: int) -> None:
    logicals = {*HOSTILE, *(f"é{i}" for i in range(5000)), *(f"service-with-a-long-name-{i}" for i in range(5000))}
    assert len({name(ID, logical, limit) for logical in logicals}) == len(logicals)


def test_a_name_that_was_made_is_no_other_texts_name() -> None:
    taken = name("e", "Web").removeprefix("e-")
    assert name("e", taken) != name("e", "Web")


def test_a_plain_name_is_kept() -> None:
    assert name("e0123456789", "web-2") == "e0123456789-web-2"
    assert name("e0123456789", "web-server") == "e0123456789-web-server"


def test_a_limit_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves no room"):
        name(ID, "web", len(ID) + 10)
    assert len(name(ID, "Web", len(ID) + 11)) == len(ID) + 11


@settings(max_examples=50, deadline=None)
@given(st.tuples(TEXTS, TEXTS, TEXTS), st.tuples(TEXTS, TEXTS, TEXTS))
def test_ids_are_a_letter_and_ten_and_differ_with_their_parts(
    one: tuple[str, str, str], two: tuple[str, str, str]
) -> None:
    assert re.fullmatch(r"e[a-z2-7]{10}", environment_id(*one))
    assert (environment_id(*one) == environment_id(*two)) == (one == two)


def test_parts_of_an_id_do_not_run_into_each_other() -> None:
    assert environment_id("ab", "c", "d") != environment_id("a", "bc", "d")


@settings(max_examples=50, deadline=None)
@given(st.datetimes(timezones=st.just(UTC)))
def test_times_come_back_to_the_second(moment: datetime) -> None:
    if moment.year >= 1000:
        assert parse_time(format_time(moment)) == moment.replace(microsecond=0)


def test_times_are_utc() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    assert format_time(datetime(2026, 1, 1, 2, tzinfo=east)) == "2025-12-31T20:30:00Z"
    with pytest.raises(ValueError, match="no moment"):
        format_time(datetime(2026, 1, 1))  # noqa: DTZ001 - a naive one is the point


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00+00:00", "2026-01-01t00:00:00z"),
        *("2026-1-1T0:0:0Z", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00Z\n"),
    ],
)
def test_only_what_was_written_is_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not RFC 3339|month must be in 1\.\.12"):
        parse_time(text)


def test_ownership_is_all_labels() -> None:
    labels = ownership_labels(Environment("e1", "docker:x", "p", datetime(2026, 1, 1, tzinfo=UTC), "b1"))
    assert tuple(labels) == OWNERSHIP
    assert labels["dev.understudy.not-after"] == "2026-01-01T00:00:00Z"


GITHUB = {"GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_JOB": "test"}
GITLAB = {"CI_PIPELINE_ID": "8", "CI_JOB_ID": "9"}


def test_the_key_of_each_verb() -> None:
    assert environment_key("run", name="mine", variables=GITHUB) == "name:mine"
    assert environment_key("run", variables=GITHUB) == "github:7/2/test"
    assert environment_key("run", variables={"GITHUB_RUN_ID": "7"}) == "github:7/1/job"
    assert environment_key("run", variables=GITLAB) == "gitlab:8/9"
    assert environment_key("run", commit="c0ffee", random="r1") == "commit:c0ffee/r1"
    assert environment_key("up", branch="feature/a b", variables=GITHUB) == "branch:feature/a b"
    assert environment_key("pulumi", project="shop", stack="org/dev") == "pulumi:shop/org/dev"


@pytest.mark.parametrize(
    "facts", [{"variables": GITHUB}, {"variables": GITLAB}, {"name": "mine"}, {"commit": "c0ffee", "random": "r1"}]
)
def test_parts_of_one_job_are_environments_of_their_own(facts: dict[str, Any]) -> None:
    keys = [environment_key("run", **facts, shard=shard) for shard in ("", "1/2", "2/2", "1/3", "11/12", "1/112")]
    assert len(set(keys)) == len(keys)


def test_no_name_is_taken_for_a_part() -> None:
    assert environment_key("run", name="1-of-2/x") != environment_key("run", name="x", shard="1/2")
    assert environment_key("up", branch="b", shard="1/2") == environment_key("up", branch="b")


@pytest.mark.parametrize("facts", [{}, {"commit": "c"}, {"random": "r"}])
def test_a_run_outside_ci_needs_a_commit_and_a_random_part(facts: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="by commit"):
        environment_key("run", **facts)


def test_the_other_verbs_need_their_facts() -> None:
    with pytest.raises(ValueError, match="by branch"):
        environment_key("up")
    with pytest.raises(ValueError, match="by pulumi"):
        environment_key("pulumi", project="a/b", stack="c")
