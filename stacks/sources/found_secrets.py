"""Secrets found by the look of their keys and values: a running production declares none, and none is copied."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from understudy.stacks.change import Change, Fidelity
from understudy.stacks.clone import secret_token
from understudy.stacks.secret_values import Literals, map_texts, names_in, names_password, token_free
from understudy.stacks.topology import Network, Service, Topology, Volume

__all__ = ["declare_secrets", "secret_name"]

T = TypeVar("T", Service, Network, Volume)

_USER_INFO = re.compile(r"://[^\s/@:]*:([^\s/@]+)@")
"""A password in a URL (RFC 3986, section 3.2.1)."""

_NO_VALUE = frozenset(("true", "false", "yes", "no", "on", "off", "none", "null", "disabled", "enabled"))
_SHORT_NUMBER = re.compile(r"\d{1,5}(?:\.\d+)?[a-z]{0,2}", re.ASCII)
_OTHER_KEY = re.compile(
    r"^(?:OLD)?PWD$|_(?:FILE|PATH|DIR|URL|URI|HOST|PORT|USER|USERNAME|NAME|ID|TTL|TIMEOUT|EXPIRY|"
    r"EXPIRES|EXPIRATION|DAYS|HOURS|MINUTES|SECONDS|LENGTH|POLICY|ALGORITHM|TYPE|ENABLED|ISSUER|AUDIENCE|HEADER)$"
    r"|ENDPOINT|PASSIVE|BYPASS|COMPASS|PASSENGER",
    re.IGNORECASE,
)
"""Keys that speak of a password, a secret or a token and do not hold it."""


def declare_secrets(topology: Topology) -> Topology:
    """The topology with each value that looks like a secret declared one: a token stands wherever the value stood.

    A value looks like one where the key of a service's environment does (`PASSWORD`, `TOKEN`, ...) and the value is
    neither a word such as `false` nor a short number, and where it is the password in a URL. Of keys with one value
    the most frequent, then the first by alphabet, is the secret's name. A label that holds such a value is left out.
    """
    pairs = tuple(_pairs(topology))
    names = _named(pairs, frozenset(topology.secrets))
    services = topology.services.values()
    words = names_in(topology.services, (service.image for service in services if service.image))
    literals = Literals.of(((name, value) for value, name in names.items()), words)
    declared = map_texts(topology, lambda text, key: _hidden(text, key, names, literals))
    secrets = tuple(dict.fromkeys((*topology.secrets, *names.values())))
    return _without_telling_labels(replace(declared, secrets=secrets), literals)


def secret_name(text: str) -> str:
    """A text as the name of a secret: letters, digits and underscores, beginning with no digit."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_") or "SECRET"
    return f"_{plain}" if plain[0].isdigit() else plain


def _looks_secret(key: str, value: str) -> bool:
    return (
        names_password(key)
        and not _OTHER_KEY.search(key)
        and bool(value.strip())
        and value.lower() not in _NO_VALUE
        and not _SHORT_NUMBER.fullmatch(value.lower())
        and token_free(value)
    )


def _pairs(topology: Topology) -> Iterator[tuple[str, str, str]]:
    """Service, name and value of each secret, a value as often as it is found."""
    for name, service in topology.services.items():
        for key, value in service.environment.items():
            if _looks_secret(key, value):
                yield name, secret_name(key), value
            for password in _passwords(value):
                yield name, secret_name(f"{key}_PASSWORD"), password
        vectors = (service.command, service.entrypoint, service.healthcheck.test if service.healthcheck else None)
        for word in (word for vector in vectors for word in vector or ()):
            for password in _passwords(word):
                yield name, secret_name(f"{name.upper()}_PASSWORD"), password


def _passwords(text: str) -> list[str]:
    """The passwords in URLs, without those that are variables of a shell or secrets already."""
    return [found for found in _USER_INFO.findall(text) if token_free(found) and not found.startswith(("$", "{"))]


def _named(pairs: tuple[tuple[str, str, str], ...], taken: frozenset[str]) -> dict[str, str]:
    """Value -> the name of its secret. A name that two values have goes to the first; the other gets its service's."""
    counted: dict[str, Counter[str]] = {}
    holders: dict[str, str] = {}
    for service, name, value in pairs:
        counted.setdefault(value, Counter())[name] += 1
        holders.setdefault(value, service)
    found: dict[str, str] = {}
    used = set(taken)
    for value, names in counted.items():
        best = min(names, key=lambda name: (-names[name], name))
        for name in (best, *sorted(names), secret_name(f"{holders[value].upper()}_{best}")):
            if name not in used:
                break
        else:
            number = 2
            while f"{name}_{number}" in used:
                number += 1
            name = f"{name}_{number}"
        used.add(name)
        found[value] = name
    return found


def _hidden(text: str, key: str, names: dict[str, str], literals: Literals) -> str:
    if text in names and _looks_secret(key, text):
        return secret_token(names[text])
    return literals.replace(text, key)


def _without_telling_labels(topology: Topology, literals: Literals) -> Topology:
    left: list[Change] = []

    def keep(kind: str, things: dict[str, T]) -> dict[str, T]:
        for name, thing in things.items():
            telling = {key for key, text in thing.labels.items() if literals.betrayed_by(text, free_text=False)}
            left.extend(
                Change(f"{kind}.{name}.labels.{key}", "(withheld)", None, "it holds a secret's value", Fidelity.MISSING)
                for key in sorted(telling)
            )
            labels = {key: text for key, text in thing.labels.items() if key not in telling}
            things[name] = replace(thing, labels=labels)
        return things

    return replace(
        topology,
        services=keep("services", dict(topology.services)),
        networks=keep("networks", dict(topology.networks)),
        volumes=keep("volumes", dict(topology.volumes)),
        changes=(*topology.changes, *left),
    )
