"""The shelf: documents by name beside a backend's state, made once, changed one at a time, never half there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from understudy.errors import UnderstudyError

__all__ = ["Document", "Shelf", "UnreadableError"]


class UnreadableError(UnderstudyError):
    """One document cannot be read, whatever there is of the others."""


class Shelf(Protocol):
    """Where documents lie. A name is a file's name, with a folder's before it or none.

    Every method raises UnderstudyError where it could not do or see what it was asked.
    """

    renew_every: float
    """Seconds between an owner's heartbeats."""
    look_every: float
    """Seconds between an owner's looks at whether it is asked to stop."""

    def place(self, name: str) -> str:
        """Where a document lies, for messages."""
        ...

    def read(self, name: str) -> bytes | None:
        """A document's content, None where it is not there.

        Raises:
            UnreadableError: it is there, and it cannot be read.
        """
        ...

    def age(self, name: str) -> float | None:
        """How many seconds ago a document was written, by the clock of the server that has it.

        None: it is not there, or the shelf has no clock but the readers' own.
        """
        ...

    def each(self) -> Iterator[tuple[str, bytes | UnreadableError]]:
        """Every document that lies in no folder, by its name; one that is removed meanwhile may lack."""
        ...

    def changed(self, folder: str) -> Mapping[str, float]:
        """The names of a folder's documents -> when each was written last, in seconds since the epoch."""
        ...

    def create(self, name: str, data: bytes) -> bool:
        """Write a document that is not there yet, whole or not at all; False: it is there."""
        ...

    def change(self, name: str, alter: Callable[[bytes], bytes | None]) -> bool:
        """Give a document what `alter` makes of its content, with no other change in between; False: it is not there.

        `alter` may raise to prevent the change, returns None to have the document removed, and may be called again
        with what another process made of the document.
        """
        ...

    def put(self, name: str, data: bytes) -> None:
        """Write a document, whether it is there or not."""
        ...

    def remove(self, name: str) -> None:
        """Remove a document, whether it is there or not."""
        ...


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a shelf, wherever that is."""

    shelf: Shelf
    name: str

    def __str__(self) -> str:
        return self.shelf.place(self.name)

    def read(self) -> bytes | None:
        """Its content, None where it is not there; raises UnderstudyError."""
        return self.shelf.read(self.name)

    def write(self, data: bytes) -> None:
        """Replace its content, or make it; raises UnderstudyError."""
        self.shelf.put(self.name, data)
