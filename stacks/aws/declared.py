"""What of an environment on AWS is charged, by the hour or by use, as resources that an estimate takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from understudy.stacks.cost.charges import Declared
from understudy.stacks.cost.compute import SERVICE, TASK
from understudy.stacks.secret_rules import SecretStore

from .plan import AwsPlan, DatabasePlan, ServicePlan, TaskPlan

__all__ = ["chargeable"]

_KEEPS: Mapping[SecretStore, str] = {
    "secret": "aws:secretsmanager/secret:Secret",
    "parameter": "aws:ssm/parameter:Parameter",
}


def chargeable(plan: AwsPlan) -> tuple[Declared, ...]:
    """The resources of a plan that cost anything, with the inputs that say how much.

    The components declare the same from the same plan, and more that AWS does not charge for: roles, rules, tags. So
    an estimate needs neither the engine nor `pulumi_aws`.
    """
    return tuple(_resources(plan))


def _resources(plan: AwsPlan) -> Iterator[Declared]:
    for service in plan.services:
        yield _task(service.logical, service.task)
        yield _service(service, public=not plan.platform.private)
    for logical, task in plan.errands.items():
        yield _task(logical, task)
    for database in plan.databases:
        yield from _database(database)
    for secret in plan.secrets:
        yield Declared(_KEEPS[secret.store], secret.logical, {"name": secret.name})
    for queue in plan.queues:
        yield Declared("aws:sqs/queue:Queue", queue.logical, {"name": queue.name})
    for bucket in (*plan.buckets, *([] if plan.files is None else [plan.files])):
        yield Declared("aws:s3/bucket:Bucket", bucket.logical, {"bucket": bucket.name})
    yield Declared("aws:cloudwatch/logGroup:LogGroup", "logs", {"name": plan.log_group})


def _task(logical: str, task: TaskPlan) -> Declared:
    inputs = {
        "family": task.family,
        "cpu": str(task.cpu),
        "memory": str(task.memory),
        "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": task.architecture},
    }
    return Declared(TASK, logical, inputs)


def _database(database: DatabasePlan) -> Iterator[Declared]:
    inputs: dict[str, object] = {"engine": database.engine, "instanceClass": database.instance_class}
    if database.cluster:
        yield Declared("aws:rds/cluster:Cluster", database.logical, {"engine": database.engine})
        yield Declared("aws:rds/clusterInstance:ClusterInstance", database.logical, inputs)
        return
    inputs |= {"allocatedStorage": database.storage, "storageType": database.disk}
    yield Declared("aws:rds/instance:Instance", database.logical, {**inputs, "multiAz": False})


def _service(service: ServicePlan, *, public: bool) -> Declared:
    provider = "FARGATE_SPOT" if service.spot else "FARGATE"
    inputs = {
        "desiredCount": service.replicas,
        "taskDefinition": service.task.family,
        "capacityProviderStrategies": [{"capacityProvider": provider, "weight": 1}],
        "networkConfiguration": {"assignPublicIp": public},
    }
    return Declared(SERVICE, service.logical, inputs)
