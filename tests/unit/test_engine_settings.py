from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from understudy.engine.login import current_backend
from understudy.engine.settings import EngineSettings, file_backend, state_folder
from understudy.errors import UnderstudyError, UsageError

CLI = Path("/opt/pulumi/bin/pulumi")


def test_the_default_is_a_private_backend_with_a_generated_passphrase(tmp_path: Path) -> None:
    settings = EngineSettings.from_environment(CLI, {"XDG_STATE_HOME": str(tmp_path)})
    settings.prepare()
    assert settings.backend == f"file://{tmp_path}/understudy/backend"
    assert settings.backend_folder == tmp_path / "understudy" / "backend"
    assert settings.passphrase_file is not None
    first = settings.passphrase_file.read_text(encoding="ascii")
    assert len(first) >= 40
    assert settings.passphrase_file.stat().st_mode & 0o777 == 0o600
    assert settings.home.stat().st_mode & 0o777 == 0o700
    settings.prepare()
    assert settings.passphrase_file.read_text(encoding="ascii") == first
    assert sorted(path.name for path in settings.state.iterdir()) == ["backend", "home", "passphrase"]


def test_processes_that_start_at_once_share_one_passphrase(tmp_path: Path) -> None:
    settings = EngineSettings.from_environment(CLI, {"XDG_STATE_HOME": str(tmp_path)})
    gate = threading.Barrier(8)
    seen: set[str] = set()

    def work() -> None:
        gate.wait()
        settings.prepare()
        assert settings.passphrase_file is not None
        seen.add(settings.passphrase_file.read_text(encoding="ascii"))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 1


def test_a_passphrase_file_that_others_can_read_is_closed_and_an_empty_one_refused(tmp_path: Path) -> None:
    settings = EngineSettings.from_environment(CLI, {"XDG_STATE_HOME": str(tmp_path)})
    settings.prepare()
    assert settings.passphrase_file is not None
    settings.passphrase_file.chmod(0o644)
    settings.prepare()
    assert settings.passphrase_file.stat().st_mode & 0o777 == 0o600
    settings.passphrase_file.write_bytes(b"")
    with pytest.raises(UnderstudyError, match="is empty"):
        settings.prepare()


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "understudy").write_text("a file")
    with pytest.raises(UsageError, match=r"Made the folder of Understudy's state"):
        EngineSettings.from_environment(CLI, {"XDG_STATE_HOME": str(tmp_path)}).prepare()


def test_the_environments_backend_and_passphrase_are_honoured(tmp_path: Path) -> None:
    given = {"XDG_STATE_HOME": str(tmp_path), "PULUMI_BACKEND_URL": "s3://bucket", "PULUMI_CONFIG_PASSPHRASE": ""}
    settings = EngineSettings.from_environment(CLI, given)
    made = settings.environment(environ=given)
    assert made["PULUMI_BACKEND_URL"] == "s3://bucket"
    assert made["PULUMI_CONFIG_PASSPHRASE"] == ""
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in made
    assert settings.backend_folder is None
    named = {"XDG_STATE_HOME": str(tmp_path), "PULUMI_CONFIG_PASSPHRASE_FILE": "/etc/secret"}
    assert EngineSettings.from_environment(CLI, named).passphrase_file == Path("/etc/secret")


def test_another_backend_without_a_secret_starts_nothing() -> None:
    given = {"PULUMI_BACKEND_URL": "postgres://joe:hush@db/state"}
    with pytest.raises(UsageError) as caught:
        EngineSettings.from_environment(CLI, given)
    assert "hush" not in str(caught.value)
    assert "PULUMI_CONFIG_PASSPHRASE" in str(caught.value)
    for more in ({"UNDERSTUDY_SECRETS_PROVIDER": "awskms://alias/x"}, {"PULUMI_CONFIG_PASSPHRASE": ""}):
        EngineSettings.from_environment(CLI, {**given, **more})
    assert EngineSettings.from_environment(CLI, given, secrets_provider="default").secrets_provider == "default"


def test_a_shell_with_our_exports_is_still_our_own_backend(tmp_path: Path) -> None:
    plain = {"XDG_STATE_HOME": str(tmp_path), "PATH": "/usr/bin:/opt/pulumi/bin:/bin"}
    settings = EngineSettings.from_environment(CLI, plain)
    exports = settings.shell_exports(plain)
    assert exports["PATH"] == "/opt/pulumi/bin:/usr/bin:/bin"
    assert set(exports) == {"PULUMI_HOME", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE", "PATH"}
    assert EngineSettings.from_environment(CLI, {**plain, **exports}) == settings


def test_the_callers_pulumi_does_not_leak_into_ours(tmp_path: Path) -> None:
    given = {
        "XDG_STATE_HOME": str(tmp_path),
        "PULUMI_STACK": "mine",
        "PULUMI_EXPERIMENTAL": "true",
        "PULUMI_DEBUG_PROVIDERS": "aws:1",
        "PULUMI_HOME": "/home/joe/.pulumi",
        "PULUMI_ACCESS_TOKEN": "pul-1",
        "AWS_REGION": "eu-central-1",
    }
    settings = EngineSettings.from_environment(CLI, given)
    made = settings.environment({"docker": 4711, "aws": 12}, given)
    assert made["PULUMI_DEBUG_PROVIDERS"] == "aws:12,docker:4711"
    assert made["PULUMI_HOME"] == str(settings.home)
    assert "PULUMI_STACK" not in made
    assert "PULUMI_EXPERIMENTAL" not in made
    assert made["AWS_REGION"] == "eu-central-1"
    assert made["PULUMI_ACCESS_TOKEN"] == given["PULUMI_ACCESS_TOKEN"]
    assert "PULUMI_DEBUG_PROVIDERS" not in settings.environment(environ={})


def test_a_relative_state_home_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_folder({"XDG_STATE_HOME": "relative"}) == tmp_path / ".local" / "state" / "understudy"


def test_the_folder_of_a_file_backend_is_decoded() -> None:
    assert file_backend("file:///a%20b/c?no_tmp_dir=true") == Path("/a b/c")
    assert file_backend("file://~/state") == Path(os.path.expanduser("~/state"))  # noqa: PTH111 - the other way to say it
    assert file_backend("https://example.invalid") is None


def test_relative_places_are_those_of_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for backend, whole in (
        ("file://./state", f"file://{tmp_path}/state"),
        ("file://state?no_tmp_dir=true", f"file://{tmp_path}/state?no_tmp_dir=true"),
        ("file://../a%20b", f"file://{tmp_path.parent}/a%20b"),
        ("file:///else/where?x=1", "file:///else/where?x=1"),
        ("s3://bucket?region=x", "s3://bucket?region=x"),
    ):
        given = {"PULUMI_BACKEND_URL": backend, "PULUMI_CONFIG_PASSPHRASE_FILE": "secret"}
        settings = EngineSettings.from_environment(CLI, given)
        assert settings.backend == whole
        assert settings.passphrase_file == tmp_path / "secret"


def test_a_projects_backend_is_beside_the_project(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: x\nbackend: {url: 'file://./state'}\n")
    assert current_backend({"PULUMI_HOME": str(tmp_path)}, tmp_path) == f"file://{tmp_path}/state"


@pytest.mark.parametrize(
    ("backend", "told"),
    [
        ("file:///state", "file:///state?metadata=skip"),
        ("file:///state?no_tmp_dir=true", "file:///state?no_tmp_dir=true&metadata=skip"),
        ("file:///state?metadata=skip", "file:///state?metadata=skip"),
        ("s3://bucket?region=eu-west-1", "s3://bucket?region=eu-west-1"),
    ],
)
def test_the_cli_writes_nothing_beside_a_document_that_is_not_whole_at_once(backend: str, told: str) -> None:
    given = {"PULUMI_BACKEND_URL": backend, "PULUMI_CONFIG_PASSPHRASE": ""}
    settings = EngineSettings.from_environment(CLI, given)
    assert (settings.backend, settings.environment()["PULUMI_BACKEND_URL"]) == (backend, told)
