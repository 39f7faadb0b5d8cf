"""Where a store that is no container is named and cannot be rewritten: files, health checks, hosts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from understudy.errors import UsageError
from understudy.stacks.host_names import in_file
from understudy.stacks.third_parties import called
from understudy.stacks.topology import Service

from .plan import Source
from .rewrite import names_of

__all__ = ["hold_files", "hold_rewritten", "mounted"]

_COMMENT = ("#", ";", "//")


def hold_rewritten(caller: Service, store: Service, hosts: Iterable[str]) -> None:
    """Hold that a caller's configuration, once rewritten, calls the store by none of these names any more.

    Raises:
        UsageError: it does, such as in a health check or among `extra_hosts`.
    """
    gone = set(hosts)
    if left := sorted({call.place for call in called(caller) if call.host in gone}):
        raise UsageError(
            f"Service {caller.name!r} names the {store.kind} {store.name!r} where its address on AWS cannot be put: "
            f"{', '.join(left)}.",
            hint=f"Name it in a URL or a variable such as PGHOST, or let the {store.kind} run in a container.",
        )


def hold_files(services: Iterable[Service], store: Service, port: int, sources: Mapping[str, Source]) -> None:
    """Hold that no file calls the store: files are not rewritten, and its names are nobody's on AWS.

    A file calls it by a name with a dot, in a URL, or with the store's port.

    Args:
        services: whose files are read.
        store: that is no container.
        port: at which production calls it.
        sources: path of the commit -> what lies there.

    Raises:
        UsageError: one does.
    """
    own = names_of(store)
    names = "|".join(map(re.escape, own))
    call = re.compile(rf"(?<![\w.-])(?:{names}):{port}\b|//(?:[^@\s]*@)?(?:{names})(?![\w.-])", re.IGNORECASE)

    def calls(text: str) -> bool:
        return call.search(text) is not None or any(mention.host in own for mention in in_file(text))

    for service in (each for each in services if each.on_aws is None):
        found = [(place.partition(".")[2], path) for place, path, text in mounted(service, sources) if calls(text)]
        if left := sorted({path if path == target else f"{path} at {target}" for target, path in found}):
            raise UsageError(
                f"Files of service {service.name!r} call the {store.kind} {store.name!r}, which has another address on "
                f"AWS: {', '.join(left)}.",
                hint=f"Say its host in a variable, or let the {store.kind} run in a container.",
            )


def mounted(service: Service, sources: Mapping[str, Source]) -> Iterator[tuple[str, str, str]]:
    """Each file that a service has of the commit or in its document: where its Change belongs, its path, its text.

    Lines that are comments as a whole are left out. A file of the document has its target for a path.
    """
    for file in service.files:
        if file.content is not None:
            yield f"files.{file.target}", file.target, _spoken(file.content)
    held = [(f"mounts.{each.target}", each.from_tree) for each in service.mounts]
    held += [(f"files.{each.target}", each.source) for each in service.files]
    for place, source in held:
        for path, content in sources.get(source or "", Source({})).files.items():
            yield place, path, _spoken(content.decode("utf-8", "replace"))


def _spoken(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(_COMMENT))
