"""The tables of networks, volumes and images: every property that the embedded provider takes."""

from __future__ import annotations

from .schema import BOOL, STRING, STRING_MAP, STRINGS, ListOf, Obj, Property, Rule, Table

__all__ = ["IMAGE", "LABELS", "NAME", "NETWORK", "VOLUME"]

NAME = Rule(
    "letters, digits, `_`, `.` and `-`, beginning with a letter or a digit", pattern=r"[a-zA-Z0-9][a-zA-Z0-9_.-]*"
)
"""The names that Docker takes (moby 20.10, daemon/names/names.go)."""

LABELS = ListOf(
    Obj({"label": Property(STRING, required=True), "value": Property(STRING, required=True)}), unordered=True
)

NETWORK = Table(
    token="docker:index/network:Network",  # noqa: S106 - a type token
    inputs={
        "name": Property(STRING, NAME),
        "driver": Property(STRING, default="bridge"),
        "internal": Property(BOOL, default=False),
        "attachable": Property(BOOL, default=False),
        "ipv6": Property(
            BOOL,
            Rule("false: subnets are chosen from an IPv4 pool, so that clones do not collide", values=(False,)),
            default=False,
        ),
        "labels": Property(LABELS),
        "options": Property(STRING_MAP),
        "ipamConfigs": Property(
            ListOf(
                Obj(
                    {
                        "subnet": Property(STRING, required=True),
                        "gateway": Property(STRING),
                        "ipRange": Property(STRING),
                    }
                ),
                unordered=True,
            )
        ),
    },
    outputs=("scope",),
)

VOLUME = Table(
    token="docker:index/volume:Volume",  # noqa: S106 - a type token
    inputs={
        "name": Property(STRING, NAME),
        "driver": Property(STRING, default="local"),
        "driverOpts": Property(STRING_MAP),
        "labels": Property(LABELS),
    },
    outputs=("mountpoint",),
)

IMAGE = Table(
    token="docker:index/remoteImage:RemoteImage",  # noqa: S106 - a type token
    inputs={
        "name": Property(STRING, Rule("an image reference", pattern=r"\S+"), required=True),
        "keepLocally": Property(BOOL, default=False, replace=False),
        "forceRemove": Property(BOOL, default=False, replace=False),
        "platform": Property(STRING),
        "pullTriggers": Property(STRINGS),
    },
    outputs=("imageId", "repoDigest"),
    owned=False,
    named=False,
)
