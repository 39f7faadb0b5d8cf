"""Sinks by name: what `--export` says, as an outbox of sinks that can be used."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from understudy.errors import UsageError
from understudy.export.sinks.command import command_sink
from understudy.export.sinks.interface import Sink
from understudy.export.sinks.outbox import Outbox
from understudy.export.sinks.s3 import S3Sink
from understudy.export.sinks.s3_address import S3Address
from understudy.options import Options

__all__ = ["open_outbox"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def open_outbox(options: Options, folder: Path, host: Mapping[str, str] | None = None) -> Outbox:
    """The outbox that the options describe; commands run in `folder`. Nothing is sent or asked yet.

    Raises:
        UsageError: a sink is neither s3://bucket/prefix nor a command.
    """
    given = os.environ if host is None else host
    sinks = [_sink(text, options, folder, given, number) for number, text in enumerate(options.export, start=1)]
    return Outbox(sinks, retries=options.export_retries, timeout=options.export_timeout)


def _sink(text: str, options: Options, folder: Path, host: Mapping[str, str], number: int) -> Sink:
    scheme = _SCHEME.match(text)
    if scheme is None:
        return command_sink(text, folder, options.export_variable, host, number)
    if scheme[1].lower() != "s3":
        raise UsageError(
            f"Read a sink that begins with {scheme[0]}, and only s3:// is known.",
            hint="A sink is s3://bucket/prefix or a command.",
        )
    return S3Sink(S3Address.parse(text))
