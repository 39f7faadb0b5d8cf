"""What every command has alike: JSON for programs, errors among it, and completion for shells."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from understudy import listing
from understudy.cli import cli, main

SHOWN_OTHERWISE = {
    "completion": "a shell's script",
    "topology import": "a Compose file",
    "topology schema": "JSON always",
    "topology show": "YAML or JSON",
}


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """The entry point takes the signals of its process, which is that of all tests here."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def commands(group: click.Group, before: str = "") -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        found |= commands(command, f"{name} ") if isinstance(command, click.Group) else {before + name: command}
    return found


@pytest.mark.parametrize("name", sorted(set(commands(cli)) - set(SHOWN_OTHERWISE)))
def test_whatever_prints_prints_json_too(name: str) -> None:
    forms = [option for option in commands(cli)[name].params if "--format" in option.opts]
    assert [("json" in option.type.choices) for option in forms if isinstance(option.type, click.Choice)] == [True]


def test_an_error_is_json_where_json_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["understudy", "plan", "--format", "json"])

    with pytest.raises(SystemExit) as ended:
        main()

    told = capsys.readouterr()
    error = json.loads(told.out)["error"]
    assert ended.value.code == error["exit_code"] == 2
    assert error["kind"] == "UsageError"
    assert error["message"] in told.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_a_script_that_asks_for_completions(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "understudy.cli", "completion", shell], capture_output=True, text=True, check=True
    )
    assert f"_UNDERSTUDY_COMPLETE={shell}_complete" in done.stdout


def completed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str) -> list[str]:
    monkeypatch.setattr(sys, "argv", ["understudy"])
    monkeypatch.setenv("_UNDERSTUDY_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    with pytest.raises(SystemExit):
        main()
    return [line.partition(",")[2] for line in capsys.readouterr().out.splitlines()]


def test_commands_options_and_environments_are_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(listing, "names", lambda _options: ["e2aaaaaaaaaa", "e3bbbbbbbbbb", "main"])

    assert completed(monkeypatch, capsys, "understudy dow") == ["down"]
    assert "--lease-dir" in completed(monkeypatch, capsys, "understudy down --")
    assert completed(monkeypatch, capsys, "understudy down e2") == ["e2aaaaaaaaaa"]
    assert completed(monkeypatch, capsys, "understudy test m") == ["main"]
