"""Suites in an environment on AWS: each in a task of its own, brought the commit's files and told who answers."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from understudy.errors import ToolError
from understudy.files import write_file
from understudy.stacks import identity
from understudy.stacks.aws.managed import files_bucket
from understudy.stacks.aws.platform import Platform
from understudy.stacks.aws.suites import MADE, SETUP, Folders, SuitePlan, size_of
from understudy.stacks.trust import FOLDER
from understudy.suites import process, pytest_boot
from understudy.suites.contract import Contract, EndpointAddress
from understudy.suites.interpreter import BASE, PreparedSuite
from understudy.suites.launch import Private
from understudy.suites.network import CONTRACT, FILES, RESULTS, inner, meaning, told
from understudy.suites.process import SuiteProcess
from understudy.targets.aws.patience import Patience
from understudy.targets.aws.suite import Limits, SuiteTask
from understudy.targets.aws.suite_files import clear, put, tree_files
from understudy.targets.aws.suite_place import group_of, image_of, namespace_of

if TYPE_CHECKING:
    from understudy.targets.aws.session import AwsSession

__all__ = ["TaskLauncher", "Tasks"]

_ARCHITECTURE = "X86_64"
"""Of an image that no service of the environment runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """Where suites run that run inside an environment on AWS.

    Attributes:
        aws: the session.
        environment: whose they are.
        platform: where it stands.
        services: the names of its services.
        endpoints: what answers inside.
        certificates: name -> content, where a mock speaks HTTPS.
        tool_image: an image with the AWS CLI and a shell.
        limits: how long what may take.
        patience: with AWS.
    """

    aws: AwsSession
    environment: identity.Environment
    platform: Platform
    services: frozenset[str]
    endpoints: tuple[EndpointAddress, ...]
    certificates: Mapping[str, bytes]
    tool_image: str
    limits: Limits = field(default_factory=Limits)
    patience: Patience = field(default_factory=Patience)

    def open(self, folder: Path, contract: Contract, tree: Path, order: bytes) -> TaskLauncher:
        """What starts suites there; `folder` is for what they are told, and the caller's to remove.

        Raises:
            UsageError: names of the contract clash.
        """
        folder.mkdir(mode=0o700)
        private = Private.create(folder, replace(contract, endpoints=self.endpoints), CONTRACT, order)
        (folder / "understudy_boot.py").write_bytes(Path(pytest_boot.__file__).read_bytes())
        return TaskLauncher(self, private, tree)


@dataclass(slots=True)
class TaskLauncher:
    """Suites in tasks of one environment. `tree` is the commit's tree on this machine, which is uploaded once."""

    place: Tasks
    private: Private
    tree: Path
    _started: list[SuiteTask] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _source: str = ""
    _put: bool = False

    def start(self, prepared: PreparedSuite, command: Sequence[str], folder: Path) -> SuiteProcess:
        """Start a suite. What AWS refuses is known later, by the process's `problem`.

        Raises:
            OSError: its log cannot be created.
        """
        out = os.fdopen(process.open_log(folder / "output.log"), "wb", buffering=0)
        started = SuiteTask(
            self.place.aws,
            lambda: self.plan(prepared, tuple(command)),
            out,
            folder,
            meaning=meaning(prepared),
            limits=self.place.limits,
            patience=self.place.patience,
        )
        self._started.append(started)
        return started

    def close(self) -> None:
        """Wait until all that was made for suites is removed, and remove what they were given."""
        for task in self._started:
            task.stop()
        for task in self._started:
            task.close()
        if self._source:
            with suppress(ToolError):  # the bucket goes with the environment
                clear(self.place.aws, self._bucket, self._source)

    @property
    def _bucket(self) -> str:
        return files_bucket(self.place.platform, self.place.environment.id).name

    def plan(self, prepared: PreparedSuite, command: tuple[str, ...]) -> SuitePlan:
        """The task of a suite, whose files are in the bucket then.

        Raises:
            UnderstudyError: AWS does not say what it stands on, or takes no files.
            OSError: the files cannot be read.
        """
        here, suite = self.place, prepared.suite
        self._upload()
        image, architecture = suite.image or "", _ARCHITECTURE
        if image in here.services:
            image, architecture = image_of(here.aws, here.environment.whose, image)
        variables = told(prepared, prepared.environment, self.private, trusted=bool(here.certificates))
        hidden = {
            key: value
            for key, value in variables.items()
            if value and (key.startswith(MADE) or key in suite.environment)
        }
        return SuitePlan(
            environment=here.environment,
            platform=here.platform,
            logical=suite.name,
            token=os.urandom(8).hex(),
            image=image,
            architecture=architecture,
            command=command,
            shown={key: value for key, value in variables.items() if key not in hidden},
            hidden=hidden,
            working_dir=inner(prepared, self.tree),
            size=size_of(suite.workers, f"Suite {suite.name!r}"),
            tool_image=here.tool_image,
            folders=Folders(BASE, FILES, RESULTS, CONTRACT),
            trusted=FOLDER if here.certificates else "",
            group=group_of(here.aws, here.environment.whose),
            namespace=namespace_of(here.aws, here.environment.whose),
            bucket=self._bucket,
            source=self._source,
        )

    def _upload(self) -> None:
        """Put what all suites are given into the bucket, once; one that failed is tried again by the next suite."""
        with self._lock:
            if self._put:
                return
            tree = self.tree.resolve()
            found = tree_files(tree)
            own = self.private.folder
            trust = own / "trust"
            trust.mkdir(mode=0o700, exist_ok=True)
            for name, content in self.place.certificates.items():
                write_file(trust / name, content)
            write_file(own / SETUP, _setup(found.commands).encode("utf-8", "surrogateescape"))
            given = {f"files/{name}": path for name, path in found.files.items()}
            given |= {f"contract/{path.name}": path for path in own.iterdir() if path.is_file()}
            given |= {f"trust/{name}": trust / name for name in self.place.certificates}
            self._source = self._source or f"suites/{os.urandom(8).hex()}/in/"
            put(self.place.aws, self._bucket, self._source, given)
            self._put = True


def _setup(commands: Sequence[str]) -> str:
    """The script that makes a task's files as the tree has them, for whichever user the image has."""
    last = (
        f"chmod -R a+rwX {FILES}",
        f"chmod 1777 {RESULTS}",
        f"chmod -R a+rX {CONTRACT}",
        f"if [ -d {BASE}/trust ]; then chmod -R a+rX {BASE}/trust; fi",
    )
    return "".join(f"{line}\n" for line in ("set -e", f"mkdir -p {FILES}", f"cd {FILES}", *commands, *last))
