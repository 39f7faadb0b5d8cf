"""Subnets: a free one of the right size out of a pool. Pure; the caller looks at Docker and the host's routes."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable

__all__ = ["DEFAULT_PREFIX", "choose", "homeless", "prefix_for", "routed"]

DEFAULT_PREFIX = 26
"""62 addresses: enough for most environments, and 1,024 such networks fit a /16."""

SPARE = 4
"""Addresses beyond the members: the gateway, and containers that are replaced or added by hand."""


def prefix_for(members: int | None) -> int:
    """The prefix of a subnet for so many members and `SPARE` more, the default where that is enough."""
    prefix = DEFAULT_PREFIX
    while members is not None and 2 ** (32 - prefix) - 2 < members + SPARE and prefix > 8:  # noqa: PLR2004 - 16 million
        prefix -= 1
    return prefix


def choose(
    pool: ipaddress.IPv4Network, prefix: int, taken: Iterable[ipaddress.IPv4Network], start: int
) -> ipaddress.IPv4Network | None:
    """The first subnet of that prefix in the pool, from number `start` on and round, that overlaps none that is taken.

    Processes that choose at the same time should start at different numbers. None: the pool has no free one.
    """
    if prefix < pool.prefixlen:
        return None
    count, size, base = 2 ** (prefix - pool.prefixlen), 2 ** (32 - prefix), int(pool.network_address)
    occupied: set[int] = set()
    for network in taken:
        if network.overlaps(pool):
            first, last = int(network.network_address) - base, int(network.broadcast_address) - base
            occupied.update(range(max(0, first // size), min(count, last // size + 1)))
    for number in itertools.chain(range(start % count, count), range(start % count)):
        if number not in occupied:
            return ipaddress.IPv4Network((base + number * size, prefix))
    return None


def homeless(pool: ipaddress.IPv4Network, prefixes: Iterable[int], taken: Iterable[ipaddress.IPv4Network]) -> int:
    """How many of so many new networks find no free subnet in the pool."""
    occupied, missing = list(taken), 0
    for prefix in sorted(prefixes):
        found = choose(pool, prefix, occupied, 0)
        if found is None:
            missing += 1
        else:
            occupied.append(found)
    return missing


def routed(table: str) -> tuple[ipaddress.IPv4Network, ...]:
    """The networks that the host has routes to, out of the text of /proc/net/route; the default route is none.

    Addresses and masks stand there as hexadecimal words in the byte order of the host, taken as little-endian.
    """
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        destination, mask = (bytes.fromhex(fields[index])[::-1] for index in (1, 7))
        if any(mask):
            prefix = int.from_bytes(mask).bit_count()
            found.append(ipaddress.IPv4Network((destination, prefix), strict=False))
    return tuple(found)
