"""Configs and secrets of a Compose file: single files in containers. A config is copied, a secret made anew."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from understudy.stacks.clone import secret_token
from understudy.stacks.endpoints import variable
from understudy.stacks.topology import FileMount, TopologyError

from .document.yaml_text import Node
from .nodes import Fields, Reading, items, mapping, text

__all__ = ["Files", "definitions", "file_mounts", "secret_rule"]

_BASES = {"config": "/", "secret": "/run/secrets/"}
_OWNER = re.compile(r"[0-9]{1,10}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Files:
    """The configs and secrets at the top of a document.

    `rules` is secret -> the name under which an environment makes its value; `literals` are pairs of such a name and
    the value that production has, where that is known.
    """

    configs: Mapping[str, Node] = field(default_factory=dict)
    secrets: Mapping[str, Node] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)
    literals: tuple[tuple[str, str], ...] = ()


def secret_rule(name: str, definition: Node, declared: Iterable[str]) -> str:
    """The name under which an environment makes the value of a secret of Compose.

    A secret that is a declared one's variable, or is told to tests under the same name, is that one: both have one
    value.
    """
    source = mapping(definition).get("environment")
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    for other in declared:
        if (source is not None and source.value == other) or variable("SECRET", other) == variable("SECRET", plain):
            return other
    return f"_{plain}" if plain[:1].isdigit() else plain


def definitions(root: Node, declared: tuple[str, ...], variables: Mapping[str, str], reading: Reading) -> Files:
    """What stands under `configs` and `secrets`; `variables` have production's own values.

    Raises:
        TopologyError: two secrets would have one name.
    """
    configs, secrets = (_section(root, key) for key in ("configs", "secrets"))
    rules: dict[str, str] = {}
    owners: dict[str, str] = {}
    literals: list[tuple[str, str]] = []
    for name, node in secrets.items():
        rules[name] = rule = secret_rule(name, node, declared)
        if rule not in declared and (other := owners.setdefault(rule, name)) != name:
            raise TopologyError(
                f"the secrets {other!r} and {name!r} would both be told to tests as {variable('SECRET', rule)}; rename "
                "one",
                node.key_where,
            )
        literals += ((rule, value) for value in _values(node, variables, reading))
    return Files(configs, secrets, rules, tuple(literals))


def _section(root: Node, key: str) -> Mapping[str, Node]:
    node = mapping(root).get(key)
    return {} if node is None or node.value is None else mapping(node)


def _values(definition: Node, variables: Mapping[str, str], reading: Reading) -> Iterator[str]:
    """Production's value, if the commit or the variables have it."""
    source, file = mapping(definition).get("environment"), mapping(definition).get("file")
    if source is not None and variables.get(text(source)):
        yield variables[text(source)]
    if file is not None and not text(file).startswith(("/", "~")):
        data = reading.read_file(text(file))
        if data is not None and len(data) <= 4096 and (value := data.decode("utf-8", "ignore").strip()):  # noqa: PLR2004 - a longer one is a key, which stands nowhere else
            yield value


def file_mounts(
    node: Node | None, kind: Literal["config", "secret"], files: Files, reading: Reading
) -> Iterator[FileMount]:
    """`configs` or `secrets` of a service, in long form."""
    for item in () if node is None else items(node):
        fields = Fields(item, reading)
        source_node = fields.need("source")
        name = text(source_node)
        target = fields.read("target", text, name)
        uid, gid = (_owner(fields.take(key), reading) for key in ("uid", "gid"))
        mode = fields.take("mode")
        fields.finish()
        base = FileMount(
            kind,
            name,
            target if target.startswith("/") else _BASES[kind] + target,
            mode=None if mode is None else _mode(mode),
            uid=uid,
            gid=gid,
        )
        if kind == "secret":
            yield replace(base, content=secret_token(files.rules[name]))
        elif (found := _content(name, files.configs[name], source_node, reading)) is not None:
            yield replace(base, source=found[0], content=found[1])


def _content(name: str, definition: Node, use: Node, reading: Reading) -> tuple[str | None, str | None] | None:
    """Source and content of a config: one of them; None where a clone cannot have it."""
    fields = dict(mapping(definition))
    if content := fields.get("content"):
        return None, text(content, secret=True)
    if source := fields.get("environment"):
        return None, reading.variables.get(text(source), "")
    if (file := fields.get("file")) is None and "external" not in fields:
        return None, ""  # an empty text is not printed
    if file is None:
        reading.leave_out(use, f"the content of the config {name!r} is nowhere in the document")
        return None
    if text(file).startswith(("/", "~")):
        reading.leave_out(use, f"the config {name!r} is {text(file)!r}, a path of one host")
        return None
    path = reading.path(file, f"the config {name!r}")
    if reading.provisioned and reading.read_file(path) is None:
        reading.refuse(
            file.where,
            f"the config {name!r} is {path!r}, which is not in what is cloned (git may ignore it): commit it, or take "
            "the folder as it lies with --dirty",
        )
    return path, None


def _owner(node: Node | None, reading: Reading) -> str | None:
    if node is None:
        return None
    given = text(node)
    if not _OWNER.fullmatch(given):
        reading.refuse(node.where, f"{given[:60]!r} is no number of a user or group, and names differ between hosts")
    return given


def _mode(node: Node) -> int:
    given = node.value if isinstance(node.value, int) else int(text(node), 8)
    return given & 0o7777
