"""The watchdog: a process that outlives its owners, and does for each that died what it can no longer do itself."""

from understudy.watchdog.guard import Guard, guarded

__all__ = ["Guard", "guarded"]
