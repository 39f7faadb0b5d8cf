"""What a repository has that matters to Understudy: Compose files, Pulumi projects, tests, where its CI runs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from understudy.build.git import Repository, is_below
from understudy.build.git_process import run_git
from understudy.composition import Composition, Request, find
from understudy.errors import UsageError
from understudy.stacks.secret_values import names_password
from understudy.stacks.sources.compose import read_files
from understudy.stacks.sources.document.yaml_text import Raw, documents
from understudy.stacks.topology import Suite, Topology, TopologyError

__all__ = ["CI", "Findings", "look", "secrets_in", "suites_in"]

CI = Literal["github", "gitlab"]

_INTEGRATION = ("integration", "e2e", "end_to_end", "end-to-end", "acceptance", "functional", "system")
"""Folder names that say what their tests are for, the most telling first."""

_TESTS = ("tests", "test")
_PYTEST = re.compile(r"(test_.*|.*_test)\.py")
_SCRIPT = re.compile(rf"(?:test[:-])?({'|'.join(_INTEGRATION)})(?:[:-]test)?")
_VARIABLE = re.compile(r"(?<!\$)\$(?:\$\$)*\{?([A-Za-z_][A-Za-z0-9_]*)")
_HOST = re.compile(r"(?:[a-z+]+://)?(?:[^@/]*@)?([^:/]+)[:/]")
_MOST_SUITES = 5


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found. Paths are POSIX and relative to the repository's root; `folder` is that of the Compose file.

    `suites` have folders relative to `folder`. `problem` is why the topology could not be read; empty: it could.
    """

    root: Path
    folder: str
    file: str
    text: str
    topology: Topology | None
    problem: str
    extension: bool
    secrets: tuple[str, ...]
    suites: tuple[Suite, ...]
    pulumi: tuple[str, ...]
    files: frozenset[str]
    ci: CI | None


def look(here: Path, names: Sequence[str], process: Mapping[str, str]) -> Findings:
    """Look at the repository that `here` is in; nothing is changed.

    Args:
        here: the folder of the project, or one below.
        names: the Compose files, relative to `here`; none: as Compose finds them.
        process: the variables of the process.

    Raises:
        UsageError: it is no repository, has no working folder, or no Compose file that can be read.
    """
    repository = Repository.find(here)
    if repository.bare:
        raise UsageError(f"Looked at {repository.root}, and a bare repository has no files to write beside.")
    root = repository.root.resolve()
    composition = find(Request(files=tuple(names)), here.resolve(), process)
    place = Path(composition.folder).resolve()
    if not place.is_relative_to(root):
        raise UsageError(f"Looked for the Compose file of {root}, and it lies outside, in {place}.")
    folder = place.relative_to(root).as_posix()
    try:
        peeked = composition.peek()
    except TopologyError as error:
        raise UsageError(f"Read the Compose files, and it failed: {error}.") from error
    topology, problem = _topology(composition, folder)
    files = frozenset(_files(root))
    first = composition.files[0]
    text = (composition.read_file(first) or b"").decode("utf-8", "surrogateescape")
    return Findings(
        root=root,
        folder=folder,
        file=os.path.normpath(f"{folder}/{first}"),
        text=text,
        topology=topology,
        problem=problem,
        extension=isinstance(peeked.value, Mapping) and "x-understudy" in peeked.value,
        secrets=secrets_in(text),
        suites=suites_in(_below(files, folder), lambda name: _text(root / folder / name)),
        pulumi=tuple(sorted(f for f in files if re.fullmatch(r"Pulumi\.ya?ml", PurePosixPath(f).name))),
        files=files,
        ci=_ci(repository, files),
    )


def _topology(composition: Composition, folder: str) -> tuple[Topology | None, str]:
    try:
        found = read_files(
            composition.files,
            folder=folder,
            variables=composition.variables,
            read_file=composition.read_file,
            project=Path(composition.folder).name,
            shown=composition.shown,
        )
    except (TopologyError, ValueError) as error:
        return None, str(error)
    return found, ""


def secrets_in(text: str) -> tuple[str, ...]:
    """The variables that a Compose file interpolates and whose names speak of a password, in the text's order.

    Raises:
        TopologyError: it is no YAML.
    """
    found = (name for document in documents(text, "") for name in _variables(document))
    return tuple(dict.fromkeys(name for name in found if names_password(name)))


def _variables(raw: Raw) -> Iterator[str]:
    if isinstance(raw.value, str):
        yield from (match[1] for match in _VARIABLE.finditer(raw.value))
    elif isinstance(raw.value, tuple):
        for child in raw.value:
            yield from _variables(child)
    elif isinstance(raw.value, Mapping):
        for entry in raw.value.values():
            yield from _variables(entry.raw)


def _files(root: Path) -> Iterator[str]:
    """What git would take of the working folder: everything that it does not ignore."""
    done = run_git(root, ["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
    return (os.fsdecode(name) for name in done.stdout.split(b"\0") if name)


def _below(files: Iterable[str], folder: str) -> tuple[str, ...]:
    found = (os.path.relpath(name, folder) for name in files if folder == "." or is_below(name, folder))
    return tuple(sorted(found))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def suites_in(files: Sequence[str], read: Callable[[str], str]) -> tuple[Suite, ...]:
    """The suites that the files of a project suggest: tests that are called integration tests, else all of pytest's.

    Args:
        files: POSIX paths relative to the project's folder.
        read: the text of one of them.
    """
    found = {
        **_folders(files, _PYTEST, ("pytest",)),
        **_folders(files, re.compile(r".*_test\.go"), ("go", "test", "./...")),
        **dict(_scripts(files, read)),
    }
    if not found:
        plain = [folder for folder in _TESTS if any(_in(folder, name) and _is_pytest(name) for name in files)]
        found = {folder: Suite(folder, ("pytest",), folder) for folder in plain[:1]}
    return tuple(found.values())[:_MOST_SUITES]


def _in(folder: str, name: str) -> bool:
    return name.startswith(f"{folder}/")


def _is_pytest(name: str) -> bool:
    return _PYTEST.fullmatch(PurePosixPath(name).name) is not None


def _folders(files: Iterable[str], pattern: re.Pattern[str], command: tuple[str, ...]) -> dict[str, Suite]:
    """A suite for each topmost folder that is called after integration tests and has files of a pattern."""
    found: dict[str, Suite] = {}
    for name in files:
        parts = PurePosixPath(name).parts
        if pattern.fullmatch(parts[-1]) is None:
            continue
        depth = next((depth for depth, part in enumerate(parts[:-1]) if part.lower() in _INTEGRATION), None)
        if depth is not None:
            folder = "/".join(parts[: depth + 1])
            title = re.sub(r"[^A-Za-z0-9_-]+", "-", folder.removeprefix("tests/").removeprefix("test/"))
            found.setdefault(title, Suite(title, command, folder))
    return found


def _scripts(files: Iterable[str], read: Callable[[str], str]) -> Iterator[tuple[str, Suite]]:
    """The scripts of a `package.json` at the top, or one folder below, that are called after integration tests."""
    for name in files:
        path = PurePosixPath(name)
        if path.name != "package.json" or len(path.parts) > 2:  # noqa: PLR2004 - the top, and one below
            continue
        try:
            scripts = json.loads(read(name))["scripts"]
        except (ValueError, LookupError, TypeError):
            continue
        for script in scripts if isinstance(scripts, dict) else ():
            if match := _SCRIPT.fullmatch(script):
                yield match[1], Suite(match[1], ("npm", "run", script), path.parent.as_posix())


def _ci(repository: Repository, files: frozenset[str]) -> CI | None:
    """Where the repository's CI runs, by its files, else by its remote's host."""
    if any(name.startswith(".github/") for name in files):
        return "github"
    if ".gitlab-ci.yml" in files:
        return "gitlab"
    match = _HOST.match(repository.origin())
    host = match[1] if match else ""
    known: tuple[tuple[str, CI], ...] = (("github", "github"), ("gitlab", "gitlab"))
    return next((ci for word, ci in known if word in host), None)
