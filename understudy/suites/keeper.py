"""Removes one folder when everybody who holds it has ended, in whatever way: what SIGKILL keeps others from doing.

This file is run alone, by our own interpreter with `-I -S`, with `HELD FOLDER DEVICE INODE`. Understudy and the suites'
supervisors have the other end of the pipe HELD: its end of file says that none of them is left, and so nobody who could
write into the folder again. Only a folder of that device and inode is removed, and no link is followed.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import sys
import time

__all__ = ["main"]

ROUNDS, PAUSE = 50, 0.1
"""How often, and after how many seconds, it is tried again: a suite's container may write while it is removed."""


def main(arguments: list[str]) -> int:
    """Wait for the end of the file, then remove the folder; 0: it is not there any more."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    held, folder, identity = int(arguments[0]), arguments[1], (int(arguments[2]), int(arguments[3]))
    os.read(held, 1)
    for _ in range(ROUNDS):
        if not is_it(folder, identity):
            return 0
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(PAUSE)
    return 1


def is_it(folder: str, identity: tuple[int, int]) -> bool:
    """Whether that folder, by device and inode, still lies there."""
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and (found.st_dev, found.st_ino) == identity


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
