"""What a Dockerfile makes the builder itself fetch, which no setting of a build's network keeps it from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

__all__ = ["fetched"]

_DIRECTIVE = re.compile(r"(?:#|//)\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*")
_ADD = re.compile(r"(?:ONBUILD\s+)*ADD\b(.*)", re.IGNORECASE | re.DOTALL)
_REMOTE = re.compile(r"://|git@|[$\\]")
_QUOTES = str.maketrans("", "", "\"'")
_OFFICIAL = re.compile(r"(?:docker\.io/)?docker/dockerfile(?:[:@][\w.:-]*)?", re.ASCII)
_FRONTEND = "BUILDKIT_SYNTAX"


def fetched(dockerfile: str, arguments: Iterable[str] = ()) -> str:
    r"""The first thing by which the builder fetches something, or may; empty: there is none.

    That is ADD with a URL or a repository, or with a variable or an escape, by which it may be either; and another
    frontend than Docker's own, which may do anything (docs.docker.com, Dockerfile reference: ADD, parser directives;
    moby/buildkit, frontend/dockerfile/parser/directives.go).

    Args:
        dockerfile: its text.
        arguments: the names of the build's arguments.

    >>> fetched("FROM x\nADD --chown=1 https://a.example/b /b")
    'ADD --chown=1 https://a.example/b /b'
    >>> fetched("FROM x\nADD b /b\nRUN wget https://a.example")
    ''
    """
    if _FRONTEND in arguments:
        return f"the argument {_FRONTEND}"
    if dockerfile.removeprefix("\ufeff").lstrip().startswith("{"):
        return "a Dockerfile that is JSON"
    directives = dict(_directives(dockerfile))
    syntax = directives.get("syntax", "")
    if syntax and not _OFFICIAL.fullmatch(syntax):
        return f"syntax={syntax}"
    for line in _instructions(dockerfile, directives.get("escape", "\\")):
        found = _ADD.match(line)
        if found and _REMOTE.search(found[1].translate(_QUOTES)):
            return line
    return ""


def _directives(dockerfile: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(dockerfile.removeprefix("\ufeff").split("\n")):
        found = _DIRECTIVE.fullmatch(line.strip())
        if found is not None:
            yield found[1].lower(), found[2]
        elif number or not line.startswith("#!"):
            return


def _instructions(dockerfile: str, escape: str) -> Iterator[str]:
    """Each instruction in one line. A here-document's lines count as instructions too: one more is refused at most."""
    begun = ""
    for raw in dockerfile.split("\n"):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.endswith(escape):
            begun += line[: -len(escape)]
            continue
        yield (begun + line).strip()
        begun = ""
    if begun:
        yield begun.strip()
