"""The files of a container: packed as tar archives, each put where Docker takes it. Pure."""

from __future__ import annotations

import base64
import io
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["archives", "uploads_tar"]


def archives(inputs: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """The uploads of a container as pairs of a folder and the archive for it.

    Docker unpacks nothing into a container whose root is read-only, but for a folder in a volume (moby 20.10,
    daemon/archive.go): there, what lies in a volume goes into that volume, the rest into the root.

    Raises:
        ValueError: `contentBase64` is none.
    """
    uploads = inputs.get("uploads") or ()
    mounts = (*(inputs.get("volumes") or ()), *(inputs.get("mounts") or ()))
    folders = [str(mount.get("containerPath") or mount.get("target") or "/") for mount in mounts]
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for upload in uploads:
        within = [folder for folder in folders if upload["file"].startswith(f"{folder.rstrip('/')}/")]
        groups.setdefault(max(within, key=len, default="/"), []).append(upload)
    for folder, group in groups.items():
        yield folder, uploads_tar(group, folder)


def uploads_tar(uploads: Sequence[Mapping[str, Any]], folder: str = "/") -> bytes:
    """The uploads as one tar archive for a folder of the container.

    Raises:
        ValueError: `contentBase64` is none.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for upload in uploads:
            content = (
                base64.b64decode(upload["contentBase64"])
                if "contentBase64" in upload
                else upload["content"].encode("utf-8")
            )
            entry = tarfile.TarInfo(upload["file"].removeprefix(folder).lstrip("/"))
            entry.size = len(content)
            executable = 0o744 if upload.get("executable") else 0o644
            entry.mode = int(upload["permissions"], 8) if upload.get("permissions") else executable
            entry.uid, entry.gid = int(upload.get("owner") or 0), int(upload.get("group") or 0)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
