"""What an environment on AWS would cost, before there is a platform, credentials or a lease: nobody is asked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime

from understudy.blueprint import Blueprint
from understudy.components.aws.sources import sources
from understudy.engine.settings import state_folder
from understudy.errors import UsageError
from understudy.on_aws import to_build
from understudy.options import CONFIG_FILE, Options
from understudy.preparation import image_refs, take_tree
from understudy.prices.estimating import of_plan
from understudy.scratch import Scratch
from understudy.stacks.aws.make import make_plan
from understudy.stacks.aws.platform import Platform, platform_of
from understudy.stacks.cost.estimate import Estimate
from understudy.stacks.identity import Environment
from understudy.stacks.trust import Certificates

__all__ = ["estimated"]

_ID = "eimagined22"


def estimated(options: Options, blueprint: Blueprint, variables: Mapping[str, str] = os.environ) -> Estimate:
    """What an environment of the blueprint, pinned for AWS, would cost by the hour.

    The platform is that of `understudy.toml`, else one of public subnets, as `platform up` makes it.

    Raises:
        UsageError: no region is named, Fargate cannot do it, or a file is missing.
    """
    platform = _platform(options, variables)
    clone = blueprint.clone
    keystores = {mock.name: b"" for mock in clone.mocks if mock.scheme == "https"}
    images = image_refs(blueprint, dict.fromkeys(to_build(clone), "built-by-the-run"))
    with Scratch("preview") as folder:
        tree = take_tree(blueprint, folder, _ID)
        plan = make_plan(
            clone,
            Environment(_ID, platform.target, clone.topology.name, datetime.now(UTC), ""),
            platform,
            {name: image.reference for name, image in images.items()},
            sources=sources(clone, str(tree.root / blueprint.folder)),
            certificates=Certificates({}, keystores) if clone.speaks_https else None,
        )
    return of_plan(plan, state_folder())


def _platform(options: Options, variables: Mapping[str, str]) -> Platform:
    if options.platform is not None:
        return platform_of(options.platform, f"the table [platform] of {CONFIG_FILE}")
    region = options.aws_region or variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION")
    if not region:
        raise UsageError(
            "Asked what the environment would cost, and no region is named, whose prices they would be.",
            hint="Give --aws-region, or set AWS_REGION.",
        )
    return Platform(
        account="000000000000",
        region=region,
        vpc_id="imagined",
        subnet_ids=("imagined", "imagined"),
        cluster_arn="imagined",
        listener_arn="imagined",
        execution_role_arn="imagined",
        alb_arn="imagined",
        alb_dns_name="imagined",
        alb_security_group_id="imagined",
        bucket="imagined",
        db_subnet_group="imagined",
    )
