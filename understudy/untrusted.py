"""A commit that nobody here vouches for: what is refused of it, and whose word counts in its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from understudy.build.fetching import fetched
from understudy.build.git import Repository, normal_path
from understudy.configuration import trusted_ref
from understudy.documents import Documents, Reader, from_commit
from understudy.errors import UsageError
from understudy.options import Options, Origin
from understudy.stacks.allowed import NOTHING
from understudy.stacks.change import Change, Fidelity
from understudy.stacks.clone import Clone, recorded
from understudy.stacks.profile import Profile
from understudy.stacks.sources.trusted import Trusted
from understudy.stacks.topology import Service, Topology, TopologyError
from understudy.stacks.untrusted import confined, hold_suites

__all__ = ["Untrusted"]


@dataclass(frozen=True, slots=True)
class Untrusted:
    """What stands for production to an untrusted commit: `ref` in git, its commit, and the project's folder there."""

    repository: Repository
    ref: str
    sha: str
    folder: str

    @classmethod
    def of(cls, options: Options, repository: Repository, folder: str) -> Untrusted | None:
        """None: the commit is trusted.

        Raises:
            UsageError: it is not, and the options go with that as little, or nothing says where production is.
        """
        if not options.untrusted:
            return None
        if options.dirty:
            raise UsageError(
                "Both --untrusted and --dirty were given, and a working folder is the caller's own.",
                hint="Name a commit: --commit REF.",
            )
        if options.allow and options.origins.get("allow", Origin.FILE) > Origin.FILE:
            raise UsageError(
                f"An untrusted commit gets nothing of the host, and --allow {', '.join(options.allow)} was given.",
                hint="Drop one of them.",
            )
        ref = trusted_ref(options, repository)
        return cls(replace(repository, alone=True), ref, repository.commit(ref).sha, folder)

    @property
    def reader(self) -> Reader:
        """Reads production's files."""
        return from_commit(self.repository, self.sha, self.folder)

    def documents(self, said: Documents) -> Documents:
        """The commit's documents, with nothing allowed."""
        return replace(said, allow=NOTHING)

    def trusted(self, said: Documents) -> Trusted:
        """Production's documents, whose extension keys count.

        Raises:
            UsageError: there are none.
        """
        there = said.at(self.reader)
        if not there.files:
            raise UsageError(
                f"An untrusted commit is run as production says, and {self.ref} has no topology in "
                f"{self.folder or 'its root'}.",
                hint="Name what stands for production with --production-ref.",
            )
        return there.trusted(self.reader, self.folder)

    def hold(self, candidate: Topology) -> None:
        """Hold that every suite runs in a container.

        Raises:
            UsageError: one does not.
        """
        try:
            hold_suites(candidate)
        except TopologyError as error:
            raise UsageError(f"Read the suites of {self.ref}, and they cannot test a stranger's: {error}.") from error

    def confine(self, clone: Clone, profile: Profile, sha: str) -> Clone:
        """The clone with nothing outside, no network in builds, production's mocks; `profile` as production has it.

        Raises:
            UsageError: a build makes the builder fetch something.
        """
        for service in clone.topology.services.values():
            if service.build is not None and service.name not in clone.unchanged_builds:
                self._hold_build(service, sha)
        return recorded(confined(clone, profile), *self._mocks(clone, sha))

    def _hold_build(self, service: Service, sha: str) -> None:
        build = service.build
        assert build is not None  # noqa: S101 - the caller's condition
        text = build.inline
        if text is None:
            path = normal_path(self.folder, build.context, build.dockerfile)
            data = None if path is None else self.repository.read(sha, path)
            text = (data or b"").decode("utf-8", "replace")  # where there is none, the build is refused
        if found := fetched(text, build.args):
            raise UsageError(
                f"The build of service {service.name!r} lets the builder itself fetch what an untrusted commit names, "
                f"by {found[:100]!r}; the builder may reach what a container does not.",
                hint="Copy what is needed from the commit's own files, or fetch it in a base image.",
            )

    def _mocks(self, clone: Clone, sha: str) -> Iterator[Change]:
        folders = {m.name: path for m in clone.mocks if (path := normal_path(self.folder, m.folder)) is not None}
        before, after = (self.repository.object_ids(each, tuple(folders.values())) for each in (self.sha, sha))
        for name, path in folders.items():
            if before.get(path) != after.get(path):
                files = str(PurePosixPath(path))
                reason = "taken from production because the commit is untrusted"
                yield Change(f"mocks.{name}.files", files, files, reason, Fidelity.FAITHFUL)
