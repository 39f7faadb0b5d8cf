"""Stand-ins: what a cloud runs for production becomes a container of the same engine and version, on the record."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from .clone import Change, Clone, recorded, secret_token
from .compare import as_text
from .moto import replaced, settings, with_moto
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


def stand_ins(clone: Clone, kept: Collection[str] = ()) -> Clone:
    """Give each managed service's container what its image wants, and put queues and buckets into one moto server.

    The names under which production calls a managed service are aliases on its networks already. `kept` are managed
    services that the target runs itself.
    """
    managed = {n: s for n, s in clone.topology.services.items() if s.managed and s.managed.service not in kept}
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
        changes += [replaced(service), *settings(service, wanted, reason)]
        if command:
            path = f"services.{name}.command"
            changes.append(Change(path, as_text(service.command), as_text(command), reason, rule=service.where.place))
    stood = recorded(replace(clone, topology=replace(clone.topology, services=services)), *changes)
    aws = [service for service in managed.values() if service.managed and service.managed.service in {"sqs", "s3"}]
    return with_moto(stood, aws) if aws else stood


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
