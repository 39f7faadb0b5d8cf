"""`s3://bucket/prefix?region=...`: where in S3 a Pulumi backend lies and how it is reached, read as Pulumi does."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, unquote, urlsplit

from understudy.errors import UsageError
from understudy.s3_client import S3Access

__all__ = ["S3Place"]

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
"""Go's strconv.ParseBool."""

_PATH_STYLE = ("s3ForcePathStyle", "use_path_style")
_NO_TLS = ("disableSSL", "disable_https")


@dataclass(frozen=True, slots=True)
class S3Place:
    """The bucket, what each key begins with (`""`, or a folder and a slash), the access, new objects' encryption."""

    bucket: str
    prefix: str
    access: S3Access
    encryption: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, backend: str) -> S3Place:
        """Read a backend's URL, with the options that gocloud.dev 0.37 (s3blob, aws) and its later versions know.

        Those that do not change where an object lies are Pulumi's alone, which refuses what it does not know.

        Raises:
            UsageError: it names no bucket, or credentials.
        """
        parts = urlsplit(backend)
        if not parts.netloc or "@" in parts.netloc or ":" in parts.netloc:
            raise UsageError(
                "Read a backend that begins with s3://, and it names no bucket, or credentials or a port with it.",
                hint="It looks like s3://bucket/prefix?region=eu-west-1; credentials come from AWS's own variables.",
            )
        given = dict(reversed(parse_qsl(parts.query)))  # of several the first counts, as in gocloud
        plain = any(given.get(name) in _TRUE for name in _NO_TLS)
        endpoint = given.get("endpoint", "")
        if endpoint and "://" not in endpoint:
            endpoint = f"{'http' if plain else 'https'}://{endpoint}"
        access = S3Access(
            region=given.get("region", ""),
            endpoint=endpoint,
            profile=given.get("profile", ""),
            path_style=any(given.get(name) in _TRUE for name in _PATH_STYLE),
        )
        named = {"ServerSideEncryption": given.get("ssetype", ""), "SSEKMSKeyId": given.get("kmskeyid", "")}
        folder = unquote(parts.path).strip("/")
        prefix = f"{folder}/" if folder else ""
        return cls(parts.netloc, prefix, access, {name: value for name, value in named.items() if value})

    def below(self, folder: str) -> S3Place:
        """A folder of this place; `folder` has no slash at its end."""
        return replace(self, prefix=f"{self.prefix}{folder}/")
