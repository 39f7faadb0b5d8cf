"""What containers of ours are denied: they relay, answer or copy, and need no right over anything."""

from __future__ import annotations

import pulumi_docker as docker

from understudy.stacks.hardening import NO_NEW_PRIVILEGES

__all__ = ["RELAY_MEMORY", "SECURITY_OPTS", "no_capabilities"]

SECURITY_OPTS = (NO_NEW_PRIVILEGES,)

RELAY_MEMORY = 256
"""MiB: HAProxy's buffers for the 4,000 connections of its configuration (`maxconn`), 32 KiB each, and as much again."""


def no_capabilities(*kept: str) -> docker.ContainerCapabilitiesArgs:
    """All capabilities taken away, but those named (capabilities(7), without `CAP_`)."""
    return docker.ContainerCapabilitiesArgs(adds=list(kept) or None, drops=["ALL"])
