from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.engine.event_log import EventLog, parse, plain, preview_step
from understudy.engine.events import Diagnostic, EngineEvent, Op, ResourceDone, ResourceFailed, ResourceStarted, Summary

SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "[secret]"}
URN = "urn:pulumi:s::p::docker:index/network:Network::net"
KIND = "docker:index/network:Network"


def _step(op: str = "create", **more: object) -> dict[str, object]:
    return {"metadata": {"op": op, "urn": URN, "type": KIND, "new": None, "detailedDiff": None, **more}}


def test_each_kind_of_event_becomes_its_type() -> None:
    assert parse({"resourcePreEvent": _step()}, 1.5) == ResourceStarted(1.5, URN, KIND, Op.CREATE)
    done = parse({"resOutputsEvent": _step("update", new={"outputs": {"a": 1, "s": SECRET}})}, 2)
    assert done == ResourceDone(2, URN, KIND, Op.UPDATE, outputs={"a": 1, "s": "[secret]"})
    assert parse({"resOpFailedEvent": _step("delete")}, 3) == ResourceFailed(3, URN, KIND, Op.DELETE)
    said = {"severity": "warning", "message": "<{%reset%}>care<{%fg 1%}>ful\n", "urn": URN}
    assert parse({"diagnosticEvent": said}, 4) == Diagnostic(4, "warning", "careful", URN)
    total = {"resourceChanges": {"create": 2}, "durationSeconds": 7}
    assert parse({"summaryEvent": total}, 5) == Summary(5, {"create": 2}, 7.0)


def test_the_name_is_the_last_part_of_the_urn() -> None:
    event = parse({"resourcePreEvent": _step()}, 0)
    assert isinstance(event, ResourceStarted)
    assert event.name == "net"


@pytest.mark.parametrize(
    "raw",
    [
        {"preludeEvent": {"config": {}}},
        {"cancelEvent": {}},
        {"stdoutEvent": {"message": "x"}},
        {"diagnosticEvent": {"severity": "debug", "message": "x"}},
        {"diagnosticEvent": {"severity": "info", "message": "\n"}},
        {"resOutputsEvent": {**_step(), "planning": True}},
        {},
    ],
)
def test_what_nobody_needs_is_no_event(raw: dict[str, object]) -> None:
    assert parse(raw, 0) is None


def test_output_of_the_program_on_stderr_is_information() -> None:
    event = parse({"diagnosticEvent": {"severity": "info#err", "message": "x"}}, 0)
    assert event == Diagnostic(0, "info", "x")


def test_an_op_of_a_newer_engine_is_other() -> None:
    event = parse({"resourcePreEvent": _step("transmogrify")}, 0)
    assert isinstance(event, ResourceStarted)
    assert event.op is Op.OTHER


@pytest.mark.parametrize("raw", [{"resourcePreEvent": {"metadata": []}}, {"summaryEvent": 3}, {"diagnosticEvent": [1]}])
def test_what_has_another_shape_is_refused(raw: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not an engine event"):
        parse(raw, 0)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_plain_hides_every_secret_however_deep(value: object) -> None:
    hidden = {**SECRET, "ciphertext": value}
    assert plain({"a": [hidden, {"b": hidden}]}) == {"a": ["[secret]", {"b": "[secret]"}]}
    assert plain({"v": value}) == {"v": value}


def test_a_preview_step_has_its_property_paths() -> None:
    detailed = {"ports[0].internal": {"diffKind": "update-replace", "inputDiff": True}}
    step = preview_step({"resourcePreEvent": _step("replace", detailedDiff=detailed)})
    assert step is not None
    assert (step.op, step.urn, dict(step.diff)) == ("replace", URN, {"ports[0].internal": "update-replace"})
    assert preview_step({"summaryEvent": {}}) is None


def test_a_log_is_followed_through_half_lines_and_malformed_ones(tmp_path: Path) -> None:
    path, seen = tmp_path / "events", list[EngineEvent]()
    log = EventLog(path, seen.append)
    assert log.pump() is False  # there is no file yet
    line = json.dumps({"resourcePreEvent": _step(new={"outputs": {"ü": "ü"}})}, ensure_ascii=False).encode()
    middle = line.index("ü".encode()) + 1  # inside of a character
    with path.open("ab", buffering=0) as out:
        out.write(line[:middle])
        log.pump()
        assert seen == []
        out.write(line[middle:] + b"\n")
        log.pump()
        assert [type(event) for event in seen] == [ResourceStarted]
        out.write(b'{"bad\n[]\n"x"\n\xff\xfe\n{"summaryEvent": {"resourceChanges": 3}}\n\n')
        log.pump()
        assert [event.severity for event in seen[1:] if isinstance(event, Diagnostic)] == ["warning"] * 5
        assert len(seen) == 6
        out.write(json.dumps({"resOpFailedEvent": _step()}).encode())  # the last line has no end
        assert log.pump() is False
        log.finish()
    assert isinstance(seen[-1], ResourceFailed)
    assert log.record.failed == seen[-1]
    assert log.pump() is True


def test_the_record_has_outputs_changes_and_the_first_failure(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "none", lambda _event: None)
    root = {"op": "create", "urn": "urn:pulumi:s::p::pulumi:pulumi:Stack::p-s", "type": "pulumi:pulumi:Stack"}
    for raw in (
        {"resourcePreEvent": {"metadata": root}},
        {"resOpFailedEvent": _step()},
        {"resOpFailedEvent": {"metadata": {"op": "create", "urn": "second", "type": KIND}}},
        {"diagnosticEvent": {"severity": "error", "message": "first reason", "urn": URN}},
        {"diagnosticEvent": {"severity": "error", "message": "first reason", "urn": URN}},
        {"resOutputsEvent": {"metadata": {**root, "new": {"outputs": {"url": "http://x", "key": SECRET}}}}},
        {"summaryEvent": {"resourceChanges": {"create": 1}}},
    ):
        log.take_event(raw)
    record = log.record
    assert record.outputs == {"url": "http://x", "key": "[secret]"}
    assert record.changes == {"create": 1}
    assert record.failed is not None
    assert record.failed.urn == URN == record.blamed
    assert record.reason(URN) == "first reason"
    assert [step.op for step in record.steps] == ["create"]
