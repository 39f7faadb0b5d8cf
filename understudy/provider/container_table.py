"""The table of containers: every property that the embedded provider takes, as the published schema types it."""

from __future__ import annotations

from .schema import BOOL, INT, STRING, STRING_MAP, STRINGS, ListOf, Obj, Property, Rule, Table
from .tables import LABELS, NAME

__all__ = ["CONTAINER", "DURATION"]

DURATION = r"(\d+(\.\d+)?(ns|us|ms|s|m|h))+"
"""Durations as Go writes them (time.ParseDuration), without a sign."""

_DURATION = Rule("a duration such as `500ms`, `10s` or `1m30s`", pattern=DURATION)
_PORT = Rule("a port, 1 to 65535", minimum=1, maximum=65535)
_SECONDS = Rule("a number of seconds, 0 or more", minimum=0)
_MEGABYTES = Rule("megabytes, 0 or more (0: unlimited)", minimum=0)
_PATH = Rule("an absolute path in the container", pattern=r"/(.|\n)*")
_ID = Rule("a number: names differ between this machine and the container", pattern=r"\d{1,10}")
_UNORDERED = ListOf(STRING, unordered=True)

_NETWORK = Obj(
    {
        "name": Property(STRING, required=True),
        "aliases": Property(_UNORDERED),
        "ipv4Address": Property(STRING),
    }
)
_VOLUME = Obj(
    {
        "volumeName": Property(STRING),
        "fromContainer": Property(STRING),
        "hostPath": Property(STRING, Rule("an absolute path on the host", pattern=r"/(.|\n)*")),
        "containerPath": Property(STRING, _PATH),
        "readOnly": Property(BOOL, default=False),
        "selinuxRelabel": Property(STRING, Rule("z or Z", values=("z", "Z"))),
    }
)
_MOUNT = Obj(
    {
        "target": Property(STRING, _PATH, required=True),
        "type": Property(STRING, Rule("bind, volume or tmpfs", values=("bind", "volume", "tmpfs")), required=True),
        "source": Property(STRING),
        "readOnly": Property(BOOL, default=False),
        "bindOptions": Property(Obj({"propagation": Property(STRING)})),
        "volumeOptions": Property(Obj({"noCopy": Property(BOOL, default=False), "subpath": Property(STRING)})),
        "tmpfsOptions": Property(Obj({"mode": Property(INT), "sizeBytes": Property(INT)})),
    }
)
_UPLOAD = Obj(
    {
        "file": Property(STRING, _PATH, required=True),
        "content": Property(STRING),
        "contentBase64": Property(STRING, Rule("base 64", pattern=r"[A-Za-z0-9+/\s]*={0,2}\s*")),
        "executable": Property(BOOL, default=False),
        "permissions": Property(
            STRING, Rule("octal permissions such as `0644`", pattern=r"0?[0-7]{3,4}"), default="0644"
        ),
        "owner": Property(STRING, _ID),
        "group": Property(STRING, _ID),
    }
)
_PUBLISHED = Obj(
    {
        "internal": Property(INT, _PORT, required=True),
        "external": Property(INT, Rule("a port, 0 to 65535 (0: the kernel's choice)", minimum=0, maximum=65535)),
        "ip": Property(STRING, default="0.0.0.0"),  # noqa: S104 - the published schema's default
        "protocol": Property(STRING, Rule("tcp, udp or sctp", values=("tcp", "udp", "sctp")), default="tcp"),
    }
)
_HEALTHCHECK = Obj(
    {
        "tests": Property(STRINGS),
        "interval": Property(STRING, _DURATION, default="0s"),
        "timeout": Property(STRING, _DURATION, default="0s"),
        "startPeriod": Property(STRING, _DURATION, default="0s"),
        "retries": Property(INT, Rule("a count, 0 or more", minimum=0), default=0),
    }
)
_ULIMIT = Obj(
    {
        "name": Property(STRING, required=True),
        "soft": Property(INT, required=True),
        "hard": Property(INT, required=True),
    }
)
_SHARED = r"container:[a-zA-Z0-9][a-zA-Z0-9_.-]*"
"""A namespace of another container."""

_DEVICE_REQUEST = Obj(
    {
        "driver": Property(STRING),
        "count": Property(INT, Rule("a count, or -1 for all", minimum=-1)),
        "deviceIds": Property(_UNORDERED),
        "capabilities": Property(_UNORDERED),
        "options": Property(STRING_MAP),
    }
)
_DEVICE = Obj(
    {
        "hostPath": Property(STRING, required=True),
        "containerPath": Property(STRING),
        "permissions": Property(STRING, Rule("some of r, w and m", pattern=r"[rwm]{1,3}"), default="rwm"),
    }
)

CONTAINER = Table(
    token="docker:index/container:Container",  # noqa: S106 - a type token
    inputs={
        "image": Property(STRING, Rule("an image reference or id", pattern=r"\S+"), required=True),
        "name": Property(STRING, NAME),
        "command": Property(STRINGS),
        "entrypoints": Property(STRINGS),
        "envs": Property(
            ListOf(STRING, unordered=True),
        ),
        "labels": Property(LABELS),
        "networksAdvanced": Property(ListOf(_NETWORK)),
        "networkMode": Property(
            STRING,
            Rule(
                "none, bridge, host or container:<name>",
                pattern=rf"none|bridge|host|{_SHARED}",
            ),
        ),
        "volumes": Property(ListOf(_VOLUME, unordered=True)),
        "mounts": Property(ListOf(_MOUNT, unordered=True)),
        "tmpfs": Property(STRING_MAP),
        "uploads": Property(ListOf(_UPLOAD, unordered=True)),
        "ports": Property(ListOf(_PUBLISHED, unordered=True)),
        "healthcheck": Property(_HEALTHCHECK),
        "hostname": Property(STRING, Rule("at most 64 characters", pattern=r"[a-zA-Z0-9_.-]{1,64}")),
        "domainname": Property(STRING),
        "user": Property(STRING),
        "workingDir": Property(STRING),
        "restart": Property(
            STRING,
            Rule(
                "no, always, on-failure or unless-stopped",
                values=("no", "always", "on-failure", "unless-stopped"),
            ),
            default="no",
            replace=False,
        ),
        "maxRetryCount": Property(INT, Rule("a count, 0 or more", minimum=0), default=0, replace=False),
        "memory": Property(INT, _MEGABYTES, default=0, replace=False, removable=False),
        "memorySwap": Property(
            INT, Rule("megabytes, or -1 for no limit", minimum=-1), default=0, replace=False, removable=False
        ),
        "cpus": Property(STRING, Rule("a number of processors such as `0.5`", pattern=r"\d+(\.\d+)?"), replace=False),
        "cpuShares": Property(INT, Rule("a weight, 0 or more", minimum=0), default=0, replace=False),
        "memoryReservation": Property(INT, _MEGABYTES, default=0),
        "cpuSet": Property(STRING, Rule("processors such as `0-2,4`", pattern=r"\d+(-\d+)?(,\d+(-\d+)?)*")),
        "shmSize": Property(INT, _MEGABYTES),
        "init": Property(BOOL),
        "stopSignal": Property(STRING),
        "stopTimeout": Property(INT, _SECONDS),
        "destroyGraceSeconds": Property(INT, _SECONDS, default=0, replace=False),
        "readOnly": Property(BOOL, default=False),
        "capabilities": Property(Obj({"adds": Property(_UNORDERED), "drops": Property(_UNORDERED)})),
        "sysctls": Property(STRING_MAP),
        "ulimits": Property(ListOf(_ULIMIT, unordered=True)),
        "hosts": Property(
            ListOf(
                Obj({"host": Property(STRING, required=True), "ip": Property(STRING, required=True)}),
                unordered=True,
            )
        ),
        "dns": Property(STRINGS),
        "dnsSearches": Property(STRINGS),
        "dnsOpts": Property(STRINGS),
        "securityOpts": Property(_UNORDERED),
        "groupAdds": Property(_UNORDERED),
        "devices": Property(ListOf(_DEVICE, unordered=True)),
        "logDriver": Property(STRING),
        "logOpts": Property(STRING_MAP),
        "tty": Property(BOOL, default=False),
        "stdinOpen": Property(BOOL, default=False),
        "privileged": Property(BOOL, default=False),
        "ipcMode": Property(
            STRING,
            Rule(
                "none, private, shareable, host or container:<name>", pattern=rf"none|private|shareable|host|{_SHARED}"
            ),
        ),
        "pidMode": Property(STRING, Rule("host or container:<name>", pattern=rf"host|{_SHARED}")),
        "cgroupnsMode": Property(STRING, Rule("host or private", values=("host", "private"))),
        "usernsMode": Property(STRING, Rule("host", values=("host",))),
        "runtime": Property(STRING),
        "platform": Property(STRING, Rule("os/architecture[/variant]", pattern=r"[a-z0-9_-]+(/[a-z0-9_.-]+){0,2}")),
        "deviceRequests": Property(ListOf(_DEVICE_REQUEST, unordered=True)),
        "deviceCgroupRules": Property(_UNORDERED),
        "rm": Property(
            BOOL,
            Rule("false: destroy removes the container, after its logs were exported", values=(False,)),
            default=False,
        ),
        "start": Property(BOOL, default=True),
        "mustRun": Property(BOOL, default=True, replace=False),
        "attach": Property(BOOL, default=False, replace=False),
        "logs": Property(BOOL, default=False, replace=False),
        "wait": Property(BOOL, default=False, replace=False),
        "waitTimeout": Property(INT, Rule("seconds, 1 or more", minimum=1), default=60, replace=False),
        "removeVolumes": Property(BOOL, default=True, replace=False),
    },
    outputs=("bridge", "containerLogs", "exitCode", "networkDatas"),
)
