"""Sides by name: an environment, a run, a file or a commit, told by a prefix or tried in a fixed order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from understudy.build.git import SHALLOW, Repository
from understudy.diff.kept import environment_side, run_side
from understudy.diff.side import Side
from understudy.diff.sides import Sides
from understudy.engine.settings import EngineSettings
from understudy.errors import NotFoundError, UsageError
from understudy.export.runs import find_run, kept_runs, run_folder
from understudy.lease import Lease, LeaseStore

__all__ = ["PREFIXES", "find"]

PREFIXES = ("commit", "file", "env", "run")
"""What may stand before a colon to say what a side is."""


def find(sides: Sides, text: str) -> Side:
    """The side that a text names. Without a prefix the first that there is counts, in the order below.

    Raises:
        UsageError: there is nothing of that name, or it cannot be read.
        NotFoundError: a prefix says what it is, and there is no such environment or run.
    """
    named = _Named(sides)
    prefix, colon, rest = text.partition(":")
    if colon and prefix in PREFIXES:
        return named.prefixed(prefix, rest)
    if text == "last":
        return named.last()
    for guess in (named.exact_environment, named.run, named.file, named.commit, named.environment):
        found = guess(text)
        if found is not None:
            return found
    raise UsageError(
        f"Looked for {text!r}, and it is no environment, run, file or commit.",
        hint="`understudy list` shows environments, `git log` commits; a prefix says which is meant: "
        + ", ".join(f"{prefix}:NAME" for prefix in PREFIXES)
        + "."
        + (f"\n{SHALLOW}." if named.shallow() else ""),
    )


@dataclass(frozen=True)
class _Named:
    sides: Sides

    @property
    def _runs(self) -> Path:
        return self.sides.folder / self.sides.options.runs

    def shallow(self) -> bool:
        """Whether a commit may be missing because history is cut off here."""
        try:
            return Repository.find(self.sides.folder).shallow
        except UsageError:
            return False

    def prefixed(self, prefix: str, rest: str) -> Side:
        match prefix:
            case "commit":
                return self.sides.commit(rest)
            case "file":
                return self.sides.file(self.sides.folder / rest)
            case "env":
                return self._of_lease(rest or None)
        return run_side(find_run(self._runs, rest or "latest"), self.sides.redrawn)

    def last(self) -> Side:
        """The environment of this branch or, where none is up, its newest run."""
        try:
            return self._of_lease(None)
        except NotFoundError as error:
            branch = Repository.find(self.sides.folder).checked_out()
            for folder, record in kept_runs(self._runs):
                if branch and record.branch == branch:
                    return run_side(folder, self.sides.redrawn)
            error.hint = f"No run of this branch is in {self._runs / 'understudy-runs'} either."
            raise

    def exact_environment(self, text: str) -> Side | None:
        exact = [each for each in self._leases() if text in {each.id, each.stack, f"{each.project}/{each.stack}"}]
        return environment_side(exact[0]) if len(exact) == 1 else None

    def environment(self, text: str) -> Side | None:
        return self._of_lease(text) if any(text in {each.key, each.branch} for each in self._leases()) else None

    def run(self, text: str) -> Side | None:
        folder = run_folder(self._runs, text)
        return None if folder is None else run_side(folder, self.sides.redrawn)

    def file(self, text: str) -> Side | None:
        path = self.sides.folder / text
        return self.sides.file(path) if "\0" not in text and path.is_file() else None

    def commit(self, text: str) -> Side | None:
        try:
            Repository.find(self.sides.folder).commit(text)
        except UsageError:
            return None
        side = self.sides.commit(text)
        also = [each.id for each in self._leases() if text in {each.key, each.branch}]
        if also:
            note = f"{text!r} was taken for the commit; its environment is env:{also[0]}"
            return replace(side, warnings=(*side.warnings, note))
        return side

    def _of_lease(self, text: str | None) -> Side:
        from understudy.session import find_lease

        if text is not None:
            return environment_side(find_lease(_store(self.sides), text))
        repository = Repository.find(self.sides.folder)
        branch, origin = repository.checked_out(), repository.origin()
        return environment_side(find_lease(_store(self.sides), None, branch, origin))

    def _leases(self) -> tuple[Lease, ...]:
        """Every lease; none where the backend is not set up, so that commits and files are found all the same."""
        try:
            return _store(self.sides).list()[0]
        except UsageError:
            return ()


def _store(sides: Sides) -> LeaseStore:
    settings = EngineSettings.from_environment(Path("pulumi"))  # for its backend: no CLI is needed to read leases
    return LeaseStore.beside(settings.backend, sides.options.lease_dir)
