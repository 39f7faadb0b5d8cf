"""The AWS target: one account and region, known by STS, and what it holds of each environment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from understudy.engine.interface import Seen
from understudy.errors import UnderstudyError
from understudy.redact import Redactor
from understudy.stacks.aws.platform import TAG as PLATFORM_TAG
from understudy.stacks.identity import LABEL, Whose
from understudy.targets.aws.drift import observe
from understudy.targets.aws.emulated import control_plane_only
from understudy.targets.aws.endpoints import endpoints_of
from understudy.targets.aws.errands import Due, due, run
from understudy.targets.aws.errands import Pace as ErrandPace
from understudy.targets.aws.evidence import task_facts, tasks_of
from understudy.targets.aws.listers import ASKED, list_claimed, list_owned
from understudy.targets.aws.logs import AwsFollower, hold_services, tail
from understudy.targets.aws.reached import wait_reached
from understudy.targets.aws.readiness import wait_ready
from understudy.targets.aws.session import AwsSession
from understudy.targets.aws.sweep import Pace, sweep
from understudy.targets.interface import ContainerFacts, Observed, Owned, Receipt, Sampler, Spare, Swept, spare_none
from understudy.targets.ownership import ENVIRONMENT, is_owned
from understudy.targets.receipts import take_receipt
from understudy.targets.watching import StillWatch, Watch

__all__ = ["AwsTarget"]


class AwsTarget:
    """An AWS account and region as a target.

    Args:
        session: the connection; one as the AWS variables say when none is given.
        stop: once set, waiting ends.
        now: the clock for receipts.
        pace: how long a sweep goes on.
        errands: how long it may take to give back what is on shared instances.
    """

    def __init__(
        self,
        session: AwsSession | None = None,
        *,
        stop: threading.Event | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pace: Pace | None = None,
        errands: ErrandPace | None = None,
    ) -> None:
        self.session = session or AwsSession()
        self._stop = stop or threading.Event()
        self._now = now
        self._pace = pace or Pace()
        self._errands = errands

    def identity(self) -> str:
        """`aws:<account>:<region>`, asked of STS each time.

        Raises:
            ToolError: STS does not answer, or refuses the credentials.
        """
        return self.session.identity()

    def reach(self) -> None:
        """Hold that the credentials are good, and of an account in which we may work.

        Raises:
            ToolError: they are not.
        """
        self.session.permitted()

    def foresee_look(self) -> None:
        """Make ahead what the requests of a look are made with."""
        self.session.make_ahead(ASKED)

    def inventory(self, whose: Whose | None = None) -> tuple[Owned, ...]:
        """All objects with all ownership tags, of one environment or of all, each described again.

        Raises:
            ToolError: a listing failed; nothing is known then.
        """
        listed = list_owned(self.session, whose, self.identity()).items
        return tuple(item for item in listed if is_owned(item.labels, whose))

    def claimed(self) -> tuple[Owned, ...]:
        """All objects with any tag in our namespace, however it is spelt, whole sets or not; no platform's.

        Raises:
            ToolError: a listing failed; nothing is known then.
        """
        listed = list_claimed(self.session, self.identity()).items
        return tuple(item for item in listed if _is_claimed(item.labels))

    def clock(self) -> datetime:
        """The moment by AWS's own clock, UTC, in whole seconds.

        Raises:
            ToolError: AWS does not answer, or without a date.
        """
        return self.session.clock()

    def sweep(self, whose: Whose, spare: Spare = spare_none, seen: Sequence[Owned] | None = None) -> Swept:
        """Remove all of an environment but what `spare` keeps; failures are in the result.

        The first pass is over what was just `seen`, if that is given: a listing is dozens of requests.

        Raises:
            ToolError: AWS does not say who it is, or it is an account in which nothing may be removed.
        """
        identity = self.session.permitted()
        try:
            run(self.session, whose, self._due(whose, identity, spare), self._errands)
        except UnderstudyError as error:
            return Swept((), ((Owned("errand", whose.environment, whose.environment), str(error)),))
        return sweep(self.session, whose, identity, spare, self._pace, seen)

    def owed(self, whose: Whose) -> tuple[str, ...]:
        """What it has on the platform's shared instances, by the definitions of the tasks that take it away.

        Raises:
            ToolError: AWS does not answer, or it is an account in which nothing may be removed.
        """
        return tuple(each.errand.what for each in self._due(whose, self.session.permitted()))

    def give_back(self, whose: Whose, besides: Collection[tuple[str, str]] = ()) -> None:
        """Run the tasks that take it away.

        Args:
            whose: whose it is.
            besides: family and what it takes away of those tasks that are not run.

        Raises:
            LeftoversError: one failed.
            ToolError: AWS does not answer, or it is an account in which nothing may be removed.
        """
        found = self._due(whose, self.session.permitted())
        left = [each for each in found if (each.family, each.errand.what) not in besides]
        run(self.session, whose, left, self._errands)

    def _due(self, whose: Whose, identity: str, spare: Spare = spare_none) -> tuple[Due, ...]:
        """The errands that are due; none at an emulator that runs no task, so that none has made anything either."""
        found = due(self.session, whose, identity, spare)
        return () if found and control_plane_only() else found

    def receipt(self, whose: Whose, expected: str) -> Receipt:
        """Look again, by the tagging API and by each kind's own listing."""

        def listed(looked: dict[str, int]) -> Iterable[Owned]:
            found = list_owned(self.session, whose, expected)
            looked.update(found.looked)
            return found.items

        return take_receipt(whose, expected, self.identity, listed, self._now)

    def observe(self, whose: Whose, seen: Sequence[Seen]) -> Observed:
        """How its tasks run and what of, rules and policies that its groups and roles got, and what has its tags.

        Raises:
            ToolError: a listing failed.
        """
        return observe(self.session, whose, seen, self.inventory(whose), serving=not control_plane_only())

    def wait_ready(self, whose: Whose, timeout: float, stop: threading.Event | None = None) -> Mapping[str, float]:
        """Wait until ECS calls every service steady, and then until the endpoints answer; service -> seconds waited.

        A job is a service too, which is steady once it has ended well.

        Raises:
            ProvisionError: one will never be ready, or was not in time.
            InterruptedRunError: `stop` was set.
        """
        began, ended = time.monotonic(), stop or self._stop
        waited = wait_ready(self.session, whose, timeout, ended)
        wait_reached(self.session, whose, timeout - (time.monotonic() - began), ended)
        return waited

    def watch(self, whose: Whose) -> AbstractContextManager[Watch]:  # noqa: ARG002 - as the interface has it
        """Eyes that see nothing: a task that stops is replaced by ECS, and shows in `containers` with its reason."""
        return nullcontext(StillWatch())

    def endpoints(self, whose: Whose) -> Mapping[str, tuple[str, int]]:
        """`<service>:<port>` -> the host of its rule and the listener's port.

        Raises:
            ToolError: a listing failed.
        """
        return {f"{e.service}:{e.port}": (e.host, e.listening) for e in endpoints_of(self.session, whose)}

    def containers(self, whose: Whose) -> tuple[ContainerFacts, ...]:
        """State, health and resource facts of all containers of the environment's tasks, stopped ones too.

        Raises:
            ToolError: a listing failed.
        """
        return tuple(facts for task in tasks_of(self.session, whose) for facts in task_facts(task))

    def follow(self, whose: Whose, folder: Path, redactor: Redactor, sample: Sampler) -> AwsFollower:  # noqa: ARG002 - ECS gives no counters
        """Follow the environment's logs in CloudWatch Logs into `folder/<service>.log`.

        Raises:
            OSError: the folder cannot be made.
        """
        return AwsFollower(self.session, whose, folder, redactor).start()

    def lines(self, whose: Whose, services: tuple[str, ...], *, follow: bool) -> Iterator[tuple[str, str]]:
        """(service, line with its time stamp) of the named services or of all; with `follow` until it is stopped.

        Raises:
            NotFoundError: the environment has no such service.
            ToolError: CloudWatch Logs does not answer.
        """
        hold_services(self.session, whose, services)
        return tail(self.session, whose, services, self._stop if follow else None)


def _is_claimed(labels: Mapping[str, str]) -> bool:
    """Whether somebody may have meant an environment's object: a platform says by its own tag that it is none."""
    if PLATFORM_TAG in labels and ENVIRONMENT not in labels:
        return False
    return any(key.lower().startswith(LABEL) for key in labels)
