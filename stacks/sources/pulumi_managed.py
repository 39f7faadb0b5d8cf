"""What AWS runs by itself - RDS, ElastiCache, SQS, S3 - as services that remember engine, version and names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from understudy.stacks.change import Change, Fidelity
from understudy.stacks.managed import image_of
from understudy.stacks.topology import Kind, Managed, NetworkLink, Port, Service

from .pulumi_found import Found
from .pulumi_resources import SECRET, Resource, State

__all__ = ["AWS_PORT", "MAPPERS", "QUEUE", "add_managed", "finish", "network_of"]

INSTANCE, CLUSTER = "aws:rds/instance:Instance", "aws:rds/cluster:Cluster"
CACHE, GROUP = "aws:elasticache/cluster:Cluster", "aws:elasticache/replicationGroup:ReplicationGroup"
SERVERLESS = "aws:elasticache/serverlessCache:ServerlessCache"
QUEUE, REDRIVE = "aws:sqs/queue:Queue", "aws:sqs/redrivePolicy:RedrivePolicy"
_SUBNET, _VPC = "aws:ec2/subnet:Subnet", "aws:ec2/vpc:Vpc"

_PORTS: Mapping[str, int] = {
    "postgres": 5432,
    "aurora-postgresql": 5432,
    "mysql": 3306,
    "aurora": 3306,
    "aurora-mysql": 3306,
    "mariadb": 3306,
    "redis": 6379,
    "valkey": 6379,
    "memcached": 11211,
}
"""The ports that the engines have where a program gives none (AWS, RDS and ElastiCache user guides)."""

AWS_PORT = 5000
"""Where moto's server listens (docs.getmoto.org, Server mode)."""


def network_of(resource: Resource, state: State) -> str:
    """The network that stands for the VPC in which a resource is; `default` where the stack does not say."""
    reached = state.reached(resource)
    found = dict.fromkeys(r.name for r in reached if r.type == _VPC)
    return next(iter(found)) if len(found) == 1 else "default"


def add_managed(
    resource: Resource,
    managed: Managed,
    state: State,
    found: Found,
    *,
    kind: Kind,
    port: int,
    hosts: Iterable[str] = (),
) -> None:
    """Take in a managed service, or put on the record that there is no container of its engine."""
    image = image_of(managed)
    path = f"services.{resource.name}"
    if image is None:
        what = f"{managed.service} {managed.engine or ''} {managed.version or ''}".strip()
        found.leave_out(path, what, f"there is no public image of its engine ({resource.urn})")
        return
    link = NetworkLink(network_of(resource, state), tuple(dict.fromkeys(host for host in hosts if host)))
    service = Service(
        found.free_name(resource.name),
        kind=kind,
        image=image,
        expose=(Port(port),),
        networks=(link,),
        managed=managed,
        where=found.where(path),
    )
    found.add(service, resource.urn)


def _number(value: object, default: int) -> int:
    return int(value) if isinstance(value, int | float) and value else default


def _instance(resource: Resource, state: State, found: Found) -> None:
    address = resource.text("address") or ""
    source = resource.text("replicateSourceDb")
    if source or resource.inputs.get("replicateSourceDb"):
        _replica(resource, address, state, found)
        return
    engine = resource.text("engine") or "postgres"
    keys = ("identifier", "dbName", "username")
    _relational(resource, state, found, keys, engine=engine, port=_PORTS.get(engine, 5432), hosts=(address,))


def _relational(
    resource: Resource,
    state: State,
    found: Found,
    keys: tuple[str, str, str],
    *,
    engine: str,
    port: int,
    hosts: tuple[str, ...],
) -> None:
    """A database of RDS; `keys` are the properties with its identifier, its database's name and its user's."""
    identifier, database, user = keys
    managed = Managed(
        "rds",
        resource.text(identifier) or resource.name,
        engine,
        resource.text("engineVersion") or resource.text("engineVersionActual"),
        resource.text(database),
        resource.text(user),
    )
    _hidden(resource, found, (database, user))
    add_managed(resource, managed, state, found, kind="database", port=_number(resource.get("port"), port), hosts=hosts)


def _replica(resource: Resource, address: str, state: State, found: Found) -> None:
    """A read replica: its name is one more of its source's, which in a clone answers reads too."""
    source = state.behind(resource, "replicateSourceDb", resource.inputs.get("replicateSourceDb"), INSTANCE)
    name = found.of_urn.get(source.urn) if source else None
    if name is None:
        found.leave_out(f"services.{resource.name}", "read replica", f"its source is not in the stack ({resource.urn})")
        return
    _alias(name, (address,), found)
    found.of_urn[resource.urn] = name
    reason = "a clone has one database, which answers under the replica's name too"
    found.record(Change(f"services.{resource.name}", "read replica", name, reason, Fidelity.SCALED))


def _alias(name: str, hosts: Iterable[str], found: Found) -> None:
    service = found.services[name]
    links = tuple(
        replace(link, aliases=tuple(dict.fromkeys((*link.aliases, *filter(None, hosts))))) for link in service.networks
    )
    found.services[name] = replace(service, networks=links)


def _hidden(resource: Resource, found: Found, keys: Iterable[str]) -> None:
    for key in keys:
        if resource.get(key) is SECRET:
            found.leave_out(f"services.{resource.name}.{key}", SECRET, "it is a secret of the stack, not decrypted")


def _cluster(resource: Resource, state: State, found: Found) -> None:
    engine = resource.text("engine") or "aurora-mysql"
    keys = ("clusterIdentifier", "databaseName", "masterUsername")
    hosts = (resource.text("endpoint") or "", resource.text("readerEndpoint") or "")
    _relational(resource, state, found, keys, engine=engine, port=_PORTS.get(engine, 3306), hosts=hosts)


def _cluster_instance(resource: Resource, state: State, found: Found) -> None:
    cluster = state.behind(resource, "clusterIdentifier", resource.inputs.get("clusterIdentifier"), CLUSTER)
    name = found.of_urn.get(cluster.urn) if cluster else None
    if name is None:
        found.leave_out(
            f"services.{resource.name}", "cluster instance", f"its cluster is not in the stack ({resource.urn})"
        )
        return
    _alias(name, (resource.text("endpoint") or "",), found)
    found.of_urn[resource.urn] = name


def _cache(resource: Resource, state: State, found: Found) -> None:
    group = state.behind(resource, "replicationGroupId", resource.inputs.get("replicationGroupId"), GROUP)
    if group is not None and group.urn in found.of_urn:
        found.of_urn[resource.urn] = found.of_urn[group.urn]
        return
    nodes = resource.outputs.get("cacheNodes")
    hosts = (
        [str(node.get("address") or "") for node in nodes if isinstance(node, Mapping)]
        if isinstance(nodes, list)
        else []
    )
    hosts += [str(resource.text(key) or "").partition(":")[0] for key in ("clusterAddress", "configurationEndpoint")]
    name = resource.text("clusterId") or resource.name
    _cached(resource, name, hosts, state, found)


def _group(resource: Resource, state: State, found: Found) -> None:
    keys = ("primaryEndpointAddress", "readerEndpointAddress", "configurationEndpointAddress")
    hosts = [resource.text(key) or "" for key in keys]
    name = resource.text("replicationGroupId") or resource.name
    _cached(resource, name, hosts, state, found)


def _serverless(resource: Resource, state: State, found: Found) -> None:
    endpoints = [entry for key in ("endpoints", "readerEndpoints") for entry in resource.outputs.get(key) or ()]
    hosts = [str(entry.get("address") or "") for entry in endpoints if isinstance(entry, Mapping)]
    _cached(resource, resource.name, hosts, state, found)


def _cached(resource: Resource, name: str, hosts: list[str], state: State, found: Found) -> None:
    engine = resource.text("engine") or "redis"
    keys = ("majorEngineVersion", "engineVersion", "engineVersionActual")
    version = next(filter(None, (resource.text(key) for key in keys)), None)
    if resource.get("transitEncryptionEnabled") is True:
        reason = "the stand-in speaks plain text: what connects by TLS (rediss://) has to be told so"
        found.leave_out(f"services.{resource.name}.tls", "true", reason)
    if resource.get("authToken") not in (None, ""):
        reason = "the stand-in asks for no password"
        found.leave_out(f"services.{resource.name}.authToken", SECRET, reason)
    port = _number(resource.get("port"), _PORTS.get(engine, 6379))
    managed = Managed("elasticache", name, engine, version)
    add_managed(resource, managed, state, found, kind="cache", port=port, hosts=hosts)


def _queue(resource: Resource, state: State, found: Found) -> None:
    options: dict[str, str] = {}
    if resource.get("fifoQueue") is True:
        options["fifo"] = "true"
    named = {"visibilityTimeoutSeconds": "visibility_timeout", "delaySeconds": "delay", "url": "url", "arn": "arn"}
    for key, word in named.items():
        value = resource.text(key) if key in {"url", "arn"} else resource.inputs.get(key)
        if isinstance(value, str | int | float) and value != "":
            options[word] = f"{value:g}" if isinstance(value, float) else str(value)
    options |= _dead_letter(resource, state)
    name = resource.text("name") or resource.name
    add_managed(resource, Managed("sqs", name, options=options), state, found, kind="queue", port=AWS_PORT)


def _dead_letter(resource: Resource, state: State) -> dict[str, str]:
    """The queue to which a message goes that was received too often."""
    beside = [other for other in state.of(REDRIVE) if _redriven(other, state) is resource]
    source = next(iter(beside), resource)
    try:
        policy = json.loads(source.text("redrivePolicy") or "{}")
        target = str(policy.get("deadLetterTargetArn") or "")
    except (ValueError, AttributeError):
        return {}
    queue = state.behind(source, "redrivePolicy", target, QUEUE)
    if not target and queue is None:
        return {}
    name = (queue.text("name") if queue else None) or target.rpartition(":")[2]
    return {"dead_letter": name, "max_receive": str(policy.get("maxReceiveCount") or 1)}


def _redriven(policy: Resource, state: State) -> Resource | None:
    """The queue whose redrive policy stands in a resource of its own."""
    return state.behind(policy, "queueUrl", policy.inputs.get("queueUrl"), QUEUE)


def _redrive(resource: Resource, state: State, found: Found) -> None:
    """A policy is read with its queue."""
    if _redriven(resource, state) is None:
        found.warn(f"{resource.urn}: its queue is not in the stack: left out")


def finish(state: State, found: Found) -> None:
    """Say of the managed services what is known only when all others are: their passwords and their networks."""
    _passwords(state, found)
    used = [link.network for service in found.services.values() if not service.managed for link in service.networks]
    everywhere = tuple(map(NetworkLink, dict.fromkeys(used))) or (NetworkLink("default"),)
    for service in tuple(found.services.values()):
        if service.managed is not None and service.managed.service in {"sqs", "s3"}:  # they are in no VPC
            found.services[service.name] = replace(service, networks=everywhere)


def _passwords(state: State, found: Found) -> None:
    """Name the declared secret that is a database's password, once it is known which secrets services get.

    It is the one whose value comes from the same resource, such as a random password, or from the database itself,
    or that RDS keeps of its user (`masterUserSecrets`).
    """
    versions = state.of("aws:secretsmanager/secretVersion:SecretVersion", "aws:ssm/parameter:Parameter")
    for resource in state.of(INSTANCE, CLUSTER):
        name = found.of_urn.get(resource.urn)
        sources = {r.urn for key in ("password", "masterPassword") for r in state.depended(resource, key)}
        service = found.services.get(name or "")
        if service is None or service.managed is None or service.managed.password is not None:
            continue
        kept = resource.outputs.get("masterUserSecrets") or resource.outputs.get("masterUserSecret") or ()
        known = (found.known_password(str(entry.get("secretArn"))) for entry in kept if isinstance(entry, Mapping))
        if secret := next(filter(None, known), None):
            found.services[service.name] = replace(service, managed=replace(service.managed, password=secret))
            continue
        for version in versions:
            value = {r.urn for r in state.depended(version, "secretString", "value")}
            owner = state.behind(
                version, "secretId", version.inputs.get("secretId"), "aws:secretsmanager/secret:Secret"
            )
            secret = found.known_password((owner or version).urn)
            if secret and (value & sources or resource.urn in value):
                managed = replace(service.managed, password=secret)
                found.services[service.name] = replace(service, managed=managed)


MAPPERS: Mapping[str, Callable[[Resource, State, Found], None]] = {
    INSTANCE: _instance,
    CLUSTER: _cluster,
    "aws:rds/clusterInstance:ClusterInstance": _cluster_instance,
    GROUP: _group,
    CACHE: _cache,
    SERVERLESS: _serverless,
    QUEUE: _queue,
    REDRIVE: _redrive,
}
