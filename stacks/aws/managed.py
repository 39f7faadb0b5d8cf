"""Queues and buckets that a cloud runs in production: the clone's own, which configuration names in their place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from understudy.stacks import aws_names
from understudy.stacks.change import Change
from understudy.stacks.topology import Managed, Service, Topology

from .plan import BucketPlan, QueuePlan, Statement
from .platform import Platform
from .rewrite import changed

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
_KEYS = {
    "sqs": re.compile(r"QUEUE|SQS|DLQ|DEAD_LETTER", re.IGNORECASE),
    "s3": re.compile(r"BUCKET|S3|STORAGE|UPLOAD", re.IGNORECASE),
}
"""Keys whose value may be a bare name; elsewhere the same word may mean anything."""

_CREDENTIALS = re.compile(r"AWS_(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|PROFILE|ENDPOINT_URL(?:_\w+)?)")
_REGIONS = frozenset({"AWS_REGION", "AWS_DEFAULT_REGION"})


@dataclass(frozen=True, slots=True)
class Stores:
    """The clone's own stores, the topology without production's, and what each service's role may do with them."""

    topology: Topology
    queues: tuple[QueuePlan, ...]
    buckets: tuple[BucketPlan, ...]
    statements: Mapping[str, tuple[Statement, ...]]
    changes: tuple[Change, ...]


def stores(topology: Topology, platform: Platform, environment: str) -> Stores:
    """Make every SQS queue and S3 bucket the clone's own, and let the services that name one name that."""
    held = {name: s.managed for name, s in topology.services.items() if s.managed and s.managed.service in OWN}
    queues = {name: _queue(name, each, held, platform, environment) for name, each in held.items() if _is(each, "sqs")}
    buckets = {name: _bucket(name, each, platform, environment) for name, each in held.items() if _is(each, "s3")}
    made: dict[str, QueuePlan | BucketPlan] = {**queues, **buckets}
    changes = [_store_change(topology.services[name], each) for name, each in made.items()]
    services: dict[str, Service] = {}
    users: dict[str, dict[str, None]] = {}
    for name, service in topology.services.items():
        if name in held:
            continue
        services[name], credentials = _with_role(_apart(service, held), platform)
        changes += credentials
        for store, production in held.items():
            after, more = _renamed(services[name], production, made[store], platform)
            if more or _named(after, made[store]):
                users.setdefault(name, {})[store] = None
            services[name] = after
            changes += more
    dead = {queue.dead_letter for queue in queues.values()}
    for store in held:
        if store not in dead and not any(store in mine for mine in users.values()):
            for name in services:
                users.setdefault(name, {})[store] = None
    reduced = replace(topology, services=services, endpoints=tuple(e for e in topology.endpoints if e[0] not in held))
    statements = {
        name: tuple(_statement(held[store].service, made[store]) for store in mine) for name, mine in users.items()
    }
    return Stores(reduced, _in_order(queues), tuple(buckets.values()), statements, tuple(changes))


def _is(held: Managed, service: str) -> bool:
    return held.service == service


def _queue(
    logical: str, held: Managed, others: Mapping[str, Managed], platform: Platform, environment: str
) -> QueuePlan:
    fifo = held.options.get("fifo") == "true"
    name = aws_names.queue(environment, logical, fifo=fifo)
    dead = held.options.get("dead_letter")
    return QueuePlan(
        logical=logical,
        name=name,
        url=f"https://sqs.{platform.region}.{platform.domain}/{platform.account}/{name}",
        arn=f"arn:{platform.partition}:sqs:{platform.region}:{platform.account}:{name}",
        fifo=fifo,
        visibility_timeout=_number(held, "visibility_timeout"),
        delay=_number(held, "delay"),
        dead_letter=next((n for n, other in others.items() if _is(other, "sqs") and dead and other.name == dead), None),
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
        for name in ready or list(waiting)[:1]:
            queue = waiting.pop(name)
            done[name] = queue if ready else replace(queue, dead_letter=None)
    return tuple(done.values())


def files_bucket(platform: Platform, environment: str) -> BucketPlan:
    """The bucket that an environment's tasks fetch their files from."""
    return _bucket_plan("understudy.files", platform, environment)


def _bucket_plan(logical: str, platform: Platform, environment: str, *, versioning: bool = False) -> BucketPlan:
    name = aws_names.bucket(environment, logical, platform.target)
    return BucketPlan(logical=logical, name=name, arn=f"arn:{platform.partition}:s3:::{name}", versioning=versioning)


def _bucket(logical: str, held: Managed, platform: Platform, environment: str) -> BucketPlan:
    return _bucket_plan(logical, platform, environment, versioning=held.options.get("versioning") == "true")


def _store_change(service: Service, made: QueuePlan | BucketPlan) -> Change:
    held = service.managed
    what = f"{held.service} {held.name}" if held else None
    reason = "the clone has its own, and it is empty: production's data is not copied"
    return Change(f"services.{service.name}.managed", what, made.name, reason, rule=service.where.place)


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


def _renamed(
    service: Service, held: Managed, made: QueuePlan | BucketPlan, platform: Platform
) -> tuple[Service, tuple[Change, ...]]:
    """The service with the clone's store wherever it names production's: by URL, ARN, host or, where a key says so."""
    words = {held.options.get("arn", ""): made.arn}
    if isinstance(made, QueuePlan):
        words[held.options.get("url", "")] = made.url
    else:
        words[f"s3://{held.name}"] = f"s3://{made.name}"
    words.pop("", None)
    exact = re.compile("|".join(re.escape(word) + r"(?![A-Za-z0-9_.-])" for word in words) or r"(?!)")
    host = re.compile(rf"(?<![A-Za-z0-9_.-]){re.escape(held.name)}\.s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com(?:\.cn)?")
    queue = re.compile(
        rf"https://sqs\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/[0-9]{{12}}/{re.escape(held.name)}(?![\w.-])"
    )
    bare = re.compile(rf"(?<![A-Za-z0-9_.-]){re.escape(held.name)}(?![A-Za-z0-9_.-])")

    def put(text: str) -> str:
        text = exact.sub(lambda match: words[match[0]], text)
        if isinstance(made, QueuePlan):
            return queue.sub(made.url, text)
        return host.sub(f"{made.name}.s3.{platform.region}.{platform.domain}", text)

    def value(key: str, text: str) -> str:
        after = put(text)
        return bare.sub(made.name, after) if _KEYS[held.service].search(key) and after == text else after

    kind = "queue" if isinstance(made, QueuePlan) else "bucket"
    reason = f"the clone's own {kind} stands in the place of production's"
    return changed(service, value, lambda texts: tuple(map(put, texts)), reason)


def _named(service: Service, made: QueuePlan | BucketPlan) -> bool:
    return any(made.name in text for text in _texts(service))


def _texts(service: Service) -> Iterator[str]:
    yield from service.environment.values()
    yield from (*(service.command or ()), *(service.entrypoint or ()))


def _statement(service: str, made: QueuePlan | BucketPlan) -> Statement:
    resources = (made.arn,) if isinstance(made, QueuePlan) else (made.arn, f"{made.arn}/*")
    return Statement(_ACTIONS[service], resources)
