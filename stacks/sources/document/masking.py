"""Declared secrets out of sight: a document in which `${NAME}` stands where the value of a secret would."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from understudy.stacks.clone import SECRET_TOKEN, secret_token
from understudy.stacks.secret_values import Literals, names_in

from .tree import entries, get, made, put
from .yaml_text import Node

__all__ = ["Mask"]


class Mask:
    """The secrets of one document: what replaces their values before, and how they are shown after it was loaded."""

    def __init__(self, names: tuple[str, ...], peeked: Node, variables: Mapping[str, str]) -> None:
        """Take the names of secrets, what `peek` found, and the variables with the values of secrets."""
        services = entries(get(peeked, "services"))
        images = (str(image.value) for service in services.values() if (image := get(service, "image")))
        self._names = names
        self._literals = Literals.of(((name, variables.get(name, "")) for name in names), names_in(services, images))

    def variables(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The variables with a token in the place of every secret."""
        return {
            **{key: self._literals.replace(value, key) for key, value in variables.items()},
            **{name: secret_token(self._literals.aliases.get(name, name)) for name in self._names},
        }

    def root(self, root: Node) -> Node:
        """The document with tokens at the keys of environments that are secrets."""
        section = get(root, "services")
        changes: dict[str, Node] = {}
        for name, service in entries(section).items():
            environment = get(service, "environment")
            hidden = {
                key: made(secret_token(key), child)
                for key, child in entries(environment).items()
                if key in self._names and child.value is not None
            }
            if environment is not None and hidden:
                changes[name] = put(service, {"environment": put(environment, hidden)})
        return put(root, {"services": put(section, changes)}) if section is not None and changes else root

    @property
    def text(self) -> Callable[[str], str]:
        """What becomes of every text that is shown."""
        pattern = re.compile(SECRET_TOKEN)
        return lambda text: pattern.sub(lambda match: "${" + match[1] + "}", self._literals.replace(text))
