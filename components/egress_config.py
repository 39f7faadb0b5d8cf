"""The egress relay's two configurations as text: one where services knock, one that knows the outside."""

from __future__ import annotations

import re
from collections.abc import Sequence

from understudy.stacks.topology import External

__all__ = ["NEVER", "inner_config", "outer_config", "outer_port", "ports"]

_FIRST_PORT = 20001
"""The outer half's port for the first third party; each further one gets the next."""

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?", re.ASCII)

_HEAD = """\
global
    maxconn 4000
    log stdout format raw local0 notice

defaults
    mode tcp
    log global
    timeout connect 10s
    timeout client 12h
    timeout server 12h
    timeout client-fin 30s
    timeout server-fin 30s

resolvers docker
    nameserver docker 127.0.0.11:53
    accepted_payload_size 8192
    resolve_retries 3
    timeout resolve 1s
    timeout retry 1s
    hold valid 100ms
"""

_RESOLVE = """\
    tcp-request inspect-delay 5s
    tcp-request content do-resolve(txn.address,docker,ipv4) str({name})
    tcp-request content reject unless {{ var(txn.address) -m found }}"""


NEVER = "0.0.0.0/8 127.0.0.0/8 169.254.0.0/16 100.100.100.200 168.63.129.16 192.0.0.192"
"""This container itself, and where clouds answer an instance's questions for its credentials, whatever name leads
there: link-local (RFC 3927; AWS, Google, Azure, DigitalOcean), Alibaba Cloud, Azure's WireServer, Oracle Cloud."""


def ports(allowed: Sequence[External]) -> tuple[int, ...]:
    """The ports that the inner half listens on, in order."""
    return tuple(sorted({external.port for external in allowed}))


def outer_port(number: int) -> int:
    """The outer half's port for the third party of this number, counted from 0."""
    return _FIRST_PORT + number


def inner_config(allowed: Sequence[External], outer: str) -> str:
    """The half that has the third parties' names: whatever comes on one of their ports goes on to the outer half.

    Where several third parties share a port, the server name in TLS (SNI) tells which is meant, and what has none of
    theirs is refused; they all speak TLS (stacks/third_parties.py holds that). `outer` is the container's name.
    """
    return "\n".join((_HEAD, *(_door(allowed, port, outer) for port in ports(allowed))))


def _door(allowed: Sequence[External], port: int, outer: str) -> str:
    behind = [(number, external) for number, external in enumerate(allowed) if external.port == port]
    lines = [f"frontend port_{port}", f"    bind :{port}", _RESOLVE.format(name=_name(outer))]
    if len(behind) > 1:
        known = " ".join(_name(external.host) for _, external in behind)
        lines.append(f"    tcp-request content reject unless {{ req.ssl_sni -i {known} }}")
        lines += [f"    use_backend out_{number} if {{ req.ssl_sni -i {_name(e.host)} }}" for number, e in behind[1:]]
    lines.append(f"    default_backend out_{behind[0][0]}")
    for number, _ in behind:
        lines += ["", *_backend(f"out_{number}", outer_port(number))]
    return "\n".join((*lines, ""))


def outer_config(allowed: Sequence[External]) -> str:
    """The half that is on no network of the clone, so that a third party's name is the real one's there."""
    return "\n".join((_HEAD, *(_exit(number, external) for number, external in enumerate(allowed))))


def _exit(number: int, external: External) -> str:
    return "\n".join(
        (
            f"frontend exit_{number}",
            f"    bind :{outer_port(number)}",
            _RESOLVE.format(name=_name(external.host)),
            f"    tcp-request content reject if {{ var(txn.address) -m ip {NEVER} }}",
            f"    default_backend real_{number}",
            "",
            *_backend(f"real_{number}", external.port),
            "",
        )
    )


def _backend(name: str, port: int) -> list[str]:
    return [f"backend {name}", "    tcp-request content set-dst var(txn.address)", f"    server any 0.0.0.0:{port}"]


def _name(host: str) -> str:
    """A host name, held to be nothing that HAProxy would read as more.

    Raises:
        ValueError: it is none.
    """
    if not _HOST.fullmatch(host):
        raise ValueError(f"{host!r} is no host name")
    return host
