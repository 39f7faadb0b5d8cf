"""Buckets of S3, with their versioning and the queues that hear of their objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from understudy.stacks.topology import Managed

from .pulumi_found import Found
from .pulumi_managed import AWS_PORT, QUEUE, add_managed
from .pulumi_resources import Resource, State

__all__ = ["MAPPERS"]

_BUCKETS = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
_VERSIONING = ("aws:s3/bucketVersioning:BucketVersioning", "aws:s3/bucketVersioningV2:BucketVersioningV2")
_NOTIFICATION = "aws:s3/bucketNotification:BucketNotification"


def _bucket(resource: Resource, state: State, found: Found) -> None:
    name = resource.text("bucket") or resource.id or resource.name
    own = resource.inputs.get("versioning")
    beside = [r.inputs.get("versioningConfiguration") for r in _beside(resource, state, *_VERSIONING)]
    versioned = (isinstance(own, Mapping) and own.get("enabled") is True) or any(
        isinstance(given, Mapping) and given.get("status") == "Enabled" for given in beside
    )
    options = {"versioning": "true"} if versioned else {}
    if arn := resource.text("arn"):
        options["arn"] = arn
    heard = [entry for r in _beside(resource, state, _NOTIFICATION) for entry in _queues(r, state)]
    if heard:
        options["notify"] = json.dumps(heard)
    managed = Managed("s3", name, options=options)
    add_managed(resource, managed, state, found, kind="bucket", port=AWS_PORT)


def _beside(bucket: Resource, state: State, *types: str) -> Iterator[Resource]:
    """The resources of these types that say something of the bucket."""
    for resource in state.of(*types):
        if state.behind(resource, "bucket", resource.inputs.get("bucket"), *_BUCKETS) is bucket:
            yield resource


def _queues(notification: Resource, state: State) -> Iterator[dict[str, object]]:
    """Who hears of which events, by the queue's name, as the option `notify` of a bucket has it."""
    for entry in notification.inputs.get("queues") or ():
        arn = str(entry.get("queueArn") or "")
        queue = state.behind(notification, "queues", arn, QUEUE)
        name = (queue.text("name") if queue else None) or arn.rpartition(":")[2]
        if name:
            told: dict[str, object] = {"queue": name, "events": sorted(map(str, entry.get("events") or ()))}
            filters = {"prefix": entry.get("filterPrefix"), "suffix": entry.get("filterSuffix")}
            yield told | {key: str(value) for key, value in filters.items() if value}


def _notification(resource: Resource, state: State, found: Found) -> None:
    """What a bucket tells is read with it; only queues are told in a clone."""
    bucket = state.behind(resource, "bucket", resource.inputs.get("bucket"), *_BUCKETS)
    path = f"services.{bucket.name if bucket else resource.name}.notify"
    if bucket is None:
        found.warn(f"{resource.urn}: its bucket is not in the stack: left out")
    for key in ("topics", "lambdaFunctions", "eventbridge"):
        if resource.inputs.get(key):
            reason = f"a clone's bucket tells queues only ({resource.urn})"
            found.leave_out(path, f"{key}: {json.dumps(resource.inputs[key], default=str)}", reason)


MAPPERS: Mapping[str, Callable[[Resource, State, Found], None]] = {
    **dict.fromkeys(_BUCKETS, _bucket),
    _NOTIFICATION: _notification,
}
