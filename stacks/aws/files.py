"""Files of a task: Fargate mounts nothing of a commit, so a first container fetches them from the environment's bucket.

A folder becomes a volume of the task. A single file becomes one too, over the folder that it lies in, which a container
of the same image fills with what the image has there.
"""

from __future__ import annotations

import hashlib
import posixpath
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from understudy.errors import UsageError
from understudy.stacks import aws_names
from understudy.stacks.change import Change
from understudy.stacks.compare import as_text
from understudy.stacks.secret_values import token_free
from understudy.stacks.topology import FileMount, Mount, Service

from .grouping import Groups
from .plan import FileObject, Source

__all__ = ["LARGEST", "MOST", "Files", "Volume", "fetching", "files_of", "folder_volume"]

MOST = 200
"""Files of one service: each is an object of the stack."""

LARGEST = 4 * 1024 * 1024
"""Bytes of one service's files together: they become part of the stack's state."""

_ROOT = "/understudy-files"
_SEED = "/understudy-seed"


@dataclass(slots=True)
class Volume:
    """A volume of a task at `target`. `seeded`: with what the image has there. `commands` follow when it is filled.

    `name` is that of a volume that other containers of the task have too; else it gets one.
    """

    target: str
    read_only: bool = False
    seeded: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    secret: set[str] = field(default_factory=set)
    commands: list[tuple[str, str]] = field(default_factory=list)
    """What is done to a file, by its relative path, when it is there."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class Files:
    """What a service's container mounts, the objects of its files below `prefix`, and what differs from production.

    `label` is what the names of its own volumes begin with, and nobody else's in its task.
    """

    volumes: tuple[Volume, ...]
    prefix: str
    objects: tuple[FileObject, ...]
    changes: tuple[Change, ...] = ()
    label: str = "files"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the task's volumes, in their order."""
        return tuple(volume.name or f"{self.label}-{number}" for number, volume in enumerate(self.volumes))

    @property
    def mount_points(self) -> list[dict[str, Any]]:
        """Where the container of the service has them."""
        return [
            {"sourceVolume": name, "containerPath": volume.target, "readOnly": volume.read_only}
            for name, volume in zip(self.names, self.volumes, strict=True)
        ]


def files_of(
    service: Service,
    sources: Mapping[str, Source],
    groups: Groups | None = None,
    more: tuple[Volume, ...] = (),
) -> Files:
    """The files of a service.

    Args:
        service: the service.
        sources: path of the commit -> what lies there; one that is missing is an empty folder.
        groups: the tasks, and the named volumes that several containers have; None: none has.
        more: volumes beside those that the service asks for.

    Raises:
        UsageError: containers share a volume, a file cannot be put where it should be, or they are too many or large.
    """
    volumes = {volume.target: volume for volume in more}
    changes: list[Change] = []
    for mount in service.mounts:
        if mount.kind == "bind":
            source = sources.get(mount.from_tree or "", Source({}))
            if source.single:
                (content,) = source.files.values()
                put = _file(volumes, service, mount.target, content)
                put.commands += [("chmod a+x", posixpath.basename(mount.target))] if source.executable else []
            else:
                volumes[mount.target.rstrip("/")] = folder_volume(mount.target, source, read_only=mount.read_only)
        else:
            changes.append(_disk(service, mount, groups, volumes))
    for file in service.files:
        _config(volumes, service, file, sources)
    made = _made(service, tuple(volumes.values()), tuple(changes))
    place = 0 if groups is None else groups.members[groups.owner[service.name]].index(service.name)
    return replace(made, label=f"files-{place}") if place else made


def folder_volume(target: str, source: Source, *, read_only: bool = True) -> Volume:
    """A volume with a folder's files."""
    commands = [("chmod a+x", path) for path in sorted(source.executable)]
    return Volume(target.rstrip("/"), read_only, files=dict(source.files), commands=commands)


def _disk(service: Service, mount: Mount, groups: Groups | None, volumes: dict[str, Volume]) -> Change:
    """A volume with data, or one in memory, becomes the disk of the task."""
    if groups is not None and mount.source in groups.shared:
        raise UsageError(
            f"Service {service.name!r} shares the volume {mount.source!r} with another container, and tasks of Fargate "
            "share no disk.",
            hint="Run one replica of it or leave one of them out in the profile, keep the data in a bucket, or run the "
            "clone on Docker: --target docker.",
        )
    target = mount.target.rstrip("/")
    first = None if groups is None else groups.within.get(mount.source or "")
    if first is not None:
        name = aws_names.container(f"volume.{mount.source}")
        volumes[target] = Volume(target, mount.read_only, seeded=first == service.name, name=name)
    elif service.read_only or mount.kind == "tmpfs":
        volumes[target] = Volume(target, seeded=mount.kind == "volume")
    reason = "it is on the task's own disk, which is gone with the task, also when ECS starts it anew"
    return Change(f"services.{service.name}.mounts.{mount.target}", as_text(mount), "the task's disk", reason)


def _config(volumes: dict[str, Volume], service: Service, file: FileMount, sources: Mapping[str, Source]) -> None:
    secret = file.content is not None and not token_free(file.content)
    if file.content is not None:
        content = file.content.encode()
    else:
        content = next(iter(sources.get(file.source or "", Source({})).files.values()), b"")
    volume = _file(volumes, service, file.target, content, secret=secret)
    mode = 0o444 if file.mode is None else file.mode & 0o7777
    name = posixpath.basename(file.target)
    if file.uid or file.gid:
        volume.commands.append((f"chown {shlex.quote(f'{file.uid or 0}:{file.gid or 0}')}", name))
    volume.commands.append((f"chmod {mode:04o}", name))


def _file(volumes: dict[str, Volume], service: Service, target: str, content: bytes, *, secret: bool = False) -> Volume:
    """Put one file into the volume over its folder."""
    folder, name = posixpath.split(target)
    if folder in {"", "/"} or not name:
        raise UsageError(
            f"Service {service.name!r} mounts a file at {target!r}; on Fargate a file needs a folder below the root.",
            hint="Mount it into a folder of its own.",
        )
    volume = volumes.setdefault(folder, Volume(folder, seeded=True))
    volume.files[name] = content
    if secret:
        volume.secret.add(name)
    return volume


def _made(service: Service, volumes: tuple[Volume, ...], changes: tuple[Change, ...]) -> Files:
    found = [(n, path, content) for n, volume in enumerate(volumes) for path, content in sorted(volume.files.items())]
    size = sum(len(content) for _, _, content in found)
    if len(found) > MOST or size > LARGEST:
        raise UsageError(
            f"Service {service.name!r} mounts {len(found)} files of {size // 1024} KiB of the commit; on AWS at most "
            f"{MOST} files of {LARGEST // 1024} KiB together are brought to a task.",
            hint="Copy them into its image: Dockerfile, COPY.",
        )
    digest = hashlib.sha256()
    for number, path, content in found:
        for part in (str(number).encode(), path.encode("utf-8", "surrogatepass"), content):
            digest.update(len(part).to_bytes(8, "big") + part)
    prefix = f"{aws_names.container(service.name)}/{digest.hexdigest()[:16]}/"
    objects = tuple(
        FileObject(f"{prefix}{number}/{path}", content, path in volumes[number].secret)
        for number, path, content in found
    )
    return Files(volumes, prefix, objects, changes)


def fetching(
    service: str, files: Files, own_image: str, tool_image: str, bucket: str, *, before: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """The definitions of the containers that fill a task's volumes before the service's starts, one after the other.

    Args:
        service: the service's name.
        files: its files.
        own_image: the service's image.
        tool_image: an image with the AWS CLI and a shell.
        bucket: the name of the bucket with the files.
        before: the container that has to have ended before the first of these starts, if there is one.
    """
    for name, volume in zip(files.names, files.volumes, strict=True):
        if volume.seeded:
            made = aws_names.container(f"{service}.seed.{name}")
            script = f"if [ -d {shlex.quote(volume.target)} ]; then cp -a {shlex.quote(volume.target)}/. {_SEED}/; fi"
            mounted = [{"sourceVolume": name, "containerPath": _SEED, "readOnly": False}]
            yield _first(made, own_image, script, mounted, before)
            before = [made]
    if files.objects:
        mounted = [
            {"sourceVolume": name, "containerPath": f"{_ROOT}/{number}", "readOnly": False}
            for number, name in enumerate(files.names)
        ]
        source = shlex.quote(f"s3://{bucket}/{files.prefix}")
        lines = [f"aws s3 cp --recursive --only-show-errors {source} {_ROOT}/", f"chmod -R a+rX {_ROOT}"]
        for number, volume in enumerate(files.volumes):
            lines += [f"{verb} {shlex.quote(f'{_ROOT}/{number}/{path}')}" for verb, path in volume.commands]
        yield _first(aws_names.container(f"{service}.files"), tool_image, " && ".join(lines), mounted, before)


def _first(name: str, image: str, script: str, mounted: list[dict[str, Any]], before: Sequence[str]) -> dict[str, Any]:
    return {
        "name": name,
        "image": image,
        "essential": False,
        "entryPoint": ["sh", "-c"],
        "command": [script],
        "user": "0",
        "mountPoints": mounted,
        "dependsOn": [{"containerName": each, "condition": "SUCCESS"} for each in before],
    }
