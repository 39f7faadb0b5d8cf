"""Queues and buckets of AWS in one server of moto, with the variables by which clients find it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace

from .clone import Change, Clone, recorded
from .compare import as_text
from .managed import MOTO
from .secret_values import shown
from .store_links import ABSENT, heard, notifications, without_redrive
from .topology import Dependency, Managed, NetworkLink, Port, Service

__all__ = ["SEED", "replaced", "settings", "with_moto"]

_PORT = 5000
"""Where moto's server listens (docs.getmoto.org, Server mode)."""

_KEY = "understudy"
"""Both halves of the credentials of services: moto takes any, and these open nothing elsewhere."""

_REGION = "us-east-1"

SEED = """\
import json, sys
import boto3
queues, buckets = json.loads(sys.argv[1])
clients = {q["region"]: boto3.client("sqs", region_name=q["region"]) for q in queues}
urls = {}
for q in queues:
    made = clients[q["region"]].create_queue(QueueName=q["name"], Attributes=q["attributes"])
    urls[q["name"]] = made["QueueUrl"]
for q in queues:
    if q["dead_letter"] in urls:
        client = clients[q["region"]]
        asked = {"QueueUrl": urls[q["dead_letter"]], "AttributeNames": ["QueueArn"]}
        arn = client.get_queue_attributes(**asked)["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": q["max_receive"]})
        client.set_queue_attributes(QueueUrl=urls[q["name"]], Attributes={"RedrivePolicy": policy})
regions = {q["name"]: q["region"] for q in queues}
for b in buckets:
    heard = [entry for entry in b["notify"] if entry["queue"] in urls]
    region = regions[heard[0]["queue"]] if heard else "us-east-1"  # that of its queues, or moto refuses to tell them
    s3 = boto3.client("s3", region_name=region)
    placed = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != "us-east-1" else {}
    s3.create_bucket(Bucket=b["name"], **placed)
    if b["versioning"]:
        s3.put_bucket_versioning(Bucket=b["name"], VersioningConfiguration={"Status": "Enabled"})
    told = []
    for entry in heard:
        asked = {"QueueUrl": urls[entry["queue"]], "AttributeNames": ["QueueArn"]}
        arn = clients[regions[entry["queue"]]].get_queue_attributes(**asked)["Attributes"]["QueueArn"]
        rules = [{"Name": key, "Value": entry[key]} for key in ("prefix", "suffix") if key in entry]
        only = {"Filter": {"Key": {"FilterRules": rules}}} if rules else {}
        told.append({"QueueArn": arn, "Events": entry["events"], **only})
    if told:
        told = {"QueueConfigurations": told}
        s3.put_bucket_notification_configuration(Bucket=b["name"], NotificationConfiguration=told)
"""
"""What makes production's queues and buckets in moto, which begins empty; boto3 is in moto's image."""


def replaced(service: Service) -> Change:
    """The Change that a container stands where a cloud runs a service in production."""
    held = service.managed
    assert held is not None  # noqa: S101 - the callers choose managed ones
    what = " ".join(filter(None, (held.service, held.engine, held.version, held.name)))
    reason = "a cloud runs it in production; a container of the same engine and version answers under its names"
    return Change(f"services.{service.name}.image", what, service.image, reason, rule=service.where.place)


def settings(service: Service, wanted: Mapping[str, str], reason: str) -> Iterator[Change]:
    """The Changes of variables that a service gets."""
    for key, value in wanted.items():
        path = f"services.{service.name}.environment.{key}"
        yield Change(path, service.environment.get(key), shown(value, "made anew"), reason, rule=service.where.place)


def with_moto(clone: Clone, aws: Sequence[Service]) -> Clone:
    """One moto server for all queues and buckets (a client has one `AWS_ENDPOINT_URL`), which a job fills with them.

    The first of `aws` is the server; the services that use any of them are told where it is.
    """
    home, *others = aws
    moved = {other.name: home.name for other in others}
    services = {n: s for n, s in clone.topology.services.items() if n not in moved}
    seed = f"{home.name}-seed"
    while seed in clone.topology.services:
        seed += "-1"
    server = _server(home, aws)
    changes = [
        replaced(server),
        *_served(home, server),
        *_moved(home, others),
        *_unlinked(aws),
        Change(f"services.{seed}", None, MOTO, _EMPTY),
    ]
    users = _users(services, aws)
    for name, service in services.items():
        services[name] = following = _following(service, moved)
        changes += _dependencies(service, following)
        if name in users:
            services[name] = user = _user(following, seed, _credentials(service, home, aws))
            changes += _used(following, user)
    services |= {
        home.name: replace(services[home.name], **{key: getattr(server, key) for key in _SERVER}),
        seed: _seed(seed, server, aws),
    }
    endpoints = tuple(
        dict.fromkeys((moved.get(n, n), _PORT if n in {home.name, *moved} else p) for n, p in clone.topology.endpoints)
    )
    return recorded(replace(clone, topology=replace(clone.topology, services=services, endpoints=endpoints)), *changes)


_SERVER = ("image", "expose", "environment", "networks")
_EMPTY = "it makes production's queues and buckets in moto, empty: production's data is not copied"
_NAMES = "moto answers under the names of every queue and bucket"


def _server(home: Service, aws: Sequence[Service]) -> Service:
    told = {"MOTO_PORT": str(_PORT), **_account(aws)}
    environment = {**home.environment, **told}
    return replace(home, image=MOTO, expose=(Port(_PORT),), environment=environment, networks=_links(home, aws))


def _served(home: Service, server: Service) -> Iterator[Change]:
    told = {key: value for key, value in server.environment.items() if key not in home.environment}
    yield from settings(home, told, "moto is told so how to answer")
    before = {link.network: link for link in home.networks}
    for link in server.networks:
        if before.get(link.network) != link:
            path = f"services.{home.name}.networks.{link.network}"
            yield Change(path, as_text(before.get(link.network)), as_text(link), _NAMES)
    for port in home.expose:
        if port.target != _PORT:
            yield Change(f"services.{home.name}.expose.{port.target}/tcp", str(port.target), None, "moto has one port")
    if all(port.target != _PORT for port in home.expose):
        yield Change(f"services.{home.name}.expose.{_PORT}/tcp", None, str(_PORT), "moto has one port")


def _dependencies(before: Service, after: Service) -> Iterator[Change]:
    old, new = ({d.service: as_text(d) for d in each.depends_on} for each in (before, after))
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield Change(f"services.{before.name}.depends_on.{name}", old.get(name), new.get(name), _NAMES)


def _user(service: Service, seed: str, wanted: Mapping[str, str]) -> Service:
    depends_on = (*service.depends_on, Dependency(seed, "completed"))
    return replace(service, environment={**service.environment, **wanted}, depends_on=depends_on)


def _used(before: Service, after: Service) -> Iterator[Change]:
    wanted = {key: value for key, value in after.environment.items() if before.environment.get(key) != value}
    yield from settings(before, wanted, "moto answers for AWS in the clone, and takes any credentials")
    yield Change(
        f"services.{before.name}.depends_on.{after.depends_on[-1].service}", None, as_text(after.depends_on[-1]), _EMPTY
    )


def _unlinked(aws: Sequence[Service]) -> Iterator[Change]:
    """The Changes of what names a queue that is none of the topology."""
    stores = [(service, service.managed) for service in aws if service.managed]
    queues = {held.name for _, held in stores if held.service == "sqs"}
    for service, held in stores:
        if held.service == "s3":
            yield from heard(service, lambda each: "" if each.queue in queues else ABSENT)[1]
        elif held.options.get("dead_letter", "") not in {"", *queues}:
            yield from without_redrive(service, ABSENT)


def _following(service: Service, moved: Mapping[str, str]) -> Service:
    """The service with the one server in the place of those that it holds."""
    found: dict[str, Dependency] = {}
    for dependency in service.depends_on:
        name = moved.get(dependency.service, dependency.service)
        found.setdefault(name, replace(dependency, service=name))
    return replace(service, depends_on=tuple(found.values()))


def _moved(home: Service, others: Sequence[Service]) -> Iterator[Change]:
    for other in others:
        what = f"{other.managed.service} {other.managed.name}" if other.managed else other.name
        reason = "one server of moto holds every queue and bucket, because a client has one AWS_ENDPOINT_URL"
        yield Change(f"services.{other.name}", what, f"in {home.name}", reason, rule=other.where.place)


def _users(services: Mapping[str, Service], aws: Sequence[Service]) -> tuple[str, ...]:
    """The services whose configuration names a queue, a bucket or AWS; all, where none does."""
    words = {"AWS_", "amazonaws.com", *(word for service in aws for word in _names(service))}
    own = [service for service in services.values() if service.managed is None]
    found = [service.name for service in own if any(word in text for text in _texts(service) for word in words)]
    return tuple(found or (service.name for service in own))


def _names(service: Service) -> Iterator[str]:
    held = service.managed
    if held is not None:
        yield held.name
        yield from (text for key, text in held.options.items() if key in {"url", "arn"})
    yield from (alias for link in service.networks for alias in link.aliases)


def _texts(service: Service) -> Iterator[str]:
    for key, value in service.environment.items():
        yield from (key, value)
    yield from (*(service.command or ()), *(service.entrypoint or ()))


def _links(home: Service, aws: Sequence[Service]) -> tuple[NetworkLink, ...]:
    """Every network of any of them, with the names of all; a bucket's also in front of the server's."""
    links: dict[str, dict[str, None]] = {}
    for service in aws:
        held = service.managed
        bucket = [f"{held.name}.{home.name}"] if held is not None and held.service == "s3" else []
        for link in service.networks:
            names = (*link.aliases, *([service.name] if service.name != home.name else []), *bucket)
            links.setdefault(link.network, {}).update(dict.fromkeys(names))
    return tuple(NetworkLink(network, tuple(names)) for network, names in links.items())


def _arn(held: Managed | None) -> tuple[str, str]:
    """Region and account of a queue or bucket, as far as its ARN says (arn:partition:service:region:account:name)."""
    parts = (held.options.get("arn", "") if held else "").split(":")
    return (parts[3], parts[4]) if len(parts) > 4 else ("", "")  # noqa: PLR2004 - its six parts


def _account(aws: Sequence[Service]) -> dict[str, str]:
    accounts = {account for service in aws if (account := _arn(service.managed)[1])}
    return {"MOTO_ACCOUNT_ID": accounts.pop()} if len(accounts) == 1 else {}


def _credentials(service: Service, home: Service, aws: Sequence[Service]) -> dict[str, str]:
    regions = [region for each in aws if (region := _arn(each.managed)[0])]
    wanted = {"AWS_ENDPOINT_URL": f"http://{home.name}:{_PORT}"}
    absent = {"AWS_ACCESS_KEY_ID": _KEY, "AWS_SECRET_ACCESS_KEY": _KEY}
    if not {"AWS_REGION", "AWS_DEFAULT_REGION"} & set(service.environment):
        absent["AWS_DEFAULT_REGION"] = regions[0] if regions else _REGION
    return wanted | {key: value for key, value in absent.items() if key not in service.environment}


def _seed(name: str, server: Service, aws: Sequence[Service]) -> Service:
    queues, buckets = [], []
    for service in aws:
        held = service.managed
        if held is not None and held.service == "sqs":
            queues.append(_queue(held))
        elif held is not None:
            buckets.append(_bucket(held, service))
    return Service(
        name,
        kind="job",
        image=MOTO,
        entrypoint=("python", "-c", SEED),
        command=(json.dumps([queues, buckets]),),
        environment=_credentials(Service(name), server, aws),
        networks=tuple(NetworkLink(link.network) for link in server.networks),
        depends_on=(Dependency(server.name, "healthy"),),
    )


def _bucket(held: Managed, service: Service) -> dict[str, object]:
    told = [{k: v for k, v in asdict(each).items() if v or k == "events"} for each in notifications(service)]
    return {"name": held.name, "versioning": held.options.get("versioning") == "true", "notify": told}


def _queue(held: Managed) -> dict[str, object]:
    keys = {"visibility_timeout": "VisibilityTimeout", "delay": "DelaySeconds"}
    attributes = {word: held.options[key] for key, word in keys.items() if key in held.options}
    if held.options.get("fifo") == "true":
        attributes["FifoQueue"] = "true"
    return {
        "name": held.name,
        "region": _arn(held)[0] or _REGION,
        "attributes": attributes,
        "dead_letter": held.options.get("dead_letter"),
        "max_receive": held.options.get("max_receive", "1"),
    }
