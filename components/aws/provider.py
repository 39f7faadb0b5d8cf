"""The one explicit provider of a stack: ownership tags on all that it makes, and no account but the one that is meant.

`pulumi config set --path 'pulumi:disable-default-providers[0]' aws` makes the engine refuse a resource without it.
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

__all__ = ["DISABLE_DEFAULTS", "aws_provider"]

DISABLE_DEFAULTS = ("pulumi:disable-default-providers", '["aws"]')
"""The key and value of a stack's configuration by which no resource falls to a provider that nobody configured."""


def aws_provider(
    name: str, *, account: str, region: str, tags: Mapping[str, str], parent: pulumi.Resource
) -> aws.Provider:
    """A provider for one account and region.

    Args:
        name: the resource's name.
        account: the only account that it may touch.
        region: where.
        tags: what everything carries that AWS can tag.
        parent: the component that it belongs to.
    """
    return aws.Provider(
        name,
        region=region,
        allowed_account_ids=[account],
        default_tags=aws.ProviderDefaultTagsArgs(tags=dict(tags)),
        opts=pulumi.ResourceOptions(parent=parent),
    )
