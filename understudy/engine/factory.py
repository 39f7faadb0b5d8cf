"""Makes the engine that works with the CLI at hand."""

from __future__ import annotations

from collections.abc import Mapping

from understudy.engine.automation_engine import AutomationEngine
from understudy.engine.interface import Engine
from understudy.engine.probe import probe
from understudy.engine.pulumi_engine import PulumiEngine
from understudy.engine.settings import EngineSettings
from understudy.scratch import sweep

__all__ = ["make_engine"]


def make_engine(settings: EngineSettings, attach: Mapping[str, int] | None = None) -> Engine:
    """The engine by the three-process path, or by the Automation API where that path does not answer.

    Args:
        settings: Where the CLI, the backend and the rest are; what is ours is made if it is not there.
        attach: Provider name -> port on 127.0.0.1 where it is served.

    Raises:
        UsageError: the state folder cannot be made.
        ToolError: the CLI does not start.
    """
    settings.prepare()
    sweep()
    found = probe(settings)
    if found.three_process:
        return PulumiEngine(settings, attach)
    return AutomationEngine(settings, attach, version=found.version)
