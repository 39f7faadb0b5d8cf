"""Databases and caches on the platform's instances: a database, a role, a key prefix of the environment's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from understudy.errors import UsageError
from understudy.stacks import aws_names
from understudy.stacks.change import Change
from understudy.stacks.clone import secret_token
from understudy.stacks.endpoints import variable
from understudy.stacks.secret_values import token_free
from understudy.stacks.third_parties import called
from understudy.stacks.topology import Dependency, Service, Topology

from .errands import logical, marked
from .files import Files
from .golden import CREATE, DROP
from .keys import UNLINK
from .plan import CachePlan, Container, Source, TaskPlan
from .platform import Platform, SharedDatabase
from .rewrite import callers, changed, rehosted
from .secrets import Vault
from .tasks import Maker, Part
from .unwritten import hold_files, hold_rewritten

__all__ = ["Clients", "Shared", "share"]

_POSTGRES, _REDIS = 5432, 6379

_USER_KEY = re.compile(r"(?:PG|DB|DATABASE|POSTGRES|SQL)\w*USER(?:NAME)?$", re.IGNORECASE)
_NAME_KEY = re.compile(r"(?:PG|POSTGRES_?)?(?:DB|DATABASE)(?:_?NAME)?$|DB_?NAME$|DATABASE_NAME$", re.IGNORECASE)
_PORT_KEY = re.compile(r"(?:PG|DB|DATABASE|POSTGRES|SQL)\w*PORT$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Clients:
    """Images of the tasks that make and take away, each with a shell: psql 15 or newer, redis-cli 6 or newer."""

    postgres: str = "public.ecr.aws/docker/library/postgres:17"
    redis: str = "public.ecr.aws/docker/library/redis:7.4"


@dataclass(frozen=True, slots=True)
class _Drop:
    """The task that takes away what a store has on a shared instance, and what that is, in words."""

    task: Service
    what: str


@dataclass(slots=True)
class Shared:
    """The topology with jobs in the place of shared databases and without shared caches.

    `images` and `platform_secrets` are of those jobs; `drops` are the errands that take away again what was made.
    """

    topology: Topology
    caches: tuple[CachePlan, ...] = ()
    images: dict[str, str] = field(default_factory=dict)
    platform_secrets: dict[str, Mapping[str, str]] = field(default_factory=dict)
    drops: dict[str, _Drop] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()

    def with_admin(self, name: str, task: TaskPlan) -> TaskPlan:
        """The task of a job here, whose container has the credentials of the instance."""
        secrets = self.platform_secrets.get(name)
        if secrets is None:
            return task
        own = aws_names.container(name)
        containers = tuple(
            Container(each.definition, each.secrets, secrets) if each.definition["name"] == own else each
            for each in task.containers
        )
        return replace(task, containers=containers)

    def errands(self, maker: Maker) -> dict[str, TaskPlan]:
        """The tasks that are run before the environment is destroyed: logical name -> its task."""
        none = Files((), "", ())
        made = {
            name: self.with_admin(
                name, maker.task(name, [Part(service=drop.task, image=str(drop.task.image), files=none)])[0]
            )
            for name, drop in self.drops.items()
        }
        return {
            name: marked(task, self.drops[name].what, maker.platform, maker.environment) for name, task in made.items()
        }


def share(
    topology: Topology,
    platform: Platform,
    *,
    environment: str,
    vault: Vault,
    clients: Clients,
    sources: Mapping[str, Source],
) -> Shared:
    """Put the databases and caches that ask for it (`Service.on_aws`) on the platform's instances.

    Args:
        topology: of the clone.
        platform: whose instances they are.
        environment: its id.
        vault: takes the passwords.
        clients: images of the tasks.
        sources: path of the commit -> what lies there.

    Raises:
        UsageError: the platform has no such instance, or configuration names a store where it cannot be rewritten.
    """
    shared = Shared(topology)
    for name, service in sorted(topology.services.items()):
        if service.on_aws is None or not service.on_aws.shared:
            continue
        if service.kind not in {"database", "cache"}:
            raise UsageError(
                f"Service {name!r} is to be on the platform's shared instance, and it is neither a database nor a "
                "cache.",
                hint="Take `on_aws` away, or say its `kind`.",
            )
        hold_files(topology.services.values(), service, _port(service), sources)
        if service.kind == "database":
            _database(shared, service, platform, environment, clients.postgres)
        else:
            _cache(shared, service, platform, environment, vault, clients.redis)
    return shared


def _port(service: Service) -> int:
    """The port at which production calls it."""
    usual = _POSTGRES if service.kind == "database" else _REDIS
    return next((port.target for port in service.container_ports), usual)


def _lacking(what: str, platform: Platform) -> UsageError:
    return UsageError(
        f"The platform of {platform.target} has no shared {what}.",
        hint=f"Add one: `understudy platform up --shared-{what}`, or let it run in a container.",
    )


def _database(shared: Shared, service: Service, platform: Platform, environment: str, client_image: str) -> None:
    instance = platform.shared_database
    if instance is None:
        raise _lacking("database", platform)
    variables = service.environment
    password = variables.get("POSTGRES_PASSWORD", "")
    if instance.engine != "postgres" or token_free(password):
        raise UsageError(
            f"Service {service.name!r} cannot be on the shared {instance.engine} instance: it needs PostgreSQL, and a "
            "POSTGRES_PASSWORD that is made anew for each environment.",
            hint="Name the variable under x-understudy, secrets, or let the database run in a container.",
        )
    user = variables.get("POSTGRES_USER", "postgres")
    move = _Move(
        service,
        instance,
        aws_names.database_role(environment, service.name),
        aws_names.database(environment, service.name),
        user,
        variables.get("POSTGRES_DB", user),
    )
    services = dict(shared.topology.services)
    changes = [*shared.changes]
    for name, hosts in callers(shared.topology.services, service).items():
        services[name], made = move.caller(services[name], hosts)
        hold_rewritten(services[name], service, hosts)
        changes += made
    own = {"PGHOST": instance.endpoint, "PGPORT": str(instance.port), "PGDATABASE": "postgres"}
    names = {"ROLE": move.role, "DATABASE": move.database}
    job = Service(
        service.name,
        kind="job",
        image=client_image,
        entrypoint=("sh", "-c"),
        command=('printf %s "$SCRIPT" | psql --no-psqlrc --quiet',),
        environment={**own, **names, "TEMPLATE": instance.template, "ROLE_PASSWORD": password, "SCRIPT": CREATE},
        networks=service.networks,
    )
    drop = logical(service.name)
    services[service.name] = job
    away = replace(job, name=drop, kind="service", environment={**own, **names, "SCRIPT": DROP})
    shared.drops[drop] = _Drop(away, f"the database {move.database} and its role on the instance {instance.id}")
    keys = {"PGUSER": "username", "PGPASSWORD": "password"}
    admin = {key: f"{instance.secret_arn}:{field}::" for key, field in keys.items()}
    shared.images |= {service.name: client_image}
    shared.platform_secrets |= {service.name: admin, drop: admin}
    reason = (
        f"a database of its own on the platform's instance {instance.id}, copied from {instance.template}; what its "
        "container would be initialised with is not run"
    )
    changes.append(
        Change(f"services.{service.name}", _before(service), move.database, reason, rule=service.where.place)
    )
    endpoints = tuple(e for e in shared.topology.endpoints if e[0] != service.name)
    shared.topology = replace(shared.topology, services=services, endpoints=endpoints)
    shared.changes = tuple(changes)


@dataclass(frozen=True, slots=True)
class _Move:
    """What a caller of a database is told in the place of what production tells it."""

    service: Service
    instance: SharedDatabase
    role: str
    database: str
    user: str
    name: str

    def caller(self, service: Service, hosts: list[str]) -> tuple[Service, list[Change]]:
        """The caller with the clone's host, port, role and database, and after the job that makes them."""
        changes: list[Change] = []
        reason = f"its database {self.service.name!r} is on the platform's shared instance"
        for host in hosts:
            ports = (_POSTGRES, self.instance.port)
            service, made = rehosted(service, host, self.instance.endpoint, reason, ports)
            changes += made
        told, made = changed(service, self._value, lambda words: tuple(map(self._url, words)), reason)
        if not any(self.database in text for text in (*told.environment.values(), *(told.command or ()))):
            raise UsageError(
                f"Service {service.name!r} calls the database {self.service.name!r}, and nothing in its configuration "
                f"was recognised as the database's name {self.name!r}.",
                hint="Name it in a URL or a variable such as PGDATABASE or DB_NAME, or let the database run in a "
                "container.",
            )
        others = tuple(d for d in told.depends_on if d.service != self.service.name)
        return replace(told, depends_on=(*others, Dependency(self.service.name, "completed"))), [*changes, *made]

    def _value(self, key: str, text: str) -> str:
        if _NAME_KEY.search(key) and text == self.name:
            return self.database
        if _USER_KEY.search(key) and text == self.user:
            return self.role
        if _PORT_KEY.search(key) and text == str(_POSTGRES):
            return str(self.instance.port)
        return self._url(text)

    def _url(self, text: str) -> str:
        place = re.compile(
            r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?:" + re.escape(self.user) + r"(?P<password>:[^@/\s]*)?@)?"
            r"(?P<host>" + re.escape(self.instance.endpoint) + r"(?::\d+)?)(?:/" + re.escape(self.name) + r"(?![\w-]))?"
        )
        return place.sub(lambda m: f"{m['scheme']}{self.role}{m['password'] or ''}@{m['host']}/{self.database}", text)


def _before(service: Service) -> str | None:
    """What production has in the place of what is shared."""
    held = service.managed
    return f"{held.service} {held.name}" if held else service.image


def _cache(  # noqa: PLR0917 - as _database, and the vault
    shared: Shared, service: Service, platform: Platform, environment: str, vault: Vault, client_image: str
) -> None:
    node = platform.shared_cache
    if node is None or not node.user_group_id:
        raise _lacking("cache", platform)
    user = aws_names.cache_user(environment, service.name)
    token = secret_token("understudy_cache_" + re.sub(r"\W", "_", service.name, flags=re.ASCII))
    password = vault.of(token, f"{service.name}.password")
    own = f"rediss://{user}:{token}@{node.endpoint}:{node.port}"
    services = dict(shared.topology.services)
    changes = [*shared.changes]
    prefix = {variable(service.name, "prefix"): f"{user}:"}
    for name, hosts in callers(shared.topology.services, service).items():
        url = re.compile(rf"rediss?://(?:[^@/\s]*@)?(?:{'|'.join(map(re.escape, hosts))})(?::\d+)?(?![\w.-])")
        reason = f"its cache {service.name!r} is on the platform's shared node: its keys begin with {user}:"
        after, made = changed(
            services[name],
            lambda _, text, url=url: url.sub(own, text),  # type: ignore[misc]  # the default binds the loop's value
            lambda words: words,
            reason,
        )
        if [c.host for c in called(after) if c.host in hosts]:
            raise UsageError(
                f"Service {name!r} calls the cache {service.name!r} otherwise than by a URL in a variable, and the "
                "shared node takes TLS and a user's name.",
                hint="Give it a redis:// URL, or let the cache run in a container.",
            )
        services[name] = replace(after, environment={**after.environment, **prefix})
        path = f"services.{name}.environment"
        changes += [*made, *(Change(f"{path}.{key}", None, value, reason) for key, value in prefix.items())]
    del services[service.name]
    services = {
        name: replace(other, depends_on=tuple(d for d in other.depends_on if d.service != service.name))
        for name, other in services.items()
    }
    reason = "a user of its own on the platform's shared node"
    changes.append(Change(f"services.{service.name}", _before(service), user, reason, rule=service.where.place))
    place = {"HOST": node.endpoint, "PORT": str(node.port), "TLS": "--tls", "CACHE_USER": user, "PREFIX": f"{user}:"}
    drop = logical(service.name)
    away = Service(
        drop,
        image=client_image,
        entrypoint=("sh", "-c"),
        command=(UNLINK,),
        environment={**place, "REDISCLI_AUTH": token},
        networks=service.networks,
    )
    shared.drops[drop] = _Drop(away, f"the keys that begin with {user}: on the shared cache")
    endpoints = tuple(e for e in shared.topology.endpoints if e[0] != service.name)
    shared.topology = replace(shared.topology, services=services, endpoints=endpoints)
    shared.caches += (
        CachePlan(logical=service.name, user=user, prefix=f"{user}:", group=node.user_group_id, password=password),
    )
    shared.changes = tuple(changes)
