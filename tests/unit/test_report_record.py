from __future__ import annotations

import importlib.resources
import json
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from understudy.errors import ExportError, ProvisionError
from understudy.report import (
    CaseRecord,
    CauseRecord,
    CiRecord,
    ContainerRecord,
    EndpointRecord,
    ImageRecord,
    MockRecord,
    Moment,
    PhaseRecord,
    ReceiptRecord,
    RecordError,
    RunRecord,
    exit_code,
    utc,
)
from understudy.report.codec import decode, encode
from understudy.stacks.clone import Change, Clone, Fidelity
from understudy.stacks.topology import Topology
from understudy.suites.contract import EndpointAddress
from understudy.suites.results import Attempt, Case, Outcome, SuiteResult, SuitesResult, SuiteStatus
from understudy.targets.interface import ContainerFacts, Owned, Receipt
from understudy.targets.interface import Outcome as ReceiptOutcome


def results() -> SuitesResult:
    again = (Attempt(Outcome.FAILED, 0.2, 4.5, "m", "d", (("out", "x"),)),)
    cases = tuple(
        Case(f"t::{o.value}", o, 0.5, 5.0, "gw0", "m", "d", (("out", "x"),), "t.py", 3, again) for o in Outcome
    )
    one = SuiteResult("one", SuiteStatus.FAILED, "2 of 8", ("pytest",), 1, 4.0, 2.0, 2, cases, ("notice",), ("a.log",))
    return SuitesResult((one,), 4.0, 2.0, "test x failed", 0.3)


def full() -> RunRecord:
    receipt = Receipt(
        "e1",
        "docker:x",
        ReceiptOutcome.LEFTOVERS,
        "2026-01-02T03:04:05Z",
        (Owned("volume", "v", "n"),),
        "r",
        {"volume": 4},
    )
    record = RunRecord(
        run="20260102T030405Z-e1",
        environment="e1",
        target="docker:x",
        project="shop",
        repository="/repo",
        topology="compose.yaml",
        commit="a" * 40,
        branch="a$(touch${IFS}x)",
        production_ref="origin/main",
        started=utc(1.0),
        ended=utc(9.0),
        seconds=8.0,
        ready_at=utc(3.5),
        phases=(PhaseRecord("provision", utc(1.0), 0.0, 2.5),),
        endpoints=(EndpointRecord.of(EndpointAddress("web", 80, "127.0.0.1", 3000, "http")),),
        images=(ImageRecord("web", "sha256:1", "built", 2.0),),
        containers=(ContainerRecord.of(ContainerFacts("e1-web", "web", {"state": {"exit": 0}, "oom": None})),),
        mocks=(MockRecord("payments", "api.example", 80, 3, 0),),
        receipt=ReceiptRecord.of(receipt),
        ci=CiRecord("github", "https://ci.example/1", "test", 7),
        warnings=("w",),
        files=("run.json",),
    )
    changes = (Change("services.web.ports", "80", None, "relay", Fidelity.CHANGED), Change("x", None, "y", "m"))
    return (
        record.with_changes(changes)
        .with_suites(results())
        .with_cause(CauseRecord.of(ExportError("no room", hint="Make some."), "export"))
    )


def schema() -> dict[str, object]:
    text = importlib.resources.files("understudy").joinpath("schemas/run.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, object] = json.loads(text)
    return loaded


def test_the_published_schema_is_that_of_the_code() -> None:
    Draft202012Validator.check_schema(schema())
    assert schema() == RunRecord.json_schema()


def test_a_record_comes_back_as_it_was_and_fits_the_schema() -> None:
    record = full()

    Draft202012Validator(schema()).validate(json.loads(record.to_json()))
    assert RunRecord.from_json(record.to_json()) == record


def test_the_smallest_record_fits_too() -> None:
    record = RunRecord("r", "e", "t", "p", "", "", "", "", "", utc(0))

    Draft202012Validator(schema()).validate(json.loads(record.to_json()))
    assert RunRecord.from_json(record.to_json()) == record


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("started",), "yesterday"),
        (("schema",), 1),
        (("unknown",), 1),
        (("suites", 0, "status"), "fine"),
        (("suites", 0, "tests", 0, "seconds"), "1"),
        (("exit_code",), None),
    ],
)
def test_the_schema_refuses_what_is_no_record(path: tuple[str | int, ...], value: object) -> None:
    data = json.loads(full().to_json())
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value

    assert not Draft202012Validator(schema()).is_valid(data)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"schema": 1}, "schema"),
        ({"seconds": "1"}, r"\$.seconds"),
        ({"files": "a"}, r"\$.files"),
        ({"files": [1]}, r"\$.files\[0\]"),
        ({"receipt": []}, r"\$.receipt"),
        ({"causes": [{"code": True, "kind": "", "phase": "", "message": ""}]}, r"\$.causes\[0\].code"),
        ({"causes": [{}]}, r"\$.causes\[0\]"),
    ],
)
def test_reading_names_the_place_that_is_wrong(change: dict[str, object], place: str) -> None:
    data = json.loads(full().to_json()) | change

    with pytest.raises(RecordError, match=place):
        RunRecord.from_json(json.dumps(data))


def test_text_that_is_no_json_is_refused() -> None:
    for text in ("", "{", "[]", "null"):
        with pytest.raises(RecordError):
            RunRecord.from_json(text)


def test_a_later_records_new_fields_do_not_hinder_reading() -> None:
    data = json.loads(full().to_json()) | {"later": 1}

    assert RunRecord.from_json(json.dumps(data)) == full()


def test_counts_of_a_suite_add_up() -> None:
    (suite,) = full().suites

    assert sum(suite.counts.values()) == len(suite.tests) == len(Outcome)
    assert [test.outcome.value for _name, test in full().bad_tests] == ["failed", "error"]


def test_lone_surrogates_become_readable_escapes() -> None:
    case = CaseRecord.of(Case("t::\udc80", Outcome.PASSED))
    suites = (replace(full().suites[0], tests=(case,)),)

    text = replace(full(), suites=suites).to_json()

    assert json.loads(text)["suites"][0]["tests"][0]["id"] == "t::\\udc80"


def test_fidelity_counts_the_changes() -> None:
    assert full().fidelity == {"changed": 2}


def test_causes_make_the_exit_code() -> None:
    record = full().with_cause(CauseRecord.of(ProvisionError("dead"), "ready"))

    assert record.exit_code == 3
    assert [cause.kind for cause in record.causes] == ["ExportError", "ProvisionError"]
    assert record.causes[0].message == "no room\nMake some."


@pytest.mark.parametrize(
    ("causes", "expected"),
    [
        ([], 0),
        ([0, 0], 0),
        ([4, 6, 1, 3, 130], 130),
        ([4, 6, 1, 3], 3),
        ([4, 6, 1], 1),
        ([4, 6], 6),
        ([4], 4),
        ([4, 2], 2),
        ([7, 4], 4),
        ([5, 7], 7),
        ([99], 99),
        ([99, 5], 5),
    ],
)
def test_the_first_cause_of_the_order_wins(causes: list[int], expected: int) -> None:
    assert exit_code(causes) == expected


def test_moments_are_utc_with_a_fraction() -> None:
    assert utc(1_700_000_000.123456) == Moment("2023-11-14T22:13:20.123456Z")


def test_a_tuple_of_several_types_comes_back() -> None:
    data = encode(Clone(Topology("t", {}, endpoints=(("web", 80),))))
    assert decode(Clone, data).topology.endpoints == (("web", 80),)
    data["topology"]["endpoints"] = [["web", "80"]]
    with pytest.raises(RecordError, match="int expected"):
        decode(Clone, data)
    data["topology"]["endpoints"] = [["web"]]
    with pytest.raises(RecordError, match="expected"):
        decode(Clone, data)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e308", "1" + "0" * 400])
def test_a_number_that_cannot_be_reckoned_with_is_refused(number: str) -> None:
    data = {**json.loads(full().to_json()), "seconds": "@"}
    text = json.dumps(data).replace('"@"', number)

    with pytest.raises(RecordError, match="finite"):
        RunRecord.from_json(text)
