"""The tables below a service's keys: its build, deployment, mounts, ports, health check, hooks and limits."""

from __future__ import annotations

import re

from .shape import Shape, boolean, choice, integer, items, listed, named, number, record, text, texts

__all__ = [
    "BUILD",
    "DEPLOY",
    "DEVELOP",
    "DEVICE_REQUEST",
    "FILE_MOUNT",
    "HEALTHCHECK",
    "HOOK",
    "MOUNT",
    "PORT",
    "ULIMITS",
]

FILE_MOUNT = Shape(
    types=("string", "object"),
    keys={"source": text(), "target": text(), "uid": text(), "gid": text(), "mode": number("mode?")},
    form="file_mount",
    out="struct",
)
_ULIMIT = Shape(
    types=("integer", "string", "object"),
    keys={"soft": integer("int!", "int"), "hard": integer("int!", "int")},
    required=("soft", "hard"),
    cast="int",
    merge="ulimit",
    form="ulimit",
    out="ulimit",
)
ULIMITS = named(_ULIMIT, re.compile("[a-z]+"), closed=False)
_BUILD_LIMIT = integer("int!")
_BUILD_ULIMITS = ULIMITS.but(others=_ULIMIT.but(keys={"soft": _BUILD_LIMIT, "hard": _BUILD_LIMIT}, cast="", merge=""))

BUILD = Shape(
    types=("string", "object"),
    keys={
        "context": text(out="text"),
        "dockerfile": text(),
        "dockerfile_inline": text(),
        "entitlements": texts(distinct=False),
        "args": listed(out="equals", merge="sequence", unique="pair"),
        "provenance": Shape(types=("string", "boolean"), form="written", out="text"),
        "sbom": Shape(types=("string", "boolean"), form="written", out="text"),
        "ssh": listed(form="ssh", out="ssh"),
        "labels": listed(merge="sequence", unique="pair"),
        "cache_from": texts("strings", distinct=False),
        "cache_to": texts("strings", distinct=False),
        "no_cache": boolean(),
        "additional_contexts": listed(out="mapping", merge="sequence", unique="pair", form="assignments"),
        "pull": boolean(),
        "extra_hosts": listed(Shape(types=("string", "array"), item=text()), "hosts", merge="hosts"),
        "isolation": text(),
        "network": text(),
        "target": text(),
        "secrets": items(FILE_MOUNT),
        "shm_size": integer("bytes"),
        "tags": texts("strings", distinct=False, unique="pair"),
        "ulimits": _BUILD_ULIMITS,
        "platforms": texts("strings", distinct=False),
        "privileged": boolean(),
    },
    merge="build",
    form="build",
    default="build",
    out="struct",
)

DEVICE_REQUEST = record(
    {
        "capabilities": texts(),
        "driver": text(),
        "count": integer("count"),
        "device_ids": texts(),
        "options": listed(out="mapping"),
    },
    required=("capabilities",),
    default="device_request",
)
_UPDATE = record(
    {
        "parallelism": integer("uint?", "int"),
        "delay": text("wait"),
        "failure_action": text(),
        "monitor": text("wait"),
        "max_failure_ratio": number("float32", "float"),
        "order": choice("start-first", "stop-first"),
    }
)
_GENERIC = items(
    record(
        {"discrete_resource_spec": record({"kind": text("text!"), "value": number("int!")})},
    )
)
DEPLOY = Shape(
    types=("object", "null"),
    keys={
        "mode": text(),
        "replicas": integer("int?", "int"),
        "labels": listed(merge="sequence", unique="pair"),
        "update_config": _UPDATE,
        "rollback_config": _UPDATE,
        "resources": record(
            {
                "limits": record({"cpus": number("cpus"), "memory": text("bytes"), "pids": integer()}),
                "reservations": record(
                    {
                        "cpus": number("cpus"),
                        "memory": text("bytes"),
                        "devices": items(DEVICE_REQUEST),
                        "generic_resources": _GENERIC,
                    }
                ),
            },
            "struct!",
        ),
        "restart_policy": record(
            {
                "condition": text(),
                "delay": text("duration?"),
                "max_attempts": integer("uint?", "int"),
                "window": text("duration?"),
            }
        ),
        "placement": record(
            {
                "constraints": texts(distinct=False),
                "preferences": items(record({"spread": text()})),
                "max_replicas_per_node": integer("uint", "int"),
            },
            "struct!",
        ),
        "endpoint_mode": text(),
    },
    out="struct",
)

_COMMAND = Shape(types=("null", "string", "array"), item=text(), out="command")
HOOK = record(
    {
        "command": _COMMAND,
        "user": text(),
        "privileged": boolean(),
        "working_dir": text(),
        "environment": listed(out="equals"),
    },
    required=("command",),
)
_PATTERNS = Shape(types=("string", "array"), item=text(), distinct=True, form="texts", out="texts")
DEVELOP = Shape(
    types=("object", "null"),
    keys={
        "watch": items(
            record(
                {
                    "path": text("text!"),
                    "action": choice("rebuild", "sync", "restart", "sync+restart", "sync+exec", out="text!"),
                    "target": text(),
                    "exec": HOOK.but(out="struct!"),
                    "include": _PATTERNS,
                    "ignore": _PATTERNS,
                    "initial_sync": Shape(types=("boolean",), out="flag"),
                },
                required=("path", "action"),
            )
        )
    },
    out="struct",
)

HEALTHCHECK = record(
    {
        "test": Shape(types=("string", "array"), item=text(), merge="override", out="test"),
        "timeout": text("duration?"),
        "interval": text("duration?"),
        "retries": number("uint?", "int"),
        "start_period": text("duration?"),
        "start_interval": text("duration?"),
        "disable": boolean(cast="boolean"),
    }
)

PORT = Shape(
    types=("number", "string", "object"),
    keys={
        "name": text(),
        "mode": text(),
        "host_ip": text(),
        "target": integer("uint32", "int"),
        "published": Shape(types=("string", "integer"), out="text"),
        "protocol": text(),
        "app_protocol": text(),
    },
    default="port",
    out="struct",
)

MOUNT = Shape(
    types=("string", "object"),
    keys={
        "type": choice("bind", "volume", "tmpfs", "cluster", "npipe", "image"),
        "source": text(),
        "target": text(),
        "read_only": boolean(cast="boolean"),
        "consistency": text(),
        "bind": record(
            {
                "selinux": choice("z", "Z"),
                "propagation": text(),
                "create_host_path": boolean(),
                "recursive": choice("enabled", "disabled", "writable", "readonly"),
            }
        ),
        "volume": record(
            {
                "labels": listed(out="mapping", merge="sequence"),
                "nocopy": boolean(cast="boolean"),
                "subpath": text(),
            }
        ),
        "tmpfs": record({"size": Shape(types=("integer", "string"), least=0, out="bytes"), "mode": number("uint32")}),
        "image": record({"subpath": text()}),
    },
    required=("type",),
    form="volume",
    out="struct",
)
