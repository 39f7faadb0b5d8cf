"""Sinks: where a run's evidence goes beside its folder, before its environment is destroyed."""

from __future__ import annotations

from understudy.export.sinks.interface import Delivery, Sink, SinkError, Stage
from understudy.export.sinks.naming import open_outbox
from understudy.export.sinks.outbox import Outbox

__all__ = ["Delivery", "Outbox", "Sink", "SinkError", "Stage", "open_outbox"]
