"""Secrets made anew: no value of a declared secret stays in a topology, its rule's token stands in its place.

A literal that is short, or that is also a name in the topology or a URL's scheme (user `postgres` with password
`postgres`), is taken for the secret only where a password stands; any other literal wherever it occurs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from .clone import SECRET_TOKEN, secret_token
from .topology import Service, Topology

__all__ = ["SHORT", "Literals", "literals_of", "map_texts", "names_in", "shown", "token_free"]

SHORT = 6
"""A literal of fewer characters occurs by chance."""

_TOKEN = re.compile(SECRET_TOKEN)
_SCHEMES = frozenset(
    ("postgres", "postgresql", "mariadb", "mongodb", "mongodb+srv", "rabbitmq", "memcached", "clickhouse", "cassandra")
)
_PASSWORD_KEY = re.compile(r"PASS|PWD|SECRET|TOKEN|APIKEY|API_KEY|ACCESS_KEY|PRIVATE_KEY", re.IGNORECASE)


def shown(text: str, word: str) -> str:
    """The text with each token as `(<word> <RULE>)`: how a secret looks on the record."""
    return _TOKEN.sub(lambda match: f"({word} {match[1]})", text)


def token_free(text: str) -> bool:
    """Whether no secret's token stands in the text."""
    return _TOKEN.search(text) is None


def names_in(services: Iterable[str], images: Iterable[str]) -> frozenset[str]:
    """The words that a topology uses as names: of services and in image references."""
    return frozenset(services) | frozenset(part for image in images for part in re.split(r"[/:@]", image) if part)


def _topology_names(topology: Topology) -> frozenset[str]:
    services = topology.services.values()
    aliases = (alias for service in services for link in service.networks for alias in link.aliases)
    hosts = (service.hostname for service in services if service.hostname)
    images = (service.image for service in services if service.image)
    return names_in((*topology.services, *aliases, *hosts), images)


@dataclass(frozen=True, slots=True)
class Literals:
    """The known values of secrets, each with its rule, and the words that are names as well."""

    rules: Mapping[str, str]
    names: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Secret -> the one of the same value whose token stands for both."""

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]], names: frozenset[str]) -> Literals:
        """The literals of (secret, value) pairs; of secrets with one value, the first one's rule stands for all."""
        rules: dict[str, str] = {}
        aliases: dict[str, str] = {}
        for secret, value in pairs:
            if value and token_free(value) and (rule := rules.setdefault(value, secret)) != secret:
                aliases[secret] = rule
        return cls(rules, names, aliases)

    def _everywhere(self, literal: str) -> bool:
        return len(literal) >= SHORT and not self._is_name(literal)

    def _is_name(self, literal: str) -> bool:
        return literal in self.names or literal in _SCHEMES

    def replace(self, text: str, key: str = "") -> str:
        """The text with tokens for the secrets in it; `key` is the environment key it belongs to."""
        if text in self.rules and (self._everywhere(text) or _PASSWORD_KEY.search(key)):
            return secret_token(self.rules[text])
        for literal in sorted(self.rules, key=len, reverse=True):
            if literal and literal in text:
                token = secret_token(self.rules[literal])
                text = _outside_tokens(text, lambda part, old=literal, new=token: self._swap(part, old, new))  # type: ignore[misc]  # defaults bind the loop's values
        return text

    def _swap(self, text: str, literal: str, token: str) -> str:
        if self._everywhere(literal):
            return text.replace(literal, token)
        place = r"(://[^\s/@:]*:)" + re.escape(literal) + r"(?=@)"
        return re.sub(place, lambda match: match[1] + token, text)

    def betrayed_by(self, text: str, *, free_text: bool) -> str | None:
        """The rule whose value stands in the text; short values count in free text only, names in none."""
        for literal, rule in self.rules.items():
            if literal and literal in text and not self._is_name(literal) and (free_text or len(literal) >= SHORT):
                return rule
        return None

    def apply(self, topology: Topology) -> Topology:
        """The topology with tokens in all environments, commands, entrypoints and health checks.

        A key that is itself named in the topology's `secrets` gets its token whatever its literal is.
        """
        declared = frozenset(topology.secrets)

        def change(text: str, key: str) -> str:
            if key in declared and token_free(text):
                return secret_token(self.rules.get(text, key))
            return self.replace(text, key)

        return replace(map_texts(topology, change), secret_aliases={**self.aliases, **topology.secret_aliases})


def _outside_tokens(text: str, change: Callable[[str], str]) -> str:
    pieces: list[str] = []
    position = 0
    for match in _TOKEN.finditer(text):
        pieces += [change(text[position : match.start()]), match[0]]
        position = match.end()
    return "".join([*pieces, change(text[position:])])


def literals_of(*topologies: Topology) -> Literals:
    """The literal values that stand at environment keys named in `secrets`."""
    pairs = (
        (secret, service.environment.get(secret, ""))
        for topology in topologies
        for secret in topology.secrets
        for service in topology.services.values()
    )
    return Literals.of(pairs, frozenset[str]().union(*(_topology_names(topology) for topology in topologies)))


def map_texts(topology: Topology, change: Callable[[str, str], str]) -> Topology:
    """The topology with each text that reaches a process changed: `change(text, environment key or "")`."""
    return replace(
        topology, services={name: _map_service(service, change) for name, service in topology.services.items()}
    )


def _map_service(service: Service, change: Callable[[str, str], str]) -> Service:
    def vector(words: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if words is None else tuple(change(word, "") for word in words)

    check = service.healthcheck
    return replace(
        service,
        environment={key: change(value, key) for key, value in service.environment.items()},
        command=vector(service.command),
        entrypoint=vector(service.entrypoint),
        healthcheck=None if check is None else replace(check, test=vector(check.test)),
    )
