"""A registry: names to component classes, each put there by a decorator, none of them twice."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Generic, TypeVar

from understudy.errors import UnderstudyError, UsageError

__all__ = ["Registry", "load"]

T = TypeVar("T")


class Registry(Generic[T]):
    """Classes by name. `what` says in messages what is registered, for example `kind of service`."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that puts what it decorates under `name`.

        Raises:
            UnderstudyError: the name is taken; raised at import, so that no class replaces another unseen.
        """

        def put(entry: T) -> T:
            if name in self._entries:
                raise UnderstudyError(
                    f"Registered {entry!r} as {self._what} {name!r}, which {self._entries[name]!r} is already.",
                    hint="Give one of them another name.",
                )
            self._entries[name] = entry
            return entry

        return put

    def get(self, name: str) -> T:
        """The class of this name.

        Raises:
            UsageError: there is none; the message lists those that exist.
        """
        if name not in self._entries:
            raise UsageError(
                f"{name!r} is no {self._what}.", hint=f"There are: {', '.join(self.names()) or 'none at all'}."
            )
        return self._entries[name]

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self._entries))


def load(package: str = __package__) -> None:
    """Import every module of a package, so that a new kind is one new file and no list has to name it."""
    found = importlib.import_module(package)
    for module in pkgutil.iter_modules(found.__path__):
        importlib.import_module(f"{package}.{module.name}")
