"""Where the history lies: the database that an option names, else a file beside the state; or nowhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from understudy.engine.settings import absolute_backend, file_backend, state_folder
from understudy.errors import UsageError

__all__ = ["OFF", "Place", "history_place"]

OFF = "off"
FILE = "history.sqlite"


@dataclass(frozen=True, slots=True)
class Place:
    """A database. `url` is for SQLAlchemy and may hold a password, so it is not shown; `name` may be."""

    url: str
    name: str
    path: Path | None = None

    def __repr__(self) -> str:
        return f"Place({self.name})"

    def clean(self, text: str) -> str:
        """A driver's message without what opens the database."""
        parts = urlsplit(self.url)
        for secret in filter(None, (self.url, parts.query, parts.password)):
            text = text.replace(secret, "***")
        return text


def history_place(option: str, environ: Mapping[str, str] | None = None) -> Place | None:
    """The place that the option `history` names; None for `off`.

    Empty: `history.sqlite` in the folder `.understudy` of a `file://` backend, where leases lie too; with another
    backend, in Understudy's state folder. Else `sqlite:///PATH`, `postgresql://...`, or the path of a file.

    Raises:
        UsageError: it names another kind of database. The message holds no password.
    """
    given = os.environ if environ is None else environ
    if option == OFF:
        return None
    if not option:
        folder = file_backend(absolute_backend(given.get("PULUMI_BACKEND_URL", ""), Path.cwd()))
        path = folder / ".understudy" / FILE if folder else state_folder(given) / "backend" / ".understudy" / FILE
        return _file(path)
    scheme, separator, rest = option.partition("://")
    if not separator:
        return _file(Path(option))
    kind = scheme.partition("+")[0]
    if kind == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return _file(Path(rest[1:]))
    if kind in ("postgresql", "postgres"):
        try:
            parts = urlsplit(option)
            where = f"{parts.hostname or 'the local socket'}{f':{parts.port}' if parts.port else ''}{parts.path}"
        except ValueError as error:
            raise _refused(kind) from error
        return Place(f"postgresql+psycopg://{rest}", f"postgresql://{where}")
    raise _refused(kind)


def _file(path: Path) -> Place:
    whole = path.expanduser().absolute()
    return Place(f"sqlite:///{whole}", str(whole), whole)


def _refused(kind: str) -> UsageError:
    return UsageError(
        f"Read the option history, and a URL of the kind {kind!r} as it stands there names no database of ours.",
        hint="Give the path of a file, sqlite:///PATH, postgresql://USER@HOST/DATABASE, or `off`.",
    )
