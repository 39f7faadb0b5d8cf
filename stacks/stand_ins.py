"""Stand-ins: what a cloud runs for production becomes a container of the same engine and version, on the record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .clone import Change, Clone, recorded, secret_token
from .compare import as_text
from .ground import Ground
from .moto import replaced, settings, with_moto
from .store_links import notifications
from .topology import Managed, Service, Topology

__all__ = ["stand_ins"]


_USUAL = {
    **dict.fromkeys(("postgres", "aurora-postgresql"), (5432, "PGPORT")),
    **dict.fromkeys(("mysql", "aurora", "aurora-mysql", "mariadb"), (3306, "MYSQL_TCP_PORT")),
    **dict.fromkeys(("redis", "valkey"), (6379, "")),
    "memcached": (11211, ""),
}
"""The port on which an engine's image listens, and the variable that names another; without one a command does."""

_SERVERS = {
    "redis": ("redis-server", "--port"),
    "valkey": ("valkey-server", "--port"),
    "memcached": ("memcached", "-p"),
}


def stand_ins(clone: Clone, ground: Ground) -> Clone:
    """Give each managed service's container what its image wants, and put queues and buckets into one moto server.

    The names under which production calls a managed service are aliases on its networks already. What
    `ground` keeps has no container.

    Raises:
        TopologyError: what a bucket says of who hears of its objects cannot be read.
    """
    for service in clone.topology.services.values():
        if service.managed and service.managed.service == "s3":
            notifications(service)
    managed = {n: s for n, s in clone.topology.services.items() if s.managed and s.managed.service not in ground.kept}
    if not managed:
        return clone
    services = dict(clone.topology.services)
    changes: list[Change] = []
    for name, service in managed.items():
        held = service.managed
        assert held is not None  # noqa: S101 - chosen so above
        if held.service in {"sqs", "s3"}:
            continue
        variables, command = _listening(held, service)
        wanted = {
            k: v for k, v in {**_wanted(held, clone.topology), **variables}.items() if k not in service.environment
        }
        services[name] = replace(
            service, environment={**service.environment, **wanted}, command=command or service.command
        )
        reason = "the image is told so what the cloud knew"
        changes += [*_stood(service, ground), *settings(service, wanted, reason)]
        if command:
            path = f"services.{name}.command"
            changes.append(Change(path, as_text(service.command), as_text(command), reason, rule=service.where.place))
    stood = recorded(replace(clone, topology=replace(clone.topology, services=services)), *changes)
    aws = [service for service in managed.values() if service.managed and service.managed.service in {"sqs", "s3"}]
    return with_moto(stood, aws) if aws else stood


def _stood(service: Service, ground: Ground) -> Iterator[Change]:
    """The Changes of what stands in: a container that begins empty, or what the target has in its place."""
    if ground.heeds_on_aws and service.on_aws is not None:
        reason = "no container stands in for it: its x-understudy says with on_aws what it is"
        yield replace(replaced(service), clone=f"on_aws: {service.on_aws.form}", reason=reason)
        return
    yield replaced(service)
    path, rule = f"services.{service.name}.data", service.where.place
    what = f"a {service.kind} of its own, empty but for what init scripts and jobs make"
    yield Change(path, "production's data", "its own", f"{what}: production's data is not copied", rule=rule)


def _listening(held: Managed, service: Service) -> tuple[dict[str, str], tuple[str, ...] | None]:
    """The variables, or the command, that let the image listen on production's port where that is not its own.

    PGPORT and MYSQL_TCP_PORT are read by server and clients alike (PostgreSQL, Environment Variables; MySQL, ditto).
    """
    usual = _USUAL.get(held.engine or "")
    port = service.expose[0].target if service.expose else None
    if usual is None or port is None or port == usual[0]:
        return {}, None
    if usual[1]:
        return {usual[1]: str(port)}, None
    return {}, (*_SERVERS[str(held.engine)], str(port))


def _wanted(held: Managed, topology: Topology) -> dict[str, str]:
    """The variables by which the images of databases are set up (hub.docker.com: postgres, mysql, mariadb)."""
    rule = None if held.password is None else topology.secret_aliases.get(held.password, held.password)
    password = None if rule is None else secret_token(rule)
    engine = held.engine or ""
    found: dict[str, str | None] = {}
    if "postgres" in engine:
        found = {"POSTGRES_USER": held.user, "POSTGRES_DB": held.database, "POSTGRES_PASSWORD": password}
        if password is None:
            found["POSTGRES_HOST_AUTH_METHOD"] = "trust"
    elif engine in {"mysql", "aurora", "aurora-mysql", "mariadb"}:
        brand = "MARIADB" if engine == "mariadb" else "MYSQL"
        found[f"{brand}_DATABASE"] = held.database
        if password is None:
            found["MARIADB_ALLOW_EMPTY_ROOT_PASSWORD" if engine == "mariadb" else "MYSQL_ALLOW_EMPTY_PASSWORD"] = "yes"
        else:
            found[f"{brand}_ROOT_PASSWORD"] = password
            if held.user not in {None, "root"}:
                found |= {f"{brand}_USER": held.user, f"{brand}_PASSWORD": password}
    return {key: value for key, value in found.items() if value is not None}
