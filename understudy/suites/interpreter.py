"""Which program runs a suite: pytest with the interpreter that the user's tests need, or any other command."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from understudy.errors import UsageError
from understudy.stacks.topology import Suite
from understudy.suites.contract import box_environment, host_environment
from understudy.suites.pytest_boot import WORKERS

__all__ = ["BASE", "BOOT", "PreparedSuite", "ask", "check_suites", "pytest_arguments"]

PROBE_TIMEOUT = 30.0
"""Seconds within which an interpreter must say what it can import; a cold disk is slow, none takes this long."""

BASE = "/understudy-suite"
"""Where a suite's container has what is Understudy's and the commit's."""

BOOT = f"{BASE}/contract/understudy_boot.py"
"""What the interpreter of a pytest suite in a container runs first."""

_OLDEST = (3, 8)
_PROBE = """
import importlib.util, json, sys
found = {name: importlib.util.find_spec(name) is not None for name in ("pytest", "xdist")}
print(json.dumps({"version": list(sys.version_info[:2]), **found}))
"""


@dataclass(frozen=True, slots=True)
class PreparedSuite:
    """A suite that can start: where, by which interpreter (None: no pytest suite), and with what arguments."""

    suite: Suite
    folder: Path
    interpreter: str | None = None
    xdist: bool = False
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know before the suite starts."""
        if self.interpreter and not self.xdist:
            return (f"{self.interpreter} has no pytest-xdist: suite {self.suite.name!r} runs with one worker.",)
        return ()

    @property
    def parallel(self) -> bool:
        """Whether pytest can share the suite's tests out to workers."""
        return self.xdist and not any("no:xdist" in argument for argument in self.arguments)

    @property
    def declared(self) -> int | None:
        """The processes that the suite asks for: its command's own `-n`, else its `workers`; None: no number."""
        own = re.search(r"(?:^| )(?:-n ?|--numprocesses[= ])(\d+)(?: |$)", " ".join(self.arguments))
        number = max(1, int(own[1])) if own and self.parallel else self.suite.workers
        return None if self.interpreter and not self.parallel else number

    def command(self, workers: int, *, stop_after: int | None, capped: bool = False) -> tuple[str, ...]:
        """The argument vector. Ours stand first, so that the suite's own arguments win over them.

        Args:
            workers: the test processes that it may have.
            stop_after: failed tests after which all suites are stopped; None: they never are. pytest can hold that
                alone only for one; else it is told not to stop, whatever its configuration says, and we do it.
            capped: `workers` is a limit that nothing in the suite passes, its own `-n` included.
        """
        if self.interpreter is None:
            return self.suite.command
        ours, last = ["-p", "understudy_pytest"], []
        boxed = self.suite.runs_on == "network"
        count = str(workers if workers > 1 else 0)
        number = ([WORKERS] if boxed else ["-n", count]) if self.parallel else []
        if not _names_workers(self.arguments):
            ours += number if workers > 1 or capped else []
        elif capped:
            last = number
        if not any(a == "-x" or a.startswith(("--maxfail", "--exitfirst")) for a in self.arguments):
            ours.append("-x" if stop_after == 1 else "--maxfail=0")
        end = self.arguments.index("--") if "--" in self.arguments else len(self.arguments)
        begin = (BOOT, count) if boxed else ("-m", "pytest")
        return (self.interpreter, *begin, *ours, *self.arguments[:end], *last, *self.arguments[end:])


def _names_workers(arguments: Sequence[str]) -> bool:
    return any(re.match(r"-n\d|-n$|--numprocesses|--dist|no:xdist", argument) for argument in arguments)


def pytest_arguments(command: Sequence[str]) -> tuple[str | None, tuple[str, ...]] | None:
    """The named interpreter and pytest's arguments of a pytest command; None for any other command.

    >>> pytest_arguments(["pytest", "-q"])
    (None, ('-q',))
    >>> pytest_arguments(["python3.9", "-m", "pytest", "tests"])
    ('python3.9', ('tests',))
    >>> pytest_arguments(["make", "check"]) is None
    True
    """
    if command[0] in ("pytest", "py.test"):
        return None, tuple(command[1:])
    if re.fullmatch(r"python(\d(\.\d+)?)?", command[0]) and tuple(command[1:3]) == ("-m", "pytest"):
        named = command[0] if "." in command[0] else None
        return named, tuple(command[3:])
    return None


def check_suites(
    suites: Sequence[Suite],
    project: Path,
    origin: Path | None = None,
    tree: Path | None = None,
) -> tuple[PreparedSuite, ...]:
    """Hold, before anything is provisioned, that every suite could start; nothing but interpreters is run.

    Args:
        suites: what is to run.
        project: the project's folder in the commit's tree.
        origin: the user's own project folder, which a `python` with a slash is relative to; default `project`.
        tree: the commit's tree, which no suite's folder may leave; default `project`.

    Raises:
        UsageError: a folder, command or interpreter is not there, or pytest is not.
    """
    names = [suite.name for suite in suites]
    if len(set(names)) != len(names):
        raise UsageError(f"Suites have to have different names, and these are named {', '.join(names)}.")
    return tuple(_prepare(suite, project, origin or project, tree or project) for suite in suites)


def _prepare(suite: Suite, project: Path, origin: Path, tree: Path) -> PreparedSuite:
    if not suite.command or not suite.command[0]:
        raise UsageError(f"Suite {suite.name!r} has no command.", hint="Give it one, such as [pytest, -q].")
    folder = (project / suite.folder).resolve()
    if not folder.is_relative_to(tree.resolve()):
        raise UsageError(f"Suite {suite.name!r} runs in {suite.folder!r}, which lies outside the project.")
    if not folder.is_dir():
        raise UsageError(
            f"Suite {suite.name!r} runs in {suite.folder!r}, and the commit has no such folder.",
            hint="Commit the folder, name another one, or run with --dirty to take the files as they lie.",
        )
    known = pytest_arguments(suite.command)
    if suite.runs_on == "network":
        return _boxed(suite, folder, known)
    environment = host_environment(suite.environment)
    if known is None:
        _check_command(suite, folder, environment.get("PATH"))
        return PreparedSuite(suite, folder, environment=environment)
    interpreter = _interpreter(suite, known[0], origin, environment)
    xdist = _check_pytest(suite, interpreter, environment)
    return PreparedSuite(suite, folder, interpreter, xdist, known[1], environment)


def _boxed(suite: Suite, folder: Path, known: tuple[str | None, tuple[str, ...]] | None) -> PreparedSuite:
    """A suite in a container: what its image has is seen when it starts, xdist too."""
    if not suite.image:
        raise UsageError(
            f"Suite {suite.name!r} runs on the environment's network, and names no image to run in.",
            hint="Give it an `image`: a reference, or the name of a service whose image it shares.",
        )
    environment = box_environment(suite.environment)
    if known is None:
        return PreparedSuite(suite, folder, environment=environment)
    interpreter = suite.python or known[0] or "python3"
    return PreparedSuite(suite, folder, interpreter, xdist=True, arguments=known[1], environment=environment)


def _check_command(suite: Suite, folder: Path, path: str | None) -> None:
    """As execvp will find it: a name with a slash from the working folder, any other on PATH."""
    program = suite.command[0]
    found = os.access(folder / program, os.X_OK) if "/" in program else bool(shutil.which(program, path=path))
    if not found:
        where = f"in {suite.folder!r} of the commit" if "/" in program else "on PATH"
        raise UsageError(
            f"Suite {suite.name!r} runs {program!r}, and there is no such executable {where}.",
            hint="Install it or correct the command. For pytest in a virtual environment say `command: [pytest]` "
            "and `python: path/to/venv/bin/python`.",
        )


def _interpreter(suite: Suite, named: str | None, origin: Path, environment: Mapping[str, str]) -> str:
    """The first that applies: the suite's own, the command's, the active virtual environment, ours, PATH."""
    path = environment.get("PATH")
    wanted = suite.python or named
    if wanted and "/" in wanted:
        found = str((origin / Path(wanted).expanduser()).absolute())
        if os.access(found, os.X_OK):
            return found
        raise UsageError(f"Suite {suite.name!r} names the interpreter {wanted!r}, and {found} is no executable.")
    if wanted:
        located = shutil.which(wanted, path=path)
        if located:
            return located
        raise UsageError(f"Suite {suite.name!r} names the interpreter {wanted!r}, and it is not on PATH.")
    active = Path(environment.get("VIRTUAL_ENV") or "/nonexistent") / "bin" / "python"
    if os.access(active, os.X_OK):
        return str(active)
    if importlib.util.find_spec("pytest"):
        return sys.executable
    located = shutil.which("python3", path=path)
    if located:
        return located
    raise UsageError(
        f"Suite {suite.name!r} needs a Python with pytest, and none was found.",
        hint="Activate the tests' virtual environment, or name its interpreter as the suite's `python`.",
    )


def _check_pytest(suite: Suite, interpreter: str, environment: Mapping[str, str]) -> bool:
    """Whether pytest-xdist is there too.

    Raises:
        UsageError: the interpreter does not run, is too old, or has no pytest.
    """
    try:
        found = _probe(interpreter, tuple(sorted(environment.items())))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise UsageError(
            f"Asked {interpreter}, the interpreter of suite {suite.name!r}, whether it has pytest; it failed: {error}.",
            hint="Name a working Python as the suite's `python`.",
        ) from error
    version, has_pytest, has_xdist = found
    if version < _OLDEST:
        raise UsageError(
            f"{interpreter}, the interpreter of suite {suite.name!r}, is Python {version[0]}.{version[1]}.",
            hint="Python 3.8 or newer is needed to run tests.",
        )
    if not has_pytest:
        raise UsageError(
            f"{interpreter}, the interpreter of suite {suite.name!r}, has no pytest.",
            hint=f"Run `{interpreter} -m pip install pytest pytest-xdist`, or name another interpreter as `python`.",
        )
    return has_xdist


def ask(interpreter: str, program: str, environment: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON-ready data
    """What a program prints as JSON, run in `/`, where no file of the commit can pose as a module.

    Raises:
        OSError: the interpreter cannot be started.
        subprocess.SubprocessError: it failed, or took longer than `PROBE_TIMEOUT`.
        ValueError: what it printed is no JSON.
    """
    done = subprocess.run(
        [interpreter, "-c", program],
        env=dict(environment),
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PROBE_TIMEOUT,
        check=True,
    )
    return json.loads(done.stdout)


@functools.lru_cache(maxsize=32)
def _probe(interpreter: str, environment: tuple[tuple[str, str], ...]) -> tuple[tuple[int, int], bool, bool]:
    """Version, pytest, xdist."""
    data = ask(interpreter, _PROBE, dict(environment))
    major, minor = data["version"]
    return (int(major), int(minor)), data["pytest"] is True, data["xdist"] is True
