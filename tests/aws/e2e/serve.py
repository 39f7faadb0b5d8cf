"""The adapter "fargate": ministack, with what Fargate and Service Connect do for a task and ministack leaves out.

It runs in the environment of requirements.txt, not in that of the tests. ministack 1.5.33 starts real containers, on
Docker's default bridge and one after the other; of a container it heeds image, command, variables, secrets and logs.
Here it is taught, for a task:

- names: who starts gets the names of Service Connect that are served by then, as lines of its /etc/hosts;
- order: `dependsOn` with SUCCESS and COMPLETE, and a container with a health check has started when it is healthy;
- volumes of the task, empty at first and gone with it;
- `entryPoint`, `workingDirectory`, `user`, `memory`, dropped capabilities and the init process of a container;
- a parameter that is a SecureString reaches its container as its value, not as what ministack keeps of it;
- what a container said is in its log before it is removed, however soon it has ended;
- a target group gets the address of the container that stays, not of one that fetches files and ends;
- images are the daemon's own: no registry is asked, the image of the AWS CLI is that of tool/Dockerfile, and that of
  psql the PostgreSQL that the daemon has.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from balancers import Balancers
from ministack import app
from ministack.core import container_reaper
from ministack.services import ecs, ssm

LIMIT = 180.0
"""Seconds for a container that others wait for to end, or to be healthy."""

NAME = "com.amazonaws.ecs.container-name"
TASK = "com.amazonaws.ecs.task-arn"

AWS_CLI = "public.ecr.aws/aws-cli/"
"""What the name of the image with the AWS CLI begins with."""

PSQL, POSTGRES = "public.ecr.aws/docker/library/postgres:", "postgres:15"
"""What the name of the image with psql begins with, and the image that the daemon has."""

Row = Mapping[str, Any]


class Fargate:
    """What is known of services and containers beside what ministack keeps of them."""

    def __init__(self, tool_image: str) -> None:
        """`tool_image`: that of tool/Dockerfile."""
        self._images = {AWS_CLI: tool_image, PSQL: POSTGRES}
        self._connected: dict[str, Row] = {}
        self._passing: set[str] = set()
        self._run, self._create = ecs._run_docker_container, ecs._create_service
        self._record, self._clean = ecs._record_task_ip, ecs._cleanup_task_resources
        self._lock = threading.Lock()

    def install(self) -> None:
        """Put this in the place of ministack's own functions."""
        ecs._run_docker_container = self.run
        ecs._record_task_ip = self.record
        ecs._cleanup_task_resources = self.clean
        ecs._prepare_service_images = lambda _task, _definition, _client: None
        ecs._ACTION_MAP["CreateService"] = self.create
        ssm.resolve_parameter_value = partial(ssm.resolve_parameter_value, decrypt=True)

    def create(self, asked: Row) -> Any:
        """CreateService; ministack forgets the configuration of Service Connect."""
        with self._lock:
            self._connected[str(asked.get("serviceName"))] = asked.get("serviceConnectConfiguration") or {}
        return self._create(asked)

    def run(self, client: Any, container: Row, given: dict[str, Any], **others: Any) -> Any:
        """Start one container of a task, when those that it depends on are as far as they have to be."""
        labels = given["labels"]
        task = ecs._tasks[labels[TASK]]
        for each in container.get("dependsOn") or ():
            _await(client, labels[TASK], each["containerName"], each["condition"])
        given |= _process(container)
        given["volumes"] = list(_volumes(client, labels, container))
        check = container.get("healthCheck")
        if check:
            given["healthcheck"] = _check(check)
        for name, image in self._images.items():
            if str(container["image"]).startswith(name):
                container = {**container, "image": image}
        given["extra_hosts"] = {**given.get("extra_hosts", {}), **self._names(task)}
        started = self._run(client, container, given, **others)
        if not container.get("essential", True):
            self._passing.add(started.id)
        if check:
            try:
                _healthy(started)
            except RuntimeError:
                started.remove(force=True, v=True)
                raise
        return started

    def record(self, task: Row, container: Any, network: Any) -> None:
        """The address of a task, of the first container that stays."""
        if container.id not in self._passing:
            self._record(task, container, network)

    def clean(self, task: Row, client: Any, extra: Any = None) -> None:
        """The containers of a task that has ended, and its volumes."""
        client = client or ecs._get_docker()
        _tell(client, task["taskArn"])
        self._clean(task, client, extra)
        for volume in client.volumes.list(filters={"label": f"{TASK}={task['taskArn']}"}):
            volume.remove(force=True)

    def _names(self, task: Row) -> dict[str, str]:
        """Name -> address, of what serves in the namespace of a task's service."""
        own = self._connected.get(task["group"].removeprefix("service:"), {}).get("namespace")
        found: dict[str, str] = {}
        for each in ecs._tasks.values():
            service = self._connected.get(str(each.get("group", "")).removeprefix("service:"), {})
            address = ecs._task_ip(each)
            if own and service.get("namespace") == own and each["lastStatus"] == "RUNNING" and address:
                aliases = [alias for one in service.get("services", ()) for alias in one.get("clientAliases", ())]
                found |= {alias["dnsName"]: address for alias in aliases}
        return found


def _process(container: Row) -> dict[str, Any]:
    """What runs, as whom, and within which limits, as Docker's own settings."""
    linux = container.get("linuxParameters") or {}
    found = {
        "entrypoint": container.get("entryPoint"),
        "user": container.get("user"),
        "working_dir": container.get("workingDirectory"),
        "mem_limit": f"{container['memory']}m" if container.get("memory") else None,
        "init": linux.get("initProcessEnabled"),
        "cap_drop": (linux.get("capabilities") or {}).get("drop"),
    }
    return {key: value for key, value in found.items() if value}


def _volumes(client: Any, labels: Row, container: Row) -> Iterator[str]:
    """A volume of Docker's for each that the container mounts; Fargate's are empty, whatever the image has there."""
    task = labels[TASK].rpartition("/")[2]
    for mount in container.get("mountPoints") or ():
        name = f"ministack-ecs-{task}-{mount['sourceVolume']}"
        client.volumes.create(name, labels={**container_reaper.own_labels("ecs"), TASK: labels[TASK]})
        yield f"{name}:{mount['containerPath']}:{'ro' if mount.get('readOnly') else 'rw'},nocopy"


def _check(check: Row) -> dict[str, Any]:
    """ECS's health check as Docker's, which counts in nanoseconds."""
    return {
        "test": check["command"],
        "interval": int(check.get("interval", 30) * 1e9),
        "timeout": int(check.get("timeout", 5) * 1e9),
        "retries": check.get("retries", 3),
        "start_period": int(check.get("startPeriod", 0) * 1e9),
    }


def _await(client: Any, task: str, name: str, condition: str) -> None:
    (there,) = client.containers.list(all=True, filters={"label": [f"{TASK}={task}", f"{NAME}={name}"]})
    if condition in {"SUCCESS", "COMPLETE"}:
        code = there.wait(timeout=LIMIT)["StatusCode"]
        if condition == "SUCCESS" and code:
            raise RuntimeError(f"{name} ended with {code}: {there.logs(tail=5).decode(errors='replace')}")


def _tell(client: Any, task: str) -> None:
    """Wait until what the containers of a task that have ended said is in their logs: threads of ministack bring it."""
    ended = client.containers.list(all=True, filters={"label": f"{TASK}={task}", "status": "exited"})
    start = f"ministack-ecs-awslogs-{task.rpartition('/')[2][:8]}-"
    names = {start + container.labels[NAME] for container in ended}
    for thread in threading.enumerate():
        if thread.name in names:
            thread.join(LIMIT)


def _healthy(container: Any) -> None:
    end = time.monotonic() + LIMIT
    while True:
        container.reload()
        state = container.attrs["State"]
        if state["Health"]["Status"] == "healthy":
            return
        if not state["Running"] or time.monotonic() > end:
            raise RuntimeError(f"{container.name} is {state['Status']}, {state['Health']['Status']}")
        time.sleep(0.1)


if __name__ == "__main__":
    Fargate(os.environ["TOOL_IMAGE"]).install()
    Balancers(os.environ["TOOL_IMAGE"]).install()
    app.main()
