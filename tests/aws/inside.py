"""Suites inside on AWS: an environment on moto, a commit's tree, and the suites of one run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aws.played import ENV, Played
from aws.world import WHOSE, Time, session

from understudy.stacks.aws.managed import files_bucket
from understudy.stacks.aws.platform import Platform
from understudy.stacks.suite import Suite
from understudy.suites.contract import Contract, EndpointAddress
from understudy.suites.results import SuiteResult, SuitesResult
from understudy.suites.runner import run_suites
from understudy.suites.tasks import Tasks
from understudy.targets.aws.patience import Patience
from understudy.targets.aws.suite import Limits
from understudy.targets.aws.target import AwsTarget
from understudy.targets.suite_marks import is_suite

LIMITS = Limits(every=0.04, begin=5.0, last=5.0, quiet=0.1, gone=1.0)
SECRET = "hunter2-of-the-db"  # noqa: S105 - it opens nothing

Step = Callable[[Played], None]


class World:
    """An environment on moto, the commit's tree, and the suites of one run."""

    def __init__(self, base: Path, platform: Platform, look: AwsTarget) -> None:
        self.aws, self.platform, self.look, self.base = session(), platform, look, base
        self.stop = threading.Event()
        self.tree = base / "tree"
        (self.tree / "tests" / "deep").mkdir(parents=True)
        (self.tree / "tests" / "run.sh").write_text("#!/bin/sh\n")
        (self.tree / "tests" / "run.sh").chmod(0o755)
        (self.tree / "tests" / "deep" / "it's").write_bytes(b"data")
        (self.tree / "link").symlink_to("tests/run.sh")
        (base / "run").mkdir()
        self.time = Time()

    def played(self, *steps: Step, **more: Any) -> Played:
        return Played(self.aws, list(steps), **more)

    def run(self, *suites: Suite, **more: Any) -> SuitesResult:
        patience = Patience(60.0, clock=lambda: self.time.at, sleep=self.time.sleep)
        tasks = Tasks(
            aws=self.aws,
            environment=ENV,
            platform=self.platform,
            services=frozenset({"web"}),
            endpoints=(EndpointAddress("db", 5432, "db", 5432, "postgresql"),),
            certificates=more.pop("certificates", {}),
            tool_image="tool:1",
            limits=more.pop("limits", LIMITS),
            patience=patience,
        )
        given = {"workers": 2, "stop_after": 1, "listener": lambda _progress: None, **more}
        return run_suites(
            suites,
            project=self.tree,
            contract=Contract(ENV.id, (EndpointAddress("web", 80, "127.0.0.1", 1),), {"DB": SECRET}),
            folder=self.base / "run",
            stop=self.stop,
            network=tasks,
            **given,
        )

    def one(self, suite: Suite, **more: Any) -> SuiteResult:
        (result,) = self.run(suite, **more).suites
        return result

    def file(self, name: str, suite: str = "inside") -> bytes:
        return (self.base / "run" / "suites" / suite / name).read_bytes()

    def hold_nothing_is_left(self) -> None:
        """Nothing of any suite is in the account, nor in the bucket."""
        assert self.made() == set()
        bucket = files_bucket(self.platform, ENV.id).name
        assert "Contents" not in self.aws.client("s3").list_objects_v2(Bucket=bucket)

    def made(self) -> set[str]:
        """The kinds of what is there of suites."""
        return {item.kind for item in self.look.inventory(WHOSE) if is_suite(item.labels)}
