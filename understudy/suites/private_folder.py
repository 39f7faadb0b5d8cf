"""A folder outside the run folder for what must not stay: raw output, the contract. It goes also after a SIGKILL."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from understudy import alone
from understudy.scratch import Scratch
from understudy.suites import keeper

__all__ = ["PrivateFolder", "private_folder"]


@dataclass(frozen=True, slots=True)
class PrivateFolder:
    """The folder, of mode 0700, and a descriptor: while any process has it, the folder is not removed behind its back.

    `held` is to be handed to processes that write into the folder and can outlive this one.
    """

    path: Path
    held: int


@contextmanager
def private_folder() -> Iterator[PrivateFolder]:
    """A new folder below the one for temporary files, gone at the end, or soon after the end of this process.

    Raises:
        OSError: it cannot be made, or its keeper not be started.
    """
    scratch = Scratch("suite")
    path = scratch.path
    heard, held = os.pipe()
    try:
        keeping = _keeper(heard, scratch)
        try:
            yield PrivateFolder(path, held)
        finally:
            _remove(path)
            keeping.kill()
            keeping.wait()
    finally:
        _remove(path)
        with suppress(RecursionError):
            scratch.close()
        os.close(heard)
        os.close(held)


def _keeper(heard: int, scratch: Scratch) -> subprocess.Popen[bytes]:
    """It holds the folder's lock, too: only when it is killed as well does the next command remove the folder."""
    path, found = scratch.path, scratch.path.lstat()
    return subprocess.Popen(
        alone.command(keeper.__file__, heard, path, found.st_dev, found.st_ino),
        cwd="/",
        env=alone.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=(heard, scratch.lock),
    )


def _remove(path: Path) -> None:
    with suppress(RecursionError):  # a suite may nest folders as deep as it likes
        shutil.rmtree(path, ignore_errors=True)
