"""Rewriting of configuration: another name in the place of one that is called, and nothing that only looks like it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from understudy.stacks.change import Change
from understudy.stacks.host_names import in_command, in_value
from understudy.stacks.secret_values import shown
from understudy.stacks.third_parties import called
from understudy.stacks.topology import Service

__all__ = ["callers", "changed", "names_of", "rehosted", "replaced_words"]

_BEFORE = r"(?P<before>(?:^|//|[,;\s\[]|\b(?:server|host|data source)\s*=\s*(?:tcp:)?)(?:[^@/,\s]*@)?)"
_AFTER = r"(?=$|[:/,;?#\s\]\"'])"


def names_of(service: Service) -> tuple[str, ...]:
    """Every name under which production calls a service, its own first, in lower case."""
    own = (service.name, *(alias for link in service.networks for alias in link.aliases))
    more = tuple(name for name in (service.hostname, service.container_name) if name)
    return tuple(dict.fromkeys(name.lower() for name in (*own, *more)))


def callers(services: Mapping[str, Service], service: Service) -> dict[str, list[str]]:
    """The services that call this one, each with the names that it uses."""
    own = names_of(service)
    found = {name: [c.host for c in called(other) if c.host in own] for name, other in services.items()}
    return {name: list(dict.fromkeys(hosts)) for name, hosts in found.items() if hosts and name != service.name}


def rehosted(service: Service, old: str, new: str, reason: str, port: tuple[int, int] | None = None) -> _Rewritten:
    """The service with another host name wherever its environment, command or health check calls the old one.

    Args:
        service: whose configuration it is.
        old: the host that is called.
        new: the one to call.
        reason: for the Changes.
        port: the old and the new one, where that differs; one that is said beside the host is changed too.
    """
    place = re.compile(_BEFORE + re.escape(old) + (rf"(?P<port>:{port[0]}\b)?" if port else "") + _AFTER, re.IGNORECASE)

    def put(match: re.Match[str]) -> str:
        given = f":{port[1]}" if port and match["port"] else ""
        return f"{match['before']}{new}{given}"

    def value(key: str, text: str) -> str:
        called = any(mention.host == old.lower() for mention in in_value(key, text))
        return place.sub(put, text) if called else text

    def words(texts: tuple[str, ...]) -> tuple[str, ...]:
        called = any(mention.host == old.lower() for mention in in_command(texts))
        return tuple(place.sub(put, text) for text in texts) if called else texts

    return changed(service, value, words, reason)


def replaced_words(service: Service, words: dict[str, str], reason: str) -> _Rewritten:
    """The service with each of the words as another, where it stands alone: between other characters than a name's."""
    if not words:
        return service, ()
    longest = sorted(words, key=len, reverse=True)
    place = re.compile(rf"(?<![A-Za-z0-9_.-])(?:{'|'.join(map(re.escape, longest))})(?![A-Za-z0-9_-]|\.[A-Za-z0-9])")

    def put(text: str) -> str:
        return place.sub(lambda match: words[match[0]], text)

    return changed(service, lambda _, text: put(text), lambda texts: tuple(map(put, texts)), reason)


_Rewritten = tuple[Service, tuple[Change, ...]]


def changed(
    service: Service,
    value: Callable[[str, str], str],
    words: Callable[[tuple[str, ...]], tuple[str, ...]],
    reason: str,
) -> _Rewritten:
    """The service with `value` of each variable and `words` of its command and entrypoint, each difference a Change."""
    environment = {key: value(key, text) for key, text in service.environment.items()}
    after = replace(
        service,
        environment=environment,
        command=None if service.command is None else words(service.command),
        entrypoint=None if service.entrypoint is None else words(service.entrypoint),
    )
    return after, tuple(_differences(service, after, reason))


def _differences(before: Service, after: Service, reason: str) -> Iterator[Change]:
    path, rule = f"services.{before.name}", before.where.place
    for key, text in after.environment.items():
        if text != before.environment[key]:
            old, new = shown(before.environment[key], "secret"), shown(text, "made anew")
            yield Change(f"{path}.environment.{key}", old, new, reason, rule=rule)
    for key in ("command", "entrypoint"):
        old, new = (" ".join(getattr(each, key) or ()) for each in (before, after))
        if old != new:
            yield Change(f"{path}.{key}", shown(old, "secret"), shown(new, "made anew"), reason, rule=rule)
