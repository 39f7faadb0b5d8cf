"""`s3://bucket/prefix?encryption=...&kms_key=...`: where in S3, read without trust."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from understudy.errors import UsageError

__all__ = ["S3Address"]

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse")
_LONGEST_PREFIX = 90


@dataclass(frozen=True, slots=True)
class S3Address:
    """A bucket, a prefix without slashes around it, and the server-side encryption (empty: the bucket's own)."""

    bucket: str
    prefix: str = ""
    encryption: str = ""
    kms_key: str = ""

    @classmethod
    def parse(cls, text: str) -> S3Address:
        """Read a URL; what it holds is not repeated in messages, because it may hold credentials.

        Raises:
            UsageError: it is not usable.
        """
        if not text.isprintable():
            raise _unusable("it has control characters")
        parts = urlsplit(text)
        if "@" in parts.netloc or ":" in parts.netloc:
            raise _unusable("it has credentials or a port; AWS's own variables and files give them")
        if not _BUCKET.fullmatch(parts.netloc):
            raise _unusable("its bucket is no bucket's name")
        prefix = parts.path.strip("/")
        if parts.fragment or len(prefix.encode()) > _LONGEST_PREFIX:
            raise _unusable(f"its prefix has a `#`, or more than {_LONGEST_PREFIX} bytes")
        if prefix and any(part in {"", ".", ".."} for part in prefix.split("/")):
            raise _unusable("a part of its prefix is empty, `.` or `..`")
        given = dict(parse_qsl(parts.query, keep_blank_values=True))
        encryption, kms_key = given.pop("encryption", ""), given.pop("kms_key", "")
        if given:
            raise _unusable("its query has more than `encryption` and `kms_key`")
        if encryption not in {"", *_ENCRYPTIONS} or (kms_key and not encryption.startswith("aws:kms")):
            raise _unusable(f"`encryption` is one of {', '.join(_ENCRYPTIONS)}, and `kms_key` needs one of aws:kms")
        return cls(parts.netloc, prefix, encryption, kms_key)

    def __str__(self) -> str:
        return "s3://" + "/".join(filter(None, (self.bucket, self.prefix)))

    def key(self, run: str, rest: str = "") -> str:
        """The key of what lies below a run's own prefix."""
        return "/".join(filter(None, (self.prefix, run, rest)))

    def encrypted(self) -> dict[str, str]:
        """The arguments of a request that creates an object."""
        named = {"ServerSideEncryption": self.encryption, "SSEKMSKeyId": self.kms_key}
        return {name: value for name, value in named.items() if value}


def _unusable(why: str) -> UsageError:
    return UsageError(
        f"Read a sink that begins with s3://, and {why}.",
        hint="It looks like s3://bucket/prefix, or s3://bucket/prefix?encryption=aws:kms&kms_key=alias/results.",
    )
