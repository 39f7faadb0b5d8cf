"""`understudy list` shows the leases that there are, whether or not the target answers."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from reap_world import World, lease

from understudy import listing
from understudy.errors import ToolError
from understudy.options import Options


class Gone:
    def identity(self) -> str:
        raise ToolError("Asked Docker at unix:///x for an answer, and got none.")


@pytest.fixture(autouse=True)
def _down(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.store.create(lease("e1", target="docker:two"))
    monkeypatch.setattr(listing, "read_settings", lambda _listener: SimpleNamespace())
    monkeypatch.setattr(listing, "lease_store", lambda *_: world.store)
    monkeypatch.setattr(listing, "target_of", lambda *_, **__: Gone())


def test_leases_are_shown_while_docker_is_down_and_what_is_not_known_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert listing.show(Options(), form="text") == 4
    out, said = capsys.readouterr()
    assert out.splitlines()[1].split()[0] == "e1"
    assert out.splitlines()[1].endswith("docker:two")
    assert "Asked Docker at unix:///x for an answer, and got none." in said
    assert "Only leases are shown" in said


def test_whose_environments_are_on_aws_is_told_how_to_look_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World()
    world.store.create(lease("e1", target="aws:123456789012:eu-west-1"))
    monkeypatch.setattr(listing, "lease_store", lambda *_: world.store)
    assert listing.show(Options(), form="text") == 4
    assert "with --target aws and --aws-region eu-west-1" in capsys.readouterr().err
    assert listing.show(Options(target="aws"), form="text") == 4
    assert "To look at" not in capsys.readouterr().err


def test_as_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert listing.show(Options(), form="json") == 4
    shown = json.loads(capsys.readouterr().out)
    assert [each["id"] for each in shown["environments"]] == ["e1"]
    assert shown["problem"] == "Asked Docker at unix:///x for an answer, and got none."
