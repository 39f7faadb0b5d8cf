"""Files of suites inside, by way of the environment's bucket: the commit's tree in, and what a suite leaves out."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from understudy.aws_failures import asking
from understudy.errors import UsageError
from understudy.targets.aws.session import AwsSession

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

__all__ = ["LARGEST", "MOST", "OURS", "TreeFiles", "bring_out", "clear", "put", "tree_files"]

MOST = 10_000
"""Files of a commit that suites inside are given, and files of a suite that are brought out: each is an object."""

LARGEST = 1 << 30
"""Bytes of all files of a commit that suites inside are given."""

OURS = frozenset({"output.log", "results.jsonl"})
"""Files in a suite's folder that come from its log streams, and from nowhere else."""

_PARALLEL = 8
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class TreeFiles:
    """A commit's tree: the files by their relative paths, and the commands that make it as it is here."""

    files: Mapping[str, Path]
    commands: tuple[str, ...]


def tree_files(tree: Path) -> TreeFiles:
    """The files of a commit's tree; S3 keeps neither modes nor links, so that commands in `/bin/sh` make those.

    Raises:
        UsageError: they are too many or too large, or one has a name that S3 does not take.
        OSError: they cannot be read.
    """
    files: dict[str, Path] = {}
    commands: list[str] = []
    size = 0
    for path in _walked(tree):
        name, state = path.relative_to(tree).as_posix(), path.lstat()
        if stat.S_ISLNK(state.st_mode):
            place = quote(path.relative_to(tree).parent.as_posix())
            commands.append(f"mkdir -p ./{place} && ln -s -- {quote(str(path.readlink()))} ./{quote(name)}")
        elif stat.S_ISREG(state.st_mode):
            _hold_name(name)
            files[name] = path
            size += state.st_size
            if state.st_mode & stat.S_IXUSR:
                commands.append(f"chmod a+x ./{quote(name)}")
        if len(files) + len(commands) > 2 * MOST or len(files) > MOST or size > LARGEST:
            raise UsageError(
                f"The commit has more than {MOST} files, or more than {LARGEST >> 20} MiB of them; suites that run in "
                "a container on AWS are brought no more.",
                hint="Let those suites run on the host, or the clone on Docker: --target docker.",
            )
    return TreeFiles(files, tuple(commands))


def _walked(tree: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(tree):
        yield from (Path(parent, name) for name in sorted(files))
        yield from (path for name in sorted(folders) if (path := Path(parent, name)).is_symlink())


def _hold_name(name: str) -> None:
    try:
        fits = len(name.encode()) <= 900  # noqa: PLR2004 - a key has at most 1024 bytes (S3, Creating object key names)
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise UsageError(
            f"The commit has the file {name!r}, and S3 takes no such name: suites in a container on AWS get their "
            "files from there.",
            hint="Rename it, or let those suites run on the host.",
        )


def put(aws: AwsSession, bucket: str, prefix: str, files: Mapping[str, Path]) -> None:
    """Put files into a bucket.

    Raises:
        ToolError: S3 refused one.
        OSError: one cannot be read.
    """
    s3: S3Client = aws.client("s3")

    def one(item: tuple[str, Path]) -> None:
        with item[1].open("rb") as body:
            s3.put_object(Bucket=bucket, Key=prefix + item[0], Body=body)

    with asking(f"Put the files of suites into the bucket {bucket}"), ThreadPoolExecutor(_PARALLEL) as pool:
        for _ in pool.map(one, files.items()):
            pass


def bring_out(aws: AwsSession, bucket: str, prefix: str, folder: Path, most: int) -> tuple[str, ...]:
    """Take what a suite left over into its folder, `most` bytes in all; what was left out, in words.

    Whoever could write there may have named an object anything: none comes to lie outside of the folder, in the place
    of another file, or of one of `OURS`.

    Raises:
        ToolError: S3 does not answer.
    """
    s3: S3Client = aws.client("s3")
    left_out: list[str] = []
    wanted: list[tuple[str, str]] = []
    with asking(f"Listed what a suite left in the bucket {bucket}"):
        for row in _objects(s3, bucket, prefix):
            key, size = str(row["Key"]), int(row["Size"])
            name = key.removeprefix(prefix)
            if not _safe(name) or name in OURS:
                left_out.append(f"{name!r} is no name of a file, and was left out")
            elif len(wanted) >= MOST or size > most:
                left_out.append(f"{name} has {size} bytes, and was left out: there is no room for it")
            else:
                most -= size
                wanted.append((key, name))

    def one(item: tuple[str, str]) -> str:
        key, name = item
        try:
            _take(s3, bucket, key, folder / name)
        except OSError as error:
            return f"{name} could not be written: {error}"
        return ""

    with asking(f"Read what a suite left in the bucket {bucket}"), ThreadPoolExecutor(_PARALLEL) as pool:
        failed = [why for why in pool.map(one, wanted) if why]
    return (*_few(left_out), *_few(failed))


def _few(said: Sequence[str]) -> tuple[str, ...]:
    shown = 10
    return (*said[:shown], *([f"and {len(said) - shown} more"] if len(said) > shown else []))


def _take(s3: S3Client, bucket: str, key: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        for chunk in body.iter_chunks(_CHUNK):
            out.write(chunk)


def _safe(name: str) -> bool:
    """Whether a relative path stays below its folder, and a file system takes it."""
    parts = name.split("/")
    return "\0" not in name and all(part not in {"", ".", ".."} and len(os.fsencode(part)) <= 255 for part in parts)  # noqa: PLR2004 - NAME_MAX of Linux


def _objects(s3: S3Client, bucket: str, prefix: str) -> Iterator[Mapping[str, Any]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Contents", ())


def clear(aws: AwsSession, bucket: str, prefix: str) -> None:
    """Remove all objects below a prefix.

    Raises:
        ToolError: S3 refused.
    """
    s3: S3Client = aws.client("s3")
    with asking(f"Removed the files of suites from the bucket {bucket}"):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            keys: Any = [{"Key": row["Key"]} for row in page.get("Contents", ())]
            if keys:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
