"""How pytest begins in a container: the interpreter there is asked what it has, then becomes pytest.

This file is copied beside a suite as `understudy_boot.py` and run by an interpreter that nobody could ask before:
Python 3.8 or newer, nothing but the standard library. Its first argument is the number of workers, the others are
pytest's.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import NoReturn

__all__ = ["NO_PYTEST", "TOO_OLD", "WORKERS", "main"]

NO_PYTEST, TOO_OLD = 97, 98
"""Exit codes that no pytest has (pytest.ExitCode)."""

WORKERS = "@workers"


def main(arguments: list[str]) -> NoReturn:
    """Become pytest, with as many workers as were given if pytest-xdist is there.

    An interpreter that cannot run tests ends with one of the exit codes above.
    """
    workers, *rest = arguments
    named = f"{sys.executable} is Python {sys.version.split()[0]}"
    if sys.version_info < (3, 8):  # noqa: UP036 - the image's interpreter, not ours
        sys.stderr.write(f"{named}; 3.8 or newer is needed to run tests\n")
        sys.exit(TOO_OLD)
    sys.path.insert(0, "")  # as `python -m pytest` has it
    if importlib.util.find_spec("pytest") is None:
        sys.stderr.write(f"{named} and has no pytest\n")
        sys.exit(NO_PYTEST)
    parallel = ["-n", workers]
    if WORKERS in rest and importlib.util.find_spec("xdist") is None:
        sys.stderr.write(f"{named} and has no pytest-xdist: the suite runs with one worker\n")
        parallel = []
    sys.stderr.flush()
    os.dup2(1, 2)  # a container's streams come by different ways: in one, the lines keep their order
    given = [part for argument in rest for part in (parallel if argument == WORKERS else [argument])]
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *given])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
