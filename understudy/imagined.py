"""An environment on AWS before there is a platform, credentials or a lease: what AWS makes differ, and its cost."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from understudy.blueprint import Blueprint
from understudy.components.aws.sources import sources
from understudy.engine.settings import state_folder
from understudy.errors import UsageError
from understudy.on_aws import hold_on, hold_suites, pinned, to_build
from understudy.options import CONFIG_FILE, Options
from understudy.preparation import image_refs, take_tree
from understudy.prices.estimating import of_plan
from understudy.scratch import Scratch
from understudy.stacks import aws_names
from understudy.stacks.aws.make import AwsOptions, make_plan
from understudy.stacks.aws.plan import AwsPlan
from understudy.stacks.aws.platform import Platform, SharedCache, SharedDatabase, platform_of, target_of
from understudy.stacks.change import Change
from understudy.stacks.clone import targeted
from understudy.stacks.cost.estimate import Estimate
from understudy.stacks.identity import Environment
from understudy.stacks.trust import Certificates

__all__ = ["Imagined", "imagined"]

_ID = "eimagined22"
_ACCOUNT = "739104628815"
_REGION = "xx-imagined-1"
_DATABASE, _CACHE = "database.imagined.invalid", "cache.imagined.invalid"
"""What stands in a plan where nobody was asked; none of them is in what a reader sees."""


@dataclass(frozen=True, slots=True)
class Imagined:
    """What an environment on AWS would be.

    Attributes:
        blueprint: with the images that Fargate would run, and with what AWS itself makes differ on its record.
        taken: in words, what was taken for what only AWS knows.
        plan: of the environment.
    """

    blueprint: Blueprint
    taken: str
    plan: AwsPlan

    def estimate(self) -> Estimate:
        """What it would cost by the hour.

        Raises:
            UsageError: no region is named, or its table of prices cannot be used.
        """
        if self.plan.platform.region == _REGION:
            raise UsageError(
                "Asked what the environment would cost, and no region is named, whose prices they would be.",
                hint="Give --aws-region, or set AWS_REGION.",
            )
        return of_plan(self.plan, state_folder())


def imagined(options: Options, drawn: Blueprint, variables: Mapping[str, str] = os.environ) -> Imagined:
    """The environment of a blueprint, which is drawn for AWS; nobody is asked, and nothing is kept.

    The platform is that of `understudy.toml`, else one of public subnets with all that `platform up` can make.

    Raises:
        UsageError: it cannot be made on AWS, or a file is missing.
    """
    platform, words, taken = _ground(options, variables)
    blueprint = replace(drawn, clone=pinned(drawn.clone))
    hold_on(platform, options, blueprint)
    clone = blueprint.clone
    keystores = {mock.name: b"" for mock in clone.mocks if mock.scheme == "https"}
    images = image_refs(blueprint, dict.fromkeys(to_build(clone), "built-by-the-run"))
    with Scratch("preview") as folder:
        tree = take_tree(blueprint, folder, _ID)
        hold_suites(blueprint, tree.root)
        plan = make_plan(
            clone,
            Environment(_ID, platform.target, clone.topology.name, datetime.now(UTC), ""),
            platform,
            {name: image.reference for name, image in images.items()},
            sources=sources(clone, str(tree.root / blueprint.folder)),
            options=AwsOptions(spot=options.aws_spot),
            certificates=Certificates({}, keystores) if clone.speaks_https else None,
        )
    changes = [_told(change, words) for change in plan.changes]
    return Imagined(replace(blueprint, clone=targeted(clone, changes)), taken, plan)


def _ground(options: Options, variables: Mapping[str, str]) -> tuple[Platform, dict[str, str], str]:
    """The platform; what is imagined of it and of the environment, with what a reader sees there; that in words."""
    words = {_ID: "<environment>"}
    if options.platform is not None:
        platform = platform_of(options.platform, f"the table [platform] of {CONFIG_FILE}")
        return platform, words, "AWS was not asked: in names <environment> is the environment's id"
    region = options.aws_region or variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION") or ""
    try:
        target_of(_ACCOUNT, region or _REGION)
    except ValueError as error:
        raise UsageError(f"Imagined a platform of AWS, and {error}.", hint="Name one: --aws-region.") from error
    platform = _platform(region or _REGION)
    mark = aws_names.bucket(_ID, "any", platform.target).rpartition("-")[2]
    words |= {_ACCOUNT: "<account>", mark: "<hash>", _DATABASE: "<shared database>", _CACHE: "<shared cache>"}
    taken = (
        "AWS was not asked, and a platform with all that `understudy platform up` can make was taken: in names "
        "<environment> is the environment's id, <account> the account, <hash> a hash of account and region"
    )
    if region:
        return platform, words, taken
    return platform, {**words, _REGION: "<region>"}, f"{taken}, and <region> the region, since none is named"


def _platform(region: str) -> Platform:
    return Platform(
        account=_ACCOUNT,
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
        shared_database=SharedDatabase(_DATABASE, _DATABASE, 5432, "imagined"),
        shared_cache=SharedCache(_CACHE, 6379, "imagined"),
        registry=f"{_ACCOUNT}.dkr.ecr.{region}.amazonaws.com/imagined",
    )


def _told(change: Change, words: Mapping[str, str]) -> Change:
    """The Change without anything that is imagined; what production has is left as it is."""
    clone, reason = change.clone or "", change.reason
    for imaginary, word in words.items():
        clone, reason = clone.replace(imaginary, word), reason.replace(imaginary, word)
    return replace(change, clone=None if change.clone is None else clone, reason=reason)
