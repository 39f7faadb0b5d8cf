"""The adapter "balancers": each of ministack's load balancers gets an address that answers on port 80.

ministack answers for all of them itself, below /_alb/<name> at its own port, and gives them names of AWS's DNS that
nobody resolves. Here each is a container on Docker's bridge that passes on what it is asked (tool/balancer.py); its
address is what DescribeLoadBalancers says.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ministack.core import container_reaper
from ministack.services import alb, ecs

__all__ = ["Balancers"]

ARN = "understudy-tests.load-balancer"


class Balancers:
    """Takes the place of ministack's own functions that make and delete a load balancer."""

    def __init__(self, image: str) -> None:
        """`image`: that of tool/Dockerfile."""
        self._image = image
        self._create, self._delete = alb._create_lb, alb._delete_lb

    def install(self) -> None:
        """Put this in the place of ministack's own functions."""
        alb._ACTION_MAP |= {"CreateLoadBalancer": self.create, "DeleteLoadBalancer": self.delete}

    def create(self, asked: Mapping[str, Any]) -> Any:
        """CreateLoadBalancer, and its container."""
        known = set(alb._lbs)
        refused = self._create(asked)
        for arn in set(alb._lbs) - known:
            alb._lbs[arn]["DNSName"] = self._start(arn)
            return self._described(arn)
        return refused

    def delete(self, asked: Mapping[str, Any]) -> Any:
        """DeleteLoadBalancer, and its container."""
        arn = alb._p(asked, "LoadBalancerArn")
        for container in ecs._get_docker().containers.list(all=True, filters={"label": f"{ARN}={arn}"}):
            container.remove(force=True, v=True)
        return self._delete(asked)

    def _start(self, arn: str) -> str:
        """The address of a load balancer's new container."""
        container = ecs._get_docker().containers.run(
            self._image,
            command=["balancer"],
            detach=True,
            labels={**container_reaper.own_labels("elbv2"), ARN: arn},
            environment={"MINISTACK": container_reaper.instance_id(), "BALANCER": alb._lbs[arn]["LoadBalancerName"]},
            network=os.environ["DOCKER_NETWORK"],
        )
        container.reload()
        return str(container.attrs["NetworkSettings"]["Networks"][os.environ["DOCKER_NETWORK"]]["IPAddress"])

    def _described(self, arn: str) -> Any:
        return alb._xml(200, "CreateLoadBalancer", f"<LoadBalancers>{alb._lb_xml(alb._lbs[arn])}</LoadBalancers>")
