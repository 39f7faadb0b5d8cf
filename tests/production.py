"""The production of the shop as a Pulumi program over pulumi_docker: what its Compose file says, in Pulumi's words."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from understudy.stacks.identity import Environment, ownership_labels
from understudy.stacks.serial import topology_data
from understudy.stacks.topology import Topology

__all__ = ["differing", "free_port", "shop_production"]

DATABASE = {"PGHOST": "db.shop.internal", "PGUSER": "shop", "PGDATABASE": "shop"}
QUEUE = {"QUEUE_URL": "redis://queue.shop.internal:6379/0"}
HEALTH = (
    "import socket; "
    's = socket.create_connection(("127.0.0.1", 8000), 2); '
    's.sendall(b"GET /health HTTP/1.0\\r\\n\\r\\n"); '
    'assert b" 200 " in s.recv(64)'
)
PG_READY = 'pg_isready --quiet --username "$POSTGRES_USER" --dbname "$POSTGRES_DB"'


def shop_production(
    folder: Path, environment: Environment, images: Mapping[str, str], password: str, port: int
) -> Callable[[], None]:
    """The program.

    Args:
        folder: where the shop's files lie.
        environment: whose the objects are; the embedded provider takes none without its labels.
        images: service -> image, for the three that are built.
        password: the database's; a secret of the stack.
        port: where the host publishes the gateway.
    """

    def program() -> None:
        import pulumi
        import pulumi_docker as docker

        prefix = environment.id
        labels = [
            docker.ContainerLabelArgs(label=key, value=value) for key, value in ownership_labels(environment).items()
        ]
        plain = [{"label": entry.label, "value": entry.value} for entry in labels]
        front = docker.Network("front", name=f"{prefix}-front", labels=plain)
        back = docker.Network("back", name=f"{prefix}-back", internal=True, labels=plain)
        data = docker.Volume("db-data", name=f"{prefix}-db-data", labels=plain)
        queued = docker.Volume("queue-data", name=f"{prefix}-queue-data", labels=plain)
        secret = pulumi.Output.secret(password)

        def envs(pairs: Mapping[str, str], key: str = "PGPASSWORD") -> list[Any]:
            return [*(f"{name}={value}" for name, value in pairs.items()), pulumi.Output.concat(key, "=", secret)]

        def joined(name: str, *networks: docker.Network, aliases: tuple[str, ...] = ()) -> list[Any]:
            return [
                docker.ContainerNetworksAdvancedArgs(name=network.name, aliases=[name, *aliases])
                for network in networks
            ]

        def check(*test: str, **more: Any) -> docker.ContainerHealthcheckArgs:
            return docker.ContainerHealthcheckArgs(tests=list(test), interval="5s", timeout="3s", **more)

        def container(name: str, after: list[pulumi.Resource], **more: Any) -> docker.Container:
            image = more.pop("image", None) or images[name.partition("-")[0]]
            return docker.Container(
                name,
                name=f"{prefix}-{name}",
                image=image,
                labels=labels,
                opts=pulumi.ResourceOptions(depends_on=after),
                **more,
            )

        http = check("CMD", "python", "-IS", "-c", HEALTH, retries=5, start_period="10s")
        python = {"restart": "unless-stopped", "cpus": "1.0", "memory": 192}
        db = container(
            "db",
            [],
            image="postgres:15",
            hostname="db.shop.internal",
            envs=envs({"POSTGRES_USER": "shop", "POSTGRES_DB": "shop"}, "POSTGRES_PASSWORD"),
            volumes=[
                docker.ContainerVolumeArgs(volume_name=data.name, container_path="/var/lib/postgresql/data"),
                docker.ContainerVolumeArgs(
                    host_path=str(folder / "db" / "init.sql"),
                    container_path="/docker-entrypoint-initdb.d/init.sql",
                    read_only=True,
                ),
            ],
            networks_advanced=joined("db", back, aliases=("db.shop.internal",)),
            healthcheck=check("CMD-SHELL", PG_READY, retries=10),
            restart="unless-stopped",
            memory=512,
            wait=True,
        )
        queue = container(
            "queue",
            [],
            image="redis:7",
            command=["redis-server", "--appendonly", "yes"],
            volumes=[docker.ContainerVolumeArgs(volume_name=queued.name, container_path="/data")],
            networks_advanced=joined("queue", back, aliases=("queue.shop.internal",)),
            healthcheck=check("CMD", "redis-cli", "ping", retries=5),
            restart="unless-stopped",
            memory=128,
            wait=True,
        )
        migrate = container(
            "migrate",
            [db],
            image="postgres:15",
            command=["sh", "-c", "cat /migrations/*.sql | psql --quiet --single-transaction --set ON_ERROR_STOP=1"],
            envs=envs(DATABASE),
            volumes=[
                docker.ContainerVolumeArgs(
                    host_path=str(folder / "db" / "migrations"), container_path="/migrations", read_only=True
                )
            ],
            networks_advanced=joined("migrate", back),
            restart="no",
            must_run=False,
            attach=True,
        )
        catalog, _ = (
            container(
                name,
                [db, migrate],
                envs=envs(DATABASE),
                networks_advanced=joined("catalog", front, back),
                healthcheck=http,
                **python,
            )
            for name in ("catalog", "catalog-2")
        )
        orders = container(
            "orders",
            [db, migrate, queue, catalog],
            envs=envs(
                {
                    **DATABASE,
                    **QUEUE,
                    "CATALOG_HOST": "catalog:8000",
                    "PAYMENTS_URL": "https://api.payments.example",
                    "PAYMENTS_TIMEOUT": "2.0",
                }
            ),
            networks_advanced=joined("orders", front, back),
            healthcheck=http,
            **python,
        )
        container(
            "worker",
            [migrate, queue],
            envs=envs({**DATABASE, **QUEUE}),
            networks_advanced=joined("worker", back),
            **python,
        )
        container(
            "gateway",
            [catalog, orders],
            image="nginx:1.22",
            ports=[docker.ContainerPortArgs(internal=80, external=port)],
            volumes=[
                docker.ContainerVolumeArgs(
                    host_path=str(folder / "gateway" / "nginx.conf"),
                    container_path="/etc/nginx/nginx.conf",
                    read_only=True,
                )
            ],
            networks_advanced=joined("gateway", front),
            restart="unless-stopped",
            memory=64,
        )

    return program


def free_port() -> int:
    """A port of this host that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf by its path; lists whose order means nothing are sorted."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and not path.endswith(("command", "entrypoint", "test")):
        yield path, sorted(value, key=repr)
    else:
        yield path, value


def differing(one: Topology, other: Topology) -> set[str]:
    """The paths of the leaves that differ."""
    left, right = dict(_flat(topology_data(one))), dict(_flat(topology_data(other)))
    return {path for path in {*left, *right} if left.get(path) != right.get(path)}
