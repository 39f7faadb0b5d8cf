"""The sides of a comparison: what a user names on the command line, found and read; nothing is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from understudy.blueprint import Blueprint, draw, read_topology
from understudy.build.contents import contents
from understudy.build.git import Repository
from understudy.build.keys import Origin
from understudy.diff.kept import environment_side, kept_runs, run_folder, run_side
from understudy.diff.record import SideRecord
from understudy.diff.side import Side
from understudy.engine.settings import EngineSettings
from understudy.errors import NotFoundError, UnderstudyError, UsageError
from understudy.lease import LeaseStore
from understudy.options import Options
from understudy.session import find_lease
from understudy.stacks.differences import Compared

__all__ = ["PREFIXES", "Sides"]

PREFIXES = ("commit", "file", "env", "run")
"""What may stand before a colon to say what a side is."""


@dataclass(frozen=True)
class Sides:
    """Finds sides. Without a prefix a name is tried as each of `_guesses` in turn; the first that there is counts."""

    options: Options
    folder: Path

    def pair(self, first: str | None, second: str | None) -> tuple[Side, Side]:
        """Both sides; what is not given is production, and this commit.

        Raises:
            UsageError: a side cannot be read, or there is nothing of that name.
            NotFoundError: there is no such environment or run.
        """
        after = self.find(second) if second is not None else self.this()
        if first in {None, "production"}:
            return self.production(after.blueprint), after
        return self.find(str(first)), after

    def this(self) -> Side:
        """This commit, or the working folder with `--dirty`: the environment that it would have."""
        return self._drawn(self.options)

    def production(self, blueprint: Blueprint | None = None) -> Side:
        """What stands for production; that of a blueprint, where one has been drawn."""
        drawn = blueprint or draw(self.options, self.folder)
        files = {}
        if drawn.repository is not None and drawn.production_ref:
            sha = drawn.repository.commit(drawn.production_ref).sha
            files = dict(contents(drawn.production, Origin(drawn.repository, sha, drawn.folder)))
        name = drawn.production_name or "as the commit has it"
        return Side(SideRecord("production", name, file=drawn.file), Compared(drawn.production, files=files))

    def find(self, text: str) -> Side:
        """The side that a text names.

        Raises:
            UsageError: there is nothing of that name, or it cannot be read.
            NotFoundError: a prefix says what it is, and there is no such environment or run.
        """
        if text == "production":
            return self.production()
        prefix, colon, rest = text.partition(":")
        if colon and prefix in PREFIXES:
            return self._prefixed(prefix, rest)
        for guess in (self._last, self._exact_environment, self._run, self._file, self._commit, self._environment):
            found = guess(text)
            if found is not None:
                return found
        raise UsageError(
            f"Looked for {text!r}, and it is no environment, run, file or commit.",
            hint="`understudy list` shows environments, `git log` commits; a prefix says which is meant: "
            + ", ".join(f"{prefix}:NAME" for prefix in PREFIXES)
            + ".",
        )

    def _prefixed(self, prefix: str, rest: str) -> Side:
        match prefix:
            case "commit":
                return self._drawn(self._at(rest))
            case "file":
                return self._read(self.folder / rest)
            case "env":
                return self._of_lease(rest or None)
            case _:
                folder = run_folder(self.folder / self.options.runs, rest or "latest")
                if folder is None:
                    raise NotFoundError(
                        f"Looked for run {rest or 'latest'!r}, and there is none.",
                        hint=f"Runs are folders of {self.folder / self.options.runs / 'understudy-runs'}.",
                    )
                return run_side(folder, self._redrawn)

    def _last(self, text: str) -> Side | None:
        """The environment of this branch or, where none runs, its newest run."""
        if text != "last":
            return None
        try:
            return self._of_lease(None)
        except NotFoundError as error:
            branch = Repository.find(self.folder).checked_out()
            for folder, record in kept_runs(self.folder / self.options.runs):
                if branch and record.branch == branch:
                    return run_side(folder, self._redrawn)
            error.hint = f"No run of this branch is in {self.folder / self.options.runs}/understudy-runs either."
            raise

    def _exact_environment(self, text: str) -> Side | None:
        leases, _ = self._store().list()
        exact = [each for each in leases if text in {each.id, each.stack, f"{each.project}/{each.stack}"}]
        return environment_side(exact[0]) if len(exact) == 1 else None

    def _environment(self, text: str) -> Side | None:
        leases, _ = self._store().list()
        return self._of_lease(text) if any(text in {each.key, each.branch} for each in leases) else None

    def _of_lease(self, text: str | None) -> Side:
        if text is not None:
            return environment_side(find_lease(self._store(), text))
        repository = Repository.find(self.folder)
        return environment_side(find_lease(self._store(), None, repository.checked_out(), repository.origin()))

    def _run(self, text: str) -> Side | None:
        folder = run_folder(self.folder / self.options.runs, text)
        return None if folder is None else run_side(folder, self._redrawn)

    def _file(self, text: str) -> Side | None:
        path = self.folder / text
        return self._read(path) if "\0" not in text and path.is_file() else None

    def _commit(self, text: str) -> Side | None:
        try:
            Repository.find(self.folder).commit(text)
        except UsageError:
            return None
        side = self._drawn(self._at(text))
        also = [each.id for each in self._store().list()[0] if text in {each.key, each.branch}]
        if also:
            note = f"{text!r} was taken for the commit; its environment is env:{also[0]}"
            return replace(side, warnings=(*side.warnings, note))
        return side

    def _at(self, commit: str) -> Options:
        return replace(self.options, commit=commit, dirty=False)

    def _redrawn(self, commit: str, profile: str) -> Blueprint:
        return draw(replace(self._at(commit), profile=profile), self.folder)

    def _drawn(self, options: Options) -> Side:
        drawn = draw(options, self.folder)
        commit = drawn.commit
        files = {}
        if drawn.repository is not None and not drawn.dirty:
            files = dict(contents(drawn.clone, Origin(drawn.repository, commit.sha, drawn.folder)))
        record = SideRecord(
            "commit",
            commit.short + (" with the changes of the working folder" if drawn.dirty else ""),
            commit=commit.sha,
            branch=commit.branch,
            dirty=drawn.dirty,
            profile=options.profile,
            file=drawn.file,
        )
        notes = drawn.warnings
        if drawn.dirty:
            notes = (*notes, "the files of a working folder are not compared, only what the topology says of them")
        return Side(record, Compared(drawn.clone.topology, drawn.clone, files), blueprint=drawn, warnings=notes)

    def _read(self, path: Path) -> Side:
        if not path.is_file():
            raise UsageError(f"Looked for the topology {path}, and there is no such file.")
        topology = read_topology(path)
        record = SideRecord("file", str(path), file=str(path))
        return Side(record, Compared(topology), warnings=topology.warnings)

    def _store(self) -> LeaseStore:
        settings = EngineSettings.from_environment(Path("pulumi"))  # for its backend: no CLI is needed to read leases
        try:
            return LeaseStore.beside(settings.backend, self.options.lease_dir)
        except UsageError as error:
            raise UnderstudyError(str(error)) from error
