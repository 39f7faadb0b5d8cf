"""All that a lane of the suite could leave behind, labelled or not, and how two looks at it differ."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from docker import DockerClient
from private_daemon import PrivateDaemon

__all__ = ["STAYS", "Inventory", "descendants", "look"]

STAYS = (
    "passphrase",
    "probes",
    "probes/*",
    "watchdog",
    "watchdog/*",
    "clock.json",
    "home",
    "home/*",
    "trees",
    "backend",
    "backend/.understudy",
    "backend/.understudy/history.sqlite*",
    "backend/.understudy/leases",
    "backend/.understudy/leases/.lock",
    "backend/.understudy/leases/authorities",
    "backend/.understudy/leases/backend",
    "backend/.understudy/leases/backend/id.json",
    "backend/.understudy/leases/receipts",
    "backend/.understudy/leases/receipts/*",
    "backend/.pulumi",
    "backend/.pulumi/meta.yaml*",
    *(f"backend/.pulumi/{kind}{below}" for kind in ("stacks", "history", "backups") for below in ("", "/understudy")),
    *(f"backend/.pulumi/locks{below}" for below in ("", "/organization", "/organization/understudy")),
)
"""What of the state folder (`understudy/...`) is no environment's: the machine's own files, receipts, empty folders."""


@dataclass(frozen=True)
class Inventory:
    """Kind -> what there is of it."""

    kinds: Mapping[str, frozenset[str]]

    def differences(self, before: Inventory) -> dict[str, list[str]]:
        """`more ...` of each kind that came and `lost ...` of each that went since `before`; empty: the same."""
        found = {}
        for kind, now in self.kinds.items():
            for word, gone in (("more", now - before.kinds[kind]), ("lost", before.kinds[kind] - now)):
                if gone:
                    found[f"{word} {kind}"] = sorted(gone)
        return found


def look(daemon: PrivateDaemon, client: DockerClient, state: Path, temporary: Path) -> Inventory:
    """Everything of a lane now. The daemon has to answer."""
    return Inventory(
        {
            **_of_daemon(client),
            "files": frozenset(_files(state)),
            "temporary": frozenset(path.name for path in temporary.iterdir()),
            "processes": frozenset(descendants(os.getpid(), daemon).values()),
        }
    )


def _of_daemon(client: DockerClient) -> dict[str, frozenset[str]]:
    api = client.api
    volumes = api.volumes()["Volumes"] or ()
    cached = {image["Id"] for image in api.images(filters={"label": "dev.understudy.cache"})}
    return {
        "containers": frozenset(f"{each['Names'][0]} {each['Id']}" for each in api.containers(all=True)),
        "networks": frozenset(f"{each['Name']} {each['Id']}" for each in api.networks(filters={"type": "custom"})),
        "volumes": frozenset(each["Name"] for each in volumes),
        "images": frozenset(each["Id"] for each in api.images(all=True) if each["Id"] not in cached),
    }


def _files(state: Path) -> Iterable[str]:
    root = state / "understudy"
    for folder, folders, files in os.walk(root):  # which passes over what goes meanwhile
        for each in (*folders, *files):
            name = str((Path(folder) / each).relative_to(root))
            if not any(fnmatchcase(name, pattern) for pattern in STAYS):
                yield name


def descendants(root: int, daemon: PrivateDaemon) -> dict[int, str]:
    """Pid -> command line of every process below `root` that has not ended, but for the daemon's and its containers'.

    A lane adopts what loses its parent (prctl(2), PR_SET_CHILD_SUBREAPER), so that nothing that it started, however
    detached, escapes this.
    """
    parents, dead = {}, set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, IndexError):
                fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
                if fields[0] in "ZX":
                    dead.add(int(entry.name))
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found: dict[int, str] = {}
    waiting = list(children.get(root, ()))
    while waiting:
        pid = waiting.pop()
        if daemon.owns(pid):
            continue  # and with it its containers
        waiting += children.get(pid, ())
        if pid not in dead:
            with contextlib.suppress(OSError):
                words = (Path(f"/proc/{pid}/cmdline").read_bytes()).replace(b"\0", b" ").decode(errors="replace")
                found[pid] = words.strip() or f"process {pid}"
    return found
