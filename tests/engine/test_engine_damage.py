"""The real CLI on damaged states: what tests/unit/test_teardown_damage.py takes for granted."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pytest

from understudy.engine.errors import BackendError
from understudy.engine.interface import StackRef
from understudy.engine.pulumi_cli import find
from understudy.engine.pulumi_engine import PulumiEngine
from understudy.engine.settings import EngineSettings

pytestmark = [pytest.mark.pulumi, pytest.mark.xdist_group("engine_damage")]

REF, NEIGHBOUR = StackRef("damage", "one"), StackRef("damage", "two")


class Part(pulumi.ComponentResource):
    def __init__(self) -> None:
        super().__init__("test:index:Part", "part")
        self.register_outputs({})


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> PulumiEngine:
    cli = find()
    assert cli is not None
    settings = EngineSettings.from_environment(cli.path, {"XDG_STATE_HOME": str(tmp_path_factory.mktemp("state"))})
    settings.prepare()
    made = PulumiEngine(settings)
    for ref in (REF, NEIGHBOUR):
        made.up(ref, lambda: Part() and None)
    return made


def test_no_file_is_written_that_a_kill_can_leave_empty(engine: PulumiEngine) -> None:
    names = [path.name for path in _below(engine)]
    assert f"{REF.name}.json" in names
    assert [name for name in names if name.endswith(".attrs")] == []


def test_a_damaged_state_fails_the_cli_and_neither_the_list_nor_its_removal(engine: PulumiEngine) -> None:
    assert engine.files is not None
    state = engine.files.state(REF)
    whole = state.read_bytes()
    assert engine.damage(REF) == ""
    for data in (b"", whole[: len(whole) // 2], whole.replace(b'"version": 3', b'"version": 99')):
        state.write_bytes(data)
        assert engine.damage(REF)
        with pytest.raises(BackendError):
            engine.destroy(REF)
        assert {stack.ref: stack.resources for stack in engine.list()} == {REF: None, NEIGHBOUR: 2}
    state.unlink()
    state.mkdir()
    engine.destroy(REF)
    assert engine.damage(REF) == "is a folder where a file belongs"
    engine.discard(REF)
    assert [stack.ref for stack in engine.list()] == [NEIGHBOUR]
    assert [path for path in _below(engine) if path.name.startswith(REF.name)] == []
    engine.up(REF, lambda: None)
    engine.destroy(REF)


def _below(engine: PulumiEngine) -> list[Path]:
    folder = engine.settings.backend_folder
    assert folder is not None
    return list(folder.rglob("*"))
