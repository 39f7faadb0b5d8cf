#!/usr/bin/env python3
"""As much of the AWS CLI as fetches a task's files: `aws s3 cp --recursive --only-show-errors s3://FROM/ FOLDER/`."""

from __future__ import annotations

import os
import sys
import urllib.request
from pathlib import Path
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

WORDS = ["s3", "cp", "--recursive", "--only-show-errors"]
NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def main(arguments: list[str]) -> int:
    """Copy every object below the prefix; unsigned, as ministack takes it."""
    if arguments[:4] != WORDS or len(arguments) != len(WORDS) + 2:
        print(f"aws: only `{' '.join(WORDS)} FROM TO` is known here, not {arguments}", file=sys.stderr)
        return 2
    bucket, _, prefix = arguments[4].removeprefix("s3://").partition("/")
    place = f"{os.environ['AWS_ENDPOINT_URL']}/{bucket}"
    listed = ET.fromstring(_read(f"{place}?{urlencode({'list-type': 2, 'prefix': prefix})}"))
    keys = [str(each.text) for each in listed.iter(f"{NAMESPACE}Key")]
    if not keys or listed.findtext(f"{NAMESPACE}IsTruncated") == "true":
        print(f"aws: {place} has {len(keys)} objects below {prefix}, or more than one page", file=sys.stderr)
        return 1
    for key in keys:
        target = Path(arguments[5], key.removeprefix(prefix))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_read(f"{place}/{quote(key)}"))
    return 0


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - of http://, as ministack gives it
        return bytes(answer.read())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
