"""Two values of a property as what differs between them, leaf by leaf: JSON by its value, and never a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from understudy.diff.record import PropertyRecord
from understudy.stacks.differences import withheld

__all__ = ["SECRET", "between", "holds_secret", "leaves", "meant"]

SECRET = "[secret]"  # noqa: S105 - what the engine shows in the place of one
_UNSAID = (None, "", "false", "0")
"""A value that is absent is no other than one that says nothing: providers have both of the same object."""

_KEYS = ("name", "label", "host", "target", "containerPath", "file", "internal")
"""What tells one member of a list from another, the first that it has."""

_HIDDEN = (
    (
        re.compile(r"^containerDefinitions(?:$|\b.*\.(?:environment|dockerLabels)[.\[])"),
        "(withheld: a value of a container's environment)",
    ),
    (re.compile(r"^etag$"), "(withheld: a digest of the content)"),
)
"""Paths whose values are never shown, only that they differ: they may be secrets whatever they are called. An object's
digest is MD5, by which a short secret in a file could be found."""

_IN_ORDER = frozenset(("command", "entryPoint"))
"""Lists of texts in which the order counts; AWS has others as sets, and gives them in any."""

_DEEPEST = 32
"""Levels of a JSON text that are taken for a document; no document of AWS has so many."""


def between(key: str, old: object, new: object) -> Iterator[PropertyRecord]:
    """What differs between two values of a property; what is a secret in either is not compared."""
    before, after = leaves(key, old), leaves(key, new)
    secrets = [path for found in (before, after) for path, text in found.items() if SECRET in text]
    for path in dict.fromkeys((*before, *after)):
        was, now = before.get(path), after.get(path)
        same = was == now or (None in {was, now} and was in _UNSAID and now in _UNSAID)
        if not same and not any(_within(path, secret) for secret in secrets):
            yield PropertyRecord(path, _shown(path, was), _shown(path, now))


def _within(path: str, place: str) -> bool:
    return path == place or (path.startswith(place) and path[len(place)] in ".[")


def _shown(path: str, text: str | None) -> str | None:
    if text is None:
        return None
    return next((words for paths, words in _HIDDEN if paths.match(path)), None) or withheld(path, text)


def leaves(path: str, value: object) -> dict[str, str]:
    """Path -> text of every leaf of a property's value; members of a list go by their name where they have one."""
    if isinstance(value, Mapping):
        pairs = [(f"{path}.{key}", item) for key, item in value.items()]
    elif isinstance(value, list):
        pairs = [(f"{path}[{_member(item, index)}]", item) for index, item in enumerate(value)]
        if value and all(isinstance(item, str) for item in value):
            return {path: json.dumps(value, ensure_ascii=False)}
    else:
        return {} if value is None else {path: _text(value)}
    return {key: text for place, item in pairs for key, text in leaves(place, item).items()}


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)


def _member(item: object, index: int) -> str:
    named = next((str(item[key]) for key in _KEYS if item.get(key)), "") if isinstance(item, Mapping) else ""
    return named or str(index)


def holds_secret(value: object) -> bool:
    """Whether a secret stands anywhere in a value."""
    if isinstance(value, Mapping):
        return any(map(holds_secret, value.values()))
    return any(map(holds_secret, value)) if isinstance(value, list) else isinstance(value, str) and SECRET in value


def meant(value: object, key: str = "", *, inside: bool = False) -> object:
    """What a property's value means: a JSON text is what it says, pairs of names and values go by their names.

    Texts in a list are in no order, but the words of a command; marks of a bridged provider's own are left out.

    Args:
        value: of the property.
        key: under which it stands, which says whether its order counts.
        inside: whether it stands in a JSON text, whose own texts are taken as they are.
    """
    if isinstance(value, str):
        return value if inside else _read(value, key)
    if isinstance(value, Mapping):
        return {name: meant(item, name, inside=inside) for name, item in value.items() if name != "__defaults"}
    if not isinstance(value, list):
        return value
    if value and all(isinstance(item, Mapping) and set(item) == {"name", "value"} for item in value):
        return {str(item["name"]): item["value"] for item in value}
    if all(isinstance(item, str) for item in value):
        return list(value) if key in _IN_ORDER else sorted(value)
    return sorted((meant(item, inside=inside) for item in value), key=lambda item: json.dumps(item, sort_keys=True))


def _read(text: str, key: str) -> object:
    if text[:1] not in {"[", "{"}:
        return text
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if _too_deep(found) else meant(found, key, inside=True)


def _too_deep(value: object) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            item
            for each in level
            for item in (each.values() if isinstance(each, Mapping) else each if isinstance(each, list) else ())
        ]
    return bool(level)
