"""An environment: everything of one clone as Pulumi resources, and the addresses at which tests reach it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_docker as docker

from understudy.components.egress import Egress, EgressArgs
from understudy.components.images import ImageRef
from understudy.components.mock import Mock, MockArgs
from understudy.components.names import slug
from understudy.components.network import Network, NetworkArgs
from understudy.components.plan import Plan, make_plan
from understudy.components.registry import load
from understudy.components.relay import Relay, RelayArgs
from understudy.components.service import SERVICES, Service
from understudy.components.service_args import ServiceArgs
from understudy.components.trust import Trust, TrustArgs
from understudy.components.volume import Volume, VolumeArgs
from understudy.errors import UsageError
from understudy.stacks import identity
from understudy.stacks import topology as production
from understudy.stacks.allowed import Allowed, rights
from understudy.stacks.clone import Clone
from understudy.stacks.secret_rules import Seed
from understudy.stacks.trust import Certificates

__all__ = ["Environment", "EnvironmentArgs"]

_CALLERS = frozenset({"service", "job"})
"""The kinds that start after the mocks are ready: in production a third party is there before anybody calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentArgs:
    """What an environment is made of. All of it is known when the program runs.

    Attributes:
        clone: what to provision.
        environment: whose it is; the same at every update, since it stands in labels and names.
        images: service -> its image.
        tree: absolute folder of the project at the commit.
        mock_tree: the one that the mocks' files come from.
        binds: source of a bind -> the path where its content lies; a source that is not named is taken from the tree.
        seed: the environment's seed of secrets.
        bind_address: the target's address that endpoints are published on.
        relay_image: HAProxy, 2.6 or newer.
        mock_image: WireMock.
        ready_timeout: seconds that a service has to get ready; a database has twice that.
        commit: for information, an output only: on a label it would replace everything at each commit.
        branch: as commit.
        certificates: what the environment's authority gives; needed where a mock speaks HTTPS.
    """

    clone: Clone
    environment: identity.Environment
    images: Mapping[str, ImageRef]
    tree: str
    mock_tree: str
    seed: bytes
    bind_address: str = "127.0.0.1"
    relay_image: str = "haproxy:2.6"
    mock_image: str = "wiremock/wiremock:3.13.1"
    ready_timeout: int = 120
    commit: str = ""
    branch: str = ""
    binds: Mapping[str, str] = field(default_factory=dict)
    certificates: Certificates | None = None


class Environment(pulumi.ComponentResource):
    """Networks, volumes, mocks, services in the order of their dependencies, and the relay.

    Outputs: `id`, `endpoints` (`<service>:<port>` -> host, port, url), `changes` (how many differences from
    production), `commit`, `branch`.

    Raises:
        UsageError: the clone cannot be built as it is; the message says what and why.

    Example:
        >>> env = Environment("shop", EnvironmentArgs(clone=clone, **rest))  # doctest: +SKIP
        >>> pulumi.export("endpoints", env.endpoints)  # doctest: +SKIP
    """

    endpoints: pulumi.Output[Mapping[str, Mapping[str, object]]]

    def __init__(self, name: str, args: EnvironmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:index:Environment", name, {}, opts)
        load()
        self._name = name
        self._args = args
        self._pulled: dict[tuple[str, str | None], docker.RemoteImage] = {}
        _refuse_rights(args.clone.topology)
        plan = make_plan(args.clone, args.environment.id)
        self.networks = {key: self._network(network, plan) for key, network in args.clone.topology.networks.items()}
        self.volumes = {key: self._volume(volume) for key, volume in args.clone.topology.volumes.items()}
        self.mocks = {mock.name: self._mock(mock.name, plan) for mock in args.clone.mocks}
        self.relay = self._relay(plan) if plan.routes else None  # first: it waits for no service, and is slow to start
        self.trust = self._trust(plan)
        self.egress = self._egress(plan) if args.clone.allowed else None
        self.services: dict[str, Service] = {}
        for service in plan.services:
            self.services[service.name] = self._service(service, plan)
        self.endpoints = pulumi.Output.from_input({}) if self.relay is None else self.relay.endpoints
        self.register_outputs(
            {
                "id": args.environment.id,
                "endpoints": self.endpoints,
                "changes": len(args.clone.changes),
                "commit": args.commit,
                "branch": args.branch,
            }
        )

    def _child(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)

    def _network(self, network: production.Network, plan: Plan) -> Network:
        return Network(
            f"{self._name}-{slug(network.name)}",
            NetworkArgs(
                environment=self._args.environment,
                logical=network.name,
                internal=network.internal or not self._args.clone.open_network,
                hosts=plan.hosts[network.name],
                labels=network.labels,
            ),
            self._child(),
        )

    def _volume(self, volume: production.Volume) -> Volume:
        return Volume(
            f"{self._name}-{slug(volume.name)}",
            VolumeArgs(
                environment=self._args.environment,
                logical=volume.name,
                labels=volume.labels,
                options=volume.options,
            ),
            self._child(),
        )

    def _mock(self, name: str, plan: Plan) -> Mock:
        args = self._args
        return Mock(
            f"{self._name}-{slug(name)}",
            MockArgs(
                mock=next(mock for mock in args.clone.mocks if mock.name == name),
                environment=args.environment,
                image=self._image(ImageRef(args.mock_image)),
                container=plan.mocks[name],
                networks=[network.docker_name for network in self.networks.values()],
                tree=args.tree,
                ready_timeout=args.ready_timeout,
                keystore=None if args.certificates is None else args.certificates.keystores.get(name),
            ),
            self._child(),
        )

    def _trust(self, plan: Plan) -> Trust | None:
        args = self._args
        if args.certificates is None:
            return None
        return Trust(
            f"{self._name}-understudy-trust",
            TrustArgs(
                environment=args.environment,
                files=args.certificates.files,
                image=self._image(ImageRef(args.relay_image)),
                container=plan.trust,
                ready_timeout=args.ready_timeout,
            ),
            self._child(),
        )

    def _service(self, service: production.Service, plan: Plan) -> Service:
        args = self._args
        if service.name not in args.images:
            raise UsageError(f"Service {service.name!r} has no image to run.", hint="Build or name one for it.")
        calls = any(each.kind in _CALLERS for each in (service, *plan.followed(service)))
        return SERVICES.get(service.kind)(
            f"{self._name}-{slug(service.name)}",
            ServiceArgs(
                service=service,
                environment=args.environment,
                image=self._image(args.images[service.name], service.platform),
                containers=plan.containers[service.name],
                networks={key: network.docker_name for key, network in self.networks.items()},
                volumes={key: volume.docker_name for key, volume in self.volumes.items()},
                tree=args.mock_tree,
                seed=Seed(args.seed, args.clone.topology.secret_rules),
                ready_timeout=args.ready_timeout,
                after=plan.after(service),
                binds=args.binds,
                others={other: plan.containers[other] for other in service.shares_with},
                wait_for=[
                    *(c for other in plan.awaited(service) for c in self.services[other].containers),
                    *(mock.container for mock in self.mocks.values() if calls),
                    *([self.egress.inner, self.egress.outer] if self.egress is not None and calls else []),
                    *([] if self.trust is None else [self.trust.container]),
                ],
                trust=None if self.trust is None else self.trust.docker_name,
            ),
            self._child(),
        )

    def _open_network(self, logical: str, hosts: int) -> Network:
        """A network of the environment's own that is not internal: a relay's way to the outside."""
        return Network(
            f"{self._name}-{slug(logical)}",
            NetworkArgs(environment=self._args.environment, logical=logical, internal=False, hosts=hosts),
            self._child(),
        )

    def _relay(self, plan: Plan) -> Relay:
        args = self._args
        edge = self._open_network(plan.edge, hosts=1)
        return Relay(
            f"{self._name}-relay",
            RelayArgs(
                environment=args.environment,
                image=self._image(ImageRef(args.relay_image)),
                container=plan.relay,
                routes=plan.routes,
                edge=edge.docker_name,
                networks=[network.docker_name for network in self.networks.values()],
                bind_address=args.bind_address,
                ready_timeout=args.ready_timeout,
            ),
            self._child(),
        )

    def _egress(self, plan: Plan) -> Egress:
        args = self._args
        outside = self._open_network(plan.outside, hosts=2)
        return Egress(
            f"{self._name}-egress",
            EgressArgs(
                environment=args.environment,
                image=self._image(ImageRef(args.relay_image)),
                inner=plan.egress[0],
                outer=plan.egress[1],
                allowed=args.clone.allowed,
                networks=[self.networks[name].docker_name for name in args.clone.outward],
                outside=outside.docker_name,
                ready_timeout=args.ready_timeout,
            ),
            self._child(),
        )

    def _image(self, image: ImageRef, platform: str | None = None) -> pulumi.Input[str]:
        """An image's id: a built one's is known, any other is found or pulled once, and kept by the target."""
        if image.built:
            return image.reference
        key = (image.reference, platform)
        if key not in self._pulled:
            logical = image.reference if platform is None else f"{image.reference}-{platform}"
            self._pulled[key] = docker.RemoteImage(
                f"{self._name}-{slug(logical)}-image",
                name=image.reference,
                platform=platform,
                keep_locally=True,
                opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),  # kept: a layer of deletes less
            )
        return self._pulled[key].image_id


def _refuse_rights(topology: production.Topology) -> None:
    """Hold, whatever read the topology, that nothing of the host is given to a clone that nobody allowed by name."""
    allowed = Allowed.of(topology.allowed)
    for right in rights(topology):
        if not allowed.has(right.allow):
            raise UsageError(
                f"{right.path} is {right.value!r}: {right.why}.", hint=f"Allow it by name: --allow {right.allow}."
            )
