"""Where an environment's endpoints answer: the host rules of its gateways, each on a listener that others share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from understudy.aws_failures import asking
from understudy.stacks.identity import Whose
from understudy.targets.aws.evidence import services_of
from understudy.targets.aws.kinds_gateway import described_rules
from understudy.targets.aws.listers import kind_named
from understudy.targets.aws.session import AwsSession
from understudy.targets.ownership import is_owned

if TYPE_CHECKING:
    from types_boto3_elbv2 import ElasticLoadBalancingv2Client

__all__ = ["Endpoint", "endpoints_of"]


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """One endpoint: a service's port, and how it is reached.

    `host` is the name that the rule asks for, `address` the load balancer's own DNS name: where `host` does not
    resolve, a client dials `address` and says `host` in its `Host` header. `listening` and `scheme` are the listener's.
    """

    service: str
    port: int
    host: str
    address: str
    listening: int
    scheme: str


def endpoints_of(aws: AwsSession, whose: Whose) -> tuple[Endpoint, ...]:
    """The endpoints of the environment: each rule of ours with a host, and the services behind its target group.

    Raises:
        ToolError: a listing failed.
    """
    found: list[Endpoint] = []
    with asking(f"Looked for the endpoints of environment {whose.environment}"):
        behind = _behind(aws, whose)
        for row, labels in described_rules(
            aws, sorted(set(kind_named("listener-rule").candidates(aws, whose.environment)))
        ):
            hosts = _hosts(row)
            groups = [action.get("TargetGroupArn") for action in row["Actions"]]
            reached = [one for group in groups for one in behind.get(group, ())]
            if is_owned(labels, whose) and hosts and reached:
                where = _listening(aws, row["RuleArn"])
                found += [Endpoint(service, port, hosts[0], *where) for service, port in reached]
    return tuple(sorted(found))


def _behind(aws: AwsSession, whose: Whose) -> dict[str | None, list[tuple[str, int]]]:
    """Target group -> the containers, which are named after their services, and ports that the services put there."""
    found: dict[str | None, list[tuple[str, int]]] = {}
    for row in services_of(aws, whose):
        for one in row.get("loadBalancers", ()):
            found.setdefault(one.get("targetGroupArn"), []).append((one["containerName"], one["containerPort"]))
    return found


def _hosts(rule: Mapping[str, Any]) -> list[str]:
    """The host names that the rule asks for, patterns left out."""
    asked = (condition.get("HostHeaderConfig", {}).get("Values", ()) for condition in rule["Conditions"])
    return [name for names in asked for name in names if "*" not in name and "?" not in name]


def _listening(aws: AwsSession, rule: str) -> tuple[str, int, str]:
    """The load balancer's DNS name, and the port and scheme of the listener, whose ARNs stand in the rule's."""
    elb: ElasticLoadBalancingv2Client = aws.client("elbv2")
    listener = rule.replace(":listener-rule/", ":listener/").rpartition("/")[0]
    balancer = listener.replace(":listener/", ":loadbalancer/").rpartition("/")[0]
    heard = elb.describe_listeners(ListenerArns=[listener])["Listeners"][0]
    address = elb.describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"][0]["DNSName"]
    return address, heard["Port"], heard["Protocol"].lower()
