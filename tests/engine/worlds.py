"""One environment on the real Pulumi engine, the embedded provider and a real Docker Engine; nothing of it stays."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from leases import BACKEND

from understudy.engine.factory import make_engine
from understudy.engine.interface import Engine, StackRef
from understudy.engine.pulumi_cli import find
from understudy.engine.settings import EngineSettings
from understudy.provider.server import ProviderServer
from understudy.stacks import identity
from understudy.stacks.clone import Clone
from understudy.targets.docker_client import client, daemon_identity


@dataclass
class World:
    """One environment on the real engine."""

    engine: Engine
    environment: identity.Environment
    tree: Path

    @property
    def ref(self) -> StackRef:
        return StackRef("understudy", self.environment.id)

    def program(self, clone: Clone) -> None:
        import pulumi

        from understudy.components.environment import Environment, EnvironmentArgs
        from understudy.components.images import ImageRef

        images = {name: ImageRef(str(service.image)) for name, service in clone.topology.services.items()}
        args = EnvironmentArgs(
            clone=clone,
            environment=self.environment,
            images=images,
            tree=str(self.tree),
            mock_tree=str(self.tree),
            seed=b"s",
            ready_timeout=60,
        )
        pulumi.export("endpoints", Environment(self.environment.id, args).endpoints)

    def up(self, clone: Clone) -> Any:
        return self.engine.up(self.ref, lambda: self.program(clone))

    def listed(self, kind: str) -> list[str]:
        every = ["--all"] if kind == "container" else []
        label = f"label={identity.LABEL}environment={self.environment.id}"
        return docker(kind, "ls", *every, "-q", "--filter", label).split()

    def left(self) -> dict[str, list[str]]:
        return {kind: self.listed(kind) for kind in ("container", "network", "volume")}


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    tree = tmp_path / "tree"
    (tree / "site").mkdir(parents=True)
    (tree / "site" / "page").write_text("hello\n", encoding="utf-8")
    mappings = tree / "mocks" / "pay" / "mappings"
    mappings.mkdir(parents=True)
    mapping = {"request": {"urlPath": "/charge"}, "response": {"status": 200, "body": "charged\n"}}
    (mappings / "charge.json").write_text(json.dumps(mapping), encoding="utf-8")
    environment = identity.Environment(
        f"e{uuid.uuid4().hex[:10]}", daemon_identity(client()), "shop", datetime.now(UTC) + timedelta(hours=1), BACKEND
    )
    found = find()
    assert found is not None
    settings = EngineSettings.from_environment(found.path)
    with ProviderServer() as server:
        made = World(make_engine(settings, {"docker": server.port}), environment, tree)
        try:
            yield made
        finally:
            try:
                made.engine.destroy(made.ref)
            finally:
                for kind, remove in (("container", ("rm", "-f", "-v")), ("network", ("rm",)), ("volume", ("rm",))):
                    if rest := made.listed(kind):
                        docker(kind, *remove, *rest)
