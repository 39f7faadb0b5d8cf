"""What unit tests share: the repository of three commits; a module that needs another has its own."""

from __future__ import annotations

from .clones import repo

__all__ = ["repo"]
