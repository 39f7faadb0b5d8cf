"""The commands on topologies as such: each reads files and prints; none needs Docker or a repository."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from understudy.console import printable
from understudy.errors import UsageError

__all__ = ["composition_options", "topology"]

Command = Callable[..., Any]


def composition_options(command: Command) -> Command:
    """Declare what says which Compose files a command is about: the files, and Compose's own options."""
    for option in reversed(
        (
            click.argument("files", nargs=-1, metavar="[FILE]..."),
            click.option("--env-file", "env_files", multiple=True, metavar="FILE", help="Read variables from a file."),
            click.option(
                "--set", "given", multiple=True, metavar="NAME=VALUE", help="Set a variable, above all others."
            ),
            click.option("--compose-profile", "profiles", multiple=True, metavar="PROFILE", help="Activate a profile."),
            click.option("--project-name", "-p", "project", default="", metavar="NAME", help="The project's name."),
            click.option(
                "--project-directory",
                default="",
                metavar="FOLDER",
                help="The folder of relative paths [default: that of the first file].",
            ),
        )
    ):
        command = option(command)
    return command


def _assignments(given: tuple[str, ...]) -> Mapping[str, str]:
    pairs = [text.partition("=") for text in given]
    for name, mark, _ in pairs:
        if not mark or not name:
            raise UsageError(f"Read --set {name!r}, and it is not NAME=VALUE.")
    return {name: value for name, _, value in pairs}


@click.group()
def topology() -> None:
    """Show, check and import topologies; nothing is created."""


@topology.command()
@click.option("--with-compose", is_flag=True, help="Put it together with the schema of the Compose specification.")
def schema(with_compose: bool) -> None:  # noqa: FBT001 - click passes by name
    """Print the JSON Schema of the extension keys, for editors."""
    import json

    from understudy.stacks.sources.extension_keys import COMPOSE_SCHEMA
    from understudy.stacks.sources.extension_keys import schema as own

    found = dict(own())
    if with_compose:
        found["allOf"] = [{"$ref": COMPOSE_SCHEMA}]
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))


@topology.command()
@composition_options
@click.option("--format", "form", type=click.Choice(("yaml", "json")), default="yaml", help="The form [default: yaml].")
def show(form: str, given: tuple[str, ...], **rest: Any) -> None:  # noqa: ANN401 - the fields of a Request
    """Print the Compose files as one document in Compose's canonical form; without FILE, those of this folder."""
    from understudy.composition import Request, find
    from understudy.stacks.sources.compose_extension import secret_names
    from understudy.stacks.sources.document import as_json, as_yaml
    from understudy.stacks.sources.document.masking import Mask
    from understudy.stacks.topology import TopologyError

    try:
        composition = find(Request(given=_assignments(given), **rest), Path.cwd(), os.environ)
        peeked = composition.peek()
        mask = Mask(secret_names(peeked), peeked, composition.variables)
        document = composition.load(mask.variables(composition.variables))
        text = (as_json if form == "json" else as_yaml)(mask.root(document.root), composition.folder, mask.text)
    except (TopologyError, ValueError) as error:
        raise UsageError(f"Read the Compose files, and Compose would not take them: {error}.") from error
    for warning in (*composition.warnings, *document.warnings):
        click.echo(f"understudy: {warning}", err=True)
    click.echo(text, nl=False)


@topology.command(name="import")
@click.argument("export_file", required=False, metavar="[EXPORT_FILE]")
@click.option("--from-stack", "stack", default="", metavar="STACK", help="A Pulumi stack: [ORG/]PROJECT/STACK.")
@click.option("--from-docker", "docker", is_flag=True, help="What runs on the Docker host.")
@click.option("--from-aws", "aws", is_flag=True, help="What runs in the AWS account of the usual variables.")
@click.option("--project", default="", metavar="NAME", help="With --from-docker: only this Compose project.")
@click.option("--label", default="", metavar="K=V", help="Only containers with this label, or of AWS with this tag.")
def import_(export_file: str | None, **rest: Any) -> None:  # noqa: ANN401 - the fields of a Source
    """Print production as a Compose file, read from where it runs; what is not in it is named on standard error.

    EXPORT_FILE is what `pulumi stack export` or a state file of a file:// backend holds. Nothing is written to
    production, and no secret is copied.
    """
    from understudy.production import Source, read_source
    from understudy.stacks.sources.compose_writer import write

    def say(text: str) -> None:
        click.echo(f"understudy: {printable(text)}", err=True)

    source = Source(export=export_file or "", **rest)
    if not source.name:
        hint = "Name an EXPORT_FILE, or give --from-stack, --from-docker or --from-aws."
        raise UsageError("Nothing was named to import.", hint=hint)
    found = read_source(source, Path.cwd(), say)
    for warning in found.given.warnings:
        say(warning)
    for line in found.evidence:
        say(line)
    about = (
        f"Production as it was read from the {source.name}.",
        *(f"Known by: {line}" for line in found.evidence),
        *(f"Not in it: {warning}" for warning in found.given.warnings),
    )
    click.echo(write(found.given, about=about), nl=False)


@topology.command()
@composition_options
@click.option("--allow", multiple=True, metavar="NAME", help="Clone what is refused otherwise; several count.")
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", help="The form [default: text].")
def check(form: str, allow: tuple[str, ...], given: tuple[str, ...], **rest: Any) -> None:  # noqa: ANN401 - the fields of a Request
    """Say of each key in the Compose files what becomes of it in a clone; exit with 2 if something is refused."""
    from understudy.checking import as_json, as_text
    from understudy.checking import check as examine
    from understudy.composition import Request, find
    from understudy.options import find_config, resolve
    from understudy.stacks.allowed import Allowed
    from understudy.stacks.topology import TopologyError

    try:
        names = Allowed.of(resolve({"allow": allow}, os.environ, find_config(Path.cwd())).allow)
        composition = find(Request(given=_assignments(given), **rest), Path.cwd(), os.environ)
        report = examine(composition, names)
    except (TopologyError, ValueError) as error:
        raise UsageError(f"Read the Compose files, and it failed: {error}.") from error
    click.echo(as_json(report) if form == "json" else printable(as_text(report)))
    if not report.passes:
        sys.exit(UsageError.exit_code)
