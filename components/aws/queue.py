"""A queue: an SQS queue of the environment's own, in the place of production's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from understudy.components.aws.options import child, fixed
from understudy.components.aws.service import SERVICES, Service
from understudy.stacks.aws.plan import QueuePlan

__all__ = ["Broker", "Queue", "QueueArgs"]


@SERVICES.register("queue")
class Broker(Service):
    """The ECS service of a broker of its own, such as Redis, that production runs in a container.

    Example:
        >>> Broker("shop-queue", ServiceArgs(plan=queue, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    pulumi_type = "understudy:aws:Broker"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueArgs:
    """What a queue is given: its plan, its account, and the queues that are there already, by their logical names."""

    plan: QueuePlan
    account: str
    others: Mapping[str, Queue] = field(default_factory=dict)


class Queue(pulumi.ComponentResource):
    """One queue, with production's settings that a program notices.

    Example:
        >>> Queue("shop-orders", QueueArgs(plan=orders, account=account), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    def __init__(self, name: str, args: QueueArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:aws:Queue", name, {}, opts)
        plan = args.plan
        self.queue = aws.sqs.Queue(
            f"{name}-queue",
            name=plan.name,
            fifo_queue=plan.fifo or None,
            visibility_timeout_seconds=plan.visibility_timeout,
            delay_seconds=plan.delay,
            redrive_policy=None if plan.dead_letter is None else _redrive(plan, args.others[plan.dead_letter]),
            sqs_managed_sse_enabled=True,
            opts=fixed(self),
        )
        self.policy = None if not plan.senders else self._let_in(name, args)
        self.register_outputs({"url": self.queue.url, "arn": self.queue.arn})

    def _let_in(self, name: str, args: QueueArgs) -> aws.sqs.QueuePolicy:
        """Who may send to it beside the tasks' roles: S3 for these buckets of this account, and nobody else."""

        def document(arn: str) -> str:
            condition = {
                "ArnEquals": {"aws:SourceArn": list(args.plan.senders)},
                "StringEquals": {"aws:SourceAccount": args.account},
            }
            statement = {
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": condition,
            }
            return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, sort_keys=True)

        return aws.sqs.QueuePolicy(
            f"{name}-let-in", queue_url=self.queue.id, policy=self.queue.arn.apply(document), opts=child(self)
        )


def _redrive(plan: QueuePlan, dead_letter: Queue) -> pulumi.Output[str]:
    made: pulumi.Output[str] = dead_letter.queue.arn.apply(
        lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": plan.max_receive}, sort_keys=True)
    )
    return made
