"""What a run folder holds, as it is sent: plain files only, each under a key that no file name can misuse."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from urllib.parse import quote

from understudy.files import open_regular

__all__ = ["MANIFEST", "find_contents", "key_of", "media_type", "read_exactly", "whole_digest"]

MANIFEST = "manifest.json"
"""The object that is written last: whoever finds it finds all that it lists."""

_LONGEST_KEY = 900
"""Bytes of a file's part of a key; a whole key has at most 1024 (Amazon S3 User Guide, "Naming objects")."""

_CHUNK = 1 << 20

_TYPES = {".json": "application/json", ".log": "text/plain", ".md": "text/plain", ".xml": "text/plain"}
"""XML as text: a browser runs what stands in it (XHTML, XSLT), and tests may have written it."""


def find_contents(folder: Path) -> tuple[str, ...]:
    """Every plain file of a folder, as paths with slashes, sorted; links are neither taken nor followed.

    Raises:
        OSError: the folder cannot be listed.
    """

    def refuse(error: OSError) -> None:
        raise error

    found = []
    for place, _, names in os.walk(folder, onerror=refuse):
        for name in names:
            path = Path(place, name)
            if path.is_file() and not path.is_symlink():
                found.append(path.relative_to(folder).as_posix())
    return tuple(sorted(found))


def key_of(path: str) -> str:
    """A file's key below the run's prefix: bytes that are not plain in keys as `%XX`, a long end as its hash.

    Two paths never have the same key, and none has that of the manifest.

    >>> key_of("logs/my db.log")
    'logs/my%20db.log'
    >>> key_of("manifest.json")
    '%6Danifest.json'
    """
    key = "%6Danifest.json" if path == MANIFEST else quote(os.fsencode(path), safe="/")
    if len(key) > _LONGEST_KEY:
        return f"{key[:800]}~{hashlib.sha256(key.encode()).hexdigest()}"
    return key


def media_type(path: str) -> str:
    """How a browser shall take the file: only our own report is HTML."""
    if path == "report.html":
        return "text/html; charset=utf-8"
    kind = _TYPES.get(Path(path).suffix.lower(), "application/octet-stream")
    return f"{kind}; charset=utf-8" if kind == "text/plain" else kind


def read_exactly(path: Path, offset: int, size: int) -> bytes:
    """`size` bytes of a file from `offset`; what is appended meanwhile is not read.

    Raises:
        OSError: it is no plain file, cannot be read, or has become shorter.
    """
    with open_regular(path) as source:
        source.seek(offset)
        data = source.read(size)
    if len(data) != size:
        raise OSError(f"{path} became shorter while it was read")
    return data


def whole_digest(path: Path, size: int) -> bytes:
    """SHA-256 of the first `size` bytes of a file.

    Raises:
        OSError: as `read_exactly`.
    """
    digest = hashlib.sha256()
    for offset in range(0, size, _CHUNK):
        digest.update(read_exactly(path, offset, min(_CHUNK, size - offset)))
    return digest.digest()
