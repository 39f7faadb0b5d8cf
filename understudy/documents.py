"""The Compose files of a commit or folder as a topology: which of them, with which variables, and what is not there."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from understudy.build.git import Repository, normal_path
from understudy.build.tree import read_inside
from understudy.composition import FILES, OVERRIDES, read_named
from understudy.errors import UsageError
from understudy.options import CONFIG_FILE, Options
from understudy.stacks.allowed import NOTHING, Allowed
from understudy.stacks.sources import compose
from understudy.stacks.sources.document import project_variables
from understudy.stacks.sources.trusted import Trusted
from understudy.stacks.topology import Topology, TopologyError

__all__ = ["Documents", "Reader", "from_commit", "from_folder", "suites_file"]

_OWN = frozenset(
    (
        *("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_ACCESS_TOKEN", "UNDERSTUDY_HISTORY"),
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        *("AZURE_CLIENT_SECRET", "ARM_CLIENT_SECRET", "GOOGLE_CREDENTIALS", "GOOGLE_APPLICATION_CREDENTIALS"),
        *("GITHUB_TOKEN", "GH_TOKEN", "ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
        *("CI_JOB_TOKEN", "CI_JOB_JWT", "CI_REGISTRY_PASSWORD", "CI_DEPLOY_PASSWORD"),
    )
)
"""What opens the state, a cloud account or the CI's own services: no commit's document gets it into a container or a
report. The names are those of Pulumi, of the AWS, Azure and Google SDKs, of GitHub Actions and of GitLab CI."""

Reader = Callable[[str], bytes | None]
"""The bytes of a file named relative to the project's folder; None where there is none."""


def from_commit(repository: Repository, sha: str, project: str) -> Reader:
    """Reads the files of a commit; `project` is the project's folder from the root of its tree."""

    def read(relative: str) -> bytes | None:
        inside = normal_path(project, relative)
        return None if inside is None else repository.read(sha, inside)

    return read


def from_folder(root: Path, project: str) -> Reader:
    """Reads the files of a folder as it lies."""

    def read(relative: str) -> bytes | None:
        inside = normal_path(project, relative)
        return None if inside is None else read_inside(root, inside)

    return read


@dataclass(frozen=True)
class Documents:
    """What a topology is read from.

    Attributes:
        files: the Compose files, relative to the project's folder; empty: those that Compose would look for.
        env_files: what stands in the place of `.env`, as absolute paths of this machine.
        given: `NAME=VALUE`, above all other variables.
        profiles: Compose's own profiles that are active.
        allow: what is cloned although it would be refused.
        closed: nothing of this process's environment is a variable: the documents are a stranger's.
        warnings: what was found beside what was named.
        gone: what was named and is not there.
    """

    files: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    allow: Allowed = NOTHING
    closed: bool = False
    warnings: tuple[str, ...] = field(default=(), compare=False)
    gone: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, options: Options, folder: Path, project: Path) -> Documents:
        """What the options say in `folder`, of the project in the folder `project`.

        Raises:
            UsageError: something is allowed by a name that there is not.
        """
        try:
            allow = Allowed.of(options.allow)
        except ValueError as error:
            raise UsageError(f"Read what is allowed: {error}.") from error
        files = (os.path.relpath(os.path.abspath(folder / name), project) for name in options.file)  # noqa: PTH100 - links stay links
        return cls(
            tuple(PurePosixPath(name).as_posix() for name in files),
            tuple(os.path.abspath(folder / name) for name in options.env_file),  # noqa: PTH100 - as above
            options.set,
            options.compose_profile,
            allow,
            options.untrusted,
        )

    def found(self, reader: Reader, project: Path, where: str) -> Documents:
        """These, with the files that Compose would look for where none is named.

        Raises:
            UsageError: there is none.
        """
        if self.files:
            return self
        listed = self.variables(reader).get("COMPOSE_FILE", "")
        if listed:
            return replace(self, files=tuple(posixpath.normpath(name) for name in listed.split(os.pathsep)))
        names = [name for name in FILES if reader(name) is not None]
        if not names:
            names = [name for name in FILES if (project / name).is_file()]  # for the message about it
            if not names:
                raise UsageError(
                    f"Looked for a topology in {project} at {where}, and there is none of {', '.join(FILES)}.",
                    hint="Change to the folder of your Compose file, or name it with -f FILE.",
                )
            return replace(self, files=(names[0],))
        over = [name for name in OVERRIDES if reader(name) is not None][:1]
        warnings = tuple(
            f"{name} is laid over {names[0]}, as Compose does it; to leave it out, name the file: -f {names[0]}"
            for name in over
        )
        return replace(self, files=(names[0], *over), warnings=warnings)

    def variables(self, reader: Reader) -> Mapping[str, str]:
        """What is interpolated.

        Raises:
            UsageError: a file of variables is missing or none.
        """

        def read(name: str) -> bytes | None:
            if not name.startswith("/"):
                return reader(name)
            return read_named(name)

        given = {name: value for name, _, value in (text.partition("=") for text in self.given)}
        try:
            process = {} if self.closed else {name: value for name, value in os.environ.items() if name not in _OWN}
            return project_variables(process, read, env_files=self.env_files, given=given)
        except TopologyError as error:
            raise UsageError(f"Read the variables, and it failed: {error}.") from error

    def trusted(self, reader: Reader, folder: str) -> Trusted:
        """These, as `reader` has them, as what an untrusted version of them is read with."""
        return Trusted(self.files, self.variables(reader), reader, self.profiles, suites_file(reader, folder))

    def at(self, reader: Reader) -> Documents:
        """These, less the files that are not there (`gone`); none at all where the first is not."""
        if not self.files:
            names = [name for name in FILES if reader(name) is not None][:1]
            over = [name for name in OVERRIDES if names and reader(name) is not None][:1]
            return replace(self, files=(*names, *over))
        there = tuple(name for name in self.files if reader(name) is not None)
        if self.files[0] not in there:
            return replace(self, files=())
        return replace(self, files=there, gone=tuple(name for name in self.files if name not in there))

    def read(
        self,
        reader: Reader,
        folder: str,
        project: str,
        where: str,
        *,
        secrets: tuple[str, ...] = (),
        provisioned: bool = True,
        place: Path | None = None,
        trusted: Trusted | None = None,
    ) -> Topology:
        """The topology.

        Args:
            reader: gives the files.
            folder: the project's folder from the root of its tree.
            project: the name of a project that is named nowhere.
            where: what is read, for messages.
            secrets: further names of secrets, that another version of the documents declares.
            provisioned: whether it is to run, and not only compared with.
            place: the project's folder on disk, for the message about a file that lies only there.
            trusted: the documents whose extension keys and suites count in the place of these ones' own.

        Raises:
            UsageError: a file is missing, or they are no valid topology.
        """
        for name in self.files:
            if reader(name) is None:
                beside = place is not None and (place / name).is_file()
                raise UsageError(
                    f"Read the topology {PurePosixPath(folder, name)} from {where}, and it is not there.",
                    hint="It is in the folder but not there: commit it, name another commit, or use --dirty."
                    if beside
                    else "",
                )
        try:
            topology = compose.read_files(
                self.files,
                folder=folder,
                variables=self.variables(reader),
                read_file=reader,
                project=project,
                profiles=self.profiles,
                secrets=secrets,
                allow=self.allow,
                provisioned=provisioned,
                suites=suites_file(reader, folder) if provisioned else "",
                trusted=trusted,
            )
        except TopologyError as error:
            raise UsageError(f"Read the topology from {where}, and it is not valid: {error}.") from error
        return replace(topology, warnings=(*self.warnings, *topology.warnings))


def suites_file(reader: Reader, folder: str) -> str:
    """The nearest `understudy.toml` from the project's folder up to the root of its tree; empty: there is none."""
    above = len(PurePosixPath(folder).parts)
    names = (posixpath.join("../" * up, CONFIG_FILE) for up in range(above + 1))
    return next((name for name in names if reader(name) is not None), "")
