"""What was declared, held against pulumi_aws' own argument classes: nested names, types, and what is required."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from recording import Declared
from schema_walk import mismatches

__all__ = ["arguments", "findings", "mismatches"]


def findings(resources: Sequence[Declared]) -> list[str]:
    """Everything that is wrong in the inputs of recorded `aws:` resources."""
    return [
        found
        for resource in resources
        if resource.type.startswith("aws:")
        for found in mismatches(resource.inputs, arguments(resource.type), resource.name)
    ]


def arguments(token: str) -> type:
    """The argument class of a type token such as `aws:ecs/service:Service`."""
    _, module, name = token.split(":")
    resource = getattr(importlib.import_module(f"pulumi_aws.{module.partition('/')[0]}"), name)
    known = vars(sys.modules[resource.__module__])
    found: type = known.get(f"{name}InitArgs") or known[f"{name}Args"]  # the first, where a nested one has the second
    return found
