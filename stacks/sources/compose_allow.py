"""What `--allow` may name: the closed list of what a clone is refused unless somebody asks for it by name."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["ALLOW", "CAPABILITIES", "Allowed"]

ALLOW: Mapping[str, str] = {
    "bind:/PATH": "mounts of this path of the host, and of what is below it",
    "build-entitlements": "`entitlements` and `privileged` of a build",
    "build-ssh": "`ssh` of a build: the SSH agent or key of whoever runs it",
    "cap:NAME": "this capability in `cap_add`",
    "devices": "`devices`, `device_cgroup_rules`, `gpus`, and `devices` among the reservations",
    "docker-socket": "mounts of an engine's socket, and `use_api_socket`",
    "host-cgroup": "`cgroup: host`",
    "host-ipc": "`ipc: host`",
    "host-network": "`network_mode: host`, and `network: host` of a build",
    "host-pid": "`pid: host`",
    "host-userns": "`userns_mode: host`",
    "host-uts": "`uts: host`",
    "privileged": "`privileged: true` of a service",
    "unconfined": "`security_opt` that takes a protection away",
}
"""Every name, and what is cloned by it. PATH is an absolute path, NAME a capability of CAPABILITIES."""

CAPABILITIES = frozenset(
    (
        *("ALL", "BPF", "DAC_READ_SEARCH", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "PERFMON", "SYSLOG"),
        *("SYS_ADMIN", "SYS_BOOT", "SYS_MODULE", "SYS_RAWIO", "SYS_TIME", "WAKE_ALARM"),
    )
)
"""Capabilities that no namespace holds in, so that they reach the host (capabilities(7), Linux 6.1)."""

_PATH = re.compile(r"bind:(/[^\0:]*)")
_CAP = re.compile(r"cap:(?:CAP_)?([A-Z_]+)")


@dataclass(frozen=True, slots=True)
class Allowed:
    """The names that were given, in one form."""

    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, given: Iterable[str]) -> Allowed:
        """The names, each looked up in the list.

        Raises:
            ValueError: one is not in it; the message lists all.
        """
        return cls(frozenset(_known(name) for name in given))

    def has(self, name: str) -> bool:
        """Whether a name of the list was given; `bind:/srv/data` is by itself or a folder above it."""
        if not name.startswith("bind:"):
            return name in self.names
        path = posixpath.normpath(name.removeprefix("bind:"))
        above = (allowed.removeprefix("bind:") for allowed in self.names if allowed.startswith("bind:"))
        return any(path == folder or path.startswith(f"{folder.rstrip('/')}/") for folder in above)


def _known(given: str) -> str:
    if given in ALLOW and ":" not in given:
        return given
    if match := _PATH.fullmatch(given):
        return f"bind:{posixpath.normpath(match[1])}"
    if (match := _CAP.fullmatch(given)) and match[1] in CAPABILITIES:
        return f"cap:{match[1]}"
    names = ", ".join(ALLOW)
    raise ValueError(f"{given[:60]!r} cannot be allowed; what can is {names} (NAME: {', '.join(sorted(CAPABILITIES))})")
