"""Redaction: the secrets that a run knows are replaced in whatever is written, in every form they take there."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, quote_plus

from understudy.errors import UnderstudyError

__all__ = ["MARK", "SHORTEST", "Redactor", "redact_error"]

MARK = "[secret]"
"""What stands in a secret's place."""

SHORTEST = 6
"""Characters below which a value is left alone: replacing `a` or `true` everywhere would destroy the evidence."""

_LONG_LINE = 16
_CHUNK = 1 << 20


class Redactor:
    """Replaces known secrets, plain or encoded as base64, for URLs, in JSON, HTML or Python literals, by `[secret]`.

    `too_short` counts the values that were left out because they have fewer than `SHORTEST` characters.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        known = {value for value in values if value}
        self.too_short = sum(1 for value in known if len(value) < SHORTEST)
        forms = {form for value in known if len(value) >= SHORTEST for form in _forms(value)}
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._text = re.compile("|".join(map(re.escape, ordered))) if ordered else None
        encoded = sorted((form.encode("utf-8", "surrogateescape") for form in ordered), key=lambda form: -len(form))
        self._bytes = re.compile(b"|".join(map(re.escape, encoded))) if encoded else None
        self._longest = max(map(len, encoded), default=0)

    def text(self, text: str) -> str:
        """The text without secrets."""
        return self._text.sub(MARK, text) if self._text else text

    def data(self, value: object) -> object:
        """JSON-ready data with every string in it redacted, keys too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.data(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.data(item) for item in value]
        return value

    def file(self, path: Path) -> None:
        """Rewrite a file without secrets, in one pass and atomically; a link, or what is no file, is left alone.

        Raises:
            OSError: it cannot be read or written.
        """
        if self._bytes is None or path.is_symlink() or not path.is_file():
            return
        handle, staged = tempfile.mkstemp(dir=path.parent, prefix=".redact-")
        try:
            with os.fdopen(handle, "wb") as out, path.open("rb") as source:
                found = self._stream(source, out, self._bytes)
            if found:
                Path(staged).replace(path)
        finally:
            Path(staged).unlink(missing_ok=True)

    def _stream(self, source: BinaryIO, out: BinaryIO, pattern: re.Pattern[bytes]) -> bool:
        """Copy with replacements. A match may cross two chunks, so the last `longest - 1` bytes wait for the next."""
        found, pending, last = False, b"", False
        while not last:
            chunk = source.read(_CHUNK)
            last = not chunk
            pending += chunk
            safe = len(pending) if last else max(0, len(pending) - self._longest + 1)
            done = 0
            for match in pattern.finditer(pending):
                if match.start() >= safe:
                    break
                out.write(pending[done : match.start()] + MARK.encode())
                done, found = match.end(), True
            keep = max(done, safe)
            out.write(pending[done:keep])
            pending = pending[keep:]
        return found


def _forms(value: str) -> set[str]:
    """Every text in which a secret may appear; shorter than `SHORTEST` none is worth replacing."""
    forms = {
        value,
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        _lower_escapes(quote(value, safe="")),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        json.dumps(value)[1:-1].replace("/", "\\/"),
        html.escape(value),
        repr(value)[1:-1],
    }
    forms.update(_base64(value.encode("utf-8", "surrogateescape")))
    if "\n" in value:
        forms.update(line.strip() for line in value.splitlines() if len(line.strip()) >= _LONG_LINE)
    return {form for form in forms if len(form) >= SHORTEST}


def _lower_escapes(quoted: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda match: match.group().lower(), quoted)


def _base64(data: bytes) -> set[str]:
    """Base64 of the secret alone, and what it looks like inside a longer text at each of the three alignments.

    RFC 4648: three bytes are four characters. Characters that also hold bits of a neighbour are cut off, so
    `Basic` credentials of `user:secret` are found too.
    """
    found: set[str] = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        found.add(encode(data).decode())
        for shift in range(3):
            total_bits = 8 * (shift + len(data))
            first, end = -(-8 * shift // 6), total_bits // 6
            found.add(encode(b"\0" * shift + data).decode()[first:end])
    return found


def redact_error(error: UnderstudyError, redactor: Redactor) -> UnderstudyError:
    """The same error with the secrets taken out of its message and hint."""
    error.args = tuple(redactor.text(part) if isinstance(part, str) else part for part in error.args)
    error.hint = redactor.text(error.hint)
    return error
