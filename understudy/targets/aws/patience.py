"""Patience with AWS: what is throttled, or does not answer, is asked again with longer and longer pauses."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from understudy.aws_failures import aws_errors, failure_of, tool_error

__all__ = ["Patience"]

_FIRST, _LONGEST = 1.0, 20.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one question is asked again, in seconds, beyond the tries that boto3 makes of each request."""

    seconds: float = 120.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep

    def of(self, doing: str, ask: Callable[[], T]) -> T:
        """What `ask` gives.

        Args:
            doing: what is tried, in words, in the past.
            ask: may be called again after it failed.

        Raises:
            ToolError: AWS refused, or the patience is over.
        """
        deadline, pause = self.clock() + self.seconds, _FIRST
        while True:
            try:
                return ask()
            except aws_errors() as error:
                if not failure_of(error).again or self.clock() >= deadline:
                    raise tool_error(doing, error) from error
            self.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads requests, no secret
            pause = min(2 * pause, _LONGEST)
