"""What commands are declared with: the options of Options, how a result is printed, durations, completion."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from understudy.errors import UnderstudyError
from understudy.option_values import seconds
from understudy.options import Options, OptionSpec, specs

__all__ = ["Command", "declared", "duration", "known_environments", "known_receipts", "printed_as", "resolved"]

Command = Callable[..., Any]


def _declare(spec: OptionSpec) -> Callable[[Command], Command]:
    dashed = "--" + spec.name.replace("_", "-")
    shown = "" if spec.default in {"", None, ()} or spec.switch else f" [default: {spec.default}]"
    text = f"{spec.help}{shown}"
    if spec.switch:
        pair = f"{dashed}/--no-{dashed[2:]}" if spec.default else dashed
        return click.option(pair, spec.name, is_flag=True, default=None, help=text)
    flags = (spec.flag, dashed) if spec.flag else (dashed,)
    default = () if spec.several else None
    return click.option(*flags, spec.name, default=default, multiple=spec.several, metavar=spec.metavar, help=text)


def known_environments(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """The environments of this backend whose id, or whose branch, begins so; for a shell that completes."""
    from understudy.listing import names

    try:
        return [name for name in names(resolved({})) if name.startswith(begun)]
    except UnderstudyError:  # what is wrong is said by the command itself, not while it is typed
        return []


def known_receipts(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """The environments that are there or of which there is a receipt, by their ids; as above."""
    from understudy.receipts.command import ids

    try:
        return [name for name in ids(resolved({})) if name.startswith(begun)]
    except UnderstudyError:
        return []


def declared(*names: str) -> Callable[[Command], Command]:
    """Declare the options of these names on a command, and --progress, which every one has."""
    wanted = [spec for spec in specs() if spec.name in (*names, "progress")]

    def wrap(command: Command) -> Command:
        for spec in reversed(wanted):
            command = _declare(spec)(command)
        return command

    return wrap


def printed_as(*allowed: str) -> Callable[[Command], Command]:
    """The option `--format` with the forms that a command can print, the first one being usual."""
    text = f"How it is printed. [default: {allowed[0]}]"
    return click.option("--format", "form", type=click.Choice(allowed), default=allowed[0], help=text)


def duration(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float:
    """A duration as seconds; 0 where none was given."""
    try:
        return 0.0 if value is None else seconds(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not {error}.") from error


def resolved(flags: dict[str, object]) -> Options:
    """All options, with the flags over variables, file and defaults.

    Raises:
        UsageError: a value is not allowed.
    """
    from understudy.configuration import configured

    return configured(flags, os.environ, Path.cwd())
