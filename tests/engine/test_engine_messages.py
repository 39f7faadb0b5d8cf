from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pulumi
import pytest

from understudy.engine import errors
from understudy.engine.interface import StackRef
from understudy.engine.pulumi_cli import find
from understudy.engine.pulumi_engine import PulumiEngine
from understudy.engine.settings import EngineSettings
from understudy.engine.stale_locks import Lock

pytestmark = pytest.mark.pulumi

REF = StackRef("messages", "one")


def nothing() -> None:
    """Declares nothing but the stack."""


@pytest.fixture
def engine(tmp_path: Path) -> PulumiEngine:
    cli = find()
    assert cli is not None
    settings = EngineSettings.from_environment(cli.path, {"XDG_STATE_HOME": str(tmp_path)})
    settings.prepare()
    return PulumiEngine(settings)


def test_a_locked_stack_says_who_holds_it_and_cancel_frees_it(engine: PulumiEngine) -> None:
    engine.up(REF, nothing)
    folder = engine.settings.backend_folder
    assert folder is not None
    lock = folder / ".pulumi" / "locks" / "organization" / "messages" / "one" / "other.json"
    holder = {"pid": 17, "username": "joe", "hostname": "h1", "timestamp": "2026-01-02T03:04:05Z"}
    lock.write_text(json.dumps(holder), encoding="utf-8")
    for verb in (lambda: engine.up(REF, nothing), lambda: engine.destroy(REF), lambda: engine.remove(REF)):
        with pytest.raises(errors.StackLockedError) as caught:
            verb()
        assert caught.value.locks == (Lock("joe", "h1", 17, "2026-01-02T03:04:05Z"),)
    (found,) = engine.locks(REF)
    assert replace(found, path="") == Lock("joe", "h1", 17, "2026-01-02T03:04:05Z")
    engine.cancel(REF)
    engine.destroy(REF)
    assert engine.list() == ()


def test_a_lock_without_a_stack_can_be_cancelled(engine: PulumiEngine) -> None:
    folder = engine.settings.backend_folder
    assert folder is not None
    lock = folder / ".pulumi" / "locks" / "organization" / "messages" / "one" / "other.json"
    lock.parent.mkdir(parents=True)
    lock.write_text("{}", encoding="utf-8")
    engine.cancel(REF)
    engine.up(REF, nothing)
    engine.destroy(REF)


def test_a_wrong_passphrase_and_a_missing_one(engine: PulumiEngine) -> None:
    def program() -> None:
        pulumi.export("key", pulumi.Output.secret("hush"))

    engine.up(REF, program)
    wrong = PulumiEngine(replace(engine.settings, passphrase="wrong", passphrase_file=None))
    missing = PulumiEngine(replace(engine.settings, passphrase_file=None))
    nowhere = PulumiEngine(replace(engine.settings, passphrase_file=Path("/nowhere/passphrase")))
    for other in (wrong, missing, nowhere):
        with pytest.raises(errors.PassphraseError):
            other.up(REF, program)
    engine.destroy(REF)


def test_a_backend_that_is_not_there(engine: PulumiEngine, tmp_path: Path) -> None:
    lost = PulumiEngine(replace(engine.settings, backend=(tmp_path / "nowhere").as_uri()))
    for verb in (
        lost.list,
        lambda: lost.up(REF, nothing),
        lambda: lost.destroy(REF),
        lambda: lost.cancel(REF),
        lambda: lost.export_state(REF),
    ):
        with pytest.raises(errors.BackendError):
            verb()


def test_a_state_that_cannot_be_read(engine: PulumiEngine) -> None:
    folder = engine.settings.backend_folder
    assert folder is not None
    state = folder / ".pulumi" / "stacks" / "messages" / "one.json"
    state.parent.mkdir(parents=True)
    state.write_text('{"bad', encoding="utf-8")
    with pytest.raises(errors.BackendError):
        engine.destroy(REF)
    assert state.exists()


def test_creating_what_is_there_is_tolerated_and_the_cli_says_it(engine: PulumiEngine, tmp_path: Path) -> None:
    engine.up(REF, nothing)
    engine.init(REF, _folder(tmp_path))
    done = engine.call(_folder(tmp_path), "stack", "init", REF.qualified)
    assert isinstance(engine.failure(done, "pulumi stack init", REF), errors.StackExistsError)
    engine.destroy(REF)


def test_a_missing_plugin_and_one_that_does_not_answer(engine: PulumiEngine) -> None:
    def program() -> None:
        pulumi.CustomResource("nosuch:index:Thing", "thing", {})

    with pytest.raises(errors.PluginMissingError, match="nosuch"):
        engine.up(REF, program)
    engine.destroy(REF)


def test_unknown_flags_and_commands(engine: PulumiEngine, tmp_path: Path) -> None:
    for args in (("up", "--quatsch"), ("quatsch",)):
        done = engine.call(_folder(tmp_path), *args)
        assert isinstance(engine.failure(done, "pulumi", None), errors.CliUnsupportedError)


def _folder(tmp_path: Path) -> Path:
    (tmp_path / "tmp").mkdir(exist_ok=True)
    return tmp_path
