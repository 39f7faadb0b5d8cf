"""The blueprint: production and the commit read from git and derived into a clone, with nothing created yet."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from understudy.build import keys
from understudy.build.git import Commit, Repository, normal_path
from understudy.build.why import why_built
from understudy.composition import FILES
from understudy.documents import Documents, Reader, from_commit, from_folder
from understudy.errors import UsageError
from understudy.lease import Lease
from understudy.options import Options, Origin
from understudy.production import read_source, source_of
from understudy.provider.settings import ProviderSettings
from understudy.stacks.align import aligned
from understudy.stacks.allowed import Allowed
from understudy.stacks.clone import Change, Clone
from understudy.stacks.derive import derive, profile_named
from understudy.stacks.ground import ON_AWS, ON_DOCKER
from understudy.stacks.hardening import NOT_HARDENED, Hardening
from understudy.stacks.identity import parse_time
from understudy.stacks.topology import Topology, TopologyError
from understudy.stacks.untrusted import closed
from understudy.targets.choose import AWS, kind_of
from understudy.untrusted import Untrusted

_NO_DEFAULT = "no default branch is known here, so the commit stands for production"

__all__ = ["Blueprint", "draw", "read_topology", "redraw"]


@dataclass(frozen=True)
class Blueprint:
    """What an environment is to be: the repository, the commit, the file, and the clone derived from them.

    `folder` and `file`, the first of its `documents`, are relative to the repository's root, in POSIX form; `origin`
    tells the repository from others on every machine; `warnings` name what was left out. `repository` is None where
    only the files are at hand.
    `production_source` says where production runs, if it was read there; `production_ref` is then empty.
    `production_account` is the account of AWS in which it was read.
    """

    repository: Repository | None
    origin: str
    folder: str
    file: str
    documents: Documents
    commit: Commit
    dirty: bool
    production_ref: str
    production: Topology
    candidate: Topology
    clone: Clone
    warnings: tuple[str, ...]
    production_source: str = ""
    production_account: str = ""
    trusted_sha: str = ""
    """Of an untrusted commit: the one of production whose suites, mocks and profiles count; empty: it is trusted."""

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
    untrusted = Untrusted.of(options, repository, project)
    if untrusted is not None:
        repository = untrusted.repository
    commit = repository.commit(options.commit)
    reader = from_folder(repository.root, project) if options.dirty else from_commit(repository, commit.sha, project)
    where = "the working folder" if options.dirty else f"commit {commit.short}"
    said = Documents.of(options, folder, place)
    said = said if untrusted is None else untrusted.documents(said)
    documents = said.found(reader, place, where)
    name = place.name.removesuffix(".git") if repository.bare else place.name
    trusted = None if untrusted is None else untrusted.trusted(said)
    candidate = documents.read(reader, project, name, where, place=place, trusted=trusted)
    if untrusted is not None:
        untrusted.hold(candidate)
    source = source_of(options)
    production_ref = "" if source else options.production_ref or repository.default_ref()
    taken = read_source(source, place, lambda _: None) if source else None
    if taken:
        beside = aligned(taken.topology, candidate, references=taken.references, unsaid=taken.unsaid)
        production_sha, (production, candidate), notes = commit.sha, beside, (*taken.topology.warnings, *taken.evidence)
    elif production_ref:
        production_sha = repository.commit(production_ref).sha
        production, notes = _production(
            said, from_commit(repository, production_sha, project), production_ref, project, candidate
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
        hardening=_hardening(options),
        on_aws=options.target == AWS,
        absent=_absent_binds(options, repository, commit.sha, project, candidate),
        untrusted=untrusted is not None,
    )
    if untrusted is not None:
        clone = untrusted.confine(clone, profile_named(candidate, options.profile), commit.sha)
    return Blueprint(
        repository=repository,
        origin=repository.origin(),
        folder=project,
        file=str(PurePosixPath(project, documents.files[0])),
        documents=documents,
        commit=commit,
        dirty=options.dirty,
        production_ref=production_ref,
        production=production,
        candidate=candidate,
        clone=clone,
        warnings=(*candidate.warnings, *notes),
        production_source=taken.name if taken else "",
        production_account=taken.account if taken else "",
        trusted_sha="" if untrusted is None else untrusted.sha,
    )


def _place(options: Options, folder: Path) -> tuple[Repository, Path, str]:
    """The repository, and the project's folder as a path of the machine and of the tree.

    The folder need not be on disk: it may be in the commit only, and of a bare repository nothing is on disk.
    """
    first = options.file[0] if options.file else ""
    path = Path(os.path.abspath(folder / first))  # noqa: PTH100 - links inside the tree stay links
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


def _production(
    documents: Documents, reader: Reader, ref: str, folder: str, candidate: Topology
) -> tuple[Topology, tuple[str, ...]]:
    """The topology at `ref`, by the files that are there."""
    there = documents.at(reader)
    if not there.files:
        name = documents.files[0] if documents.files else FILES[0]
        missing = PurePosixPath(folder, name)
        return candidate, (f"{missing} is not at {ref}: the commit's own topology stands for production",)
    notes = tuple(
        f"{PurePosixPath(folder, name)} is not at {ref}: production is read without it" for name in there.gone
    )
    try:
        where = f"production, {ref}"
        return there.read(reader, folder, candidate.name, where, secrets=candidate.secrets, provisioned=False), notes
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
    inside = PurePosixPath(os.path.relpath(path.parent.resolve(), root.resolve()))
    project = "" if str(inside) == "." else str(inside)
    return Documents((path.name,)).read(
        from_folder(root, project), project, path.parent.name, str(path.parent), provisioned=False
    )


def redraw(lease: Lease, changes: tuple[Change, ...]) -> Blueprint:
    """The blueprint of an environment that is there, from the files that its lease keeps; `changes` are as recorded.

    Raises:
        UsageError: the files are not on this machine.
    """
    inside = PurePosixPath(lease.topology)
    project = "" if str(inside.parent) == "." else str(inside.parent)
    where = f"the files of environment {lease.id}, {lease.tree}"
    documents = Documents(
        lease.files or (inside.name,),
        lease.env_files,
        lease.given,
        lease.compose_profiles,
        Allowed(frozenset(lease.allow)),
        lease.untrusted,
    )
    candidate = documents.read(from_folder(Path(lease.tree), project), project, lease.name, where)
    target = kind_of(lease.target)
    clone = _derive(
        candidate,
        candidate,
        lease.commit[:12],
        lease.profile,
        unchanged={},
        hardening=_hardening(Options(target=target)),
        on_aws=target == AWS,
    )
    return Blueprint(
        repository=None,
        origin=lease.repository,
        folder=project,
        file=lease.topology,
        documents=documents,
        commit=Commit(lease.commit, lease.commit[:12], "", made := parse_time(lease.created), lease.branch, made),
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
    hardening: Hardening,
    on_aws: bool,
    absent: frozenset[str] = frozenset(),
    untrusted: bool = False,
) -> Clone:
    try:
        scaled = profile_named(candidate, profile)
        return derive(
            production,
            candidate,
            commit=commit,
            profile=closed(scaled) if untrusted else scaled,
            unchanged_builds=unchanged,
            why_built=why,
            hardening=hardening,
            absent_binds=absent,
            ground=ON_AWS if on_aws else ON_DOCKER,
        )
    except TopologyError as error:
        raise UsageError(f"Derived the clone, and the topology does not allow it: {error}.") from error


def _absent_binds(
    options: Options, repository: Repository, sha: str, project: str, candidate: Topology
) -> frozenset[str]:
    """The sources of binds below the project that the commit, or the working folder, does not have."""
    mounts = (mount for service in candidate.services.values() for mount in service.mounts)
    sources = (m.source for m in mounts if m.kind == "bind" and m.source and not m.source.startswith("/"))
    places = {source: place for source in sources if (place := normal_path(project, source)) is not None}
    if options.dirty:
        return frozenset(source for source, place in places.items() if not (repository.root / place).exists())
    there = repository.object_ids(sha, tuple(places.values()))
    return frozenset(source for source, place in places.items() if place and place not in there)


def _why_built(
    options: Options, production: Topology, before: keys.Origin, candidate: Topology, after: keys.Origin
) -> Mapping[str, str]:
    if options.dirty:
        return dict.fromkeys(candidate.services, "the working folder is built as it lies")
    return why_built(production, before, candidate, after)


def _hardening(options: Options) -> Hardening:
    """What containers get beside what production says; of the published provider's only what its schema has.

    A task on Fargate has a size that is a limit, and is alone on its machine.
    """
    if options.target == AWS:
        return NOT_HARDENED
    memory = options.memory_limit or None
    if options.docker_provider != "embedded":  # it refuses more processors than the daemon has
        return Hardening(None, memory, None, no_new_privileges=True)
    pids = ProviderSettings.from_environment().pids_limit
    return Hardening(pids, memory, options.cpu_limit or None, no_new_privileges=True)
