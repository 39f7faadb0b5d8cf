"""The sides of a comparison that git knows: production, a commit, a file; `pair` says which two are compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from understudy.blueprint import Blueprint, draw, read_topology
from understudy.build.contents import contents
from understudy.build.keys import Origin
from understudy.diff.record import SideRecord
from understudy.diff.side import Side
from understudy.errors import UsageError
from understudy.options import Options
from understudy.options import Origin as Given
from understudy.stacks.differences import Compared
from understudy.targets.choose import AWS, kind_of

__all__ = ["Sides"]


@dataclass(frozen=True)
class Sides:
    """Draws sides. Nothing is written."""

    options: Options
    folder: Path

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

    def commit(self, commit: str) -> Side:
        """The environment that a commit would have.

        Raises:
            UsageError: there is no such commit, or no valid topology in it.
        """
        return self._drawn(self._at(commit))

    def redrawn(self, commit: str, profile: str, target: str) -> Blueprint:
        """The blueprint of a commit with a profile, for the kind of target that an identity is of.

        Raises:
            UsageError: as `commit`.
        """
        return draw(replace(self._at(commit), profile=profile, target=kind_of(target)), self.folder)

    def beside(self, side: Side) -> Sides:
        """Those that draw clones for the kind of target that a side is on, unless the command line names one."""
        if not side.target or self.options.origins.get("target") is Given.FLAG:
            return self
        return replace(self, options=replace(self.options, target=kind_of(side.target)))

    def standing(self, side: Side) -> Side:
        """A commit that is drawn for AWS with what AWS itself makes differ on its record; any other side as it is."""
        if side.blueprint is None or self.options.target != AWS:
            return side
        from understudy.imagined import imagined

        try:
            found = imagined(self.options, side.blueprint)
        except UsageError as error:
            return replace(side, warnings=(*side.warnings, f"what AWS makes differ is not shown: {error}"))
        compared = replace(side.compared, clone=found.blueprint.clone)
        return replace(side, compared=compared, warnings=(*side.warnings, found.taken))

    def file(self, path: Path) -> Side:
        """What a topology file declares, as it lies.

        Raises:
            UsageError: it is not there, or no valid topology.
        """
        if not path.is_file():
            raise UsageError(f"Looked for the topology {path}, and there is no such file.")
        topology = read_topology(path)
        record = SideRecord("file", str(path), file=str(path))
        return Side(record, Compared(topology), warnings=topology.warnings)

    def _at(self, commit: str) -> Options:
        return replace(self.options, commit=commit, dirty=False)

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
