"""Which Compose files a command is about, from which folder and with which variables: as Compose finds them on disk.

The reference is compose-go v2.9.0, cli/options.go, as `docker compose` v2.40.0 uses it.
"""

from __future__ import annotations

import os
import posixpath
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from understudy.errors import UsageError
from understudy.stacks.sources.document import Document, load, peek, project_variables
from understudy.stacks.sources.document.env_file import MAX_CHARACTERS
from understudy.stacks.sources.document.yaml_text import Node

__all__ = ["FILES", "OVERRIDES", "Composition", "Request", "find", "read_named"]

FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
"""Where a project's document is looked for, in Compose's order of preference."""

OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
"""What is laid over it where no file is named, in Compose's order of preference."""

_STDIN = "-"
_GIVEN = "/dev/fd/"
"""Where a shell puts what `<(command)` writes."""

_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))


@dataclass(frozen=True)
class Request:
    """What a command line says of a project, in Compose's own terms; `given` is ours, above all other variables."""

    files: tuple[str, ...] = ()
    project_directory: str = ""
    env_files: tuple[str, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)
    project: str = ""
    profiles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Composition:
    """A project on disk: its folder, absolute; its files, relative to it; and what they are read with."""

    folder: str
    files: tuple[str, ...]
    variables: Mapping[str, str]
    request: Request
    warnings: tuple[str, ...] = ()

    @cached_property
    def _stdin(self) -> bytes:
        return sys.stdin.buffer.read()

    def read_file(self, name: str) -> bytes | None:
        """The bytes of a file named from the project's folder; None where there is none."""
        if name == _STDIN:
            return self._stdin
        return read_named(os.path.join(self.folder, name))  # noqa: PTH118 - a name may be absolute

    def shown(self, name: str) -> str:
        """A file's name as a person here would write it."""
        return "<stdin>" if name == _STDIN else os.path.relpath(posixpath.join(self.folder, name))

    def peek(self) -> Node:
        """What is known before variables are replaced.

        Raises:
            TopologyError: a file is missing or no YAML.
        """
        return peek(self.files, read_file=self.read_file, shown=self.shown)

    def load(self, variables: Mapping[str, str] | None = None) -> Document:
        """The document; `variables` in the place of the composition's own.

        Raises:
            TopologyError: Compose would not take the files.
        """
        return load(
            self.files,
            read_file=self.read_file,
            variables=self.variables if variables is None else variables,
            project=self.request.project or None,
            folder=posixpath.basename(self.folder),
            profiles=self.request.profiles,
            home=self.variables.get("HOME"),
            shown=self.shown,
        )


def read_named(path: str) -> bytes | None:
    """The bytes of a file that somebody named; None where there is none.

    What is no regular file is refused, since a named pipe may never have a writer; but for the pipe that a shell's
    `<(command)` is.

    Raises:
        UsageError: it is none, or it cannot be read.
    """
    try:
        given = path.startswith(_GIVEN)
        handle = os.open(path, os.O_RDONLY if given else os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            mode = os.fstat(handle).st_mode
            if not stat.S_ISREG(mode) and not (given and stat.S_ISFIFO(mode)):
                raise UsageError(f"Read {path}, and it is no file.", hint="A named pipe may never end: write a file.")
            return file.read(MAX_CHARACTERS + 1)  # so that `decode` refuses it
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise UsageError(f"Read {path}, and it cannot be read: {error}.") from error


def find(request: Request, here: Path, process: Mapping[str, str]) -> Composition:
    """The project that a request is about: the files that it names, or those that Compose would find from here.

    Raises:
        UsageError: there is none, a named file is missing, or a variable has no value that it can have.
        TopologyError: an environment file is missing or none.
    """
    process = {**process, "PWD": str(here)}
    folder = _folder(request, list(request.files), here)
    env_files = request.env_files or tuple(filter(None, process.get("COMPOSE_ENV_FILES", "").split(",")))
    variables = _variables(process, request, [_at(here, name) for name in env_files], folder)
    files = [_named(here, name) for name in request.files]
    warnings: tuple[str, ...] = ()
    if not files and (listed := variables.get("COMPOSE_FILE")):
        separator = variables.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
        files = [_named(here, name) for name in listed.split(separator)]
    if not files:
        files, warnings = _search(folder)
    if not request.project_directory and (settled := _folder(request, files, here)) != folder:
        folder = settled
        if not env_files:
            variables = {**_variables(process, request, [], folder), **variables}
    names = tuple(name if name == _STDIN else os.path.relpath(name, folder) for name in files)
    return Composition(folder, names, variables, request, warnings)


def _at(here: Path, name: str) -> str:
    return os.path.normpath(here / name)


def _named(here: Path, name: str) -> str:
    if name == _STDIN:
        return name
    path = _at(here, name)
    if not Path(path).is_file():
        raise UsageError(f"Read the Compose file {name}, and there is no such file.")
    return path


def _folder(request: Request, files: Sequence[str], here: Path) -> str:
    """The project's folder: the one named, that of the first file, or this one."""
    if request.project_directory:
        return _at(here, request.project_directory)
    first = next((name for name in files if name != _STDIN), None)
    return str(here) if first is None else posixpath.dirname(_at(here, first))


def _variables(process: Mapping[str, str], request: Request, env_files: list[str], folder: str) -> dict[str, str]:
    switch = process.get("COMPOSE_DISABLE_ENV_FILE", "false")
    if not env_files and switch in _TRUE:
        return {**process, **request.given}
    read: Callable[[str], bytes | None] = lambda name: read_named(os.path.join(folder, name))  # noqa: E731, PTH118 - short
    return project_variables(process, read, env_files=env_files, given=request.given)


def _search(folder: str) -> tuple[list[str], tuple[str, ...]]:
    """The files of the nearest folder upwards that has a Compose file, and what to say of those not taken."""
    for place in (Path(folder), *Path(folder).parents):
        found = [str(place / name) for name in FILES if (place / name).exists()]
        if not found:
            continue
        over = [str(place / name) for name in OVERRIDES if (place / name).exists()]
        warnings = tuple(
            f"{' and '.join(names)} are there; {names[0]} is taken" for names in (found, over) if len(names) > 1
        )
        return [found[0], *over[:1]], warnings
    raise UsageError(
        f"Looked for a Compose file in {folder} and above, and there is none of {', '.join(FILES)}.",
        hint="Change to the folder of your Compose file, or name it.",
    )
