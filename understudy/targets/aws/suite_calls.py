"""The calls by which the task of a suite is made, looked at, ended and removed again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from understudy.aws_failures import Why, failure_of
from understudy.errors import ToolError
from understudy.stacks.aws.suites import SuitePlan
from understudy.targets.aws.patience import Patience
from understudy.targets.aws.session import AwsSession

if TYPE_CHECKING:
    from types_boto3_ecs import ECSClient
    from types_boto3_secretsmanager import SecretsManagerClient

__all__ = ["Calls"]

_ROOM = 65536
"""Bytes of a secret's value (Secrets Manager API, CreateSecret)."""

_LOOK = 2.0


class Calls:
    """One task and what it needs. `task` is its ARN, empty until there is one; of its service only the first counts."""

    def __init__(self, aws: AwsSession, plan: SuitePlan, patience: Patience) -> None:
        self._aws, self.plan, self.patience = aws, plan, patience
        self._cluster = plan.platform.cluster_arn
        self._secret = self._definition = self.task = ""
        self._asked = False
        self._row: Mapping[str, Any] = {}

    @property
    def _ecs(self) -> ECSClient:
        client: ECSClient = self._aws.client("ecs")
        return client

    def make(self) -> None:
        """Make the secret, the definition and the service; each carries all tags from its first moment.

        Raises:
            UsageError: a secret stands where the definition shows it.
            ToolError: AWS refused, or the suite's variables are too large.
        """
        doing = f"Made the task of suite {self.plan.logical!r}"
        if self.plan.hidden:
            self._secret = self.patience.of(doing, self._make_secret)
        wanted = self.plan.definition(self._secret)
        self._definition = self.patience.of(
            doing, lambda: str(self._ecs.register_task_definition(**wanted)["taskDefinition"]["taskDefinitionArn"])
        )
        service = self.plan.service(self._definition)
        self._asked = True  # a service whose answer was lost is there all the same
        self.patience.of(doing, lambda: self._ecs.create_service(**service))

    def _make_secret(self) -> str:
        secrets: SecretsManagerClient = self._aws.client("secretsmanager")
        text = json.dumps(self.plan.values)
        if len(text.encode()) > _ROOM:
            raise ToolError(
                f"The variables of suite {self.plan.logical!r} have more than {_ROOM >> 10} KiB, which is more than a "
                "secret holds that a task could read them from."
            )
        tags: Any = [{"Key": key, "Value": value} for key, value in self.plan.tags.items()]
        return str(secrets.create_secret(Name=self.plan.secret, SecretString=text, Tags=tags)["ARN"])

    def look(self) -> None:
        """Look at the task again.

        Raises:
            ToolError: ECS does not answer.
        """
        self.patience.of(f"Looked at the task of suite {self.plan.logical!r}", self._look)

    def _look(self) -> None:
        if not self.task:
            self.task = self._first()
        if self.task:
            found = self._ecs.describe_tasks(cluster=self._cluster, tasks=[self.task])["tasks"]
            self._row = found[0] if found else self._row

    def _first(self) -> str:
        """The first task of the service: also one that has ended already, which is its first all the same."""
        for status in ("STOPPED", "RUNNING"):
            listed: Any = self._ecs.list_tasks(
                cluster=self._cluster,
                serviceName=self.plan.name,
                desiredStatus=status,
            )
            if listed["taskArns"]:
                return str(listed["taskArns"][0])
        return ""

    def container(self, name: str) -> Mapping[str, Any]:
        """What ECS said last of a container of the task; empty: nothing."""
        rows = {row.get("name"): row for row in self._row.get("containers", ())}
        found: Mapping[str, Any] = rows.get(name, {})
        return found

    @property
    def stopping(self) -> bool:
        """Whether the task has ended, or is about to."""
        return "STOPPED" in {self._row.get("desiredStatus"), self._row.get("lastStatus")}

    @property
    def stopped(self) -> bool:
        """Whether the task has ended."""
        return self._row.get("lastStatus") == "STOPPED"

    def why_stopped(self) -> str:
        """Why the task ended, in ECS's own words; empty: it says nothing."""
        said = [str(self._row.get("stoppedReason") or "")]
        for row in self._row.get("containers", ()):
            code = f"ended with {row['exitCode']}" if row.get("exitCode") else ""
            told = " ".join(filter(None, [code, str(row.get("reason") or "")]))
            said += [f"container {row.get('name')}: {told}"] if told else []
        return "; ".join(filter(None, said))

    def last_event(self) -> str:
        """The last that ECS says of the service, such as why it starts no task; empty: nothing."""
        found = self.patience.of(f"Asked what became of {self.plan.name}", self._described)
        events = found[0].get("events", ()) if found else ()
        return str(events[0].get("message", "")) if events else ""

    def _described(self) -> list[Mapping[str, Any]]:
        answer: Any = self._ecs.describe_services(cluster=self._cluster, services=[self.plan.name])
        return [row for row in answer["services"] if row.get("status") != "INACTIVE"]

    def end(self) -> None:
        """Have ECS stop the task, and start no other.

        Raises:
            ToolError: ECS does not answer.
        """
        self._gone_or(lambda: self._ecs.update_service(cluster=self._cluster, service=self.plan.name, desiredCount=0))
        if self.task and not self.stopped:
            why = "The suite is over"
            self._gone_or(lambda: self._ecs.stop_task(cluster=self._cluster, task=self.task, reason=why))

    def remove(self, seconds: float) -> None:
        """Remove all that was made, and wait so many seconds for the service to be gone.

        What could not be removed carries the environment's tags, by which its sweep finds it.
        """
        for step in (
            self._remove_service,
            self._remove_secret,
            lambda: self._await_end(seconds),
            self._remove_definition,
        ):
            with suppress(ToolError):
                step()

    def _remove_service(self) -> None:
        if self._asked:
            self.end()
            self._gone_or(lambda: self._ecs.delete_service(cluster=self._cluster, service=self.plan.name, force=True))

    def _remove_secret(self) -> None:
        secrets: SecretsManagerClient = self._aws.client("secretsmanager")
        if self._secret:
            self._gone_or(lambda: secrets.delete_secret(SecretId=self._secret, ForceDeleteWithoutRecovery=True))

    def _remove_definition(self) -> None:
        if self._definition:
            self._gone_or(lambda: self._ecs.deregister_task_definition(taskDefinition=self._definition))
            self._gone_or(lambda: self._ecs.delete_task_definitions(taskDefinitions=[self._definition]))

    def _await_end(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._asked and self.patience.of(self._removing, self._described) and time.monotonic() < deadline:
            time.sleep(_LOOK)

    @property
    def _removing(self) -> str:
        return f"Removed the task of suite {self.plan.logical!r}"

    def _gone_or(self, ask: Callable[[], object]) -> None:
        """End or remove something, unless it is gone already."""
        from botocore.exceptions import ClientError

        def tried() -> None:
            try:
                ask()
            except ClientError as error:
                if failure_of(error).why is not Why.GONE:
                    raise

        self.patience.of(self._removing, tried)
