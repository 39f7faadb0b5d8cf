"""What a command on AWS reads before it makes anything: the platform's stack once, and what is declared ahead."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
from aws import plans
from support import ROOT

from understudy import on_aws
from understudy.components.aws.ahead import PARTS, read_ahead
from understudy.engine.errors import StackNotFoundError
from understudy.engine.interface import StackRef
from understudy.errors import NotFoundError
from understudy.options import Options

PLATFORM = replace(plans.PLATFORM, shared_database=None, shared_cache=None)
THERE = StackRef(on_aws.PROJECT, PLATFORM.region)


@dataclass
class Backend:
    """An engine whose backend has one stack, that of a platform."""

    outputs: dict[str, Any]
    read: int = 0

    def export_state(self, ref: StackRef) -> dict[str, Any]:
        self.read += 1
        if ref != THERE:
            raise StackNotFoundError(f"no stack named {ref.name!r} found")
        stack = {"type": "pulumi:pulumi:Stack", "outputs": self.outputs}
        return {"deployment": {"resources": [stack, {"type": "aws:lb/loadBalancer:LoadBalancer"}]}}


def held(backend: Backend, **given: Any) -> SimpleNamespace:
    """A session at work on that backend, as far as it is asked for the platform, which it is asked for twice."""
    target = SimpleNamespace(identity=lambda: PLATFORM.target)
    session = SimpleNamespace(options=Options(**given), engine=backend, target=target, platform=None)
    blueprint = SimpleNamespace(trusted_sha="", production_account="", clone=plans.shop())
    on_aws.hold(session, blueprint)  # type: ignore[arg-type]  # only what it asks of them
    on_aws.hold(session, blueprint)  # type: ignore[arg-type]  # the same
    return session


def test_the_stack_of_the_platform_is_read_once_for_a_command() -> None:
    registry = f"{PLATFORM.account}.dkr.ecr.{PLATFORM.region}.amazonaws.com/previews"
    backend = Backend(replace(PLATFORM, registry=registry).outputs())
    assert held(backend).platform.vpc_id == PLATFORM.vpc_id
    assert backend.read == 1


def test_a_platform_that_is_not_there_is_said_with_what_makes_it() -> None:
    with pytest.raises(NotFoundError, match="understudy-platform/another, and there is none"):
        held(Backend(PLATFORM.outputs()), aws_platform="another")


def test_what_is_read_ahead_is_what_environments_are_declared_with() -> None:
    folder = ROOT / "components" / "aws"
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*.py") if not path.name.startswith("platform")]
    named = {part for text in texts for part in re.findall(r"\baws\.(\w+)\.[A-Z]", text)}
    # Needed only on the platform's shared cache, for a database of its own, and for what production has as a parameter.
    some = {"elasticache", "rds", "ssm"}
    assert named - some == set(PARTS)
    assert read_ahead() is read_ahead()
