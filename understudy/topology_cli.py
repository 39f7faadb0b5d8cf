"""The commands on topologies as such: each reads files and prints; none needs Docker or a repository."""

from __future__ import annotations

import click

__all__ = ["topology"]


@click.group()
def topology() -> None:
    """Show, check and import topologies; nothing is created."""
