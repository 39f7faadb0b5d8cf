"""The blueprint: production and the commit read from git and derived into a clone, with nothing created yet."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from understudy.build import keys
from understudy.build.git import Commit, Repository, normal_path
from understudy.build.tree import read_inside
from understudy.build.why import why_built
from understudy.errors import UsageError
from understudy.lease import Lease
from understudy.options import Options, Origin
from understudy.production import read_source, source_of
from understudy.provider.settings import ProviderSettings
from understudy.stacks.align import aligned
from understudy.stacks.clone import Change, Clone
from understudy.stacks.derive import derive, profile_named
from understudy.stacks.identity import parse_time
from understudy.stacks.sources import compose
from understudy.stacks.topology import Topology, TopologyError

_NO_DEFAULT = "no default branch is known here, so the commit stands for production"

__all__ = ["FILES", "Blueprint", "draw", "read_topology", "redraw"]

FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
"""Where a topology is looked for, in the Compose specification's order of preference."""


@dataclass(frozen=True)
class Blueprint:
    """What an environment is to be: the repository, the commit, the file, and the clone derived from them.

    `folder` and `file` are relative to the repository's root, in POSIX form; `origin` tells the repository from
    others on every machine; `warnings` name what was left out. `repository` is None where only the files are at hand.
    `production_source` says where production runs, if it was read there; `production_ref` is then empty.
    """

    repository: Repository | None
    origin: str
    folder: str
    file: str
    commit: Commit
    dirty: bool
    production_ref: str
    production: Topology
    candidate: Topology
    clone: Clone
    warnings: tuple[str, ...]
    production_source: str = ""

    @property
    def production_name(self) -> str:
        """What stands for production, for records: where it runs, else a reference of git; empty: the commit itself."""
        return self.production_source or self.production_ref


def draw(options: Options, folder: Path) -> Blueprint:
    """Read the topology at the commit and production's, and derive the clone. Nothing is written.

    Production is read from where it runs, if an option says so, else at `production_ref`.

    Raises:
        UsageError: no repository, no such commit, no such file, or no valid topology in it.
        ToolError: production runs on Docker or in a Pulumi stack, and they do not answer.
        EngineError: production's stack cannot be read.
    """
    if options.dirty and options.origins.get("commit", Origin.DEFAULT) is not Origin.DEFAULT:
        raise UsageError("Both --dirty and a commit were given.", hint="--dirty takes the folder as it lies: drop one.")
    repository, place, project = _place(options, folder)
    if options.dirty and repository.bare:
        raise UsageError(
            f"Looked for the working folder of {repository.root}, and a bare repository has none.",
            hint="Name a commit instead of --dirty.",
        )
    commit = repository.commit(options.commit)
    reader = _from_folder(repository.root, project) if options.dirty else _from_commit(repository, commit.sha, project)
    where = "the working folder" if options.dirty else f"commit {commit.short}"
    inside = PurePosixPath(project, PurePosixPath(options.file).name or _held(reader, place, where))
    name = place.name.removesuffix(".git") if repository.bare else place.name
    candidate = _read(reader, inside, where, place / inside.name, name)
    source = source_of(options)
    production_ref = "" if source else options.production_ref or repository.default_ref()
    taken = read_source(source, place, lambda _: None) if source else None
    if taken:
        beside = aligned(taken.topology, candidate, references=taken.references, unsaid=taken.unsaid)
        production_sha, (production, candidate), notes = commit.sha, beside, taken.topology.warnings
    elif production_ref:
        production_sha = repository.commit(production_ref).sha
        production, notes = _production(
            _from_commit(repository, production_sha, project), production_ref, inside, candidate
        )
    else:
        production_sha, production = commit.sha, candidate
        notes = (f"{_NO_DEFAULT}: {repository.no_default_ref()}",)
    before, after = (keys.Origin(repository, sha, project) for sha in (production_sha, commit.sha))
    reused = {} if options.dirty or taken else keys.unchanged_builds(production, before, candidate, after)
    clone = _derive(
        production,
        candidate,
        commit.short,
        options.profile,
        unchanged=reused,
        why=_why_built(options, taken.topology if taken else production, before, candidate, after),
        pids_limit=_pids_limit(options),
    )
    return Blueprint(
        repository=repository,
        origin=repository.origin(),
        folder=project,
        file=str(inside),
        commit=commit,
        dirty=options.dirty,
        production_ref=production_ref,
        production=production,
        candidate=candidate,
        clone=clone,
        warnings=(*candidate.warnings, *notes),
        production_source=taken.name if taken else "",
    )


def _place(options: Options, folder: Path) -> tuple[Repository, Path, str]:
    """The repository, and the project's folder as a path of the machine and of the tree.

    The folder need not be on disk: it may be in the commit only, and of a bare repository nothing is on disk.
    """
    path = Path(os.path.abspath(folder / options.file))  # noqa: PTH100 - links inside the tree stay links
    project = path.parent if options.file else path
    there = next(each for each in (project, *project.parents) if each.is_dir())
    try:
        repository = Repository.find(there)
    except UsageError as error:
        if there == project:
            raise
        raise UsageError(f"Looked for the topology {path}, and there is no folder {project}.") from error
    inside = PurePosixPath(os.path.relpath(project.resolve(), repository.root.resolve()))
    return repository, project, "" if str(inside) == "." else str(inside)


Reader = Callable[[str], bytes | None]


def _held(reader: Reader, folder: Path, where: str) -> str:
    """The first of FILES that is there; else the first that lies in the folder, for the message about it.

    Raises:
        UsageError: there is none.
    """
    for name in FILES:
        if reader(name) is not None:
            return name
    for name in FILES:
        if (folder / name).is_file():
            return name
    raise UsageError(
        f"Looked for a topology in {folder} at {where}, and there is none of {', '.join(FILES)}.",
        hint="Change to the folder of your Compose file, or name it with -f FILE.",
    )


def _from_commit(repository: Repository, sha: str, project: str) -> Reader:
    def read(relative: str) -> bytes | None:
        inside = normal_path(project, relative)
        return None if inside is None else repository.read(sha, inside)

    return read


def _from_folder(root: Path, project: str) -> Reader:
    def read(relative: str) -> bytes | None:
        inside = normal_path(project, relative)
        return None if inside is None else read_inside(root, inside)

    return read


def _read(reader: Reader, inside: PurePosixPath, where: str, path: Path, project: str) -> Topology:
    data = reader(inside.name)
    if data is None:
        hint = "It is in the folder but not there: commit it, name another commit, or use --dirty."
        raise UsageError(
            f"Read the topology {inside} from {where}, and it is not there.", hint=hint if path.is_file() else ""
        )
    return _parse(data, inside, reader, project, where)


def _parse(
    data: bytes, inside: PurePosixPath, reader: Reader, project: str, where: str, *, secrets: tuple[str, ...] = ()
) -> Topology:
    try:
        return compose.read(
            data.decode("utf-8"),
            str(inside),
            variables=compose.variables_for(os.environ, reader),
            read_file=reader,
            project=project,
            secrets=secrets,
        )
    except UnicodeDecodeError as error:
        raise UsageError(f"Read the topology {inside} from {where}, and it is no UTF-8 text: {error}.") from error
    except TopologyError as error:
        raise UsageError(f"Read the topology from {where}, and it is not valid: {error}.") from error


def _production(
    reader: Reader, ref: str, inside: PurePosixPath, candidate: Topology
) -> tuple[Topology, tuple[str, ...]]:
    data = reader(inside.name)
    if data is None:
        return candidate, (f"{inside} is not at {ref}: the commit's own topology stands for production",)
    try:
        where = f"production, {ref}"
        return _parse(data, inside, reader, candidate.name, where, secrets=candidate.secrets), ()
    except UsageError as error:
        error.hint = "Name what stands for production with --production-ref."
        raise


def read_topology(path: Path) -> Topology:
    """The topology of a file as it lies, in a repository or not.

    Raises:
        UsageError: it is not there, or no valid topology.
    """
    try:
        root = Repository.find(path.parent).root
    except UsageError:
        root = path.parent
    inside = PurePosixPath(os.path.relpath(path.parent.resolve(), root.resolve())) / path.name
    project = "" if str(inside.parent) == "." else str(inside.parent)
    return _read(_from_folder(root, project), inside, str(path.parent), path, path.parent.name)


def redraw(lease: Lease, changes: tuple[Change, ...]) -> Blueprint:
    """The blueprint of an environment that is there, from the files that its lease keeps; `changes` are as recorded.

    Raises:
        UsageError: the files are not on this machine.
    """
    inside = PurePosixPath(lease.topology)
    project = "" if str(inside.parent) == "." else str(inside.parent)
    reader = _from_folder(Path(lease.tree), project)
    where = f"the files of environment {lease.id}, {lease.tree}"
    candidate = _read(reader, inside, where, Path(lease.topology), lease.name)
    clone = _derive(
        candidate, candidate, lease.commit[:12], lease.profile, unchanged={}, pids_limit=_pids_limit(Options())
    )
    return Blueprint(
        repository=None,
        origin=lease.repository,
        folder=project,
        file=lease.topology,
        commit=Commit(lease.commit, lease.commit[:12], "", parse_time(lease.created), lease.branch),
        dirty=lease.dirty,
        production_ref="",
        production=candidate,
        candidate=candidate,
        clone=replace(clone, changes=changes),
        warnings=(),
    )


def _derive(
    production: Topology,
    candidate: Topology,
    commit: str,
    profile: str,
    *,
    unchanged: Mapping[str, str],
    why: Mapping[str, str] = MappingProxyType({}),
    pids_limit: int | None = None,
) -> Clone:
    try:
        return derive(
            production,
            candidate,
            commit=commit,
            profile=profile_named(candidate, profile),
            unchanged_builds=unchanged,
            why_built=why,
            pids_limit=pids_limit,
        )
    except TopologyError as error:
        raise UsageError(f"Derived the clone, and the topology does not allow it: {error}.") from error


def _why_built(
    options: Options, production: Topology, before: keys.Origin, candidate: Topology, after: keys.Origin
) -> Mapping[str, str]:
    if options.dirty:
        return dict.fromkeys(candidate.services, "the working folder is built as it lies")
    return why_built(production, before, candidate, after)


def _pids_limit(options: Options) -> int | None:
    """What the provider sets where production sets none; the published one sets nothing."""
    return ProviderSettings.from_environment().pids_limit if options.docker_provider == "embedded" else None
