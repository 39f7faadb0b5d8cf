"""A place in a document, and the error that names one."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TopologyError", "Where"]


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a document: file name, 1-based line and column, and the path inside (`services.web.ports[0]`)."""

    file: str = ""
    line: int = 0
    column: int = 0
    path: str = ""

    @property
    def place(self) -> str:
        """`file:line:column`; empty where none is known."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def __str__(self) -> str:
        return f"{self.place}: {self.path}" if self.path else self.place


class TopologyError(ValueError):
    """A document that is no valid topology; `where` is the place, the message says what is allowed."""

    def __init__(self, message: str, where: Where) -> None:
        super().__init__(f"{where}: {message}")
        self.where = where
