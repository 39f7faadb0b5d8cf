"""Removal by tag on AWS: in stages, in passes until nothing moves, each object looked at right before it goes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum

from understudy.aws_failures import Why, asking, aws_errors, failure_of
from understudy.errors import ToolError
from understudy.stacks.identity import Whose
from understudy.targets.aws.kinds import Kind, Together, batches
from understudy.targets.aws.kinds_network import holders
from understudy.targets.aws.listers import kind_named, list_owned
from understudy.targets.aws.order import in_stages, judge
from understudy.targets.aws.session import AwsSession
from understudy.targets.interface import Owned, Spare, Swept, spare_none
from understudy.targets.ownership import is_owned

__all__ = ["CAP", "PATIENCE", "Pace", "sweep"]

PATIENCE = 1200.0
"""Seconds for one environment: a database takes 5 to 15 minutes to go, a task's network interface some."""

CAP = 1000
"""Objects of one environment above which nothing is removed: no topology makes so many, a mistake might. Revisions of
task definitions do not count: each update of an environment leaves one of every service that it changed."""

_PARALLEL = 4
_FIRST, _LONGEST = 1.0, 20.0
"""Seconds between two looks, doubled each time and taken at random from half on."""


@dataclass(frozen=True)
class Pace:
    """How long a sweep goes on, and by which clock: `patience` in seconds, `cap` in objects."""

    patience: float = PATIENCE
    cap: int = CAP
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep


class _State(Enum):
    GONE = "gone"
    GOING = "its removal has begun, and it is still there"
    AGAIN = "it could not be removed yet"
    KEPT = "kept"


@dataclass
class _Sweep:
    """One sweep under way; `reasons` are of what is still there."""

    aws: AwsSession
    whose: Whose
    identity: str
    spare: Spare
    pace: Pace
    seen: Sequence[Owned] | None
    removed: dict[tuple[str, str], Owned] = field(default_factory=dict)
    reasons: dict[Owned, str] = field(default_factory=dict)
    deadline: float = 0.0
    passes: int = 0

    def run(self) -> Swept:
        self.deadline = self.pace.clock() + self.pace.patience
        pause = _FIRST
        while True:
            self.reasons = {}
            before = len(self.removed)
            again = self._pass()
            if not again or (len(self.removed) == before and self.pace.clock() >= self.deadline):
                break
            if self.reasons:  # else all that this pass saw is gone, and nothing has to be waited for
                pause = self._wait(pause)
        return Swept(tuple(self.removed.values()), tuple(self.reasons.items()))

    def _wait(self, pause: float) -> float:
        left = max(self.deadline - self.pace.clock(), 0)
        self.pace.sleep(min(pause * random.uniform(0.5, 1), left))  # noqa: S311 - spreads requests, no secret
        return min(2 * pause, _LONGEST)

    def _pass(self) -> bool:
        """Go through all stages once; whether another pass may do more, as it may where AWS has answered before."""
        self.passes += 1
        try:
            listed = self._listed()
        except ToolError as error:
            self.reasons[Owned("listing", "", "(all)")] = str(error)
            return self.passes > 1
        owned = [item for item in listed if is_owned(item.labels, self.whose)]
        judged = judge(owned, self.whose, self.identity, self.spare)
        self.reasons.update(judged.kept)
        counted = sum(item.kind != "task-definition" for item in judged.remove)
        if counted > self.pace.cap:
            reason = f"there are {counted} objects, above the limit of {self.pace.cap}: none was removed"
            self.reasons.update((item, reason) for item in judged.remove)
            return False
        begun = len(self.removed)
        waiting = False
        for stage in in_stages(judged.remove):
            if refused := self._elsewhere():
                rest = [item for item in judged.remove if (item.kind, item.id) not in self.removed]
                self.reasons.update((item, refused) for item in rest)
                return False
            waiting = self._stage(stage) or waiting
        return waiting or len(self.removed) > begun

    def _listed(self) -> Sequence[Owned]:
        """What there is: at first as it was seen, if it was. Each object is described again before it goes."""
        seen, self.seen = self.seen, None
        return list_owned(self.aws, self.whose, self.identity).items if seen is None else seen

    def _elsewhere(self) -> str:
        """Why no batch may be removed now: the credentials have changed, or nobody says whose they are."""
        try:
            here = self.aws.identity()
        except ToolError as error:
            return str(error)
        return "" if here == self.identity else f"the credentials are now of {here}, and it is on {self.identity}; kept"

    def _stage(self, items: Sequence[Owned]) -> bool:
        """Remove the objects of one stage and wait for those whose removal has begun; whether some may go later."""
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="sweep") as pool:
            results = list(zip(items, pool.map(self._remove, items), strict=True))
        for item, (state, reason) in results:
            self._note(item, state, reason)
        left = self._end_together([item for item, (state, _) in results if state is _State.GOING])
        self._wait_for([item for item, state in left.items() if state is _State.GOING])
        return _State.AGAIN in {*left.values(), *(state for _, (state, _) in results)}

    def _end_together(self, going: Sequence[Owned]) -> dict[Owned, _State]:
        """Take the last step of those removals that have one, many by one request; what becomes of each."""
        states = dict.fromkeys(going, _State.GOING)
        for name in sorted({item.kind for item in going}):
            kind = kind_named(name)
            if kind.together is not None:
                for some in batches([item for item in going if item.kind == name], kind.together.size):
                    for item, (state, reason) in self._ended(kind, kind.together, some).items():
                        self._note(item, state, reason)
                        states[item] = state
        return states

    def _ended(self, kind: Kind, together: Together, items: Sequence[Owned]) -> dict[Owned, tuple[_State, str]]:
        """Look, judge by the tags that they have now, and take the last step of those that are there; what stayed."""
        try:
            there = judge(kind.look(self.aws, [item.id for item in items]), self.whose, self.identity, self.spare)
            kept = {item.id: (_State.KEPT, reason) for item, reason in there.kept}
            ids = [item.id for item in there.remove]
            refused = together.end(self.aws, ids) if ids else {}
        except aws_errors() as error:
            return {item: self._failed(item, error) for item in items}
        stayed = kept | {ident: (_State.AGAIN, f"AWS did not delete it: {why}") for ident, why in refused.items()}
        return {item: stayed[item.id] for item in items if item.id in stayed}

    def _note(self, item: Owned, state: _State, reason: str) -> None:
        if state is _State.GONE:
            self.removed[item.kind, item.id] = item
            self.reasons.pop(item, None)
        else:
            self.reasons[item] = reason or state.value

    def _wait_for(self, going: list[Owned]) -> None:
        pause = _FIRST
        while going:
            still = []
            for item in going:
                state, reason = self._tried(item, self._seen)
                self._note(item, state, reason)
                if state in {_State.GOING, _State.AGAIN}:
                    still.append(item)
            going = still
            if going and self.pace.clock() >= self.deadline:
                return
            if going:
                pause = self._wait(pause)

    def _remove(self, item: Owned) -> tuple[_State, str]:
        return self._tried(item, self._removed)

    def _removed(self, item: Owned) -> tuple[_State, str]:
        """Look, judge by the tags that it has now, and begin its removal."""
        from botocore.exceptions import ClientError

        kind = kind_named(item.kind)
        now = next(iter(kind.look(self.aws, [item.id])), None)
        if now is None:
            return _State.GONE, ""
        judged = judge([now], self.whose, self.identity, self.spare)
        if judged.kept:
            return _State.KEPT, judged.kept[0][1]
        try:
            kind.remove(self.aws, now)
        except ClientError as error:
            failure = failure_of(error)
            if failure.why is not Why.GONE:
                raise
            state, _ = self._seen(item)  # something of it was gone, and the steps after that were not taken
            return (_State.AGAIN, f"{failure.why}: {failure.text}") if state is _State.GOING else (state, "")
        return self._seen(item)

    def _seen(self, item: Owned) -> tuple[_State, str]:
        there = next(iter(kind_named(item.kind).look(self.aws, [item.id])), None)
        return (_State.GOING if there else _State.GONE), ""

    def _tried(self, item: Owned, step: Callable[[Owned], tuple[_State, str]]) -> tuple[_State, str]:
        """What a step comes to; what is busy, or changes under our eyes, may go later."""
        try:
            return step(item)
        except aws_errors() as error:
            return self._failed(item, error)
        except ToolError as error:
            return _State.KEPT, str(error)

    def _failed(self, item: Owned, error: Exception) -> tuple[_State, str]:
        failure = failure_of(error)
        if failure.again or failure.why in {Why.GONE, Why.BUSY}:
            return _State.AGAIN, self._explained(item, f"{failure.why}: {failure.text}", failure.why)
        return _State.KEPT, f"{failure.why}: {failure.text}"

    def _explained(self, item: Owned, reason: str, why: Why) -> str:
        if item.kind != "security-group" or why is not Why.BUSY:
            return reason
        try:
            with asking("Looked for what uses it"):
                held = holders(self.aws, item.id)
        except ToolError as error:
            return f"{reason}; {error}"
        return f"{reason}; used by {', '.join(held)}" if held else reason


def sweep(  # noqa: PLR0917 - as AwsTarget.sweep
    aws: AwsSession,
    whose: Whose,
    identity: str,
    spare: Spare = spare_none,
    pace: Pace | None = None,
    seen: Sequence[Owned] | None = None,
) -> Swept:
    """Remove all that carries all ownership tags of an environment of this backend's and names this target.

    Account and region are asked for before each stage: once they are others, the rest stays. A failure, of a listing
    too, is recorded with its reason. What is gone already counts as removed.

    Args:
        aws: the session.
        whose: whose the objects are.
        identity: the target's identity, just asked.
        spare: says of labels just read why an object is to be kept.
        pace: how long to go on.
        seen: what a look has just shown, which the first pass is over; None: it lists.
    """
    return _Sweep(aws, whose, identity, spare, pace or Pace(), seen).run()
