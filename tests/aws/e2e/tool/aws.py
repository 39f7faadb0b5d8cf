#!/usr/bin/env python3
"""As much of the AWS CLI as brings files to a task and out of it: `aws s3 cp FROM TO`, one of them s3://..."""

from __future__ import annotations

import argparse
import os
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
S3 = "s3://"


def main() -> int:
    """Copy what is named; unsigned, as ministack takes it."""
    parser = argparse.ArgumentParser(prog="aws")
    parser.add_argument("service", choices=["s3"])
    parser.add_argument("verb", choices=["cp"])
    for flag in ("--recursive", "--only-show-errors", "--no-follow-symlinks"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--exclude", default="")
    parser.add_argument("source")
    parser.add_argument("target")
    asked = parser.parse_args()
    if asked.source.startswith(S3) and asked.recursive:
        return fetch(asked.source, Path(asked.target))
    if not asked.target.startswith(S3):
        parser.error("files are copied from S3 only with --recursive")
    source = Path(asked.source)
    if not asked.recursive:
        _put(asked.target, source)
        return 0
    for path in source.rglob("*"):
        name = path.relative_to(source).as_posix()
        if path.is_file() and name != asked.exclude and not (asked.no_follow_symlinks and path.is_symlink()):
            _put(f"{asked.target.rstrip('/')}/{name}", path)
    return 0


def fetch(source: str, folder: Path) -> int:
    """Copy every object below the prefix."""
    bucket, _, prefix = source.removeprefix(S3).partition("/")
    keys = list(_keys(bucket, prefix))
    if not keys:
        print(f"aws: {bucket} has no object below {prefix}", file=sys.stderr)
        return 1
    for key in keys:
        target = folder / key.removeprefix(prefix)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_asked(f"{bucket}/{quote(key)}"))
    return 0


def _keys(bucket: str, prefix: str) -> Iterator[str]:
    token = ""
    while True:
        more = {"continuation-token": token} if token else {}
        page = ET.fromstring(_asked(f"{bucket}?{urlencode({'list-type': 2, 'prefix': prefix, **more})}"))
        yield from (str(each.text) for each in page.iter(f"{NAMESPACE}Key"))
        token = page.findtext(f"{NAMESPACE}NextContinuationToken") or ""
        if not token:
            return


def _put(target: str, path: Path) -> None:
    bucket, _, key = target.removeprefix(S3).partition("/")
    _asked(f"{bucket}/{quote(key)}", path.read_bytes())


def _asked(place: str, body: bytes | None = None) -> bytes:
    url = f"{os.environ['AWS_ENDPOINT_URL']}/{place}"
    request = urllib.request.Request(url, body, method="GET" if body is None else "PUT")  # noqa: S310 - of http://, as ministack gives it
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
        return bytes(answer.read())


if __name__ == "__main__":
    sys.exit(main())
