"""The services that died while tests ran, as parts of a run record."""

from __future__ import annotations

from dataclasses import dataclass

from understudy.report.moments import Moment, utc
from understudy.targets.watching import Death, How

__all__ = ["DeathRecord"]


@dataclass(frozen=True, slots=True)
class DeathRecord:
    """A service that died while tests ran: how, when, with which exit code, health output and last log lines.

    `at` is the end of its process, or the start of the first failed health check in a row.
    """

    service: str
    container: str
    how: How
    at: Moment
    reason: str
    exit_code: int | None
    health: str
    log: str
    part: str = ""

    @classmethod
    def of(cls, death: Death) -> DeathRecord:
        """The record of a death."""
        d = death
        return cls(d.service, d.container, d.how, utc(d.at), d.reason, d.exit_code, d.health, d.log)
