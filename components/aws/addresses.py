"""Addresses that AWS gives: they take the place of what stands for them in configuration."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

__all__ = ["Addresses", "placed"]

Addresses = Mapping[str, pulumi.Output[str]]
"""What stands for an address in a plan -> the address."""


def placed(text: pulumi.Input[str], plain: str, addresses: Addresses) -> pulumi.Input[str]:
    """The text with its addresses; what names none waits for none.

    Args:
        text: it.
        plain: what is known of it: every name that stands for an address in it.
        addresses: of the environment.
    """
    used = {name: address for name, address in addresses.items() if name in plain}
    if not used:
        return text

    def put(known: list[str]) -> str:
        made, *found = known
        for name, address in zip(used, found, strict=True):
            made = made.replace(name, address)
        return made

    return pulumi.Output.all(text, *used.values()).apply(put)
