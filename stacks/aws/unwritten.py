"""Where a store that is no container is named and cannot be rewritten: files, health checks, hosts. That is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from understudy.errors import UsageError
from understudy.stacks.host_names import in_file
from understudy.stacks.third_parties import called
from understudy.stacks.topology import Service

from .plan import Source
from .rewrite import names_of

__all__ = ["hold_files", "hold_rewritten"]

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
        lines = (line for line in text.splitlines() if not line.lstrip().startswith(_COMMENT))
        return any(map(call.search, lines)) or any(mention.host in own for mention in in_file(text))

    for service in (each for each in services if each.on_aws is None):
        texts = [(file.target, file.content or "") for file in service.files]
        for place, source in [
            *((mount.target, mount.from_tree) for mount in service.mounts),
            *((file.target, file.source) for file in service.files),
        ]:
            files = sources.get(source or "", Source({})).files
            texts += [(f"{path} at {place}", content.decode("utf-8", "replace")) for path, content in files.items()]
        if left := sorted({place for place, text in texts if calls(text)}):
            raise UsageError(
                f"Files of service {service.name!r} call the {store.kind} {store.name!r}, which has another address on "
                f"AWS: {', '.join(left)}.",
                hint=f"Say its host in a variable, or let the {store.kind} run in a container.",
            )
