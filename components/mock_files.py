"""WireMock's files of a mock, read from the tree of the commit, ready to be uploaded."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pulumi_docker as docker

from understudy.components.tree import inside
from understudy.errors import UsageError
from understudy.stacks.clone import Mock

__all__ = ["LIMIT", "ROOT", "mock_uploads"]

ROOT = "/home/wiremock"
"""WireMock's root folder in its published image."""

LIMIT = 4 * 1024 * 1024
"""Bytes of all files of one mock together: they become part of the stack's state."""


def mock_uploads(mock: Mock, tree: str) -> list[docker.ContainerUploadArgs]:
    """What a mock serves: `mappings/**/*.json` and `__files/**` of its folder, sorted by path.

    Raises:
        UsageError: the folder or a file leaves the tree, cannot be read, has no mapping, or the files pass LIMIT.
    """
    what = f"The folder of mock {mock.name!r}"
    folder = inside(tree, mock.folder, what)
    if not folder.is_dir():
        raise UsageError(
            f"{what} is {mock.folder!r}, and the commit has no such folder.",
            hint="Commit it, or name another: x-understudy, externals, mock.",
        )
    mappings = [path for path in _walk(folder / "mappings") if path.suffix == ".json"]
    if not mappings:
        raise UsageError(
            f"{what} is {mock.folder!r}, and it has no mapping.", hint="WireMock reads mappings/*.json in it."
        )
    uploads: list[docker.ContainerUploadArgs] = []
    total = 0
    for path in (*mappings, *_walk(folder / "__files")):
        content = _read(path, tree, what)
        total += len(content)
        if total > LIMIT:
            raise UsageError(
                f"{what} is {mock.folder!r}, and its files take more than {LIMIT // 1024} KiB.",
                hint="Make the response bodies smaller: they are kept in the state of the stack.",
            )
        uploads.append(_upload(f"{ROOT}/{path.relative_to(folder).as_posix()}", content))
    return uploads


def _walk(folder: Path) -> list[Path]:
    """All files below a folder, sorted; folders that are links are not entered, so the walk ends."""
    return sorted(Path(parent, name) for parent, _, names in os.walk(folder) for name in names)


def _read(path: Path, tree: str, what: str) -> bytes:
    if not path.name.isprintable():  # also a name that is not UTF-8
        raise UsageError(f"{what} has a file called {path.name!r}.", hint="Give it a name that can be printed.")
    file = inside(tree, os.path.relpath(path, Path(tree).resolve()), what)
    if not file.is_file():  # a fifo would block, a device never end
        raise UsageError(f"{what} has {path.name!r}, which is not a file.", hint="Remove it from the commit.")
    try:
        with file.open("rb") as stream:
            return stream.read(LIMIT + 1)
    except OSError as error:
        raise UsageError(f"{what} has {path.name!r}, which could not be read: {error.strerror}.") from error


def _upload(target: str, content: bytes) -> docker.ContainerUploadArgs:
    try:
        return docker.ContainerUploadArgs(file=target, content=content.decode(), permissions="0644")
    except UnicodeDecodeError:
        encoded = base64.b64encode(content).decode()
        return docker.ContainerUploadArgs(file=target, content_base64=encoded, permissions="0644")
