"""What ends the watchdog together with the command it waits for: the end of a container, a service, a login."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["FIRST_NAMESPACE", "ended_with", "examine"]

FIRST_NAMESPACE = "pid:[4026531836]"
"""The PID namespace that the kernel begins with (PROC_PID_INIT_INO in include/linux/proc_ns.h)."""

_SERVICE = re.compile(r"/([^/]+\.service)(?:/|$)")
_SESSION = re.compile(r"/(session-[^/]+\.scope)(?:/|$)")


def ended_with(namespace: str, cgroups: str) -> str:
    r"""What takes the watchdog with it, however far it went away from its parents; `""`: nothing that is known of.

    Args:
        namespace: what /proc/self/ns/pid points to; pid_namespaces(7): the end of its first process kills all others.
        cgroups: the content of /proc/self/cgroup. systemd.kill(5): `KillMode=control-group`, the default, kills all
            that is in a service's group when that is stopped; logind.conf(5): `KillUserProcesses=` does it at logout.

    >>> ended_with("pid:[4026531836]", "0::/user.slice/user-0.slice/session-1.scope\n")
    'the login session-1.scope, where logind is set to KillUserProcesses=yes'
    """
    if namespace not in {"", FIRST_NAMESPACE}:
        return "this container: when its first process ends, so does all in it"
    for line in cgroups.splitlines():
        path = line.rpartition(":")[2]
        if (service := _SERVICE.findall(path)) and not service[-1].startswith("user@"):
            return f"the service {service[-1]}: when it is stopped, systemd kills all that it began"
        if session := _SESSION.findall(path):
            return f"the login {session[-1]}, where logind is set to KillUserProcesses=yes"
    return ""


def examine(proc: Path = Path("/proc/self")) -> str:
    """`ended_with` of this process; `""` too where /proc does not say."""
    try:
        return ended_with(str((proc / "ns" / "pid").readlink()), (proc / "cgroup").read_text(encoding="utf-8"))
    except OSError:
        return ""
