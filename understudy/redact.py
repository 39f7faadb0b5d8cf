"""Redaction: the secrets that a run knows are replaced in whatever is written, in every form they take there."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import tempfile
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from understudy.errors import UnderstudyError

__all__ = ["MARK", "SHORTEST", "Redactor", "Stream", "redact_error"]

MARK = "[secret]"
"""What stands in a secret's place."""

SHORTEST = 6
"""Characters below which a value is left alone: replacing `a` or `true` everywhere would destroy the evidence."""

_COMPONENT = "!'()*"
"""What JavaScript's encodeURIComponent leaves as it is (ECMA-262, 19.2.6.4), beside what Python leaves."""

_WHOLE = _COMPONENT + ";,/?:@&=+$#"
"""What its encodeURI leaves."""

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
        self._text = re.compile(_any_of(forms)) if forms else None
        encoded = {form.encode("utf-8", "surrogateescape").decode("latin-1") for form in forms}
        self._bytes = re.compile(_any_of(encoded).encode("latin-1")) if encoded else None
        self._words = sorted(form.encode("latin-1") for form in encoded)

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
                stream = self.stream()
                while chunk := source.read(_CHUNK):
                    out.write(stream.feed(chunk))
                out.write(stream.end())
            if stream.found:
                Path(staged).replace(path)
        finally:
            Path(staged).unlink(missing_ok=True)

    def stream(self) -> Stream:
        """What takes the secrets out of bytes that come piece by piece."""
        return Stream(self._bytes, self._words)


class Stream:
    """Bytes without secrets, as they come; a secret that is cut in two by the pieces is found all the same.

    `found` says whether there was one. The last `longest - 1` bytes wait for the next piece, or for the end.
    """

    def __init__(self, pattern: re.Pattern[bytes] | None, words: Sequence[bytes]) -> None:
        self._pattern = pattern
        self._words = words
        self._longest = max(map(len, words), default=0)
        self._pending = b""
        self.found = False

    def feed(self, data: bytes) -> bytes:
        """What of all that came can be let go."""
        if self._pattern is None:
            return data
        self._pending += data
        return b"".join(self._released(len(self._pending) - self._longest + 1))

    def settle(self) -> bytes:
        """All of the rest but what may be the beginning of a secret, for whoever will not wait for the next piece."""
        size = len(self._pending)
        begins = (at for at in range(max(0, size - self._longest), size) if self._is_beginning(self._pending[at:]))
        return b"".join(self._released(next(begins, size)))

    def _is_beginning(self, part: bytes) -> bool:
        at = bisect_left(self._words, part)
        return at < len(self._words) and self._words[at].startswith(part)

    def end(self) -> bytes:
        """The rest; the next piece begins anew."""
        return b"".join(self._released(len(self._pending)))

    def _released(self, safe: int) -> Iterator[bytes]:
        """What comes before `safe`; a match that begins there may be the beginning of a longer one."""
        done = 0
        for match in self._pattern.finditer(self._pending) if self._pattern else ():
            if match.start() >= safe:
                break
            yield self._pending[done : match.start()]
            yield MARK.encode()
            done, self.found = match.end(), True
        keep = max(done, safe, 0)
        yield self._pending[done:keep]
        self._pending = self._pending[keep:]


def _any_of(words: Iterable[str]) -> str:
    """A pattern for the longest of several words that stands at a place: a tree of their common beginnings.

    Of plain alternatives every one is tried at every place: with 60 secrets that was 2 MB/s, and a log has 50 MB.
    """
    words = sorted(words, key=lambda word: (-len(word), word))
    tree: dict[str, Any] = {}
    for word in words:
        node = tree
        for char in word:
            node = node.setdefault(char, {})
        node[""] = {}
    try:
        text = _pattern(tree)
        re.compile(text)
    except RecursionError:  # hundreds of words, each the beginning of the next
        return "|".join(map(re.escape, words))
    return text


def _pattern(node: dict[str, Any]) -> str:
    text = ""
    while len(node) == 1 and "" not in node:
        ((char, node),) = node.items()
        text += re.escape(char)
    parts = [re.escape(char) + _pattern(below) for char, below in sorted(node.items()) if char]
    if not parts:
        return text
    return f"{text}(?:{'|'.join(parts)}){'?' if '' in node else ''}"


def _forms(value: str) -> set[str]:
    """Every text in which a secret may appear; shorter than `SHORTEST` none is worth replacing."""
    forms = {value, repr(value)[1:-1], html.escape(value), html.escape(value, quote=False), *_numbered(value)}
    for safe in ("/", "", _COMPONENT, _WHOLE):
        for quoted in (quote(value, safe=safe), quote_plus(value, safe=safe), _java(value, safe)):
            forms |= {quoted, _lower_escapes(quoted)}
    for text in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        for escaped in (text, text.replace("/", "\\/"), _for_scripts(text)):
            forms |= {escaped, re.sub(r"(?<=\\u)[0-9a-f]{4}", lambda found: found[0].upper(), escaped)}
    encoded = _base64(value.encode("utf-8", "surrogateescape"))
    forms.update(encoded, *(_wrapped(text) for text in encoded))
    if "\n" in value:
        forms.update(line.strip() for line in value.splitlines() if len(line.strip()) >= _LONG_LINE)
    return {form for form in forms if len(form) >= SHORTEST}


def _java(value: str, safe: str) -> str:
    """As java.net.URLEncoder and a browser's form do, which write `~` as an escape too."""
    return quote_plus(value, safe=safe).replace("~", "%7E").replace("%2A", "*")


def _for_scripts(text: str) -> str:
    """JSON as Go, Rails and others write it, so that it can stand inside HTML."""
    return "".join(f"\\u{ord(char):04x}" if char in "<>&'\u2028\u2029" else char for char in text)


def _numbered(value: str) -> set[str]:
    """HTML with other names of the same characters: Go's, Jinja's and XML's."""
    plain = html.escape(value, quote=False)
    return {
        plain.replace('"', double).replace("'", single)
        for double in ('"', "&quot;", "&#34;", "&#x22;")
        for single in ("'", "&#39;", "&#x27;", "&apos;")
    }


def _lower_escapes(quoted: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda match: match.group().lower(), quoted)


def _base64(data: bytes) -> set[str]:
    """Base64 of the secret alone, and what it looks like inside a longer text at each of the three alignments.

    RFC 4648: three bytes are four characters. Characters that also hold bits of a neighbour are cut off, so
    `Basic` credentials of `user:secret` are found too.
    """
    found: set[str] = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(data).decode()
        found |= {whole, whole.rstrip("=")}
        for shift in range(3):
            total_bits = 8 * (shift + len(data))
            first, end = -(-8 * shift // 6), total_bits // 6
            found.add(encode(b"\0" * shift + data).decode()[first:end])
    return found


def _wrapped(text: str) -> Iterator[str]:
    """The lines of a long base64 text, as MIME and PEM wrap it (RFC 2045, section 6.8; RFC 7468, section 2)."""
    for width in (76, 64):
        if len(text) > width:
            yield from (text[begin : begin + width] for begin in range(0, len(text), width))


def redact_error(error: UnderstudyError, redactor: Redactor) -> UnderstudyError:
    """The same error with the secrets taken out of its message and hint."""
    error.args = tuple(redactor.text(part) if isinstance(part, str) else part for part in error.args)
    error.hint = redactor.text(error.hint)
    return error
