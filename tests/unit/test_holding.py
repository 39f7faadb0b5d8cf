from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from reap_world import World, lease

from understudy import holding
from understudy.engine.pulumi_cli import VARIABLE


def test_the_watchdog_is_told_paths_that_lead_there_from_anywhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It runs its command in `/`; a CLI that is named relative to the owner's folder would not be found there."""
    told: list[dict[str, Any]] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "bin/pulumi")
    monkeypatch.setattr(holding, "guarded", lambda _argv, env, **_: told.append(env))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "keys/credentials")
    monkeypatch.setenv("AWS_CONFIG_FILE", "~/.aws/config")
    monkeypatch.setenv("AWS_PROFILE", "previews")
    world = World(lease_dir="leases")
    world.session.settings.cli = tmp_path / "bin" / "pulumi"
    world.session.settings.passphrase_file = None
    holding._guard(world.session, lease("eaaaaaaaaaa"))
    assert told[0][VARIABLE] == str(tmp_path / "bin" / "pulumi")
    assert told[0]["UNDERSTUDY_LEASE_DIR"] == str(tmp_path / "leases")
    assert told[0]["AWS_SHARED_CREDENTIALS_FILE"] == str(tmp_path / "keys" / "credentials")
    assert (told[0]["AWS_CONFIG_FILE"], told[0]["AWS_PROFILE"]) == ("~/.aws/config", "previews")
