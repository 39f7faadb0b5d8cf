"""Data at rest and in flight: SQS queues, S3 buckets, log groups."""

from __future__ import annotations

import base64
import urllib.parse
from typing import Any

from understudy.provider.schema import Rule

from .account import Aws
from .declare import Given, Name, Resource, seen, sent
from .tagging import tags_of

__all__ = ["DATA"]


# SQS

_QUEUE = {
    "visibilityTimeoutSeconds": "VisibilityTimeout",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "delaySeconds": "DelaySeconds",
    "maxMessageSize": "MaximumMessageSize",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "redrivePolicy": "RedrivePolicy",
    "policy": "Policy",
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
}


def _attributes(given: Given) -> dict[str, str]:
    texts = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in sent(given, _QUEUE).items()
    }
    return {**texts, **({"FifoQueue": "true"} if given.get("fifoQueue") else {})}


def _make_queue(aws: Aws, given: Given) -> str:
    return str(
        aws("sqs", "create_queue", QueueName=given["name"], Attributes=_attributes(given), tags=given["tagsAll"])[
            "QueueUrl"
        ]
    )


def _change_queue(aws: Aws, url: str, _old: Given, new: Given) -> None:
    found = {name: value for name, value in _attributes(new).items() if name != "FifoQueue"}
    if found:
        aws("sqs", "set_queue_attributes", QueueUrl=url, Attributes=found)


def _look_queue(aws: Aws, url: str, given: Given) -> dict[str, Any] | None:
    found = aws("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["All"])["Attributes"]
    shown = {
        ours: _like(given.get(ours), found[theirs])
        for ours, theirs in _QUEUE.items()
        if theirs in found and (ours in given or ours.endswith("Seconds"))
    }
    return {**shown, "arn": found["QueueArn"], "url": url, "name": found["QueueArn"].rpartition(":")[2]}


def _like(declared: Any, text: str) -> Any:
    """An attribute's text as the property's type."""
    if isinstance(declared, bool):
        return text.lower() == "true"
    return int(text) if text.isdigit() else text


def _put_policy(aws: Aws, given: Given) -> str:
    aws("sqs", "set_queue_attributes", QueueUrl=given["queueUrl"], Attributes={"Policy": given["policy"]})
    return str(given["queueUrl"])


def _look_policy(aws: Aws, url: str, _given: Given) -> dict[str, Any] | None:
    found = aws("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {})
    return {"queueUrl": url, "policy": found["Policy"]} if found.get("Policy") else None


# S3


def _make_bucket(aws: Aws, given: Given) -> str:
    region = aws.region or aws.account.region
    place = {"LocationConstraint": region} if region != "us-east-1" else None
    aws("s3", "create_bucket", Bucket=given["bucket"], CreateBucketConfiguration=place)
    if given["tagsAll"]:
        tags_of("s3").set(aws, given["bucket"], {}, given["tagsAll"], ())
    return str(given["bucket"])


def _look_bucket(aws: Aws, name: str, _given: Given) -> dict[str, Any] | None:
    aws("s3", "head_bucket", Bucket=name)
    region = aws.region or aws.account.region
    return {
        "bucket": name,
        "arn": f"arn:aws:s3:::{name}",
        "bucketDomainName": f"{name}.s3.amazonaws.com",
        "bucketRegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
        "region": region,
    }


def _drop_bucket(aws: Aws, name: str, state: Given) -> None:
    """Without `forceDestroy`, one that is not empty is AWS's BucketNotEmpty."""
    while state.get("forceDestroy"):
        listed = aws("s3", "list_object_versions", Bucket=name)
        found = [
            {"Key": e["Key"], "VersionId": e["VersionId"]}
            for of in ("Versions", "DeleteMarkers")
            for e in listed.get(of) or ()
        ]
        if not found:
            break
        aws("s3", "delete_objects", Bucket=name, Delete={"Objects": found, "Quiet": True})
    aws("s3", "delete_bucket", Bucket=name)


_BLOCK = {
    "blockPublicAcls": "BlockPublicAcls",
    "blockPublicPolicy": "BlockPublicPolicy",
    "ignorePublicAcls": "IgnorePublicAcls",
    "restrictPublicBuckets": "RestrictPublicBuckets",
}


def _put_block(aws: Aws, given: Given) -> str:
    block = {theirs: bool(given.get(ours)) for ours, theirs in _BLOCK.items()}
    aws("s3", "put_public_access_block", Bucket=given["bucket"], PublicAccessBlockConfiguration=block)
    return str(given["bucket"])


def _look_block(aws: Aws, name: str, _given: Given) -> dict[str, Any] | None:
    return seen(aws("s3", "get_public_access_block", Bucket=name)["PublicAccessBlockConfiguration"], _BLOCK)


def _put_versioning(aws: Aws, given: Given) -> str:
    status = given["versioningConfiguration"]["status"]
    if status != "Disabled":  # of a bucket that never had versions, which AWS has no word to ask for
        aws("s3", "put_bucket_versioning", Bucket=given["bucket"], VersioningConfiguration={"Status": status})
    return str(given["bucket"])


def _look_versioning(aws: Aws, name: str, _given: Given) -> dict[str, Any] | None:
    status = aws("s3", "get_bucket_versioning", Bucket=name).get("Status", "Disabled")
    return {"versioningConfiguration": {"status": status}}


def _drop_versioning(aws: Aws, name: str, state: Given) -> None:
    if state["versioningConfiguration"]["status"] == "Enabled":
        aws("s3", "put_bucket_versioning", Bucket=name, VersioningConfiguration={"Status": "Suspended"})


_FILTERS = {"filterPrefix": "prefix", "filterSuffix": "suffix"}


def _put_notification(aws: Aws, given: Given) -> str:
    told = [_told(each) for each in given.get("queues", ())]
    wanted = {"QueueConfigurations": told} if told else {}
    aws("s3", "put_bucket_notification_configuration", Bucket=given["bucket"], NotificationConfiguration=wanted)
    return str(given["bucket"])


def _told(queue: Given) -> dict[str, Any]:
    rules = [{"Name": theirs, "Value": queue[ours]} for ours, theirs in _FILTERS.items() if queue.get(ours)]
    only = {"Filter": {"Key": {"FilterRules": rules}}} if rules else {}
    return {"QueueArn": queue["queueArn"], "Events": queue["events"], **only}


def _look_notification(aws: Aws, name: str, _given: Given) -> dict[str, Any] | None:
    queues = []
    for each in aws("s3", "get_bucket_notification_configuration", Bucket=name).get("QueueConfigurations", ()):
        rules = each.get("Filter", {}).get("Key", {}).get("FilterRules", ())
        given = {rule["Name"].lower(): rule["Value"] for rule in rules}
        queues.append({"queueArn": each["QueueArn"], "events": each["Events"], **seen(given, _FILTERS)})
    return {"queues": queues} if queues else None


def _rule(declared: Given) -> dict[str, Any]:
    made = sent(declared, {"id": "ID", "status": "Status"})
    made["Filter"] = {"Prefix": (declared.get("filter") or {}).get("prefix", "")}
    if "expiration" in declared:
        made["Expiration"] = sent(declared["expiration"], {"days": "Days"})
    if "noncurrentVersionExpiration" in declared:
        made["NoncurrentVersionExpiration"] = sent(
            declared["noncurrentVersionExpiration"], {"noncurrentDays": "NoncurrentDays"}
        )
    if "abortIncompleteMultipartUpload" in declared:
        aborted = sent(declared["abortIncompleteMultipartUpload"], {"daysAfterInitiation": "DaysAfterInitiation"})
        made["AbortIncompleteMultipartUpload"] = aborted
    return made


def _put_lifecycle(aws: Aws, given: Given) -> str:
    rules = {"Rules": [_rule(each) for each in given["rules"]]}
    aws("s3", "put_bucket_lifecycle_configuration", Bucket=given["bucket"], LifecycleConfiguration=rules)
    return str(given["bucket"])


def _look_lifecycle(aws: Aws, name: str, _given: Given) -> dict[str, Any] | None:
    aws("s3", "get_bucket_lifecycle_configuration", Bucket=name)
    return {}


def _put_object(aws: Aws, given: Given) -> str:
    body = base64.b64decode(given["contentBase64"]) if "contentBase64" in given else given["content"].encode()
    tags = urllib.parse.urlencode(given["tagsAll"]) or None
    aws("s3", "put_object", Bucket=given["bucket"], Key=given["key"], Body=body, Tagging=tags)
    return f"{given['bucket']}/{given['key']}"


def _look_object(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    bucket, _, key = object_id.partition("/")
    found = aws("s3", "head_object", Bucket=bucket, Key=key)
    return {"arn": f"arn:aws:s3:::{object_id}", "etag": found["ETag"].strip('"')}


def _drop_object(aws: Aws, object_id: str, _state: Given) -> None:
    bucket, _, key = object_id.partition("/")
    listed = aws("s3", "list_object_versions", Bucket=bucket, Prefix=key)
    for each in [*listed.get("Versions", ()), *listed.get("DeleteMarkers", ())]:
        if each["Key"] == key:
            aws("s3", "delete_object", Bucket=bucket, Key=key, VersionId=each["VersionId"])


# CloudWatch Logs


def _make_logs(aws: Aws, given: Given) -> str:
    aws("logs", "create_log_group", logGroupName=given["name"], tags=given["tagsAll"] or None)
    if given.get("retentionInDays"):
        _change_logs(aws, given["name"], {}, given)
    return str(given["name"])


def _change_logs(aws: Aws, name: str, _old: Given, new: Given) -> None:
    if new.get("retentionInDays"):
        aws("logs", "put_retention_policy", logGroupName=name, retentionInDays=new["retentionInDays"])
    else:
        aws("logs", "delete_retention_policy", logGroupName=name)


def _look_logs(aws: Aws, name: str, _given: Given) -> dict[str, Any] | None:
    there = aws("logs", "describe_log_groups", logGroupNamePrefix=name)["logGroups"]
    found = next((each for each in there if each["logGroupName"] == name), None)
    if found is None:
        return None
    return {"name": name, "arn": found["arn"].removesuffix(":*"), "retentionInDays": found.get("retentionInDays", 0)}


def _drop_logs(aws: Aws, name: str, state: Given) -> None:
    if not state.get("skipDestroy"):
        aws("logs", "delete_log_group", logGroupName=name)


DATA = (
    Resource(
        token="aws:sqs/queue:Queue",
        takes=f"name fifoQueue {' '.join(_QUEUE)}",
        replaces="name fifoQueue",
        make=_make_queue,
        look=_look_queue,
        change=_change_queue,
        drop=lambda aws, url, _state: aws("sqs", "delete_queue", QueueUrl=url),
        name=Name(
            "name",
            Rule("1 to 80 letters, digits, `-` and `_`", pattern=r"[a-zA-Z0-9_-]{1,80}|[a-zA-Z0-9_-]{1,75}\.fifo"),
        ),
        tagging=tags_of("sqs"),
        outputs="arn url",
        texts="redrivePolicy policy",
    ),
    Resource(
        token="aws:sqs/queuePolicy:QueuePolicy",
        takes="queueUrl policy",
        replaces="queueUrl",
        make=_put_policy,
        look=_look_policy,
        change=lambda aws, _id, _old, new: _put_policy(aws, new),
        drop=lambda aws, url, _state: aws("sqs", "set_queue_attributes", QueueUrl=url, Attributes={"Policy": ""}),
        outputs="",
        texts="policy",
    ),
    Resource(
        token="aws:s3/bucket:Bucket",
        takes="bucket forceDestroy",
        settles="forceDestroy",
        make=_make_bucket,
        look=_look_bucket,
        drop=_drop_bucket,
        name=Name(
            "bucket", Rule("3 to 63 small letters, digits, `.` and `-`", pattern=r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
        ),
        tagging=tags_of("s3"),
        outputs="arn bucketDomainName bucketRegionalDomainName",
    ),
    Resource(
        token="aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        takes=f"bucket {' '.join(_BLOCK)}",
        replaces="bucket",
        make=_put_block,
        look=_look_block,
        change=lambda aws, _id, _old, new: _put_block(aws, new),
        drop=lambda aws, name, _state: aws("s3", "delete_public_access_block", Bucket=name),
        outputs="",
    ),
    Resource(
        token="aws:s3/bucketVersioning:BucketVersioning",
        takes="bucket versioningConfiguration",
        replaces="bucket",
        make=_put_versioning,
        look=_look_versioning,
        change=lambda aws, _id, _old, new: _put_versioning(aws, new),
        drop=_drop_versioning,
        outputs="",
    ),
    Resource(
        token="aws:s3/bucketNotification:BucketNotification",
        takes="bucket queues",
        replaces="bucket",
        make=_put_notification,
        look=_look_notification,
        change=lambda aws, _id, _old, new: _put_notification(aws, new),
        drop=lambda aws, name, _state: _put_notification(aws, {"bucket": name}),
        outputs="",
    ),
    Resource(
        token="aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        takes="bucket rules",
        replaces="bucket",
        make=_put_lifecycle,
        look=_look_lifecycle,
        change=lambda aws, _id, _old, new: _put_lifecycle(aws, new),
        drop=lambda aws, name, _state: aws("s3", "delete_bucket_lifecycle", Bucket=name),
        outputs="",
    ),
    Resource(
        token="aws:s3/bucketObjectv2:BucketObjectv2",
        takes="bucket key content contentBase64 forceDestroy",
        replaces="bucket key",
        make=_put_object,
        look=_look_object,
        change=lambda aws, _id, _old, new: _put_object(aws, {**new, "tagsAll": aws.account.tags(new)}),
        drop=_drop_object,
        tagging=tags_of("s3 object"),
        outputs="arn etag",
    ),
    Resource(
        token="aws:cloudwatch/logGroup:LogGroup",
        takes="name retentionInDays skipDestroy",
        replaces="name",
        make=_make_logs,
        look=_look_logs,
        change=_change_logs,
        drop=_drop_logs,
        name=Name("name", Rule("1 to 512 letters, digits and any of `.-_/#`", pattern=r"[\w.\-/#]{1,512}")),
        tagging=tags_of("logs"),
    ),
)
