"""Queues and buckets that a cloud runs in production: the clone's own, which configuration names in their place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from understudy.stacks import aws_names
from understudy.stacks.change import Change
from understudy.stacks.store_links import ABSENT, Notification, heard, without_redrive
from understudy.stacks.topology import Managed, Service, Topology

from .plan import BucketPlan, QueuePlan, Statement
from .platform import Platform
from .rewrite import names_of
from .store_names import StoreName, renamed, store_name

__all__ = ["OWN", "Stores", "files_bucket", "stores"]

OWN = frozenset({"sqs", "s3"})
"""What AWS runs for a clone too; each takes seconds and costs next to nothing."""

_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "sqs": (
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:PurgeQueue",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
    ),
    "s3": ("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"),
}
_CREDENTIALS = re.compile(r"AWS_(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|PROFILE|ENDPOINT_URL(?:_\w+)?)")
_REGIONS = frozenset({"AWS_REGION", "AWS_DEFAULT_REGION"})


@dataclass(frozen=True, slots=True)
class Stores:
    """The clone's own stores, the topology without production's, and what each service's role may do with them.

    `names` say how production's are named.
    """

    topology: Topology
    queues: tuple[QueuePlan, ...]
    buckets: tuple[BucketPlan, ...]
    statements: Mapping[str, tuple[Statement, ...]]
    names: tuple[StoreName, ...]
    changes: tuple[Change, ...]


def stores(topology: Topology, platform: Platform, environment: str) -> Stores:
    """Make every SQS queue and S3 bucket the clone's own, and let the services that name one name that."""
    held = {name: s.managed for name, s in topology.services.items() if s.managed and s.managed.service in OWN}
    queues, buckets, linked = _linked(topology, held, platform, environment)
    made: dict[str, QueuePlan | BucketPlan] = {**{each.logical: each for each in queues}, **buckets}
    changes = [change for name in held for change in _store_changes(topology.services[name], made[name])]
    changes += linked
    names = tuple(store_name(name, held[name], made[name], platform, _taken(topology, name)) for name in held)
    services: dict[str, Service] = {}
    users: dict[str, dict[str, None]] = {}
    for name, service in topology.services.items():
        if name in held:
            continue
        needed = {dependency.service for dependency in service.depends_on}
        after, credentials = _with_role(_apart(service, held), platform)
        changes += credentials
        for store in names:
            after, more = renamed(after, store, edge=store.logical in needed)
            changes += more
            if any(store.new in text for text in _texts(after)):
                users.setdefault(name, {})[store.logical] = None
        services[name] = after
    dead = {queue.dead_letter for queue in queues}
    for logical in held:
        if logical not in dead and not any(logical in mine for mine in users.values()):
            for name in services:
                users.setdefault(name, {})[logical] = None
    reduced = replace(topology, services=services, endpoints=tuple(e for e in topology.endpoints if e[0] not in held))
    statements = {
        name: tuple(_statement(held[store].service, made[store]) for store in mine) for name, mine in users.items()
    }
    return Stores(reduced, queues, tuple(buckets.values()), statements, names, tuple(changes))


def _taken(topology: Topology, store: str) -> Iterator[str]:
    """What else has a name in the topology: services under all their names, and what a cloud runs for others."""
    yield topology.name
    for name, service in topology.services.items():
        if name != store:
            yield from (service.managed.name,) if service.managed else names_of(service)


def _linked(
    topology: Topology, held: Mapping[str, Managed], platform: Platform, environment: str
) -> tuple[tuple[QueuePlan, ...], dict[str, BucketPlan], tuple[Change, ...]]:
    """The queues, dead-letter queues first, and the buckets, with what they know of each other; what cannot be had."""
    ours = [name for name, each in held.items() if each.service == "sqs"]
    logical = {held[name].name: name for name in reversed(ours)}
    queues = {name: _queue(name, held[name], logical, platform, environment) for name in ours}
    ordered = _in_order(queues)
    changes: list[Change] = []
    for queue in ordered:
        if queue.dead_letter is None and held[queue.logical].options.get("dead_letter"):
            why = _CIRCLE if queues[queue.logical].dead_letter else ABSENT
            changes += without_redrive(topology.services[queue.logical], why)
    buckets: dict[str, BucketPlan] = {}
    for name in (name for name, each in held.items() if each.service == "s3"):
        kept, lost = heard(topology.services[name], lambda each: _deaf(each, logical, queues))
        told = tuple(replace(each, queue=logical[each.queue]) for each in kept)
        buckets[name] = replace(_bucket(name, held[name], platform, environment), notifications=told)
        changes += lost
    told_by = {
        queue.logical: tuple(b.arn for b in buckets.values() if queue.logical in {n.queue for n in b.notifications})
        for queue in ordered
    }
    return tuple(replace(queue, senders=told_by[queue.logical]) for queue in ordered), buckets, tuple(changes)


_CIRCLE = "it is the queue itself, or their redrives go in a circle, and one has to be there before the other"


def _deaf(told: Notification, logical: Mapping[str, str], queues: Mapping[str, QueuePlan]) -> str:
    """Why a queue cannot hear of a bucket's objects; empty: it can."""
    if told.queue not in logical:
        return ABSENT
    if queues[logical[told.queue]].fifo:
        return "S3 tells no FIFO queue"
    return "" if told.events else "the notification names no event"


def _queue(logical: str, held: Managed, others: Mapping[str, str], platform: Platform, environment: str) -> QueuePlan:
    """The plan of a queue; `others` are all of them by production's names."""
    fifo = held.options.get("fifo") == "true"
    name = aws_names.queue(environment, logical, fifo=fifo)
    return QueuePlan(
        logical=logical,
        name=name,
        url=f"https://sqs.{platform.region}.{platform.domain}/{platform.account}/{name}",
        arn=f"arn:{platform.partition}:sqs:{platform.region}:{platform.account}:{name}",
        fifo=fifo,
        visibility_timeout=_number(held, "visibility_timeout"),
        delay=_number(held, "delay"),
        dead_letter=others.get(held.options.get("dead_letter", "")),
        max_receive=_number(held, "max_receive") or 1,
    )


def _number(held: Managed, key: str) -> int | None:
    text = held.options.get(key, "")
    return int(text) if text.isdecimal() else None


def _in_order(queues: Mapping[str, QueuePlan]) -> tuple[QueuePlan, ...]:
    """Dead-letter queues first; one that is its own, or in a circle, cannot be made so and loses its redrive."""
    done: dict[str, QueuePlan] = {}
    waiting = dict(queues)
    while waiting:
        ready = [n for n, q in waiting.items() if q.dead_letter is None or q.dead_letter in done]
        for name in ready or [_turning(waiting)]:
            queue = waiting.pop(name)
            done[name] = queue if ready else replace(queue, dead_letter=None)
    return tuple(done.values())


def _turning(waiting: Mapping[str, QueuePlan]) -> str:
    """One of a circle, where each waits for another that waits."""
    name, seen = next(iter(waiting)), set[str]()
    while name not in seen:
        seen.add(name)
        name = waiting[name].dead_letter or name
    return name


def files_bucket(platform: Platform, environment: str) -> BucketPlan:
    """The bucket that an environment's tasks fetch their files from."""
    return _bucket_plan("understudy.files", platform, environment)


def _bucket_plan(logical: str, platform: Platform, environment: str, *, versioning: bool = False) -> BucketPlan:
    name = aws_names.bucket(environment, logical, platform.target)
    return BucketPlan(logical=logical, name=name, arn=f"arn:{platform.partition}:s3:::{name}", versioning=versioning)


def _bucket(logical: str, held: Managed, platform: Platform, environment: str) -> BucketPlan:
    return _bucket_plan(logical, platform, environment, versioning=held.options.get("versioning") == "true")


def _store_changes(service: Service, made: QueuePlan | BucketPlan) -> Iterator[Change]:
    held, path = service.managed, f"services.{service.name}"
    what = f"{held.service} {held.name}" if held else None
    reason = "the clone has its own, and it is empty: production's data is not copied"
    yield Change(f"{path}.managed", what, made.name, reason, rule=service.where.place)
    own = f"a {'queue of SQS' if isinstance(made, QueuePlan) else 'bucket of S3'}, the clone's own"
    reason = "AWS runs it for the clone too, and no container stands in for it"
    yield Change(f"{path}.image", what, own, reason, rule=service.where.place)


def _apart(service: Service, gone: Mapping[str, Managed]) -> Service:
    """The service without dependencies on what is no service here: a store is there before any of them."""
    return replace(service, depends_on=tuple(d for d in service.depends_on if d.service not in gone))


def _with_role(service: Service, platform: Platform) -> tuple[Service, list[Change]]:
    """The service without credentials of production, which the role of its task takes the place of."""
    path, rule = f"services.{service.name}.environment", service.where.place
    environment: dict[str, str] = {}
    changes: list[Change] = []
    for key, value in service.environment.items():
        if _CREDENTIALS.fullmatch(key):
            reason = "the task has a role of its own, for the clone's queues and buckets alone"
            changes.append(Change(f"{path}.{key}", "(withheld)", None, reason, rule=rule))
        elif key in _REGIONS and value != platform.region:
            environment[key] = platform.region
            changes.append(Change(f"{path}.{key}", value, platform.region, "the clone is in this region", rule=rule))
        else:
            environment[key] = value
    return replace(service, environment=environment), changes


def _texts(service: Service) -> Iterator[str]:
    yield from service.environment.values()
    yield from (*(service.command or ()), *(service.entrypoint or ()))
    yield from (service.healthcheck.test if service.healthcheck else None) or ()


def _statement(service: str, made: QueuePlan | BucketPlan) -> Statement:
    resources = (made.arn,) if isinstance(made, QueuePlan) else (made.arn, f"{made.arn}/*")
    return Statement(_ACTIONS[service], resources)
