"""Waiting until an environment answers from outside: targets are healthy, and a request by its host gets through."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING

from understudy.aws_failures import asking
from understudy.errors import InterruptedRunError, ProvisionError
from understudy.stacks.identity import Whose
from understudy.targets.aws.endpoints import Endpoint, endpoints_of
from understudy.targets.aws.evidence import services_of
from understudy.targets.aws.session import AwsSession

if TYPE_CHECKING:
    from types_boto3_elbv2 import ElasticLoadBalancingv2Client

__all__ = ["ask", "unhealthy", "wait_reached"]

EVERY = 1.0
"""Seconds between two looks."""

_LIMIT = 10.0
"""Seconds for one request."""

_NOBODY = frozenset({502, 503, 504})
"""What a load balancer answers in the place of a target (Elastic Load Balancing, HTTP 502, 503, 504)."""


def wait_reached(aws: AwsSession, whose: Whose, timeout: float, stop: threading.Event) -> None:
    """Wait until every endpoint answers a request with anything that comes from a target.

    Raises:
        ProvisionError: one does not in time, with what stood in its way last.
        InterruptedRunError: `stop` was set.
        ToolError: AWS does not answer.
    """
    end = time.monotonic() + max(timeout, EVERY)
    endpoints = endpoints_of(aws, whose)
    while why := unhealthy(aws, whose) or next(filter(None, map(_why_not, endpoints)), ""):
        if time.monotonic() > end:
            raise ProvisionError(
                f"Waited for environment {whose.environment} to answer from outside, and {why}.",
                hint="The load balancer has to be reached from here: its security group and, if it is internal, the "
                "network say whether it is.",
            )
        if stop.wait(EVERY):
            raise InterruptedRunError("Waiting for the environment was ended before it answered.")


def unhealthy(aws: AwsSession, whose: Whose) -> str:
    """Which target of the environment's load balancing is not healthy, and why; `""`: all are.

    Raises:
        ToolError: AWS does not answer.
    """
    elb: ElasticLoadBalancingv2Client = aws.client("elbv2")
    rows = services_of(aws, whose)
    groups = [one["targetGroupArn"] for row in rows for one in row.get("loadBalancers", ()) if "targetGroupArn" in one]
    with asking(f"Looked at the targets of environment {whose.environment}"):
        for group in groups:
            found = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
            health = [each.get("TargetHealth", {}) for each in found]
            if not any(each.get("State") == "healthy" for each in health):
                last = health[0] if health else {}
                return f"no target is healthy: {last.get('Description') or last.get('State') or 'there is none'}"
    return ""


def _why_not(endpoint: Endpoint) -> str:
    where = f"{endpoint.host} at {endpoint.address}:{endpoint.listening}"
    try:
        status = ask(endpoint)
    except (OSError, http.client.HTTPException) as error:
        return f"{where} does not answer: {error}"
    return f"{where} answers {status}, which is the load balancer's own" if status in _NOBODY else ""


def ask(endpoint: Endpoint) -> int:
    """The status of `GET /` by the endpoint's host name, which need not resolve: the load balancer is dialled.

    Raises:
        OSError: no connection, or no TLS with a certificate for that name.
        HTTPException: the answer is none.
    """
    with socket.create_connection((endpoint.address, endpoint.listening), _LIMIT) as plain:
        whole = plain
        if endpoint.scheme == "https":
            whole = ssl.create_default_context().wrap_socket(plain, server_hostname=endpoint.host)
        connection = http.client.HTTPConnection(endpoint.host, endpoint.listening)
        connection.sock = whole
        connection.request("GET", "/", headers={"Host": endpoint.host, "Connection": "close"})
        return connection.getresponse().status
