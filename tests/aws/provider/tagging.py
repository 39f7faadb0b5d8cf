"""Tagging: how each service reads and sets tags; a resource names the service's way and where its tags hang."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .account import Aws, AwsError

__all__ = ["Tagging", "pairs", "pairs_of", "tags_of"]

_AT = Callable[[str, Mapping[str, Any]], Any]


def pairs(tags: Mapping[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """Tags as most services take them."""
    return [{key: name, value: text} for name, text in tags.items()]


def pairs_of(found: Any, key: str = "Key", value: str = "Value") -> dict[str, str]:
    """Tags as most services show them."""
    return {each[key]: each[value] for each in found or ()}


@dataclass(frozen=True)
class Tagging:
    """One service's way.

    Attributes:
        service: Of boto3.
        at: The parameter that names the resource, and its value from id and state.
        read: Operation, and where in its answer the tags are.
        write: Operation, and its parameter for the tags.
        erase: Operation, and its parameter for the keys; "": `write` replaces all.
        form: How tags are written: as pairs, as pairs of small letters, or as they are.
        listed: Whether the parameter that names the resource is a list.
        keys_as_pairs: Whether `erase` takes its keys as pairs without a value.
        kind: What `ResourceType` has to be.
    """

    service: str
    at: tuple[str, _AT]
    read: tuple[str, Callable[[Mapping[str, Any]], Any]]
    write: tuple[str, str]
    erase: tuple[str, str]
    form: str = "pairs"
    listed: bool = False
    keys_as_pairs: bool = False
    kind: str = ""

    def get(self, aws: Aws, object_id: str, state: Mapping[str, Any]) -> dict[str, str]:
        """The tags that there are."""
        operation, place = self.read
        if self.service == "ec2":  # its resources are named by a filter there
            filters = [{"Name": "resource-id", "Values": [self.at[1](object_id, state)]}]
            return pairs_of(aws("ec2", operation, Filters=filters)["Tags"])
        try:
            return _plain(place(aws(self.service, operation, **self._where(object_id, state))))
        except AwsError as error:
            if error.code == "NoSuchTagSet":  # S3's word for none
                return {}
            raise

    def set(
        self, aws: Aws, object_id: str, state: Mapping[str, Any], tags: Mapping[str, str], removed: tuple[str, ...]
    ) -> None:
        """Make the tags what they are to be."""
        where, (operation, parameter) = self._where(object_id, state), self.write
        if removed and self.erase[0]:
            keys: Any = [{"Key": key} for key in removed] if self.keys_as_pairs else list(removed)
            aws(self.service, self.erase[0], **where, **{self.erase[1]: keys})
        if tags:
            aws(self.service, operation, **where, **{parameter: self.formed(tags)})

    def formed(self, tags: Mapping[str, str]) -> Any:
        """Tags as the service takes them."""
        if self.form == "pairs":
            return pairs(tags)
        if self.form == "small":
            return pairs(tags, "key", "value")
        return {"TagSet": pairs(tags)} if self.form == "set" else dict(tags)

    def _where(self, object_id: str, state: Mapping[str, Any]) -> dict[str, Any]:
        name, of = self.at
        value = of(object_id, state)
        if not name:  # an object has two names
            bucket, _, key = value.partition("/")
            return {"Bucket": bucket, "Key": key}
        return {name: [value] if self.listed else value, **({"ResourceType": self.kind} if self.kind else {})}


def _plain(found: Any) -> dict[str, str]:
    if isinstance(found, Mapping):
        return dict(found)
    small = found and "key" in found[0]
    return pairs_of(found, "key", "value") if small else pairs_of(found)


def tags_of(service: str, at: _AT | None = None) -> Tagging:
    """The way of a service; `at` says what names the resource where it is not its id."""
    return _WAYS[service](at or _WHERE.get(service, _id))


def _id(object_id: str, _state: Mapping[str, Any]) -> Any:
    return object_id


def _arn(_object_id: str, state: Mapping[str, Any]) -> Any:
    return state["arn"]


_WHERE: Mapping[str, _AT] = dict.fromkeys(("ecs", "ecr", "rds", "elasticache", "servicediscovery", "logs"), _arn)

_WAYS: Mapping[str, Callable[[_AT], Tagging]] = {
    "ec2": lambda at: Tagging(
        "ec2",
        ("Resources", at),
        ("describe_tags", lambda a: a.get("Tags")),
        ("create_tags", "Tags"),
        ("delete_tags", "Tags"),
        listed=True,
        keys_as_pairs=True,
    ),
    "elbv2": lambda at: Tagging(
        "elbv2",
        ("ResourceArns", at),
        ("describe_tags", lambda a: a["TagDescriptions"][0]["Tags"]),
        ("add_tags", "Tags"),
        ("remove_tags", "TagKeys"),
        listed=True,
    ),
    "ecs": lambda at: Tagging(
        "ecs",
        ("resourceArn", at),
        ("list_tags_for_resource", lambda a: a.get("tags")),
        ("tag_resource", "tags"),
        ("untag_resource", "tagKeys"),
        "small",
    ),
    "ecr": lambda at: Tagging(
        "ecr",
        ("resourceArn", at),
        ("list_tags_for_resource", lambda a: a.get("tags")),
        ("tag_resource", "tags"),
        ("untag_resource", "tagKeys"),
    ),
    "rds": lambda at: Tagging(
        "rds",
        ("ResourceName", at),
        ("list_tags_for_resource", lambda a: a.get("TagList")),
        ("add_tags_to_resource", "Tags"),
        ("remove_tags_from_resource", "TagKeys"),
    ),
    "elasticache": lambda at: Tagging(
        "elasticache",
        ("ResourceName", at),
        ("list_tags_for_resource", lambda a: a.get("TagList")),
        ("add_tags_to_resource", "Tags"),
        ("remove_tags_from_resource", "TagKeys"),
    ),
    "sqs": lambda at: Tagging(
        "sqs",
        ("QueueUrl", at),
        ("list_queue_tags", lambda a: a.get("Tags") or {}),
        ("tag_queue", "Tags"),
        ("untag_queue", "TagKeys"),
        "map",
    ),
    "s3": lambda at: Tagging(
        "s3",
        ("Bucket", at),
        ("get_bucket_tagging", lambda a: a["TagSet"]),
        ("put_bucket_tagging", "Tagging"),
        ("", ""),
        "set",
    ),
    "s3 object": lambda _at: Tagging(
        "s3",
        ("", lambda object_id, _state: object_id),
        ("get_object_tagging", lambda a: a["TagSet"]),
        ("put_object_tagging", "Tagging"),
        ("", ""),
        "set",
    ),
    "logs": lambda at: Tagging(
        "logs",
        ("resourceArn", at),
        ("list_tags_for_resource", lambda a: a.get("tags") or {}),
        ("tag_resource", "tags"),
        ("untag_resource", "tagKeys"),
        "map",
    ),
    "iam": lambda at: Tagging(
        "iam",
        ("RoleName", at),
        ("list_role_tags", lambda a: a.get("Tags")),
        ("tag_role", "Tags"),
        ("untag_role", "TagKeys"),
    ),
    "secretsmanager": lambda at: Tagging(
        "secretsmanager",
        ("SecretId", at),
        ("describe_secret", lambda a: a.get("Tags")),
        ("tag_resource", "Tags"),
        ("untag_resource", "TagKeys"),
    ),
    "servicediscovery": lambda at: Tagging(
        "servicediscovery",
        ("ResourceARN", at),
        ("list_tags_for_resource", lambda a: a.get("Tags")),
        ("tag_resource", "Tags"),
        ("untag_resource", "TagKeys"),
    ),
    "ssm": lambda at: Tagging(
        "ssm",
        ("ResourceId", at),
        ("list_tags_for_resource", lambda a: a.get("TagList")),
        ("add_tags_to_resource", "Tags"),
        ("remove_tags_from_resource", "TagKeys"),
        kind="Parameter",
    ),
}
