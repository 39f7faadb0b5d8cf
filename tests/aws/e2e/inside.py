"""The adapter "inside": a plugin of pytest by which a suite on the host calls what one inside the environment calls.

On AWS only the gateway is reached from outside. The example's suites look into its database, its queue and the mock as
well, which tasks call by Service Connect's names; here these are the addresses of the tasks on Docker's bridge, as ECS
says them. The gateway stays what the run says, a host below the platform's suffix that no DNS has: it is looked up
as the load balancer.

The run knows nothing of it: `PYTEST_ADDOPTS` and `PYTHONPATH` in the suites' environment bring it in.
"""

from __future__ import annotations

import os
import socket
from typing import Any
from urllib.parse import urlsplit

import boto3

ENVIRONMENT = "UNDERSTUDY_ENVIRONMENT"
GATEWAY = "UNDERSTUDY_GATEWAY_80_URL"
SCHEMES = {"DB_5432": "postgresql", "QUEUE_6379": "redis"}
MOCK = "api.payments.example"
"""The third party's own name, which is in the mock's certificate."""

_look_up = socket.getaddrinfo


def address(environment: str, service: str) -> str:
    """The address of the one task of a service, as ECS says it."""
    ecs = boto3.client("ecs")
    (cluster,) = ecs.list_clusters()["clusterArns"]
    arns = ecs.list_tasks(cluster=cluster, serviceName=f"{environment}-{service}")["taskArns"]
    (task,) = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]
    found = [d["value"] for a in task["attachments"] for d in a["details"] if d["name"] == "privateIPv4Address"]
    return str(found[0])


def known_names(environment: str, gateway: str) -> dict[str, str]:
    """Name -> address, of the gateway's host and of the third party's."""
    (balancer,) = boto3.client("elbv2").describe_load_balancers()["LoadBalancers"]
    host = urlsplit(gateway).hostname or ""
    assert host.startswith(f"{environment}."), gateway
    return {host: balancer["DNSName"], MOCK: address(environment, "payments")}


def variables(environment: str) -> dict[str, str]:
    """What a suite inside is given beside the gateway; addresses, since libpq looks names up by itself."""
    found = {"UNDERSTUDY_PAYMENTS_443_URL": f"https://{MOCK}"}
    for prefix, scheme in SCHEMES.items():
        service, _, port = prefix.partition("_")
        there = address(environment, service.lower())
        found |= {
            f"UNDERSTUDY_{prefix}_HOST": there,
            f"UNDERSTUDY_{prefix}_PORT": port,
            f"UNDERSTUDY_{prefix}_URL": f"{scheme}://{there}:{port}",
        }
    return found


def pytest_configure() -> None:
    """Let this process see the environment as one inside it does."""
    environment = os.environ[ENVIRONMENT]
    names = known_names(environment, os.environ[GATEWAY])
    os.environ.update(variables(environment))

    def look_up(host: Any, *rest: Any, **more: Any) -> Any:
        return _look_up(names.get(host, host), *rest, **more)

    socket.getaddrinfo = look_up
