"""Secrets made anew: no value of a declared secret stays in a topology, its rule's token stands in its place.

A literal that is short, or that is also a name in the topology or a URL's scheme (user `postgres` with password
`postgres`), is taken for the secret only where a password stands; any other literal wherever it occurs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote, quote_plus

from .clone import SECRET_TOKEN, secret_token
from .topology import Service, Topology, TopologyError, Where

__all__ = [
    "SHORT",
    "Literals",
    "guest_token",
    "literals_of",
    "map_texts",
    "names_in",
    "names_password",
    "refuse_literals",
    "shown",
    "token_free",
    "tokens",
    "welcomed",
]

SHORT = 6
"""A literal of fewer characters occurs by chance."""

_TOKEN = re.compile(SECRET_TOKEN)
_GUEST = re.compile(r"\{\{understudy\.guest\.([A-Za-z_][A-Za-z0-9_]*)\}\}")
_SCHEMES = frozenset(
    ("postgres", "postgresql", "mariadb", "mongodb", "mongodb+srv", "rabbitmq", "memcached", "clickhouse", "cassandra")
)
_PASSWORD_KEY = re.compile(r"PASS|PWD|SECRET|TOKEN|APIKEY|API_KEY|ACCESS_KEY|PRIVATE_KEY", re.IGNORECASE)


def names_password(key: str) -> bool:
    """Whether a key's name speaks of a password or the like; it may still hold none (`TOKEN_TTL`)."""
    return _PASSWORD_KEY.search(key) is not None


def shown(text: str, word: str) -> str:
    """The text with each token as `(<word> <RULE>)`: how a secret looks on the record."""
    return _TOKEN.sub(lambda match: f"({word} {match[1]})", welcomed(text))


def guest_token(rule: str) -> str:
    """What stands for a secret that another document declares: allowed anywhere, since this one is not provisioned."""
    return "{{understudy.guest." + rule + "}}"


def welcomed(text: str) -> str:
    """The text with each guest's token as an ordinary one."""
    return _GUEST.sub(lambda match: secret_token(match[1]), text)


def _forms(literal: str) -> tuple[str, ...]:
    """A literal as it is and as it stands in a URL, the longest first."""
    forms = {literal, quote(literal), quote(literal, safe=""), quote_plus(literal)}
    return tuple(sorted(forms, key=lambda form: (-len(form), form)))


def token_free(text: str) -> bool:
    """Whether no secret's token stands in the text."""
    return next(tokens(text), None) is None


def tokens(text: str) -> Iterator[str]:
    """The rules whose tokens stand in the text."""
    return (match[1] for match in _TOKEN.finditer(welcomed(text)))


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
            token, everywhere = secret_token(self.rules[literal]), self._everywhere(literal)
            for form in _forms(literal):
                if form and form in text:
                    text = _outside_tokens(
                        text,
                        lambda part, old=form, new=token, all_of=everywhere: _swap(part, old, new, everywhere=all_of),  # type: ignore[misc]  # defaults bind the loop's values
                    )
        return text

    def betrayed_by(self, text: str, *, free_text: bool) -> str | None:
        """The rule whose value stands in the text; short values count in free text only, names in none."""
        for literal, rule in self.rules.items():
            counts = literal and not self._is_name(literal) and (free_text or len(literal) >= SHORT)
            if counts and any(form in text for form in _forms(literal)):
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


def _swap(text: str, literal: str, token: str, *, everywhere: bool) -> str:
    if everywhere:
        return text.replace(literal, token)
    place = r"(://[^\s/@:]*:)" + re.escape(literal) + r"(?=@)"
    return re.sub(place, lambda match: match[1] + token, text)


def _outside_tokens(text: str, change: Callable[[str], str]) -> str:
    pieces: list[str] = []
    position = 0
    for match in _TOKEN.finditer(text):
        pieces += [change(text[position : match.start()]), match[0]]
        position = match.end()
    return "".join([*pieces, change(text[position:])])


def refuse_literals(topology: Topology, literals: Literals) -> None:
    """Refuse a value of the topology's own secrets where no value made anew can stand: in labels and build arguments.

    Raises:
        TopologyError: there is one.
    """
    own = replace(literals, rules={text: rule for text, rule in literals.rules.items() if rule in topology.secrets})
    for path, text, where in _fixed_texts(topology):
        if rule := own.betrayed_by(text, free_text=False):
            raise TopologyError(
                f"{path} holds the value of secret {rule}, where no value made anew can stand; it can in a service's "
                "environment, command, entrypoint and healthcheck",
                where,
            )


def _fixed_texts(topology: Topology) -> Iterator[tuple[str, str, Where]]:
    """Every label and build argument: its path, its value and the place of what it belongs to."""
    for kind, things in (
        ("services", topology.services),
        ("networks", topology.networks),
        ("volumes", topology.volumes),
    ):
        for name, thing in things.items():
            for key, text in thing.labels.items():
                yield f"{kind}.{name}.labels.{key}", text, thing.where
    for name, service in topology.services.items():
        for key, text in service.build.args.items() if service.build else ():
            yield f"services.{name}.build.args.{key}", text, service.where


def literals_of(*topologies: Topology) -> Literals:
    """The literal values that stand at environment keys that any of the topologies names in `secrets`."""
    secrets = dict.fromkeys(secret for topology in topologies for secret in topology.secrets)
    pairs = (
        (secret, service.environment.get(secret, ""))
        for topology in topologies
        for secret in secrets
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
        files=tuple(f if f.content is None else replace(f, content=change(f.content, f.name)) for f in service.files),
    )
