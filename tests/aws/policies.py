"""The IAM policies of docs/aws.md, and the actions that calls need, after AWS's Service Authorization Reference.

An action has its call's name, but where the tables here say otherwise. IAM takes actions in any case of letters, and
they are compared in small ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["actions", "allowed", "named", "policy"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "aws.md"

_PREFIXES = {"elbv2": "elasticloadbalancing", "resourcegroupstaggingapi": "tag"}

_OTHERWISE: Mapping[str, tuple[str, ...]] = {
    "s3:listbuckets": ("s3:listallmybuckets",),
    "s3:headbucket": ("s3:listbucket",),
    "s3:getpublicaccessblock": ("s3:getbucketpublicaccessblock",),
    "s3:putpublicaccessblock": ("s3:putbucketpublicaccessblock",),
    "s3:deletepublicaccessblock": ("s3:putbucketpublicaccessblock",),
    "s3:getbucketlifecycleconfiguration": ("s3:getlifecycleconfiguration",),
    "s3:putbucketlifecycleconfiguration": ("s3:putlifecycleconfiguration",),
    "s3:deletebucketlifecycle": ("s3:putlifecycleconfiguration",),
    "s3:getbucketnotificationconfiguration": ("s3:getbucketnotification",),
    "s3:putbucketnotificationconfiguration": ("s3:putbucketnotification",),
    "s3:headobject": ("s3:getobject",),
    "s3:listobjectsv2": ("s3:listbucket",),
    "s3:listobjectversions": ("s3:listbucketversions",),
    "s3:listmultipartuploads": ("s3:listbucketmultipartuploads",),
    "s3:deleteobjects": ("s3:deleteobject", "s3:deleteobjectversion"),
}

_BESIDES: Mapping[str, tuple[str, ...]] = {"ecs:registertaskdefinition": ("iam:passrole",)}
"""What a call needs beside its own action."""


def policy(name: str) -> list[dict[str, Any]]:
    """The statements of the policy that the page has below `<!-- policy: NAME -->`."""
    text = PAGE.read_text(encoding="utf-8").split(f"<!-- policy: {name} -->\n```json\n")[1].split("```")[0]
    statements: list[dict[str, Any]] = json.loads(text)["Statement"]
    return statements


def named(name: str, *sids: str) -> list[dict[str, Any]]:
    """The statements of these ids of a policy of the page."""
    found = [each for each in policy(name) if each["Sid"] in sids]
    assert len(found) == len(sids), (name, sids)
    return found


def allowed(name: str, *sids: str) -> set[str]:
    """The actions that a policy of the page allows, or its statements of these ids, in small letters."""
    return {action.lower() for each in (named(name, *sids) if sids else policy(name)) for action in each["Action"]}


def actions(calls: Iterable[tuple[str, str]]) -> set[str]:
    """The actions that calls need, in small letters; a call is a service and an operation, as boto3 or AWS names it."""
    found: set[str] = set()
    for service, operation in calls:
        call = f"{_PREFIXES.get(service, service)}:{operation.replace('_', '').lower()}"
        found.update(_OTHERWISE.get(call, (call,)), _BESIDES.get(call, ()))
    return found
