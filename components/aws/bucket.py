"""A bucket: an S3 bucket of the environment's own, closed to the public, which goes with all that is in it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from understudy.components.aws.options import child, fixed
from understudy.components.aws.queue import Queue
from understudy.components.aws.service import SERVICES, Service
from understudy.components.names import slug
from understudy.components.secrets import fill
from understudy.stacks.aws.plan import BucketPlan, FileObject
from understudy.stacks.secret_rules import Seed

__all__ = ["Bucket", "BucketArgs", "ObjectStore", "closed", "versioned"]


@SERVICES.register("bucket")
class ObjectStore(Service):
    """The ECS service of a server of objects, such as MinIO, that production runs in a container.

    Example:
        >>> ObjectStore("shop-bucket", ServiceArgs(plan=bucket, **rest), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    pulumi_type = "understudy:aws:ObjectStore"


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketArgs:
    """What a bucket is given: its plan, the files that lie in it from the start, and the queues, by logical names."""

    plan: BucketPlan
    seed: Seed
    objects: Sequence[FileObject] = ()
    queues: Mapping[str, Queue] = field(default_factory=dict)


class Bucket(pulumi.ComponentResource):
    """One bucket. `force_destroy` works only since it is there from the first update on.

    Example:
        >>> Bucket("shop-files", BucketArgs(plan=files, seed=seed), ResourceOptions(parent=env))  # doctest: +SKIP
    """

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:aws:Bucket", name, {}, opts)
        self.bucket = aws.s3.Bucket(f"{name}-bucket", bucket=args.plan.name, force_destroy=True, opts=fixed(self))
        self.closed = closed(name, self.bucket, self)
        if args.plan.versioning:
            versioned(name, self.bucket, self)
        self.last: pulumi.Resource = self._telling(name, args) if args.plan.notifications else self.bucket
        self.objects = [self._object(name, each, args.seed) for each in args.objects]
        self.register_outputs({"bucket": self.bucket.id})

    def _telling(self, name: str, args: BucketArgs) -> aws.s3.BucketNotification:
        """Who hears of its objects; S3 asks each queue whether it may send to it as this is made."""
        told = args.plan.notifications
        policies = {each.queue: args.queues[each.queue].policy for each in told}
        return aws.s3.BucketNotification(
            f"{name}-notification",
            bucket=self.bucket.id,
            queues=[
                aws.s3.BucketNotificationQueueArgs(
                    queue_arn=args.queues[each.queue].queue.arn,
                    events=list(each.events),
                    filter_prefix=each.prefix or None,
                    filter_suffix=each.suffix or None,
                )
                for each in told
            ],
            opts=child(self, [policy for policy in policies.values() if policy is not None]),
        )

    def _object(self, name: str, file: FileObject, seed: Seed) -> aws.s3.BucketObjectv2:
        return aws.s3.BucketObjectv2(
            f"{name}-{slug(file.key)}",
            bucket=self.bucket.id,
            key=file.key,
            force_destroy=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.closed]),
            **_content(file, seed),
        )


def closed(
    name: str, bucket: aws.s3.Bucket, parent: pulumi.Resource, opts: pulumi.ResourceOptions | None = None
) -> aws.s3.BucketPublicAccessBlock:
    """What keeps a bucket from ever being public; a child of `parent`, unless `opts` say more."""
    return aws.s3.BucketPublicAccessBlock(
        f"{name}-closed",
        bucket=bucket.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=opts or child(parent),
    )


def versioned(
    name: str, bucket: aws.s3.Bucket, parent: pulumi.Resource, opts: pulumi.ResourceOptions | None = None
) -> aws.s3.BucketVersioning:
    """What lets a bucket keep every version of an object; `opts` as of `closed`."""
    return aws.s3.BucketVersioning(
        f"{name}-versioning",
        bucket=bucket.id,
        versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
        opts=opts or child(parent),
    )


def _content(file: FileObject, seed: Seed) -> dict[str, pulumi.Input[str]]:
    """A text as it is, its tokens filled; other bytes in base 64. A secret is Pulumi's secret."""
    try:
        text = file.content.decode()
    except UnicodeDecodeError:
        encoded = base64.b64encode(file.content).decode()
        return {"content_base64": pulumi.Output.secret(encoded) if file.secret else encoded}
    return {"content": pulumi.Output.secret(fill(text, seed)) if file.secret else text}
