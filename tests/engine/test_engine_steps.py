from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pulumi
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from understudy.engine.errors import InterruptedOperationError, ResourceFailedError
from understudy.engine.events import Diagnostic, EngineEvent, Op, ResourceDone, ResourceFailed
from understudy.engine.interface import StackRef
from understudy.engine.pulumi_cli import find
from understudy.engine.pulumi_engine import PulumiEngine
from understudy.engine.settings import EngineSettings

pytestmark = pytest.mark.pulumi

REF = StackRef("steps", "one")
LIMIT = 30.0


@dataclass
class Provider(provider_pb2_grpc.ResourceProviderServicer):  # type: ignore[misc]  # generated code has no types
    """A provider whose things are created at once, fail, or wait until they are let go or the engine cancels."""

    go: threading.Event = field(default_factory=threading.Event)
    waiting: threading.Event = field(default_factory=threading.Event)
    deaf: bool = False
    cancels: int = 0
    live: set[str] = field(default_factory=set)
    undeletable: set[str] = field(default_factory=set)

    def Attach(self, _request: Any, _context: Any) -> empty_pb2.Empty:  # noqa: N802 - gRPC's name
        return empty_pb2.Empty()

    def Handshake(self, _request: Any, _context: Any) -> provider_pb2.ProviderHandshakeResponse:  # noqa: N802 - gRPC's name
        return provider_pb2.ProviderHandshakeResponse()

    def CheckConfig(self, request: Any, _context: Any) -> provider_pb2.CheckResponse:  # noqa: N802 - gRPC's name
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, _request: Any, _context: Any) -> provider_pb2.DiffResponse:  # noqa: N802 - gRPC's name
        return provider_pb2.DiffResponse()

    def GetPluginInfo(self, _request: Any, _context: Any) -> plugin_pb2.PluginInfo:  # noqa: N802 - gRPC's name
        return plugin_pb2.PluginInfo(version="1.0.0")

    def Configure(self, _request: Any, _context: Any) -> provider_pb2.ConfigureResponse:  # noqa: N802 - gRPC's name
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Check(self, request: Any, _context: Any) -> provider_pb2.CheckResponse:  # noqa: N802 - gRPC's name
        failures = []
        if "size" in request.news and not isinstance(request.news["size"], float):
            failures.append(provider_pb2.CheckFailure(property="size", reason="must be a number"))
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def Diff(self, request: Any, _context: Any) -> provider_pb2.DiffResponse:  # noqa: N802 - gRPC's name
        if request.old_inputs == request.news:
            return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)
        change = provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.UPDATE_REPLACE)
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME,
            replaces=["size"],
            detailedDiff={"size": change},
            hasDetailedDiff=True,
        )

    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:  # noqa: N802 - gRPC's name
        if request.preview:
            return provider_pb2.CreateResponse(properties=request.properties)
        name = request.urn.rsplit("::", 1)[-1]
        if name.startswith("bad"):
            context.abort(grpc.StatusCode.UNKNOWN, f"{name} is out of order")
        if name.startswith("slow"):
            self.waiting.set()
            self.go.wait(LIMIT)
        self.live.add(name)
        return provider_pb2.CreateResponse(id=name, properties=request.properties)

    def Read(self, request: Any, _context: Any) -> provider_pb2.ReadResponse:  # noqa: N802 - gRPC's name
        there = request.id in self.live
        return provider_pb2.ReadResponse(
            id=request.id if there else "", properties=request.properties, inputs=request.inputs
        )

    def Delete(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802 - gRPC's name
        if request.id in self.undeletable:
            context.abort(grpc.StatusCode.UNKNOWN, f"{request.id} is busy")
        self.live.discard(request.id)
        return empty_pb2.Empty()

    def Cancel(self, _request: Any, _context: Any) -> empty_pb2.Empty:  # noqa: N802 - gRPC's name
        self.cancels += 1
        if not self.deaf:
            self.go.set()
        return empty_pb2.Empty()


@pytest.fixture
def provider() -> Iterator[tuple[Provider, int]]:
    served = Provider()
    server = grpc.server(ThreadPoolExecutor(32))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(served, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield served, port
    served.go.set()
    server.stop(grace=0).wait(10)


@pytest.fixture
def engine(tmp_path: Path, provider: tuple[Provider, int]) -> PulumiEngine:
    cli = find()
    assert cli is not None
    settings = EngineSettings.from_environment(cli.path, {"XDG_STATE_HOME": str(tmp_path)})
    settings.prepare()
    return PulumiEngine(settings, {"steps": provider[1]})


class Thing(pulumi.CustomResource):
    size: pulumi.Output[object]

    def __init__(self, name: str, size: object = 1, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("steps:index:Thing", name, {"size": size}, opts)


def things(*names: str, size: object = 1) -> Callable[[], None]:
    def declare() -> None:
        for name in names:
            Thing(name, size)

    return declare


def names(engine: PulumiEngine) -> set[str]:
    exported: Any = engine.export_state(REF)["deployment"]
    return {entry["id"] for entry in exported.get("resources", []) if entry["type"] == "steps:index:Thing"}


def pending(engine: PulumiEngine) -> list[Any]:
    exported: Any = engine.export_state(REF)["deployment"]
    return exported.get("pending_operations", [])


def test_an_up_ends_early_and_names_the_first_failed_resource(
    engine: PulumiEngine, provider: tuple[Provider, int]
) -> None:
    served, seen = provider[0], list[EngineEvent]()
    with pytest.raises(ResourceFailedError, match="steps:index:Thing 'bad' failed") as caught:
        engine.up(REF, things("slow-1", "bad", "slow-2"), listener=seen.append)
    assert caught.value.urn.endswith("::bad")
    assert "bad is out of order" in caught.value.reason
    assert served.cancels >= 1, "the one SIGTERM makes the engine cancel what waits"
    assert [event.name for event in seen if isinstance(event, ResourceFailed)] == ["bad"]
    assert any("bad is out of order" in event.message for event in seen if isinstance(event, Diagnostic))
    assert names(engine) == served.live
    engine.destroy(REF)
    assert served.live == set()
    assert engine.list() == ()


def test_a_resource_that_is_refused_is_named(engine: PulumiEngine) -> None:
    with pytest.raises(ResourceFailedError, match=r"'wrong' failed.*size.*must be a number"):
        engine.up(REF, things("wrong", size="x"))
    engine.destroy(REF)


def test_stop_finishes_and_records_what_is_in_flight(engine: PulumiEngine, provider: tuple[Provider, int]) -> None:
    served, stop = provider[0], threading.Event()
    threading.Thread(target=lambda: (served.waiting.wait(LIMIT), stop.set()), daemon=True).start()
    with pytest.raises(InterruptedOperationError) as caught:
        engine.up(REF, things("slow"), stop=stop)
    assert not caught.value.killed
    assert served.cancels == 1
    assert names(engine) == {"slow"}
    assert pending(engine) == []
    engine.destroy(REF)
    assert served.live == set()


def test_what_does_not_end_is_killed_its_lock_freed_and_refresh_clears_its_record(
    engine: PulumiEngine, provider: tuple[Provider, int]
) -> None:
    served, stop = provider[0], threading.Event()
    served.deaf = True
    threading.Thread(target=lambda: (served.waiting.wait(LIMIT), stop.set()), daemon=True).start()
    hasty = PulumiEngine(engine.settings, engine.attach, grace=0.3)
    with pytest.raises(InterruptedOperationError) as caught:
        hasty.up(REF, things("quick", "slow"), stop=stop)
    assert caught.value.killed
    assert [entry["type"] for entry in pending(engine)] == ["creating"]
    engine.refresh(REF)
    assert pending(engine) == []
    engine.destroy(REF)
    assert engine.list() == ()


def test_a_failed_destroy_goes_on_with_the_rest_and_can_be_repeated(
    engine: PulumiEngine, provider: tuple[Provider, int]
) -> None:
    served = provider[0]
    engine.up(REF, things("a", "b", "c"))
    served.undeletable.add("b")
    seen: list[EngineEvent] = []
    with pytest.raises(ResourceFailedError, match=r"'b' failed.*b is busy"):
        engine.destroy(REF, listener=seen.append)
    assert served.live == names(engine) == {"b"}
    assert {event.name for event in seen if isinstance(event, ResourceDone)} >= {"a", "c"}
    served.undeletable.clear()
    engine.destroy(REF)
    assert engine.list() == ()


def test_preview_shows_property_paths_and_refresh_sees_what_is_gone(
    engine: PulumiEngine, provider: tuple[Provider, int]
) -> None:
    engine.up(REF, things("a", "b"))
    steps = engine.preview(REF, things("a", "b", size=2)).steps
    diffs = {step.op: dict(step.diff) for step in steps if step.urn.endswith("::a")}
    assert diffs["replace"] == {"size": "update-replace"}
    provider[0].live.remove("a")
    assert engine.refresh(REF)["delete"] == 1
    assert names(engine) == {"b"}
    engine.destroy(REF)


def test_an_update_has_its_ops(engine: PulumiEngine) -> None:
    engine.up(REF, things("a", "b"))
    seen: list[EngineEvent] = []
    engine.up(REF, things("a", "c"), listener=seen.append)
    done = {(event.op, event.name) for event in seen if isinstance(event, ResourceDone) and "Thing" in event.type}
    assert done == {(Op.SAME, "a"), (Op.CREATE, "c"), (Op.DELETE, "b")}
    engine.destroy(REF)


def test_a_listener_that_raises_ends_the_up_and_leaves_no_lock(engine: PulumiEngine) -> None:
    def listener(event: EngineEvent) -> None:
        if isinstance(event, ResourceDone):
            raise KeyError(event.name)

    with pytest.raises(KeyError):
        engine.up(REF, things("a", "b"), listener=listener)
    engine.destroy(REF)
    assert engine.list() == ()


def test_a_life_leaves_no_file_of_the_stack_on_the_backend_and_none_in_the_temporary_folder(
    engine: PulumiEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    engine.preview(REF, things("a"))
    engine.up(REF, things("a"), config={"k": "v"})
    engine.refresh(REF)
    engine.up(REF, things("a", "b"))
    engine.destroy(REF)
    folder = engine.settings.backend_folder
    assert folder is not None
    assert [path for path in folder.rglob("*") if path.name.startswith("one")] == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_stop_ends_a_program_that_never_returns(engine: PulumiEngine) -> None:
    running, stop, release = threading.Event(), threading.Event(), threading.Event()

    def program() -> None:
        running.set()
        release.wait(LIMIT)

    threading.Thread(target=lambda: (running.wait(LIMIT), stop.set()), daemon=True).start()
    begun = time.monotonic()
    with pytest.raises(InterruptedOperationError):
        engine.up(REF, program, stop=stop)
    assert time.monotonic() - begun < LIMIT, "it waited for the program"
    release.set()
    engine.destroy(REF)
    assert engine.list() == ()
