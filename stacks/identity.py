"""Identity: the ids, names, labels and clocks of an environment, within every platform's limits."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = [
    "LABEL",
    "OWNERSHIP",
    "Environment",
    "cache_label",
    "environment_id",
    "format_time",
    "name",
    "ownership_labels",
    "parse_time",
    "secret_value",
]

LABEL = "dev.understudy."
"""The reserved namespace of every label that Understudy sets."""

OWNERSHIP = tuple(LABEL + key for key in ("environment", "target", "project", "not-after"))
"""The labels that an object must carry, all of them, before Understudy deletes it."""

cache_label = LABEL + "cache"
"""The label of images that Understudy built: a cache, not part of any environment."""

_SAFE = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment: its id, where it runs, what it is of, and the cap that no extension passes (aware, UTC)."""

    id: str
    target: str
    project: str
    not_after: datetime


def environment_id(repository: str, topology: str, key: str) -> str:
    """The id of an environment: `e` and 10 base-32 characters of SHA-256 over its three parts.

    50 bits: 10,000 live environments collide with a probability of about 5e-8 (birthday bound). The parts are
    hashed with their lengths, so no two triples share a text.
    """
    digest = hashlib.sha256()
    for part in (repository, topology, key):
        data = part.encode("utf-8", "surrogateescape")
        digest.update(len(data).to_bytes(8, "big") + data)
    return "e" + base64.b32encode(digest.digest()).decode().lower()[:10]


def name(environment: str, logical: str, limit: int = 63) -> str:
    """A physical name: the environment's id, a dash, and the logical name within `limit` characters.

    Lower-case letters, digits and single dashes, beginning with a letter and never ending with a dash: that is
    within the alphabets of DNS labels (RFC 1035, 63), Docker objects and AWS names. A logical name that had to
    be shortened or rewritten ends with 6 base-32 characters of its own hash, so that distinct names stay distinct.

    Raises:
        ValueError: `limit` leaves no room for the id, a dash and 7 characters.
    """
    room = limit - len(environment) - 1
    if room < 7:  # noqa: PLR2004 - one letter and the hash
        raise ValueError(f"a limit of {limit} leaves no room beside the id {environment!r}")
    plain = _SAFE.sub("-", logical.lower()).strip("-")
    if plain == logical and len(plain) <= room:
        return f"{environment}-{plain}"
    mark = base64.b32encode(hashlib.sha256(logical.encode("utf-8", "surrogateescape")).digest()).decode().lower()[:6]
    head = plain[: room - 7].strip("-")
    return f"{environment}-{head}-{mark}" if head else f"{environment}-{mark}"


def ownership_labels(environment: Environment) -> dict[str, str]:
    """All labels of OWNERSHIP with their values for this environment."""
    return {
        LABEL + "environment": environment.id,
        LABEL + "target": environment.target,
        LABEL + "project": environment.project,
        LABEL + "not-after": format_time(environment.not_after),
    }


def secret_value(seed: bytes, rule: str) -> str:
    """The value of a secret made anew: HMAC-SHA256 of the rule's path under the environment's seed, 40 hex digits."""
    return hmac.new(seed, rule.encode(), hashlib.sha256).hexdigest()[:40]


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC with seconds and a Z.

    Raises:
        ValueError: the moment is naive.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a zone is no moment")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """The reverse of `format_time`; only a Z is taken.

    Raises:
        ValueError: the text is not RFC 3339 with a Z.
    """
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
