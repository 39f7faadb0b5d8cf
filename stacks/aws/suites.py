"""Suites inside an environment: what they stand on, and the task and the service of one as the calls of ECS take them.

A task has three containers. The first fetches the commit's files and the contract. The second tells of the suite's
results as they grow, and brings its files out when the task is stopped; it is the one that keeps the task alive. The
third is the suite. Who depends on another starts after it and is stopped before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from shlex import quote
from typing import Any

from understudy.errors import UsageError
from understudy.stacks import aws_names, identity

from .plan import BucketPlan, Statement
from .platform import Platform
from .sizes import Size, fitting

__all__ = [
    "ALL_FILES",
    "BRING",
    "FETCH",
    "MADE",
    "MOST_RESULTS",
    "SETUP",
    "STREAMS",
    "SUITE",
    "TELL",
    "Folders",
    "SuitePlan",
    "role_of",
    "size_of",
    "statements_of",
]

FETCH, TELL, SUITE = "fetch", "results", "suite"
"""The containers of a suite's task."""

MADE = "UNDERSTUDY_SECRET_"
"""How the names of those variables begin whose values were made anew for the environment (docs/tests.md)."""

STREAMS = "understudy-suite"
"""The prefix of their log streams, which tells them from those of services."""

SETUP = "understudy_setup.sh"
"""The file beside the contract that gives fetched files their modes and links."""

MOST_RESULTS = 256 << 20
"""Bytes of results that are told while they grow: each is read from CloudWatch Logs in base 64."""

ALL_FILES = 1 << 30
"""Bytes of a suite's own files that are brought out; of one that leaves more, its JUnit XML alone is."""

BRING = 100
"""Seconds for that: Fargate gives a container at most 120 to end (Amazon ECS API, ContainerDefinition, stopTimeout)."""

_PIECE = 9000
"""Bytes of results in one line: some log drivers cut lines of more than 16 KiB, and base 64 makes 4 of 3."""

_GRACE = 2
"""Seconds between SIGTERM and SIGKILL for the suite: the least that is documented to be taken."""

_MEMORY = 2 << 30
_MOST_CPUS = 16


def role_of(environment: str) -> str:
    """The name of the role that the tasks of an environment's suites have."""
    return aws_names.role(environment, "understudy.suites")


def statements_of(files: BucketPlan) -> tuple[Statement, ...]:
    """All that they may do: read what lies in the bucket for suites, and write what suites leave."""
    return (
        Statement(("s3:GetObject",), (f"{files.arn}/suites/*",)),
        Statement(("s3:PutObject",), (f"{files.arn}/suites/*/out/*",)),
        Statement(("s3:ListBucket",), (files.arn,)),
    )


def size_of(workers: int | None, what: str) -> Size:
    """The size of a suite's task: a processor and 2 GiB for each of its declared workers, 16 at most.

    Raises:
        UsageError: Fargate has no task so large.
    """
    cpus = min(max(workers or 1, 1), _MOST_CPUS)
    return fitting(cpus, cpus * _MEMORY, what)


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the containers of a suite have the commit's files, its own, and the contract; all are below `base`."""

    base: str
    files: str
    results: str
    contract: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SuitePlan:
    """One suite's task.

    Attributes:
        environment: whose it is.
        platform: where it runs.
        logical: the suite's name.
        token: what no other attempt of a suite has in its names.
        image: what it runs in.
        architecture: that image's.
        command: an argument vector; it takes the place of the image's entry point too.
        shown: its variables that anybody may see who may read the definition.
        hidden: the others.
        working_dir: an absolute path inside.
        size: of the task.
        tool_image: an image with the AWS CLI and a shell.
        folders: where it finds what.
        trusted: where it has the certificates of the environment's authority; empty: there are none.
        group: the id of the environment's security group.
        namespace: the ARN of its namespace.
        bucket: the bucket that files come from and go to.
        source: the prefix of what it is given; it ends with a slash.
    """

    environment: identity.Environment
    platform: Platform
    logical: str
    token: str
    image: str
    architecture: str
    command: tuple[str, ...]
    shown: Mapping[str, str]
    hidden: Mapping[str, str] = field(repr=False)
    working_dir: str
    size: Size
    tool_image: str
    folders: Folders
    trusted: str
    group: str
    namespace: str
    bucket: str
    source: str

    @property
    def name(self) -> str:
        """The name of its service and of its family of definitions, and a part of its secret's."""
        return aws_names.service(self.environment.id, f"understudy.suite.{self.logical}.{self.token}")

    @property
    def secret(self) -> str:
        """The name of the secret with its hidden variables."""
        return aws_names.secret(self.environment.id, f"understudy.suite.{self.logical}.{self.token}")

    @property
    def left(self) -> str:
        """The prefix of what it leaves; it ends with a slash."""
        return f"suites/{self.token}/out/"

    @property
    def tags(self) -> dict[str, str]:
        """The tags of all that is made for it."""
        own = {"service": f"suite {_tag(self.logical)}", "kind": "suite"}
        return {**identity.ownership_labels(self.environment), **{identity.LABEL + k: v for k, v in own.items()}}

    @property
    def values(self) -> dict[str, str]:
        """The secret's value as an object: keys that ECS can name -> the values."""
        return {f"v{number}": value for number, (_, value) in enumerate(sorted(self.hidden.items()))}

    def definition(self, secret: str) -> dict[str, Any]:
        """The arguments of RegisterTaskDefinition; `secret` is the ARN of its secret, empty where it has none.

        Raises:
            UsageError: a secret stands in the command, which everybody sees who may read the definition.
        """
        made = [value for key, value in self.hidden.items() if key.startswith(MADE)]
        if any(value in word for value in made for word in self.command):
            raise UsageError(
                f"The command of suite {self.logical!r} holds a secret, and ECS shows a task's command to everybody "
                "who may read the task definition.",
                hint="Let the command read it from its variable.",
            )
        role = f"role{aws_names.ROLE_PATH}{role_of(self.environment.id)}"
        volumes = ("files", "results", "contract", *(("trust",) if self.trusted else ()))
        return {
            "family": self.name,
            "requiresCompatibilities": ["FARGATE"],
            "networkMode": "awsvpc",
            "cpu": str(self.size.cpu),
            "memory": str(self.size.memory),
            "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": self.architecture},
            "executionRoleArn": self.platform.execution_role_arn,
            "taskRoleArn": f"arn:{self.platform.partition}:iam::{self.platform.account}:{role}",
            "volumes": [{"name": name} for name in volumes],
            "containerDefinitions": [self._fetch(volumes), self._tell(), self._suite(secret)],
            "tags": _tags(self.tags),
        }

    def service(self, definition: str) -> dict[str, Any]:
        """The arguments of CreateService. Only tasks of services know the environment's names, so a suite's is one."""
        platform = self.platform
        return {
            "cluster": platform.cluster_arn,
            "serviceName": self.name,
            "clientToken": self.token,
            "taskDefinition": definition,
            "desiredCount": 1,
            "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": list(platform.subnet_ids),
                    "securityGroups": [self.group],
                    "assignPublicIp": "DISABLED" if platform.private else "ENABLED",
                }
            },
            "serviceConnectConfiguration": {"enabled": True, "namespace": self.namespace},
            "deploymentConfiguration": {
                "minimumHealthyPercent": 0,
                "maximumPercent": 100,
                "deploymentCircuitBreaker": {"enable": True, "rollback": False},
            },
            "availabilityZoneRebalancing": "DISABLED",  # it would start a second task for a while
            "propagateTags": "SERVICE",
            "enableECSManagedTags": True,
            "tags": _tags(self.tags),
        }

    def _fetch(self, volumes: tuple[str, ...]) -> dict[str, Any]:
        base = self.folders.base
        source = quote(f"s3://{self.bucket}/{self.source}")
        lines = [f"aws s3 cp --recursive --only-show-errors {source} {base}/", f"sh {self.folders.contract}/{SETUP}"]
        mounts = [(name, f"{base}/{name}", False) for name in volumes]
        return self._container(FETCH, self.tool_image, _shell(" && ".join(lines)), mounts, user="0")

    def _tell(self) -> dict[str, Any]:
        mounts = [("results", self.folders.results, False)]
        script = _telling(self.folders.results, f"s3://{self.bucket}/{self.left}")
        more = {"essential": True, "stopTimeout": 120, "user": "0", "dependsOn": [_after(FETCH, "SUCCESS")]}
        return self._container(TELL, self.tool_image, _shell(script), mounts, **more)

    def _suite(self, secret: str) -> dict[str, Any]:
        folders = self.folders
        mounts = [
            ("files", folders.files, False),
            ("results", folders.results, False),
            ("contract", folders.contract, True),
            *([("trust", self.trusted, True)] if self.trusted else []),
        ]
        keys = [key for key, _ in sorted(self.hidden.items())]
        return self._container(
            SUITE,
            self.image,
            self.command,
            mounts,
            environment=[{"name": key, "value": value} for key, value in sorted(self.shown.items())],
            secrets=[{"name": key, "valueFrom": f"{secret}:v{number}::"} for number, key in enumerate(keys)],
            workingDirectory=self.working_dir,
            stopTimeout=_GRACE,
            linuxParameters={"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
            dependsOn=[_after(FETCH, "SUCCESS"), _after(TELL, "START")],
        )

    def _container(
        self,
        name: str,
        image: str,
        command: tuple[str, ...],
        mounts: list[tuple[str, str, bool]],
        **more: Any,  # noqa: ANN401 - ECS's own keys
    ) -> dict[str, Any]:
        options = {
            "awslogs-group": aws_names.log_group(self.environment.id),
            "awslogs-region": self.platform.region,
            "awslogs-stream-prefix": STREAMS,
            "mode": "blocking",  # by default lines are dropped where CloudWatch Logs is slow
        }
        made = {
            "name": name,
            "image": image,
            "essential": False,
            "entryPoint": [command[0]],
            "command": list(command[1:]),
            "mountPoints": [{"sourceVolume": v, "containerPath": path, "readOnly": ro} for v, path, ro in mounts],
            "logConfiguration": {"logDriver": "awslogs", "options": options},
            **more,
        }
        return {key: value for key, value in made.items() if value != []}


def _tag(text: str) -> str:
    """A text as a tag's value: of letters, digits and a few signs, 256 characters at most (AWS, Tag naming)."""
    return "".join(c if c.isascii() and (c.isalnum() or c in " _.:/=+-@") else "_" for c in text)[:200]


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in sorted(tags.items())]


def _after(name: str, condition: str) -> dict[str, str]:
    return {"containerName": name, "condition": condition}


def _shell(script: str) -> tuple[str, ...]:
    return ("sh", "-c", script)


def _telling(results: str, target: str) -> str:
    """The script of the second container: new results as lines `results OFFSET BASE64`, at last `end OFFSET CODE`.

    It ends when it is told to, which is after the suite. CODE is what brought the files out ended with, or `large`.
    """
    place, copy = quote(target), "aws s3 cp --only-show-errors"
    kept = "--recursive --no-follow-symlinks --exclude results.jsonl"
    return f"""
cd {quote(results)} || exit 1
at=0 over=
trap 'over=1' TERM
tell() {{
  [ -f results.jsonl ] && [ ! -L results.jsonl ] || return 0
  size=$(wc -c < results.jsonl)
  [ "$size" -le {MOST_RESULTS} ] || size={MOST_RESULTS}
  while [ "$at" -lt "$size" ]; do
    n=$((size - at))
    [ "$n" -le {_PIECE} ] || n={_PIECE}
    echo "results $at $(tail -c +$((at + 1)) results.jsonl | head -c $n | base64 -w 0)"
    at=$((at + n))
  done
}}
while [ -z "$over" ]; do tell; sleep 1 & wait $!; done
tell
all=$(du -sb . | cut -f 1)
if [ "${{all:-0}}" -le {ALL_FILES} ]; then
  timeout {BRING} {copy} {kept} . {place}
  code=$?
else
  code=large
  if [ -f reported.xml ] && [ ! -L reported.xml ]; then
    timeout {BRING} {copy} reported.xml {place}reported.xml || code=$?
  fi
fi
echo "end $at $code"
"""
