"""What a container mounts: volumes, binds of the commit's files, memory, other containers' mounts, and single files."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import PurePosixPath

import pulumi_docker as docker

from understudy.components.secrets import fill
from understudy.components.service_args import ServiceArgs
from understudy.components.tree import inside
from understudy.errors import UsageError
from understudy.stacks.topology import FileMount, Mount
from understudy.stacks.trust import FOLDER

__all__ = ["LIMIT", "mounts", "tmpfs", "uploads", "volumes"]

LIMIT = 1024 * 1024
"""Bytes of one file: it becomes part of the stack's state. Docker Swarm takes configs of at most 1000 KiB."""

_READ_ONLY = 0o444
"""Permissions where the document says nothing (Compose specification, configs and secrets)."""

_AS_MOUNT = frozenset(("nocopy", "subpath", "propagation"))
"""Options that the schema has for `mounts` only."""


def volumes(args: ServiceArgs, replica: int) -> list[docker.ContainerVolumeArgs]:
    """Volumes and binds without further options, other containers' mounts, folders for files, and certificates."""
    plain = [_volume(args, m) for m in args.service.mounts if m.kind != "tmpfs" and not _options(m) & _AS_MOUNT]
    others = [
        docker.ContainerVolumeArgs(from_container=args.shared(name, replica), read_only=how == "ro" or None)
        for name, how in args.service.volumes_from
    ]
    folders = [docker.ContainerVolumeArgs(container_path=folder) for folder in _file_folders(args)]
    return [*plain, *others, *folders, *_certificates(args)]


def _certificates(args: ServiceArgs) -> list[docker.ContainerVolumeArgs]:
    if args.trust is None:
        return []
    return [docker.ContainerVolumeArgs(container_path=FOLDER, volume_name=args.trust, read_only=True)]


def mounts(args: ServiceArgs) -> list[docker.ContainerMountArgs] | None:
    """Volumes and binds with options that only a mount can have."""
    return [_mount(args, m) for m in args.service.mounts if m.kind != "tmpfs" and _options(m) & _AS_MOUNT] or None


def tmpfs(args: ServiceArgs) -> dict[str, str] | None:
    """Mount points in memory with their options, as `mount` writes them."""
    found = (mount for mount in args.service.mounts if mount.kind == "tmpfs")
    return {mount.target: ",".join(_tmpfs_options(mount)) for mount in found} or None


def _tmpfs_options(mount: Mount) -> Iterator[str]:
    if mount.read_only:
        yield "ro"
    for key, value in mount.options:
        yield f"{key}={value}" if value else key


def _options(mount: Mount) -> frozenset[str]:
    return frozenset(key for key, _ in mount.options)


def _volume(args: ServiceArgs, mount: Mount) -> docker.ContainerVolumeArgs:
    read_only = mount.read_only or None
    if mount.source is None:
        return docker.ContainerVolumeArgs(container_path=mount.target, read_only=read_only)
    if mount.kind == "bind":
        return docker.ContainerVolumeArgs(
            container_path=mount.target,
            host_path=_bind(args, mount.source),
            read_only=read_only,
            selinux_relabel=dict(mount.options).get("selinux"),
        )
    return docker.ContainerVolumeArgs(
        container_path=mount.target, volume_name=args.volumes[mount.source], read_only=read_only
    )


def _mount(args: ServiceArgs, mount: Mount) -> docker.ContainerMountArgs:
    options = dict(mount.options)
    if mount.kind == "bind":
        return docker.ContainerMountArgs(
            type="bind",
            target=mount.target,
            source=_bind(args, mount.source or "."),
            read_only=mount.read_only or None,
            bind_options=docker.ContainerMountBindOptionsArgs(propagation=options["propagation"]),
        )
    return docker.ContainerMountArgs(
        type="volume",
        target=mount.target,
        source=None if mount.source is None else args.volumes[mount.source],
        read_only=mount.read_only or None,
        volume_options=docker.ContainerMountVolumeOptionsArgs(
            no_copy="nocopy" in options or None, subpath=options.get("subpath")
        ),
    )


def _bind(args: ServiceArgs, source: str) -> str:
    what = f"A bind of service {args.service.name!r}"
    path = args.binds.get(source) or (source if source.startswith("/") else str(inside(args.tree, source, what)))
    if ":" in path:  # Docker's API separates the parts of a bind by it
        raise UsageError(f"{what} is {source!r}, and Docker binds no path with a colon.", hint="Rename the folder.")
    return path


def uploads(args: ServiceArgs) -> list[docker.ContainerUploadArgs] | None:
    """Configs and secrets as files with their owner and permissions; one that holds a secret is Pulumi's secret.

    Raises:
        UsageError: a file leaves the tree, is not there or cannot be read, or is larger than LIMIT.
    """
    return [_upload(args, file) for file in args.service.files] or None


def _upload(args: ServiceArgs, file: FileMount) -> docker.ContainerUploadArgs:
    made = docker.ContainerUploadArgs(
        file=file.target,
        owner=file.uid,
        group=file.gid,
        permissions=f"{_READ_ONLY if file.mode is None else file.mode & 0o7777:04o}",
    )
    if file.content is not None:
        made.content = fill(file.content, args.seed)
        return made
    content = _read(args, file)
    try:
        made.content = content.decode()
    except UnicodeDecodeError:
        made.content_base64 = base64.b64encode(content).decode()
    return made


def _read(args: ServiceArgs, file: FileMount) -> bytes:
    what = f"The {file.kind} {file.name!r} of service {args.service.name!r}"
    path = inside(args.tree, file.source or "", what)
    if not path.is_file():  # a fifo would block, a device never end
        raise UsageError(f"{what} is {file.source!r}, and the commit has no such file.", hint="Commit it.")
    try:
        with path.open("rb") as stream:
            content = stream.read(LIMIT + 1)
    except OSError as error:
        raise UsageError(f"{what} is {file.source!r}, which could not be read: {error.strerror}.") from error
    if len(content) > LIMIT:
        raise UsageError(
            f"{what} is {file.source!r}, which has more than {LIMIT // 1024} KiB.",
            hint="Mount it as a volume: what is uploaded is kept in the state of the stack.",
        )
    return content


def _file_folders(args: ServiceArgs) -> tuple[str, ...]:
    """The folders that need a volume of their own, since files cannot be put into what lies there.

    Docker puts nothing into a read-only file system, and what it puts below a mount in memory is hidden by it.

    Raises:
        UsageError: the folder is the root, where no volume can be.
    """
    found: dict[str, None] = {}
    places = {mount.target.rstrip("/"): mount for mount in args.service.mounts}
    for file in args.service.files:
        parents = [str(parent) for parent in PurePosixPath(file.target).parents]
        below = next((places[parent] for parent in parents if parent in places), None)
        writable = not args.service.read_only if below is None else below.kind == "volume" and not below.read_only
        if writable:
            continue
        if parents[0] == "/" or parents[0] in places:
            raise UsageError(
                f"The {file.kind} {file.name!r} of service {args.service.name!r} is to be {file.target}, and nothing "
                "can be put there: the file system or the mount is read-only, in memory, or the commit's.",
                hint="Give it a `target` in a folder of its own.",
            )
        found[parents[0]] = None
    return tuple(found)
