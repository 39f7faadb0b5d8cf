"""An environment on AWS: everything of one plan as Pulumi resources, with the address at which tests reach it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from understudy.components.aws.bucket import Bucket, BucketArgs
from understudy.components.aws.cache import CacheUser, CacheUserArgs
from understudy.components.aws.gateway import WayIn, WayInArgs
from understudy.components.aws.job import Errand, ErrandArgs
from understudy.components.aws.logs import Logs
from understudy.components.aws.network import Network, NetworkArgs
from understudy.components.aws.options import named
from understudy.components.aws.own_database import OwnDatabase, OwnDatabaseArgs
from understudy.components.aws.provider import aws_provider
from understudy.components.aws.queue import Queue, QueueArgs
from understudy.components.aws.roles import TaskRole, TaskRoleArgs
from understudy.components.aws.secrets import Secrets
from understudy.components.aws.service import SERVICES, Behind, Service, ServiceArgs
from understudy.components.names import slug
from understudy.components.registry import load
from understudy.stacks.aws.plan import AwsPlan, DatabasePlan, ServicePlan
from understudy.stacks.identity import ownership_labels
from understudy.stacks.secret_rules import Seed

__all__ = ["AwsEnvironment", "AwsEnvironmentArgs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsEnvironmentArgs:
    """What an environment on AWS is made of.

    Attributes:
        plan: everything that is declared.
        seed: the environment's seed of secrets.
        commit: for information, an output only: as a tag it would change everything at each commit.
        branch: as commit.
    """

    plan: AwsPlan
    seed: Seed
    commit: str = ""
    branch: str = ""


class AwsEnvironment(pulumi.ComponentResource):
    """Provider, logs, network, stores, secrets, the way in, and the services in the order of their dependencies.

    Outputs: `id`, `endpoints` (`<service>:<port>` -> host, port, url), `load_balancer`, `changes` (how many
    differences AWS itself adds), `commit`, `branch`.

    Example:
        >>> env = AwsEnvironment("shop", AwsEnvironmentArgs(plan=plan, seed=seed))  # doctest: +SKIP
        >>> pulumi.export("endpoints", env.endpoints)  # doctest: +SKIP
    """

    def __init__(self, name: str, args: AwsEnvironmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:aws:Environment", name, {}, opts)
        load("understudy.components.aws")
        self._name, self._args, plan = name, args, args.plan
        self.provider = aws_provider(
            f"{name}-provider",
            account=plan.platform.account,
            region=plan.platform.region,
            tags=ownership_labels(plan.environment),
            parent=self,
        )
        self.logs = Logs(f"{name}-logs", plan.log_group, self._nested())
        self.network = Network(f"{name}-network", NetworkArgs(plan=plan), self._nested())
        self.databases = {database.address: self._database(database) for database in plan.databases}
        self.addresses = {name: made.address for name, made in self.databases.items()}
        self.secrets = Secrets(
            f"{name}-secrets", plan.secrets, args.seed, self._nested(), addresses=self.addresses
        ).arns
        self.queues: dict[str, Queue] = {}
        for queue in plan.queues:
            given = QueueArgs(plan=queue, account=plan.platform.account, others=dict(self.queues))
            self.queues[queue.logical] = Queue(self._logical(queue.logical), given, self._nested())
        self.buckets = {
            bucket.logical: Bucket(
                self._logical(bucket.logical),
                BucketArgs(plan=bucket, seed=args.seed, queues=self.queues),
                self._nested(),
            )
            for bucket in plan.buckets
        }
        self.files = self._files(plan)
        self.caches = {
            cache.logical: CacheUser(
                self._logical(cache.logical), CacheUserArgs(plan=cache, seed=args.seed), self._nested()
            )
            for cache in plan.caches
        }
        self.errands = {
            logical: Errand(
                self._logical(logical),
                ErrandArgs(
                    task=task,
                    platform=plan.platform,
                    secrets=self.secrets,
                    wait_for=[self.logs.group, *self.network.rules, *(cache.member for cache in self.caches.values())],
                ),
                self._nested(),
            )
            for logical, task in plan.errands.items()
        }
        self.way_in = self._way_in(plan)
        self.services: dict[str, Service] = {}
        for service in plan.services:
            self.services[service.logical] = self._service(service)
        self.suites = None
        if plan.suites is not None:
            self.suites = TaskRole(
                self._logical("understudy.suites"),
                TaskRoleArgs(role=plan.suites.role, statements=plan.suites.statements, platform=plan.platform),
                self._nested(),
            )
        self.endpoints = _endpoints(plan)
        self.register_outputs(
            {
                "id": plan.environment.id,
                "endpoints": self.endpoints,
                "load_balancer": plan.platform.alb_dns_name,
                "changes": len(plan.changes),
                "commit": args.commit,
                "branch": args.branch,
            }
        )

    def _nested(self) -> pulumi.ResourceOptions:
        return named(self, self.provider)

    def _logical(self, logical: str) -> str:
        return f"{self._name}-{slug(logical)}"

    def _database(self, database: DatabasePlan) -> OwnDatabase:
        given = OwnDatabaseArgs(plan=database, group=self.network.group.id, seed=self._args.seed)
        return OwnDatabase(self._logical(database.logical), given, self._nested())

    def _files(self, plan: AwsPlan) -> Bucket | None:
        if plan.files is None:
            return None
        given = BucketArgs(plan=plan.files, seed=self._args.seed, objects=plan.objects)
        return Bucket(self._logical(plan.files.logical), given, self._nested())

    def _way_in(self, plan: AwsPlan) -> WayIn | None:
        if plan.gateway is None:
            return None
        return WayIn(f"{self._name}-in", WayInArgs(plan=plan.gateway, platform=plan.platform), self._nested())

    def _service(self, service: ServicePlan) -> Service:
        plan = self._args.plan
        behind = None
        if self.way_in is not None and plan.gateway is not None and plan.gateway.task == service.logical:
            behind = Behind(plan=plan.gateway, target_group=self.way_in.target_group.arn, rule=self.way_in.rule)
        return SERVICES.get(service.kind)(
            self._logical(service.logical),
            ServiceArgs(
                plan=service,
                platform=plan.platform,
                group=self.network.group.id,
                namespace=self.network.namespace.arn,
                secrets=self.secrets,
                addresses=self.addresses,
                wait_for=[
                    self.logs.group,
                    *self.network.rules,
                    *([] if self.files is None or not service.task.volumes else self.files.objects),
                    *(queue.queue for queue in self.queues.values()),
                    *(bucket.last for bucket in self.buckets.values()),
                    *(cache.member for cache in self.caches.values()),
                    *(database.last for database in self.databases.values()),
                    *(errand.task for errand in self.errands.values()),
                    *(self.services[other].service for other in service.after),
                ],
                behind=behind,
            ),
            self._nested(),
        )


def _endpoints(plan: AwsPlan) -> Mapping[str, Mapping[str, object]]:
    """The way in, as the environment's outputs say it; a suite that runs inside uses production's names."""
    if plan.gateway is None:
        return {}
    platform, gateway = plan.platform, plan.gateway
    url = platform.url(plan.environment.id)
    found = {"host": gateway.host, "port": 443 if platform.https else 80, "url": url}
    return {f"{gateway.service}:{gateway.port}": found}
