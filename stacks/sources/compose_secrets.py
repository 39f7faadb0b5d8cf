"""Secrets of a Compose document: their values are replaced by tokens before anything is interpolated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from understudy.stacks.clone import secret_token
from understudy.stacks.secret_values import Literals, guest_token, names_in
from understudy.stacks.topology import Topology, TopologyError

from .compose_profile import secret_nodes
from .document.tree import entries, get
from .document.yaml_text import Node

__all__ = ["Declared", "hold_secrets", "scrubbed"]


@dataclass(frozen=True, slots=True)
class Declared:
    """The names of secrets: the document's `own`, and those that another version of it declares; its words."""

    own: tuple[str, ...]
    others: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()

    @classmethod
    def of(cls, document: Node, others: Iterable[str]) -> Declared:
        """What the document says before it is interpolated."""
        own = tuple(secret_nodes(document)) if isinstance(document.value, Mapping) else ()
        services = entries(get(document, "services"))
        images = (str(image.value) for node in services.values() if (image := get(node, "image")) is not None)
        return cls(own, tuple(name for name in others if name not in own), names_in(services, images))

    @property
    def all(self) -> tuple[str, ...]:
        """Every name, the document's own first."""
        return (*self.own, *self.others)

    def literals(
        self, variables: Mapping[str, str], more: Iterable[tuple[str, str]] = (), spoken: Iterable[str] = ()
    ) -> Literals:
        """The values that variables give to secrets, so that none enters by another variable's value; and `more`.

        A value of `more` that is part of a word in `spoken`, as `password` is of `DB_PASSWORD`, is a word itself: it
        is taken for the secret only where a password stands.
        """
        more = tuple(more)
        known = [word.lower() for word in spoken]
        words = {value for _, value in more if any(value.lower() in word for word in known)}
        return Literals.of((*((name, variables.get(name, "")) for name in self.all), *more), self.words | words)


def scrubbed(variables: Mapping[str, str], declared: Declared, literals: Literals) -> dict[str, str]:
    """The variables with tokens in the place of secrets; of those that are not the document's own, guests' tokens."""
    own = frozenset(declared.own)
    tokens = {name: secret_token(name) if name in own else guest_token(name) for name in declared.all}
    guests = [(secret_token(name), token) for name, token in tokens.items() if name not in own]

    def scrub(key: str, value: str) -> str:
        value = literals.replace(value, key)
        for token, guest in guests:
            value = value.replace(token, guest)
        return value

    return {
        **{key: scrub(key, value) for key, value in variables.items()},
        **{name: tokens[literals.aliases.get(name, name)] for name in declared.all},
    }


def hold_secrets(root: Node, topology: Topology, named: frozenset[str], rules: Iterable[str]) -> None:
    """Hold that each declared secret is a variable that is interpolated, a key of an environment, or a file.

    Raises:
        TopologyError: one is none of these.
    """
    keys = {key for service in topology.services.values() for key in service.environment}
    known = {*keys, *named, *rules}
    for name, node in secret_nodes(root).items():
        if name not in known:
            raise TopologyError(
                f"the secret {name!r} is neither a variable that the document interpolates, nor a key of a service's "
                "environment, nor one of `secrets`",
                node.key_where,
            )
