"""WireMock's files of a mock, read from the tree of the commit, ready to be uploaded."""

from __future__ import annotations

import base64

import pulumi_docker as docker

from understudy.components.tree import content, files_below, inside
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
    mappings = [path for path in files_below(folder / "mappings") if path.suffix == ".json"]
    if not mappings:
        raise UsageError(
            f"{what} is {mock.folder!r}, and it has no mapping.", hint="WireMock reads mappings/*.json in it."
        )
    uploads: list[docker.ContainerUploadArgs] = []
    total = 0
    for path in (*mappings, *files_below(folder / "__files")):
        served = content(tree, path, what, LIMIT)
        total += len(served)
        if total > LIMIT:
            raise UsageError(
                f"{what} is {mock.folder!r}, and its files take more than {LIMIT // 1024} KiB.",
                hint="Make the response bodies smaller: they are kept in the state of the stack.",
            )
        uploads.append(_upload(f"{ROOT}/{path.relative_to(folder).as_posix()}", served))
    return uploads


def _upload(target: str, content: bytes) -> docker.ContainerUploadArgs:
    try:
        return docker.ContainerUploadArgs(file=target, content=content.decode(), permissions="0644")
    except UnicodeDecodeError:
        encoded = base64.b64encode(content).decode()
        return docker.ContainerUploadArgs(file=target, content_base64=encoded, permissions="0644")
