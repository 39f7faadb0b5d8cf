from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pulumi
import pytest

from understudy.engine.automation_engine import AutomationEngine
from understudy.engine.errors import (
    InterruptedOperationError,
    ProgramError,
    StackNotEmptyError,
    StackNotFoundError,
)
from understudy.engine.events import Diagnostic, EngineEvent, Op, ResourceDone, ResourceStarted, Summary
from understudy.engine.factory import make_engine
from understudy.engine.fake import FakeEngine
from understudy.engine.interface import Engine, StackRef
from understudy.engine.pulumi_cli import find
from understudy.engine.pulumi_engine import PulumiEngine
from understudy.engine.settings import EngineSettings
from understudy.errors import UsageError

REF = StackRef("contract", "one")
STACK = "pulumi:pulumi:Stack"

# A CLI of a later version, as the SDK knows those: its event log is a gRPC server's address and no file.
NEWER_CLI = """#!{python}
import os, signal, subprocess, sys, tempfile
REAL, args = {real!r}, sys.argv[1:]
if "version" in args:
    print("v3.300.0")
    sys.exit(0)
log = next((i for i, arg in enumerate(args) if arg.startswith("--event-log")), None)
if log is None:
    os.execv(REAL, [REAL, *args])
target = args[log].partition("=")[2] or args[log + 1]
if not target.startswith("tcp://"):
    print("error: unknown flag: --event-log", file=sys.stderr)
    sys.exit(255)
with tempfile.NamedTemporaryFile() as events:
    args[log : log + 2] = ["--event-log", events.name]
    child = subprocess.Popen([REAL, *args])
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    code = child.wait()
    lines = events.read().decode().splitlines()
import grpc
from pulumi.runtime.proto import events_pb2, events_pb2_grpc
with grpc.insecure_channel(target.removeprefix("tcp://")) as channel:
    sent = (events_pb2.EventRequest(event=line) for line in lines)
    events_pb2_grpc.EventsStub(channel).StreamEvents(sent)
sys.exit(code)
"""


def _settings(cli: Path, tmp_path: Path) -> EngineSettings:
    return EngineSettings.from_environment(cli, {"XDG_STATE_HOME": str(tmp_path)})


def _cli() -> Path:
    cli = find()
    assert cli is not None
    return cli.path


def _pulumi(tmp_path: Path) -> Engine:
    settings = _settings(_cli(), tmp_path)
    settings.prepare()
    return PulumiEngine(settings)


def _automation(tmp_path: Path) -> Engine:
    cli = find()
    assert cli is not None
    settings = _settings(cli.path, tmp_path)
    settings.prepare()
    return AutomationEngine(settings, version=cli.version)


def _fallback(tmp_path: Path) -> Engine:
    newer = tmp_path / "pulumi"
    newer.write_text(NEWER_CLI.format(python=sys.executable, real=str(_cli())), encoding="utf-8")
    newer.chmod(0o755)
    engine = make_engine(_settings(newer, tmp_path))
    assert isinstance(engine, AutomationEngine)
    assert engine.version == "3.300.0"
    return engine


def _fake(_tmp_path: Path) -> Engine:
    return FakeEngine()


MAKERS: list[Any] = [
    pytest.param(_pulumi, id="pulumi", marks=pytest.mark.pulumi),
    pytest.param(_fallback, id="fallback", marks=pytest.mark.pulumi),
    pytest.param(_fake, id="fake"),
]


@pytest.fixture(params=MAKERS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    maker: Callable[[Path], Engine] = request.param
    return maker(tmp_path)


class Part(pulumi.ComponentResource):
    def __init__(self, name: str, size: int) -> None:
        super().__init__("test:index:Part", name, {"size": size})
        self.register_outputs({"size": size})


def program(size: int = 1) -> Callable[[], None]:
    def declare() -> None:
        Part("part", size)
        pulumi.log.warn("careful")
        pulumi.export("size", size)
        pulumi.export("nested", {"list": [1, pulumi.Output.secret("hush")]})
        pulumi.export("secret", pulumi.Output.secret("hush"))
        pulumi.export("mode", pulumi.Config().require("mode"))
        pulumi.export("host", pulumi.Config("docker").require("host"))

    return declare


CONFIG = {"mode": "a: #b", "docker:host": "unix:///x"}
OUTPUTS = {"nested": {"list": [1, "[secret]"]}, "secret": "[secret]", "mode": "a: #b", "host": "unix:///x"}


@pytest.mark.pulumi
def test_the_automation_api_with_the_event_log_of_this_cli(tmp_path: Path) -> None:
    engine, seen = _automation(tmp_path), list[EngineEvent]()
    assert dict(engine.up(REF, program(), config=CONFIG, listener=seen.append).outputs)["size"] == 1
    assert {type(event) for event in seen} == {Diagnostic, ResourceStarted, ResourceDone, Summary}
    engine.destroy(REF)
    assert engine.list() == ()


def test_a_whole_life(engine: Engine) -> None:
    assert isinstance(engine, Engine)
    before = engine.preview(REF, program(), config=CONFIG)
    assert {(step.op, step.urn.rsplit("::", 2)[1]) for step in before.steps} == {
        ("create", STACK),
        ("create", "test:index:Part"),
    }
    assert before.changes == {"create": 2}
    assert engine.list() == ()

    seen: list[EngineEvent] = []
    made = engine.up(REF, program(), config=CONFIG, listener=seen.append)
    outputs = dict(made.outputs)
    assert outputs.pop("size") == 1
    assert outputs in (OUTPUTS, {**OUTPUTS, "nested": "[secret]"})  # the SDK may hide the whole of what has a secret
    assert made.changes == {"create": 2}
    assert made.seconds > 0
    started = [event for event in seen if isinstance(event, ResourceStarted)]
    assert {event.op for event in started} == {Op.CREATE}
    assert {event.name for event in started} == {"contract-one", "part"}
    done = {event.type for event in seen if isinstance(event, ResourceDone)}
    assert done == {STACK, "test:index:Part"}
    assert ("warning", "careful") in {
        (event.severity, event.message) for event in seen if isinstance(event, Diagnostic)
    }
    assert [event.changes for event in seen if isinstance(event, Summary)] == [{"create": 2}]
    assert "hush" not in repr(seen)

    assert engine.preview(REF, program(), config=CONFIG).changes == {"same": 2}
    assert engine.preview(REF, program(2), config=CONFIG).changes == {"same": 1, "update": 1}
    assert engine.up(REF, program(2), config=CONFIG).outputs["size"] == 2
    (summary,) = engine.list()
    assert (summary.ref, summary.resources) == (REF, 2)
    assert summary.last_update is not None
    assert engine.refresh(REF) == {"same": 2}
    assert engine.look(REF) == ()  # a component has no provider that could be asked
    exported = engine.export_state(REF)
    deployment: Any = exported["deployment"]
    assert [entry["type"] for entry in deployment["resources"]] == [STACK, "test:index:Part"]
    assert "hush" not in repr(exported)

    with pytest.raises(StackNotEmptyError):
        engine.remove(REF)
    gone: list[EngineEvent] = []
    engine.destroy(REF, listener=gone.append)
    assert {event.op for event in gone if isinstance(event, ResourceDone)} == {Op.DELETE}
    assert engine.list() == ()
    engine.destroy(REF)


def test_destroy_can_keep_the_stack_for_remove(engine: Engine) -> None:
    engine.up(REF, program(), config=CONFIG)
    engine.destroy(REF, remove=False)
    assert [(summary.ref, summary.resources) for summary in engine.list()] == [(REF, 0)]
    engine.remove(REF)
    assert engine.list() == ()


@pytest.mark.pulumi
def test_what_is_protected_can_stay_with_what_it_stands_on(tmp_path: Path) -> None:
    """Over the Automation API; that of the three processes keeps the data of a platform in tests/aws."""

    def parts() -> None:
        def part(name: str, **options: Any) -> pulumi.Resource:
            return pulumi.ComponentResource("test:index:Part", name, {}, pulumi.ResourceOptions(**options))

        part("kept", parent=part("ground"), protect=True)
        part("gone")

    engine = _automation(tmp_path)
    engine.up(REF, parts)
    engine.destroy(REF, remove=False, keep_protected=True)
    [summary] = engine.list()
    assert summary.resources == 3  # the stack itself is one
    engine.discard(REF)


def test_a_stack_that_is_not_there_is_said_so(engine: Engine) -> None:
    for verb in (engine.export_state, engine.refresh, engine.look, engine.cancel, engine.remove):
        with pytest.raises(StackNotFoundError, match="organization/contract/one"):
            verb(REF)
    engine.destroy(REF)


def test_a_program_that_raises_is_named_and_leaves_a_stack_to_destroy(engine: Engine) -> None:
    def broken() -> None:
        Part("part", 1)
        raise LookupError("no such topology")

    with pytest.raises(ProgramError, match="LookupError: no such topology") as caught:
        engine.up(REF, broken)
    assert isinstance(caught.value.__cause__, LookupError)
    with pytest.raises(ProgramError, match="no such topology"):
        engine.preview(REF, broken)
    assert [summary.ref for summary in engine.list()] == [REF]
    engine.destroy(REF)
    assert engine.list() == ()


def test_our_own_error_in_a_program_is_its_message(engine: Engine) -> None:
    def fail(_: object = None) -> None:
        raise UsageError("The topology is missing.", hint="Name one with -f.")

    shown: list[EngineEvent] = []
    with pytest.raises(ProgramError) as caught:
        engine.preview(REF, fail, listener=shown.append)
    assert str(caught.value) == "The topology is missing.\nName one with -f."
    if isinstance(engine, PulumiEngine):
        assert not [e for e in shown if isinstance(e, Diagnostic) and "Traceback" in e.message]
        with pytest.raises(ProgramError) as caught:
            engine.preview(REF, lambda: pulumi.export("x", pulumi.Output.from_input(1).apply(fail)))
        assert str(caught.value) == "The topology is missing.\nName one with -f."


def test_what_is_stopped_before_it_begins_does_not_begin(engine: Engine) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(InterruptedOperationError):
        engine.up(REF, program(), config=CONFIG, stop=stop)
    assert engine.list() == ()


def test_many_stacks_at_once(engine: Engine) -> None:
    count = 2 if isinstance(engine, AutomationEngine) else 8
    refs = [StackRef("contract", f"s{number}") for number in range(count)]

    def life(number: int) -> object:
        size = engine.up(refs[number], program(number), config=CONFIG).outputs["size"]
        engine.destroy(refs[number])
        return size

    with ThreadPoolExecutor(count) as pool:
        assert list(pool.map(life, range(count))) == list(range(count))
    assert engine.list() == ()
