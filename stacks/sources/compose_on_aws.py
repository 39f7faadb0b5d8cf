"""`on_aws` under a service's `x-understudy`: what a database or cache is in a clone on AWS."""

from __future__ import annotations

from understudy.stacks.topology import OnAws

from .document.yaml_text import Node
from .extension_keys import ON_AWS_FORMS, Form, keys_of
from .nodes import Fields, Reading, choice, integer, text

__all__ = ["read_on_aws"]

_FORMS: dict[str, Form] = {form: form for form in ON_AWS_FORMS}

_LEAST_STORAGE = 20
"""GB of a gp3 disk (Amazon RDS User Guide, gp3 storage)."""


def read_on_aws(node: Node, reading: Reading) -> OnAws:
    """What the mapping says.

    Raises:
        TopologyError: a key is not known, `form` is missing, or a value is not allowed.
    """
    fields = Fields(node, reading, allowed=keys_of("onAws"))
    return OnAws(
        choice(fields.need("form"), _FORMS),
        fields.read("source", text, None),
        fields.read("instance_class", text, None),
        fields.read("storage", lambda given: integer(given, least=_LEAST_STORAGE), None),
    )
