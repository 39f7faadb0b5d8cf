"""Databases with an instance of RDS of their own: empty, from a snapshot, or a copy-on-write clone of a cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from understudy.errors import UsageError
from understudy.stacks import aws_names
from understudy.stacks.change import Change
from understudy.stacks.secret_values import token_free
from understudy.stacks.topology import OnAws, Service, Topology

from .plan import DatabasePlan, Source
from .platform import Platform
from .rewrite import callers, rehosted
from .unwritten import hold_files, hold_rewritten

__all__ = ["Original", "Owned", "own_databases"]

_LEAST_STORAGE = 20

_PORTS = {"postgres": 5432, "mysql": 3306, "mariadb": 3306}
_VARIABLES = {"postgres": ("POSTGRES",), "mysql": ("MYSQL",), "mariadb": ("MARIADB", "MYSQL")}

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
"""Of a first user and a database (RDS API Reference, CreateDBInstance: MasterUsername, DBName)."""


@dataclass(frozen=True, slots=True)
class Original:
    """What AWS says of that which a database is made from: a snapshot, a cluster, or production's instance.

    `source` is its identifier, `storage` in GB and `disk` the type of its disk; None: AWS does not say.
    """

    source: str
    engine: str | None = None
    version: str | None = None
    instance_class: str | None = None
    storage: int | None = None
    disk: str | None = None


@dataclass(frozen=True, slots=True)
class Owned:
    """The databases, and the topology without their containers, whose services call the instances."""

    topology: Topology
    databases: tuple[DatabasePlan, ...]
    changes: tuple[Change, ...]


def own_databases(
    topology: Topology,
    platform: Platform,
    environment: str,
    originals: Mapping[str, Original] | None,
    sources: Mapping[str, Source],
) -> Owned:
    """Give the databases that ask for one (`Service.on_aws`) an instance of their own; `shared` ones have none.

    Args:
        topology: of the clone.
        platform: where it stands.
        environment: its id.
        originals: service -> what it is made from; None: nobody was asked, and what only AWS knows stays open.
        sources: path of the commit -> what lies there.

    Raises:
        UsageError: RDS cannot do it, or configuration names the database where it cannot be rewritten.
    """
    databases: list[DatabasePlan] = []
    changes: list[Change] = []
    services = dict(topology.services)
    for name, service in topology.services.items():
        if service.on_aws is None or service.on_aws.shared:
            continue
        made = _plan(service, service.on_aws, platform, environment, originals)
        databases.append(made)
        changes += _changes(service, made)
        hold_files(services.values(), service, made.port, sources)
        for caller, hosts in callers(services, service).items():
            services[caller], told = _moved(services[caller], service, hosts, made)
            changes += told
        del services[name]
    gone = {each.logical for each in databases}
    services = {
        name: replace(other, depends_on=tuple(d for d in other.depends_on if d.service not in gone))
        for name, other in services.items()
    }
    endpoints = tuple(e for e in topology.endpoints if e[0] not in gone)
    return Owned(replace(topology, services=services, endpoints=endpoints), tuple(databases), tuple(changes))


def _plan(
    service: Service, asked: OnAws, platform: Platform, environment: str, originals: Mapping[str, Original] | None
) -> DatabasePlan:
    found = (originals or {}).get(service.name)
    engine, version = _engine(service, found)
    clone = asked.form == "aurora-clone"
    _hold(service, asked, engine, platform)
    family = "postgres" if "postgres" in engine else "mariadb" if engine == "mariadb" else "mysql"
    user, password, database = _first_user(service, family, named=asked.form == "instance")
    instance_class = asked.instance_class or (found.instance_class if found else None)
    if instance_class is None and originals is not None:
        raise UsageError(
            f"Which class the instance of {service.name!r} should have is not known: AWS has no instance that it is "
            "made from.",
            hint="Name an `instance_class` under its x-understudy, on_aws.",
        )
    identifier = aws_names.database_instance(environment, f"{service.name}.one" if clone else service.name)
    cluster = aws_names.database_instance(environment, service.name) if clone else ""
    storage = asked.storage or (found.storage if found else None)
    held = service.managed
    return DatabasePlan(
        logical=service.name,
        form=asked.form,
        name=identifier,
        cluster=cluster,
        address=f"{cluster or identifier}.rds.invalid",
        port=next((port.target for port in service.container_ports), _PORTS[family]),
        engine=engine,
        version=version,
        instance_class=instance_class,
        storage=max(storage or 0, _LEAST_STORAGE) if asked.form == "instance" else storage,
        disk="gp3" if asked.form == "instance" else found.disk if found else None,
        source=(found.source if found else asked.source or (held.name if held and clone else "")) or "",
        user=user,
        password=password,
        database=database,
        subnet_group=platform.db_subnet_group,
    )


def _engine(service: Service, found: Original | None) -> tuple[str, str | None]:
    """Engine and version: as AWS says them, as production's cloud does, or as the image is called."""
    held = service.managed
    if found is not None and found.engine:
        return found.engine, (held.version if held and held.version else found.version)
    if held is not None and held.engine:
        return held.engine, held.version
    name, _, tag = (service.image or "").partition("@")[0].rpartition("/")[2].partition(":")
    numbers = re.match(r"\d+(\.\d+)?", tag)
    return name, numbers[0] if numbers else None


def _hold(service: Service, asked: OnAws, engine: str, platform: Platform) -> None:
    if service.kind != "database":
        raise UsageError(
            f"Service {service.name!r} is no database, and its x-understudy says with on_aws which one it is on AWS.",
            hint="Take `on_aws` away, or say `kind: database`.",
        )
    if not platform.db_subnet_group:
        raise UsageError(
            f"The platform of {platform.target} names no db_subnet_group for the database {service.name!r} to be in.",
            hint="Name one under [platform]; a platform that `understudy platform up` makes has one.",
        )
    aurora = engine.startswith("aurora")
    known = engine in {"postgres", "mysql", "mariadb"} or (aurora and asked.form == "aurora-clone")
    if not known or aurora != (asked.form == "aurora-clone"):
        raise UsageError(
            f"The database {service.name!r} is {engine or 'of an unknown engine'}, and its form on AWS is "
            f"{asked.form!r}, which is for {'Aurora' if asked.form == 'aurora-clone' else 'postgres, mysql, mariadb'}.",
            hint="Choose another form under its x-understudy, on_aws, or let it run in a container.",
        )


def _first_user(service: Service, family: str, *, named: bool) -> tuple[str, str, str]:
    """The first user, the template of its password and the database, by the variables of the engine's image.

    `named`: RDS is told user and database; of a copy they are the original's.
    """

    def variable(*ends: str) -> str:
        keys = (f"{start}_{end}" for start in _VARIABLES[family] for end in ends)
        return next((service.environment[key] for key in keys if service.environment.get(key)), "")

    user = variable("USER") or ("postgres" if family == "postgres" else "")
    database = variable("DB", "DATABASE") or (user if family == "postgres" else "")
    password = variable("PASSWORD")
    start = _VARIABLES[family][0]
    if token_free(password):
        raise UsageError(
            f"The database {service.name!r} needs a {start}_PASSWORD that is made anew for each environment.",
            hint="Name the variable under x-understudy, secrets.",
        )
    if named and not (_NAME.fullmatch(user) and (_NAME.fullmatch(database) or not database)):
        raise UsageError(
            f"RDS takes letters, digits and _ in the name of a user and a database, a letter first, and of "
            f"{service.name!r} they are {user!r} and {database!r}.",
            hint=f"Say other ones with {start}_USER and the database's variable, or let it run in a container.",
        )
    return user, password, database


def _moved(service: Service, store: Service, hosts: list[str], made: DatabasePlan) -> tuple[Service, list[Change]]:
    """The caller with the instance's address in the place of the names that it used."""
    changes: list[Change] = []
    reason = f"its database {made.logical!r} is {_what(made)}"
    for host in hosts:
        service, told = rehosted(service, host, made.address, reason)
        changes += [
            replace(change, clone=(change.clone or "").replace(made.address, _endpoint(made))) for change in told
        ]
    hold_rewritten(service, store, hosts)
    return service, changes


def _endpoint(made: DatabasePlan) -> str:
    return f"(endpoint of {made.cluster or made.name})"


def _what(made: DatabasePlan) -> str:
    return f"the Aurora cluster {made.cluster}" if made.cluster else f"the RDS instance {made.name}"


_REASONS = {
    "instance": "an instance of its own, which is empty: production's data is not copied, and what its "
    "container would be initialised with is not run",
    "snapshot": "an instance of its own, with the data of the snapshot {source}, or where this is an update of the one "
    "that it was made from; of its users only the first one's password is made anew",
    "aurora-clone": "a copy-on-write clone of the cluster {source}, with its data; of its users only the first one's "
    "password is made anew",
}


def _changes(service: Service, made: DatabasePlan) -> Iterator[Change]:
    path, rule = f"services.{service.name}", service.where.place
    held = service.managed
    reason = _REASONS[made.form].format(source=made.source or "that is newest")
    before = f"{held.service} {held.name}" if held else service.image
    yield Change(path, before, _what(made), reason, rule=rule)
    if held is None:
        return
    own = "production's own"
    for setting, clone, why in (
        ("backups", "1 day" if made.cluster else "none", "what is destroyed with its environment needs none"),
        ("final_snapshot", "none", "an environment leaves nothing behind"),
        ("deletion_protection", "off", "an environment is destroyed without anybody's hand"),
        ("availability_zones", "one", "one instance is enough for a test"),
        ("performance_insights", "off", "nobody looks at them"),
    ):
        yield Change(f"{path}.{setting}", own, clone, why, rule=rule)
