"""The table of a service's keys, by the Compose specification as Compose v2.40.0 reads it."""

from __future__ import annotations

import re

from .container_keys import BUILD, DEPLOY, DEVELOP, DEVICE_REQUEST, FILE_MOUNT, HEALTHCHECK, HOOK, MOUNT, PORT, ULIMITS
from .shape import NAMES, Shape, boolean, choice, integer, items, listed, named, number, record, text, texts

__all__ = ["SERVICE"]

_COMMAND = Shape(types=("null", "string", "array"), item=text(), out="command", merge="override")
_HOSTS = listed(
    Shape(types=("string", "array"), item=text()),
    "hosts",
    merge="hosts",
)
_ONE_OR_MORE = Shape(types=("string", "array"), item=text(), distinct=True, out="strings")

_DEPENDENCY = record(
    {
        "condition": choice("service_started", "service_healthy", "service_completed_successfully"),
        "restart": boolean(),
        "required": Shape(types=("boolean",), out="flag!"),
    },
    required=("condition",),
)
_NETWORK = Shape(
    types=("object", "null"),
    keys={
        "aliases": texts(unique="pair"),
        "driver_opts": named(Shape(types=("string", "number")), None, "options", closed=False),
        "gw_priority": Shape(types=("number",), out="int"),
        "interface_name": text(),
        "ipv4_address": text(),
        "ipv6_address": text(),
        "link_local_ips": texts(unique="pair"),
        "mac_address": text(),
        "priority": Shape(types=("number",), out="int"),
    },
    out="struct",
)
_LIMIT = items(
    record({"path": text("text!", alias="Path"), "rate": integer("rate!", alias="Rate")}, extensible=False),
)
_BLKIO = record(
    {
        "weight": integer("uint16"),
        "weight_device": items(
            record(
                {"path": text("text!", alias="Path"), "weight": integer("uint16!", alias="Weight")}, extensible=False
            )
        ),
        "device_read_bps": _LIMIT,
        "device_read_iops": _LIMIT,
        "device_write_bps": _LIMIT,
        "device_write_iops": _LIMIT,
    },
    extensible=False,
)
_ENV_FILE = Shape(
    types=("string", "array"),
    item=Shape(
        types=("string", "object"),
        keys={"path": text(), "format": text(), "required": boolean("flag!")},
        required=("path",),
        extensible=False,
        out="struct",
    ),
    merge="sequence",
    unique="env_file",
    form="env_file",
    out="list",
)
_LOGGING = record(
    {
        "driver": text(),
        "options": named(Shape(types=("string", "number", "null")), re.compile(".+"), "options", closed=False),
    },
    merge="logging",
)
_PROVIDER = record(
    {
        "type": text(alias="driver"),
        "options": named(
            Shape(types=("string", "number", "boolean", "array"), item=Shape(types=("string", "number", "boolean"))),
            re.compile(".+"),
            "multi",
            closed=False,
        ),
    },
    required=("type",),
)
_DEVICE = Shape(
    types=("string", "object"),
    keys={"source": text(), "target": text(), "permissions": text()},
    required=("source",),
    form="device",
    out="struct",
)
_PULL = "always|never|build|if_not_present|missing|refresh|daily|weekly|every_([0-9]+[wdhms])+"

SERVICE = record(
    {
        "profiles": texts(unique="pair"),
        "annotations": listed(out="mapping", merge="sequence", unique="pair"),
        "attach": boolean("flag?"),
        "build": BUILD,
        "develop": DEVELOP,
        "blkio_config": _BLKIO,
        "cap_add": texts(unique="pair"),
        "cap_drop": texts(unique="pair"),
        "cgroup_parent": text(),
        "cgroup": choice("host", "private"),
        "cpu_count": integer(cast="int64", least=0),
        "cpu_percent": integer("float32", "float", least=0, most=100),
        "cpu_period": number(cast="int64"),
        "cpu_quota": number(cast="int64"),
        "cpu_rt_period": number(cast="int64"),
        "cpu_rt_runtime": number(cast="int64"),
        "cpus": number("float32", "float32"),
        "cpuset": text(),
        "cpu_shares": number(cast="int64"),
        "command": _COMMAND,
        "configs": items(FILE_MOUNT, unique="mount"),
        "container_name": text(pattern=r"[a-zA-Z0-9][a-zA-Z0-9_.-]+"),
        "credential_spec": record({"config": text(), "file": text(), "registry": text()}),
        "depends_on": Shape(
            types=("array", "object"),
            item=text(),
            distinct=True,
            others=_DEPENDENCY,
            names=NAMES,
            extensible=False,
            merge="depends_on",
            form="depends_on",
            out="map",
        ),
        "deploy": DEPLOY,
        "device_cgroup_rules": texts(),
        "devices": items(_DEVICE, unique="device"),
        "dns": _ONE_OR_MORE.but(merge="sequence", unique="pair", form="dns"),
        "dns_opt": texts(merge="sequence", unique="pair"),
        "dns_search": _ONE_OR_MORE.but(merge="sequence", unique="pair"),
        "domainname": text(),
        "entrypoint": _COMMAND,
        "provider": _PROVIDER,
        "environment": listed(out="equals", merge="sequence", unique="pair"),
        "env_file": _ENV_FILE,
        "expose": items(Shape(types=("string", "number")), "numbers", distinct=True, unique="expose"),
        "extends": Shape(
            types=("string", "object"),
            keys={"file": text(), "service": text()},
            required=("service",),
            extensible=False,
            form="extends",
            out="struct",
        ),
        "external_links": texts(),
        "extra_hosts": _HOSTS,
        "group_add": items(Shape(types=("string", "number"), out="text"), "texts", distinct=True),
        "gpus": Shape(
            types=("string", "array"),
            choices=("all",),
            item=DEVICE_REQUEST.but(closed=False, required=()),
            form="gpus",
            out="list",
        ),
        "hostname": text(),
        "healthcheck": HEALTHCHECK,
        "image": text(),
        "init": boolean("flag?", "boolean"),
        "ipc": text(),
        "isolation": text(),
        "labels": listed(merge="sequence", unique="pair"),
        "label_file": Shape(types=("string", "array"), item=text(), merge="sequence", form="texts", out="texts"),
        "links": texts(unique="pair"),
        "logging": _LOGGING,
        "mem_limit": number("bytes"),
        "mem_reservation": integer("bytes"),
        "memswap_limit": number("bytes"),
        "mem_swappiness": integer("bytes"),
        "mac_address": text(),
        "models": Shape(
            types=("array", "object"),
            item=text(),
            distinct=True,
            others=Shape(types=("object",), keys={"endpoint_var": text(), "model_var": text()}, out="struct"),
            names=NAMES,
            closed=False,
            extensible=False,
            merge="names",
            form="names",
            out="map",
        ),
        "network_mode": text(),
        "networks": Shape(
            types=("array", "object"),
            item=text(),
            distinct=True,
            others=_NETWORK,
            names=NAMES,
            extensible=False,
            merge="names",
            form="names",
            out="map",
        ),
        "oom_kill_disable": boolean(cast="boolean"),
        "oom_score_adj": integer(cast="int64", least=-1000, most=1000),
        "pid": Shape(types=("string", "null"), out="text"),
        "pids_limit": number(cast="int64"),
        "platform": text(),
        "ports": items(PORT, distinct=True, unique="port", form="ports"),
        "privileged": boolean(cast="boolean"),
        "pull_policy": text(pattern=_PULL),
        "pull_refresh_after": text("never"),
        "read_only": boolean(cast="boolean"),
        "restart": text(),
        "runtime": text(),
        "scale": integer("int?", "int"),
        "secrets": items(FILE_MOUNT.but(default="secret"), unique="mount:/run/secrets"),
        "security_opt": texts(),
        "shm_size": number("bytes"),
        "stdin_open": boolean(cast="boolean"),
        "stop_grace_period": text("duration?"),
        "stop_signal": text(),
        "storage_opt": Shape(types=("object",), closed=False, out="dictionary"),
        "sysctls": listed(out="mapping", merge="sequence", unique="pair"),
        "tmpfs": _ONE_OR_MORE.but(merge="sequence", unique="pair"),
        "tty": boolean(cast="boolean"),
        "ulimits": ULIMITS,
        "use_api_socket": Shape(types=("boolean",), out="flag"),
        "user": text(),
        "userns_mode": text(),
        "uts": text(),
        "volumes": items(MOUNT, distinct=True, unique="volume"),
        "volumes_from": texts(),
        "working_dir": text(),
        "post_start": items(HOOK),
        "pre_stop": items(HOOK),
    }
)
