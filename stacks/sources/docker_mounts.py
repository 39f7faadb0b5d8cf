"""What a container mounts, from Docker's own words: binds of the project's folder, volumes, tmpfs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from understudy.stacks.clone import secret_token
from understudy.stacks.topology import FileMount, Mount

from .found_secrets import secret_name
from .values import byte_size

__all__ = ["SECRETS", "below", "mounts", "secret_files"]

Json = Mapping[str, Any]
LeaveOut = Callable[[str, object, str], None]

SECRETS = "/run/secrets/"
"""Where Compose mounts secrets (Compose specification, secrets)."""

_NO_KEY = re.compile(r"[^A-Za-z0-9._-]+")
_PROPAGATION = frozenset(("", "rprivate"))
"""What a bind has that asks for none (docker run, bind propagation)."""


def mounts(container: Json, image: Json, folder: str, path: str, leave_out: LeaveOut) -> tuple[Mount, ...]:
    """The mounts that are the service's own, in the order in which it was started with them.

    Args:
        container: as `GET /containers/{id}/json` gives it.
        image: its image's configuration; an anonymous volume where the image declares one is the image's.
        folder: the absolute folder that binds are relative to; "": there is none.
        path: the service's path, for what is left out.
        leave_out: takes a path, production's value and a reason.
    """
    found = [*_mounted(container, image, folder, f"{path}.volumes", leave_out), *_temporary(container, path, leave_out)]
    order = {target: index for index, target in enumerate(_targets(container["HostConfig"]))}
    return tuple(sorted(found, key=lambda mount: (order.get(mount.target, len(order)), mount.target)))


def secret_files(container: Json) -> tuple[FileMount, ...]:
    """The files that are bound where Compose mounts secrets: each is a declared secret, and none is copied."""
    bound = (str(m["Destination"]) for m in container.get("Mounts") or () if m["Type"] == "bind")
    return tuple(
        FileMount("secret", name, target, content=secret_token(secret_name(name)))
        for target in sorted(target for target in bound if target.startswith(SECRETS))
        if (name := _NO_KEY.sub("-", target.removeprefix(SECRETS)).strip("-."))
    )


def _targets(host: Json) -> Iterator[str]:
    for bind in host.get("Binds") or ():
        parts = bind.split(":")
        yield parts[1] if len(parts) > 1 else parts[0]
    yield from (mount["Target"] for mount in host.get("Mounts") or ())
    yield from host.get("Tmpfs") or {}


def _mounted(container: Json, image: Json, folder: str, path: str, leave_out: LeaveOut) -> Iterator[Mount]:
    asked = {mount["Target"]: mount for mount in container["HostConfig"].get("Mounts") or ()}
    declared = set(image.get("Volumes") or {})
    named = set(_named(container["HostConfig"]))
    for mount in container.get("Mounts") or ():
        target, read_only = mount["Destination"], not mount.get("RW", True)
        if mount["Type"] == "bind" and target.startswith(SECRETS):
            continue
        if mount["Type"] == "volume":
            anonymous = target not in named
            if anonymous and target in declared:
                continue
            source = None if anonymous else str(mount["Name"])
            yield Mount("volume", target, source, read_only, _volume_options(asked.get(target, {}), mount))
        elif mount["Type"] == "bind":
            source = below(str(mount["Source"]), folder)
            if source is None:
                leave_out(path, f"{mount['Source']}:{target}", "it is a path of one host")
                continue
            propagation = mount.get("Propagation") or ""
            options = () if propagation in _PROPAGATION else (("propagation", propagation),)
            yield Mount("bind", target, source, read_only, options)
        elif mount["Type"] != "tmpfs":
            leave_out(path, f"{mount['Type']} at {target}", "a topology has no place for a mount of this type")


def _named(host: Json) -> Iterator[str]:
    """The targets of volumes that were asked for by name."""
    for bind in host.get("Binds") or ():
        parts = bind.split(":")
        if len(parts) > 1:
            yield parts[1]
    for mount in host.get("Mounts") or ():
        if mount.get("Type") == "volume" and mount.get("Source"):
            yield mount["Target"]


def below(path: str, folder: str) -> str | None:
    """A path of the host from the folder; None where it does not lie in it, or is no absolute path."""
    if not folder.startswith("/") or not path.startswith("/"):
        return None
    inside, top = posixpath.normpath(path), posixpath.normpath(folder)
    return posixpath.relpath(inside, top) if posixpath.commonpath((inside, top)) == top else None


def _volume_options(asked: Json, mount: Json) -> tuple[tuple[str, str], ...]:
    given = asked.get("VolumeOptions") or {}
    options = {}
    if given.get("NoCopy") or "nocopy" in str(mount.get("Mode") or "").split(","):
        options["nocopy"] = "true"
    if given.get("Subpath"):
        options["subpath"] = str(given["Subpath"])
    return tuple(sorted(options.items()))


def _temporary(container: Json, path: str, leave_out: LeaveOut) -> Iterator[Mount]:
    host = container["HostConfig"]
    for target, text in (host.get("Tmpfs") or {}).items():
        yield _tmpfs(target, text, f"{path}.tmpfs", leave_out)
    for mount in host.get("Mounts") or ():
        if mount.get("Type") == "tmpfs":
            given = mount.get("TmpfsOptions") or {}
            options = {}
            if given.get("Mode"):
                options["mode"] = f"{given['Mode']:o}"
            if given.get("SizeBytes"):
                options["size"] = str(given["SizeBytes"])
            yield Mount("tmpfs", mount["Target"], None, bool(mount.get("ReadOnly")), tuple(sorted(options.items())))


def _tmpfs(target: str, text: str, path: str, leave_out: LeaveOut) -> Mount:
    options: dict[str, str] = {}
    read_only = False
    for option in text.split(",") if text else ():
        key, _, value = option.partition("=")
        if key == "size" and value:
            options["size"] = str(byte_size(value))
        elif key == "mode" and value:
            options["mode"] = value.lstrip("0") or "0"
        elif key == "ro":
            read_only = True
        elif key != "rw":
            leave_out(path, f"{target}:{option}", "a topology has no place for this option of a tmpfs")
    return Mount("tmpfs", target, None, read_only, tuple(sorted(options.items())))
