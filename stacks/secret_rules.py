"""How a secret that is made anew looks, and its value: an HMAC of the environment's seed, in the wanted form."""

from __future__ import annotations

import hashlib
import hmac
import string
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["ALPHABETS", "HEX", "LONGEST", "SecretRule", "SecretStore", "Seed", "secret_value"]

SecretStore = Literal["secret", "parameter"]
"""What keeps a secret on AWS: a secret of Secrets Manager, or a SecureString of Systems Manager's Parameter Store."""

_SYMBOLS = "-._~"
"""The marks that stand in a URL as they are (RFC 3986, 2.3): a password is often a part of one."""

ALPHABETS = {
    "hex": "0123456789abcdef",
    "digits": string.digits,
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "letters": string.ascii_letters,
    "alphanumeric": string.ascii_letters + string.digits,
    "base32": string.ascii_uppercase + "234567",
    "base64url": string.ascii_letters + string.digits + "-_",
}
"""Alphabets by name; any other text is an alphabet itself."""

LONGEST = 1024
"""Characters; longer ones are keys, which a file should hold."""

_LENGTHS = {"password": 24, "uuid": 36}
_LEAST_PASSWORD = 8
_CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits, _SYMBOLS)


@dataclass(frozen=True, slots=True)
class SecretRule:
    """The form of one secret.

    `length` counts the characters that are drawn from `alphabet` (the characters themselves); None: as is usual for
    the format, else 40. `format` is empty, `uuid` (version 4), `password` (a lower and an upper case letter, a digit
    and one of `-._~` at least), or a text in which `{}` stands for what is drawn, as `sk_test_{}`.

    Raises:
        ValueError: there is no such form; the message says what is allowed.
    """

    length: int | None = None
    alphabet: str | None = None
    format: str = ""

    def __post_init__(self) -> None:
        """Hold that there is such a form."""
        if self.length is not None and not 1 <= self.length <= LONGEST:
            raise ValueError(f"a secret's length is 1 to {LONGEST}, not {self.length}")
        if self.alphabet is not None and (len(self.alphabet) < 2 or len(set(self.alphabet)) < len(self.alphabet)):  # noqa: PLR2004 - of one character there is one value
            raise ValueError("a secret's alphabet has at least two characters, each once")
        if self.alphabet is not None and not self.alphabet.isprintable():
            raise ValueError("a secret's alphabet has printable characters only")
        if self.format == "uuid" and (self.length, self.alphabet) != (None, None):
            raise ValueError("a uuid has a length and an alphabet of its own: leave out 'length' and 'alphabet'")
        if self.format == "password":
            if self.alphabet is not None:
                raise ValueError("a password has an alphabet of its own: leave out 'alphabet'")
            if self.length is not None and self.length < _LEAST_PASSWORD:
                raise ValueError(f"a password has at least {_LEAST_PASSWORD} characters")
        elif self.format and self.format != "uuid" and self.format.count("{}") != 1:
            raise ValueError(
                f"{self.format[:60]!r} is no format; allowed are uuid, password, or a text with {{}} once, "
                "where the secret's characters go"
            )
        if not self.format.isprintable():
            raise ValueError("a secret's format has printable characters only")

    def describe(self) -> str:
        """The form in words: `40 of hex`, `uuid`."""
        if self.format == "uuid":
            return "uuid"
        count = self.length or _LENGTHS.get(self.format, 40)
        if self.format == "password":
            return f"password of {count}"
        known = {characters: name for name, characters in ALPHABETS.items()}
        kind = known.get(self.alphabet or ALPHABETS["hex"], "an alphabet of its own")
        return f"{count} of {kind}" + (f" in {self.format}" if self.format else "")


HEX = SecretRule()
"""What a secret is of which nothing is said: 40 hexadecimal digits, 160 bits."""


def secret_value(seed: bytes, name: str, rule: SecretRule = HEX) -> str:
    """The value that the environment of this seed has for a secret: the same at every call.

    Each character is equally likely, and each value of the form: bits that name no character are passed over, and
    so is a password without one of its kinds of characters.
    """
    bits = _Bits(_blocks(seed, name.encode("utf-8", "surrogatepass")))
    if rule.format == "uuid":
        return str(uuid.UUID(int=bits.take(128), version=4))
    count = rule.length or _LENGTHS.get(rule.format, 40)
    if rule.format == "password":
        every = "".join(_CLASSES)
        while True:
            drawn = bits.characters(every, count)
            if all(set(kind) & set(drawn) for kind in _CLASSES):
                return drawn
    drawn = bits.characters(rule.alphabet or ALPHABETS["hex"], count)
    return rule.format.replace("{}", drawn) if rule.format else drawn


@dataclass(frozen=True, slots=True, repr=False)
class Seed:
    """An environment's seed, with the rules by which it makes values; a secret without a rule is as `HEX` says."""

    value: bytes
    rules: Mapping[str, SecretRule] = field(default_factory=dict)

    def secret(self, name: str) -> str:
        """The value of the secret of this name."""
        return secret_value(self.value, name, self.rules.get(name, HEX))


def _blocks(seed: bytes, name: bytes) -> Iterator[bytes]:
    """HMAC-SHA256 of the name, then in feedback mode with a counter (NIST SP 800-108r1, 4.2)."""
    block, count = b"", 0
    while True:
        block = hmac.new(seed, block + name + (count.to_bytes(4, "big") if count else b""), hashlib.sha256).digest()
        yield block
        count += 1


class _Bits:
    """A stream of bits, taken from the front."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._held, self._count = 0, 0

    def take(self, count: int) -> int:
        while self._count < count:
            block = next(self._blocks)
            self._held = self._held << (8 * len(block)) | int.from_bytes(block, "big")
            self._count += 8 * len(block)
        self._count -= count
        value = self._held >> self._count
        self._held &= (1 << self._count) - 1
        return value

    def characters(self, alphabet: str, count: int) -> str:
        width = (len(alphabet) - 1).bit_length()
        drawn: list[str] = []
        while len(drawn) < count:
            number = self.take(width)
            if number < len(alphabet):
                drawn.append(alphabet[number])
        return "".join(drawn)
