"""The table of a Compose file's keys, from the top: what each may hold, and how Compose v2.40.0 treats it."""

from __future__ import annotations

import re

from .service_keys import SERVICE
from .shape import NAMES, Shape, boolean, items, listed, named, record, text, texts

__all__ = ["DOCUMENT", "RESOURCES"]

_OPTIONS = named(Shape(types=("string", "number")), re.compile(".+"), "options", closed=False)


def _external(*, closed: bool) -> Shape:
    return Shape(
        types=("boolean", "string", "object"), keys={"name": text()}, closed=closed, cast="boolean", out="flag"
    )


_POOL = record(
    {
        "subnet": text(),
        "gateway": text(),
        "ip_range": text(),
        "aux_addresses": named(text(), re.compile(".+"), "mapping"),
    }
)
_NETWORK = Shape(
    types=("object", "null"),
    keys={
        "name": text(),
        "driver": text(),
        "driver_opts": _OPTIONS,
        "ipam": record(
            {
                "driver": text(),
                "config": items(_POOL, merge="ipam"),
                "options": named(text(), re.compile(".+"), "never", unique="pair"),
            },
            "struct!",
        ),
        "external": _external(closed=True),
        "internal": boolean(cast="boolean"),
        "attachable": boolean(cast="boolean"),
        "labels": listed(merge="sequence", unique="pair"),
        "enable_ipv4": boolean("flag?", "boolean"),
        "enable_ipv6": boolean("flag?", "boolean"),
    },
    form="external",
    out="struct",
)
_VOLUME = Shape(
    types=("object", "null"),
    keys={
        "name": text(),
        "driver": text(),
        "driver_opts": _OPTIONS,
        "external": _external(closed=True),
        "labels": listed(merge="sequence"),
    },
    form="external",
    out="struct",
)
_FILE = {
    "name": text(),
    "file": text(),
    "environment": text(),
    "external": _external(closed=False),
    "labels": listed(),
}
_SECRET = record(
    {**_FILE, "driver": text(), "driver_opts": _OPTIONS.but(out="dictionary"), "template_driver": text()},
    form="external",
)
_CONFIG = record({**_FILE, "content": text(), "template_driver": text()}, form="external")
_MODEL = record(
    {
        "name": text(),
        "model": text(),
        "context_size": Shape(types=("integer",), out="int"),
        "runtime_flags": texts(distinct=False),
    },
    required=("model",),
)

RESOURCES = ("networks", "volumes", "secrets", "configs")
"""The keys at the top whose entries get a name of the project."""

DOCUMENT = record(
    {
        "version": text("never"),
        "name": text(),
        "include": items(
            Shape(
                types=("string", "object"),
                keys={
                    "path": Shape(types=("string", "array"), item=text(), distinct=True),
                    "env_file": Shape(types=("string", "array"), item=text(), distinct=True),
                    "project_directory": text(),
                },
                extensible=False,
            ),
            "never",
        ),
        "services": named(SERVICE, NAMES),
        "networks": named(_NETWORK, NAMES, closed=False),
        "volumes": named(_VOLUME, NAMES),
        "secrets": named(_SECRET, NAMES),
        "configs": named(_CONFIG, NAMES),
        "models": named(_MODEL, NAMES, closed=False),
    }
)
