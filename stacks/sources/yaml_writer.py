"""Plain data as YAML text that every reader of YAML 1.1 and 1.2 takes for the same: what is doubtful is quoted."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.representer import RoundTripRepresenter

__all__ = ["dump"]

_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*(?::[A-Za-z0-9_./-]+)*|[0-9]+s", re.ASCII)
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", ".nan", ".inf"))
"""What some reader takes for a boolean, null or number."""


class _Representer(RoundTripRepresenter):
    """Texts plain where no reader can take them for anything else, else in double quotes."""

    def text(self, data: str) -> Any:  # noqa: ANN401 - a node of ruamel, which has no types
        plain = _PLAIN.fullmatch(data) and data.lower() not in _WORDS and not data.lstrip(".").isdigit()
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if plain else '"')


_Representer.add_representer(str, _Representer.text)


def dump(document: Mapping[str, object]) -> str:
    """The text of the document; keys keep their order, lists of plain values stand on one line.

    Args:
        document: mappings, lists, texts, numbers, booleans and None.
    """
    yaml = YAML(typ="rt", pure=True)
    yaml.Representer = _Representer
    yaml.width = 1 << 20
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    yaml.dump(_laid_out(document), out)
    return out.getvalue()


def _laid_out(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _laid_out(item) for key, item in value.items()}
    if isinstance(value, list):
        found = CommentedSeq(_laid_out(item) for item in value)
        if not any(isinstance(item, Mapping | list) for item in value):
            found.fa.set_flow_style()
        return found
    return value
