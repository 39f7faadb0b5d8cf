"""The registry: ECR's repositories and how long they keep images."""

from __future__ import annotations

from typing import Any

from understudy.provider.schema import Rule

from .account import Aws
from .declare import Given, Name, Resource, seen, sent
from .tagging import pairs, tags_of

__all__ = ["REGISTRY"]


def _make(aws: Aws, given: Given) -> str:
    names = {"name": "repositoryName", "imageTagMutability": "imageTagMutability"}
    aws("ecr", "create_repository", **sent(given, names), tags=pairs(given["tagsAll"]) or None)
    return str(given["name"])


def _look(aws: Aws, name: str, _given: Given) -> dict[str, Any] | None:
    found = aws("ecr", "describe_repositories", repositoryNames=[name])["repositories"][0]
    shown = {
        "name": "repositoryName",
        "arn": "repositoryArn",
        "repositoryUrl": "repositoryUri",
        "registryId": "registryId",
    }
    return seen(found, shown)


def _keep(aws: Aws, given: Given) -> str:
    aws("ecr", "put_lifecycle_policy", repositoryName=given["repository"], lifecyclePolicyText=given["policy"])
    return str(given["repository"])


def _look_kept(aws: Aws, name: str, _given: Given) -> dict[str, Any] | None:
    found = aws("ecr", "get_lifecycle_policy", repositoryName=name)
    return {"repository": name, "policy": found["lifecyclePolicyText"]}


REGISTRY = (
    Resource(
        token="aws:ecr/repository:Repository",
        takes="name forceDelete imageTagMutability",
        settles="forceDelete",
        make=_make,
        look=_look,
        drop=lambda aws, name, state: aws(
            "ecr", "delete_repository", repositoryName=name, force=bool(state.get("forceDelete"))
        ),
        name=Name(
            "name", Rule("2 to 256 small letters, digits and ._-/", pattern=r"[a-z0-9][a-z0-9._/-]{0,254}[a-z0-9]")
        ),
        tagging=tags_of("ecr"),
        outputs="arn repositoryUrl registryId",
    ),
    Resource(
        token="aws:ecr/lifecyclePolicy:LifecyclePolicy",
        takes="repository policy",
        settles="policy",
        make=_keep,
        look=_look_kept,
        change=lambda aws, _name, _old, new: _keep(aws, new),
        drop=lambda aws, name, _state: aws("ecr", "delete_lifecycle_policy", repositoryName=name),
        outputs="",
        texts="policy",
    ),
)
