"""From a clone and a platform to the plan of an environment on AWS: pure, and every difference on the record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from understudy.errors import UsageError
from understudy.stacks import aws_names, identity
from understudy.stacks.change import Change, Fidelity
from understudy.stacks.clone import Clone, Endpoint, Mock
from understudy.stacks.topology import HealthCheck, Resources, Service
from understudy.stacks.trust import FOLDER, Certificates

from .calling import Calling, calling, order
from .databases import Original, own_databases
from .files import Files, Volume, files_of, folder_volume
from .limits import priority
from .managed import Stores, files_bucket, stores
from .plan import AwsPlan, GatewayPlan, ServicePlan, Source, SuitesPlan, TaskPlan
from .platform import Platform
from .resolver import unanswered
from .secrets import Vault
from .shared import Clients, Shared, share
from .store_names import named_in_files
from .suites import role_of, statements_of
from .tasks import Maker, Part

__all__ = ["AwsOptions", "make_plan"]

_ONCE = frozenset({"service", "gateway", "mock"})
"""Kinds that lose nothing when their task is moved: they may run on Fargate Spot."""

_MOCK_ROOT = "/home/wiremock"
_KEYSTORE = "/var/understudy"
"""Not /var/wiremock, where it is on Docker: a volume would hide what the image has there, WireMock itself."""
_HEAP = "-Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
_HTTPS = 443


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsOptions:
    """What may be chosen for an environment on AWS.

    Attributes:
        spot: services, gateways and mocks run on Fargate Spot, which AWS may take back.
        priority: of the host rule; None: that of the hash. A command looks for a free one before and keeps it.
        tool_image: an image with the AWS CLI and a shell, for the containers that fetch files.
        mock_image: WireMock.
        clients: images of the tasks that make and take away what is on the platform's shared instances.
    """

    spot: bool = False
    priority: int | None = None
    tool_image: str = "public.ecr.aws/aws-cli/aws-cli:2.31.0"
    mock_image: str = "wiremock/wiremock:3.13.1"
    clients: Clients = field(default_factory=Clients)


def make_plan(
    clone: Clone,
    environment: identity.Environment,
    platform: Platform,
    images: Mapping[str, str],
    *,
    sources: Mapping[str, Source] | None = None,
    options: AwsOptions | None = None,
    certificates: Certificates | None = None,
    originals: Mapping[str, Original] | None = None,
) -> AwsPlan:
    """The plan of a clone on a platform.

    Args:
        clone: derived with AWS's own queues and buckets kept.
        environment: whose it is.
        platform: where it stands.
        images: service -> a reference that Fargate can pull.
        sources: path of the commit -> what lies there, of every bind, file and mock.
        options: what may be chosen.
        certificates: what the environment's authority gives; needed where a mock speaks HTTPS. Its bundle has to hold
            the public authorities too, whatever the clone reaches: AWS itself is called over HTTPS.
        originals: service -> what a database of its own is made from; None: nobody was asked, and what only AWS knows
            of them stays open.

    Raises:
        UsageError: Fargate cannot do it, an image is missing, or the environment is another target's.
    """
    if environment.target != platform.target:
        raise UsageError(
            f"The environment {environment.id} is of {environment.target}, and the platform of {platform.target}.",
            hint="Run it with credentials of the environment's own account and region.",
        )
    chosen, at = options or AwsOptions(), sources or {}
    store = stores(clone.topology, platform, environment.id)
    vault = Vault(environment.id, clone.topology.secret_stores)
    own = own_databases(store.topology, platform, environment.id, originals, at)
    shared = share(own.topology, platform, environment=environment.id, vault=vault, clients=chosen.clients, sources=at)
    found = calling(replace(clone, topology=shared.topology), at)
    after, blind = order(found, shared.topology, clone.mocks)
    maker = Maker(
        environment=environment.id,
        platform=platform,
        vault=vault,
        tool_image=chosen.tool_image,
        files=files_bucket(platform, environment.id),
    )
    work = _Work(clone, chosen, at, images, certificates, found, store, shared, maker)
    services = tuple(work.service(name, before) for name, before in after.items())
    first, unreached = _way_in(clone, found)
    inside = any(suite.runs_on == "network" for suite in clone.topology.suites)
    return AwsPlan(
        environment=environment,
        platform=platform,
        log_group=aws_names.log_group(environment.id),
        namespace=aws_names.namespace(environment.id),
        security_group=aws_names.security_group(environment.id, "tasks"),
        secrets=vault.plans,
        queues=store.queues,
        buckets=store.buckets,
        files=maker.files if work.objects or inside else None,
        objects=tuple(each for files in work.objects for each in files.objects),
        caches=shared.caches,
        databases=own.databases,
        services=services,
        suites=SuitesPlan(role=role_of(environment.id), statements=statements_of(maker.files)) if inside else None,
        errands=shared.errands(maker),
        gateway=None if first is None else _gateway(first, found, environment.id, platform, chosen.priority),
        egress=None if clone.open_network else _outward(clone, shared, platform),
        changes=(
            *store.changes,
            *own.changes,
            *shared.changes,
            *found.changes,
            *blind,
            *work.changes,
            *named_in_files(shared.topology.services.values(), store.names, at),
            *unreached,
            *_network(clone),
            *_spot(services),
        ),
    )


@dataclass(slots=True)
class _Work:
    """The making of each task, which gathers files and changes."""

    clone: Clone
    options: AwsOptions
    sources: Mapping[str, Source]
    images: Mapping[str, str]
    certificates: Certificates | None
    found: Calling
    store: Stores
    shared: Shared
    maker: Maker
    changes: list[Change] = field(default_factory=list)
    objects: list[Files] = field(default_factory=list)

    def service(self, name: str, after: tuple[str, ...]) -> ServicePlan:
        """The plan of the task of a service or a mock."""
        mock = next((each for each in self.clone.mocks if each.name == name), None)
        services = [self.found.services[each] for each in self.found.groups.members.get(name, ())]
        running: list[str] = [each.kind for each in services if each.kind != "job"]
        kinds = running or ["mock" if mock else "job"]
        return ServicePlan(
            logical=name,
            kind=next((kind for kind in kinds if kind != "service"), kinds[0]),
            name=aws_names.service(self.maker.environment, name),
            task=self._task(name, [self._mock(mock)] if mock else [self._part(each) for each in services]),
            replicas=1 if mock else self.found.services[name].replicas,
            aliases=self.found.aliases.get(name, ()),
            after=after,
            spot=self.options.spot and _ONCE.issuperset(kinds),
        )

    def _task(self, name: str, parts: Sequence[Part]) -> TaskPlan:
        task, changes = self.maker.task(name, parts)
        if name in self.found.services and name not in self.shared.images:
            self.changes += changes
        self.objects += [part.files for part in parts if part.files.objects]
        return self.shared.with_admin(name, task)

    def _part(self, service: Service) -> Part:
        images = {**self.images, **self.shared.images}
        if service.name not in images:
            raise UsageError(f"Service {service.name!r} has no image to run.", hint="Build or name one for it.")
        trusted: tuple[Volume, ...] = ()
        if self.certificates is not None:
            trusted = (folder_volume(FOLDER, Source(self.certificates.files)),)
        self.changes += unanswered(service, self.sources)
        return Part(
            service=service,
            image=images[service.name],
            files=files_of(service, self.sources, self.found.groups, trusted),
            ports=self.found.ports(service.name),
            statements=self.store.statements.get(service.name, ()),
        )

    def _mock(self, mock: Mock) -> Part:
        source = self.sources.get(mock.folder, Source({}))
        if not any(path.startswith("mappings/") and path.endswith(".json") for path in source.files):
            raise UsageError(
                f"The folder of mock {mock.name!r} is {mock.folder!r}, and it has no mapping.",
                hint="WireMock reads mappings/*.json in it.",
            )
        volumes = [folder_volume(_MOCK_ROOT, source, read_only=False)]
        if mock.scheme == "https":
            store = None if self.certificates is None else self.certificates.keystores.get(mock.name)
            if store is None:
                raise UsageError(
                    f"The mock {mock.name!r} speaks HTTPS, and there is no certificate for it.",
                    hint="Give the environment the certificates of an authority.",
                )
            volumes.append(Volume(_KEYSTORE, files={"understudy.p12": store}, secret={"understudy.p12"}))
        service = _mock_service(mock)
        return Part(
            service=service,
            image=self.options.mock_image,
            files=files_of(service, {}, more=tuple(volumes)),
            ports=self.found.ports(mock.name),
        )


def _mock_service(mock: Mock) -> Service:
    """WireMock as a service, with the options that it has on Docker.

    Its image asks port 8080, whatever is served, and ECS asks nothing of an image's own; so it is asked here, as
    Docker's provider asks, whether its port takes a connection. By bash, which runs the image's entry point.
    """
    port = str(mock.port)
    listen = ("--port", port)
    if mock.scheme == "https":
        store = f"{_KEYSTORE}/understudy.p12"
        listen = ("--https-port", port, "--disable-http", "--https-keystore", store, "--keystore-type", "PKCS12")  # type: ignore[assignment]  # as many words as it takes
    return Service(
        mock.name,
        image="wiremock",
        command=(*listen, "--disable-banner", "--root-dir", _MOCK_ROOT),
        environment={"JAVA_OPTS": _HEAP},
        healthcheck=HealthCheck(
            ("CMD", "bash", "-c", f": </dev/tcp/127.0.0.1/{port}"), interval=5, timeout=3, retries=10, start_period=60
        ),
        resources=Resources(memory=256 * 1024 * 1024),
    )


def _way_in(clone: Clone, found: Calling) -> tuple[Endpoint | None, list[Change]]:
    """The first gateway that speaks HTTP, else the first service that does; of the rest, that none reaches them."""
    kinds = {name: service.kind for name, service in found.services.items() if service.kind != "job"}
    speaking = [e for e in clone.endpoints if e.scheme == "http" and e.service in kinds]
    speaking.sort(key=lambda endpoint: kinds[endpoint.service] != "gateway")
    first = next((e for e in speaking if e.port in found.ports(e.service)), None)
    others = "on AWS one endpoint is reached from outside; the others by suites that run inside"
    databases = "only the services that call it are told the address that AWS gives it"
    owned = {service.name for service in clone.topology.services.values() if service.on_aws}
    changes = [
        Change(
            f"endpoints.{e.service}:{e.port}",
            "reached from outside",
            None,
            databases if e.service in owned else others,
            Fidelity.MISSING,
        )
        for e in clone.endpoints
        if e != first
    ]
    return first, changes


def _gateway(
    endpoint: Endpoint, found: Calling, environment: str, platform: Platform, chosen: int | None
) -> GatewayPlan:
    return GatewayPlan(
        service=endpoint.service,
        task=found.groups.owner[endpoint.service],
        container=aws_names.container(endpoint.service),
        port=endpoint.port,
        target_group=aws_names.target_group(environment, endpoint.service),
        host=platform.host(environment),
        priority=priority(environment, ()) if chosen is None else chosen,
    )


def _outward(clone: Clone, shared: Shared, platform: Platform) -> tuple[int, ...]:
    """The ports at which a closed environment reaches out: AWS itself, what is allowed, and the shared instances."""
    ports = [_HTTPS, *(external.port for external in clone.allowed)]
    ports += [platform.shared_database.port] if platform.shared_database and shared.images else []
    ports += [platform.shared_cache.port] if platform.shared_cache and shared.caches else []
    return tuple(dict.fromkeys(ports))


def _spot(services: Iterable[ServicePlan]) -> Iterator[Change]:
    if names := [service.logical for service in services if service.spot]:
        reason = "aws_spot is set: AWS may take a task back, two minutes after it has said so"
        yield Change("capacity", None, f"Fargate Spot for {', '.join(names)}", reason, Fidelity.SCALED)


def _network(clone: Clone) -> Iterator[Change]:
    names = list(clone.topology.networks)
    if len(names) > 1:
        reason = "on AWS an environment has one security group and one namespace, in which every service reaches all"
        yield Change("networks", ", ".join(names), "one", reason)
    if not clone.open_network:
        reason = "images, logs and secrets come to a task over HTTPS, so that its security group lets that port out"
        yield Change("networks.egress", None, "TCP 443 to any address", reason)
