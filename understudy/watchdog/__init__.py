"""The watchdog: a process that outlives its owners, and does for each that died what it can no longer do itself."""

from understudy.watchdog.guard import Guard, guarded
from understudy.watchdog.process import LIMIT

__all__ = ["LIMIT", "Guard", "guarded"]
