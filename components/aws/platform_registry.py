"""The platform's registry: one repository for the images that are built for environments, which are a cache."""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws

from understudy.components.aws.options import child, fixed

__all__ = ["MOST", "Registry"]

MOST = 500
"""Images that are kept: each push beyond that lets the oldest go, and a gigabyte costs about 0.10 dollars a month."""


class Registry(pulumi.ComponentResource):
    """A repository that goes with its images: what is missing is built anew.

    Example:
        >>> Registry("registry", ResourceOptions(parent=platform)).url  # doctest: +SKIP
    """

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:aws:Registry", name, {}, opts)
        repository = aws.ecr.Repository(
            f"{name}-images", name="understudy/previews", force_delete=True, opts=fixed(self)
        )
        rule = {
            "rulePriority": 1,
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": MOST},
            "action": {"type": "expire"},
        }
        aws.ecr.LifecyclePolicy(
            f"{name}-oldest", repository=repository.name, policy=json.dumps({"rules": [rule]}), opts=child(self)
        )
        self.url: pulumi.Output[str] = repository.repository_url
        self.register_outputs({"url": self.url})
