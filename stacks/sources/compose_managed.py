"""`managed` under a service's `x-understudy`: what a cloud runs in production in the service's place."""

from __future__ import annotations

from typing import Literal

from understudy.stacks.topology import Managed

from .document.yaml_text import Node
from .extension_keys import keys_of
from .nodes import Fields, Reading, choice, table_of, text

__all__ = ["read_managed"]

Platform = Literal["rds", "elasticache", "sqs", "s3"]

_PLATFORMS: dict[str, Platform] = {"rds": "rds", "elasticache": "elasticache", "sqs": "sqs", "s3": "s3"}


def read_managed(node: Node, reading: Reading) -> Managed:
    """The managed service that the mapping describes.

    Raises:
        TopologyError: a key is not known, `service` or `name` is missing, or a value is not allowed.
    """
    fields = Fields(node, reading, allowed=keys_of("managed"))
    return Managed(
        choice(fields.need("service"), _PLATFORMS),
        text(fields.need("name")),
        fields.read("engine", text, None),
        fields.read("version", text, None),
        fields.read("database", text, None),
        fields.read("user", text, None),
        fields.read("password", text, None),
        fields.read("options", table_of, {}),
    )
