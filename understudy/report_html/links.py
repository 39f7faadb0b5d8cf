"""The files of the run folder: a service's logs by their names, and links that are relative and quoted. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from understudy.report_html.markup import Markup, el, text

__all__ = ["file_link", "logs_named"]


def file_link(base: str | None, path: str, label: str | None = None) -> Markup:
    """A link to a file of the folder; without a `base` only its name.

    >>> file_link(".", "logs/a:b.log")
    '<a href="./logs/a%3Ab.log">logs/a:b.log</a>'
    """
    if base is None:
        return text(label or path)
    return el("a", label or path, href=f"{quote(base)}/{quote(path.encode('utf-8', 'surrogateescape'))}")


def logs_named(service: str, paths: Iterable[str]) -> tuple[str, ...]:
    """The logs of a service among paths of the folder: `logs/<service>.log`, and `logs/<service>-<id>.log` of replicas.

    In a joined run they lie below the folders of its parts.

    >>> logs_named("db", ["logs/db.log", "logs/db-0123456789ab.log", "logs/db-copy.log"])
    ('logs/db.log', 'logs/db-0123456789ab.log')
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", service).lstrip(".")[:100] or "container"
    wanted = re.compile(rf"(.*/)?logs/{re.escape(name)}(-[0-9a-f]{{12}})?\.log")
    return tuple(path for path in paths if wanted.fullmatch(path))
