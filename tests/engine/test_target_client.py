"""Which daemon is meant: DOCKER_HOST, else the docker CLI's context, and an error that names it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from understudy.errors import ToolError
from understudy.targets.docker_client import client, daemon_host

Contexts = Callable[..., None]
connect = client.__wrapped__  # a client of its own each time


@pytest.fixture
def contexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Contexts:
    """Write contexts as the docker CLI does, one of them the current one."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)

    def write(current: str = "", **hosts: str) -> None:
        (tmp_path / "config.json").write_text(json.dumps({"currentContext": current}))
        for name, host in hosts.items():
            folder = tmp_path / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
            folder.mkdir(parents=True, exist_ok=True)
            endpoint = {"docker": {"Host": host, "SkipTLSVerify": False}}
            (folder / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": endpoint}))

    return write


def test_without_a_context_it_is_the_default_socket(contexts: Contexts) -> None:
    contexts()
    assert daemon_host() == "unix:///var/run/docker.sock"


def test_the_variable_goes_before_the_current_context(contexts: Contexts, monkeypatch: pytest.MonkeyPatch) -> None:
    contexts("far", far="tcp://far.example:2376", near="unix:///near.sock")
    assert daemon_host() == "tcp://far.example:2376"
    monkeypatch.setenv("DOCKER_CONTEXT", "near")
    assert daemon_host() == "unix:///near.sock"
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert daemon_host() == "unix:///var/run/docker.sock"
    monkeypatch.setenv("DOCKER_CONTEXT", "near")
    monkeypatch.setenv("DOCKER_HOST", "tcp://host.example:1")
    assert daemon_host() == "tcp://host.example:1"


def test_a_context_that_is_not_there_is_no_reason_to_take_another_daemon(contexts: Contexts) -> None:
    contexts("gone")
    with pytest.raises(ToolError, match="docker context 'gone'"):
        connect()


def test_a_daemon_of_a_context_that_does_not_answer_is_named(contexts: Contexts) -> None:
    contexts("dead", dead="tcp://127.0.0.1:1")
    with pytest.raises(ToolError, match=r"127\.0\.0\.1:1 \(docker context 'dead'\)"):
        connect()


@pytest.mark.docker
def test_the_context_s_daemon_is_asked(contexts: Contexts) -> None:
    contexts("here", here="unix:///var/run/docker.sock")
    made = connect()
    try:
        assert made.ping()
    finally:
        made.close()
