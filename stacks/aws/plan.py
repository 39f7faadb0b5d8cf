"""What an environment on AWS consists of, as plain data: the components declare exactly this, and decide nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from understudy.stacks import identity
from understudy.stacks.change import Change
from understudy.stacks.secret_rules import SecretStore
from understudy.stacks.store_links import Notification

from .platform import Platform

__all__ = [
    "Alias",
    "AwsPlan",
    "BucketPlan",
    "CachePlan",
    "Container",
    "DatabasePlan",
    "FileObject",
    "GatewayPlan",
    "QueuePlan",
    "SecretPlan",
    "ServicePlan",
    "Source",
    "Statement",
    "SuitesPlan",
    "TaskPlan",
]


@dataclass(frozen=True, slots=True)
class Source:
    """What lies at a path of the commit: one file, or a folder's files by their relative paths."""

    files: Mapping[str, bytes] = field(repr=False)
    single: bool = False
    executable: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Alias:
    """A name and port at which a service is called, by Service Connect."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class SecretPlan:
    """A secret, and what keeps it: `template` is its value with tokens, which the environment's seed fills."""

    logical: str
    name: str
    template: str
    store: SecretStore = "secret"


@dataclass(frozen=True, slots=True)
class FileObject:
    """A file that a task's first container fetches. `secret`: the content holds tokens, or is one."""

    key: str
    content: bytes = field(repr=False)
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a role's policy, which allows."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Container:
    """A container definition as ECS takes it, but for its secrets: variable -> the logical name of a SecretPlan.

    `platform_secrets`: variable -> an ARN with its key, of a secret that the environment does not own.
    """

    definition: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict)
    platform_secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPlan:
    """One task definition. `statements` are all that its role may do; none: it has no role."""

    family: str
    cpu: int
    memory: int
    architecture: str
    containers: tuple[Container, ...]
    volumes: tuple[str, ...] = ()
    statements: tuple[Statement, ...] = ()
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """One ECS service, of the service of this logical name and those that are containers of its task.

    `after` are the ECS services that have to be steady before it is created.

    A job is one too: its task stays, with a container that starts when the job's has ended well, because only the
    tasks of services know Service Connect's names.
    """

    logical: str
    kind: str
    name: str
    task: TaskPlan
    replicas: int = 1
    aliases: tuple[Alias, ...] = ()
    after: tuple[str, ...] = ()
    spot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPlan:
    """The environment's way in: one target group and one host rule for the service and port behind it.

    `task` is the ECS service whose task has that service's container.
    """

    service: str
    task: str
    container: str
    port: int
    target_group: str
    host: str
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePlan:
    """An SQS queue. `dead_letter` is the logical name of another one, of which the plan holds that it comes before.

    `senders` are the ARNs of the environment's buckets that tell it of their objects.
    """

    logical: str
    name: str
    url: str
    arn: str
    fifo: bool = False
    visibility_timeout: int | None = None
    delay: int | None = None
    dead_letter: str | None = None
    max_receive: int = 1
    senders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketPlan:
    """An S3 bucket, empty, closed to the public; `notifications` name the queues that hear of its objects logically."""

    logical: str
    name: str
    arn: str
    versioning: bool = False
    notifications: tuple[Notification, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePlan:
    """A user of its own on the platform's shared cache, who may touch the keys of one prefix."""

    logical: str
    user: str
    prefix: str
    group: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SuitesPlan:
    """What suites inside the environment stand on: the role of their tasks; each task is made when its suite runs."""

    role: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabasePlan:
    """A database with an instance of RDS of its own, or a cluster of Aurora with one member.

    Attributes:
        logical: the service whose place it takes.
        form: an empty `instance`, one from a `snapshot`, or an `aurora-clone`.
        name: the identifier of the instance.
        cluster: that of the cluster; empty: it has none.
        address: what stands in configuration where the endpoint goes, which AWS gives: a name that never resolves.
        port: at which it listens.
        engine: as RDS calls it.
        version: the engine's; None: RDS's own choice, or the original's.
        instance_class: None only where nobody was asked.
        storage: GB of its disk; None: not known.
        disk: the type of its disk; None: not known.
        source: the identifier of the snapshot or of the cluster that is cloned.
        user: the first user.
        password: the template of this user's password.
        database: the one that it is made with; empty: none.
        subnet_group: the platform's.
    """

    logical: str
    form: str
    name: str
    cluster: str
    address: str
    port: int
    engine: str
    version: str | None
    instance_class: str | None
    storage: int | None
    disk: str | None
    source: str
    user: str
    password: str
    database: str
    subnet_group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsPlan:
    """Everything of one environment, in the order in which it can be made.

    Attributes:
        environment: whose it is.
        platform: where it stands.
        log_group: the name of its one log group.
        namespace: the name of its Cloud Map namespace.
        security_group: the name of its security group.
        secrets: every value that no task definition may show.
        queues: dead-letter queues before those that name them.
        buckets: buckets of production.
        files: the bucket that tasks fetch their files from, and what lies in it; None where no task has any. What
            suites inside are given and leave is in it too.
        objects: the files.
        caches: users on the shared cache.
        databases: those with an instance of their own.
        services: each after those in its `after`.
        suites: what suites inside stand on; None where none runs there.
        errands: tasks that are run before the environment is destroyed: logical name -> its task.
        gateway: the way in; None where no endpoint speaks HTTP.
        egress: TCP ports at which any address is reached; None: every port.
        changes: what differs on AWS from the clone that was derived.
    """

    environment: identity.Environment
    platform: Platform
    log_group: str
    namespace: str
    security_group: str
    secrets: tuple[SecretPlan, ...] = ()
    queues: tuple[QueuePlan, ...] = ()
    buckets: tuple[BucketPlan, ...] = ()
    files: BucketPlan | None = None
    objects: tuple[FileObject, ...] = ()
    caches: tuple[CachePlan, ...] = ()
    databases: tuple[DatabasePlan, ...] = ()
    services: tuple[ServicePlan, ...] = ()
    suites: SuitesPlan | None = None
    errands: Mapping[str, TaskPlan] = field(default_factory=dict)
    gateway: GatewayPlan | None = None
    egress: tuple[int, ...] | None = (443,)
    changes: tuple[Change, ...] = ()

    def service(self, logical: str) -> ServicePlan:
        """The service of this logical name.

        Raises:
            KeyError: there is none.
        """
        return {service.logical: service for service in self.services}[logical]
