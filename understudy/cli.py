"""The command line: parse, call one function, turn its result into an exit code."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
from itertools import pairwise
from pathlib import Path

import click

from understudy import __version__
from understudy.command_line import declared, known_environments, known_receipts, printed_as, resolved
from understudy.errors import InterruptedRunError, UnderstudyError, UsageError
from understudy.interrupts import alone
from understudy.platform_cli import platform
from understudy.prices_cli import prices
from understudy.reap_cli import reap
from understudy.topology_cli import topology

__all__ = ["cli", "main"]

_NEW_OBJECTS = 20_000
"""Between two collections of the youngest. What a command imports stays; gone through at each 700 new objects, it takes
`up` on AWS 0.5 s of a processor, and another 0.9 s to be taken apart at the end."""

_PRODUCTION = (
    "production_ref",
    "from_stack",
    "from_export",
    "from_docker",
    "from_aws",
    "project",
    "label",
    "untrusted",
)
_WHERE = ("file", "env_file", "set", "compose_profile", "allow", "commit", "dirty", *_PRODUCTION, "profile", "name")
_HOW = (
    *("bind", "ready_timeout", "parallel", "relay_image", "mock_image", "docker_provider", "image_budget"),
    *("memory_limit", "cpu_limit"),
)
_TARGET = ("target", "aws_region", "aws_accounts")
_ON = (*_TARGET, "aws_platform")
_MADE = (*_ON, "aws_spot")
_LIFE = ("ttl", "max_ttl", "idle_ttl", "lease_dir", "lock_timeout")
_ROOM = ("max_environments", "min_free_memory", "min_free_disk", "on_limit", "queue_timeout", "max_hourly_cost")
_TESTS = ("workers", "fail_fast", "max_failures", "order", "shard", "durations", "history", "runs")
_SINKS = ("export", "export_variable", "export_retries", "export_timeout")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="understudy %(version)s")
def cli() -> None:
    """Understudy stands in for production: one isolated, short-lived environment per commit."""


@cli.command()
@printed_as("text", "json")
@declared(*_WHERE, *_MADE, *_HOW, *_LIFE, *_ROOM, *_TESTS, *_SINKS, "on_newer", "shards", "keep_on_failure", "reuse")
def run(form: str, **flags: object) -> None:
    """Clone, provision, test, export and destroy one commit."""
    options = resolved(flags)
    if options.shards > 1:
        from understudy.sharding import run as split

        sys.exit(split(options, Path.cwd(), flags, form=form))
    from understudy.lifecycle import run as work

    sys.exit(work(options, Path.cwd(), form=form))


@cli.command()
@click.option("--cost", is_flag=True, help="Say too what it would cost by the hour.")
@printed_as("text", "json")
@declared(*_WHERE, *_TARGET, "aws_spot", "docker_provider")
def plan(cost: bool, form: str, **flags: object) -> None:  # noqa: FBT001 - by name
    """Say what `run` would build, run and mock for a commit, and how near that is to production; create nothing."""
    options = resolved(flags)
    from understudy.planning import show

    sys.exit(show(options, Path.cwd(), form=form, cost=cost))


@cli.command()
@printed_as("text", "json")
@declared(*_WHERE, *_MADE, *_HOW, *_LIFE, *_ROOM)
def up(form: str, **flags: object) -> None:
    """Make or update the environment of this branch and leave it running."""
    options = resolved(flags)
    from understudy.lifecycle import up as work

    sys.exit(work(options, Path.cwd(), form=form))


@cli.command()
@click.option("--ci", type=click.Choice(("auto", "github", "gitlab", "none")), default="auto", help="Whose CI file.")
@click.option("--pulumi/--no-pulumi", default=True, help="With a Pulumi project for plain `pulumi up`, or without.")
@click.option("--yes", is_flag=True, help="Write without a question.")
@printed_as("text", "json")
@declared("file")
def init(ci: str, pulumi: bool, yes: bool, form: str, **flags: object) -> None:  # noqa: FBT001 - by name
    """Look at a repository and write what it lacks: x-understudy, a Pulumi project, the CI's file; shown first."""
    options = resolved(flags)
    from understudy.init.command import Wanted
    from understudy.init.command import run as work

    ask = click.confirm if sys.stdin.isatty() and sys.stdout.isatty() else None
    sys.exit(work(Path.cwd(), Wanted(options.file, ci, pulumi=pulumi, yes=yes, form=form), ask))


@cli.command()
@click.argument("environment", required=False, shell_complete=known_environments)
@printed_as("text", "json")
@declared(*_TESTS, *_SINKS, "ready_timeout", "aws_accounts", "lease_dir", "lock_timeout")
def test(environment: str | None, form: str, **flags: object) -> None:
    """Run the suites against an environment that is up: its id, name, stack or branch."""
    options = resolved(flags)
    from understudy.lifecycle import test as work

    sys.exit(work(options, Path.cwd(), environment, form=form))


@cli.command()
@click.argument("environment", required=False, shell_complete=known_environments)
@printed_as("text", "json")
@declared("aws_accounts", "lease_dir", "lock_timeout")
def down(environment: str | None, form: str, **flags: object) -> None:
    """Destroy an environment and show the receipt."""
    options = resolved(flags)
    from understudy.lifecycle import down as work

    sys.exit(work(options, Path.cwd(), environment, form=form))


@cli.command()
@click.argument("environment", shell_complete=known_environments)
@click.argument("duration", required=False)
@printed_as("text", "json")
@declared("ttl", "lease_dir")
def extend(environment: str, duration: str | None, form: str, **flags: object) -> None:
    """Let an environment live longer, by DURATION or --ttl: its id, name, stack or branch."""
    options = resolved(flags)
    from understudy.extending import extend as work

    sys.exit(work(options, environment, duration, form=form))


@cli.command()
@click.argument("environment", shell_complete=known_receipts)
@printed_as("text", "json")
@declared("lease_dir")
def receipt(environment: str, form: str, **flags: object) -> None:
    """Show the proof that an environment is gone; exit with 4 while it is not, or was not proven to be."""
    options = resolved(flags)
    from understudy.receipts.command import show

    sys.exit(show(options, environment, form=form))


@cli.command()
@click.argument("run")
@printed_as("text", "json")
@declared("runs", *_SINKS)
def export(run: str, form: str, **flags: object) -> None:
    """Send the folder of a past run to every --export: its id, its path, or `latest`."""
    options = resolved(flags)
    from understudy.exporting import export as work

    sys.exit(work(options, Path.cwd(), run, form=form))


@cli.command()
@click.argument("sides", nargs=-1, metavar="[A] [B]")
@click.option("--engine", is_flag=True, help="Ask Pulumi what it would create, update, replace and delete.")
@click.option("--drift", is_flag=True, help="Compare the environment A with what runs on its target.")
@printed_as("text", "json", "markdown", "html")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when something differs.")
@declared(*_WHERE, *_MADE, *_HOW, "lease_dir", "runs")
def diff(sides: tuple[str, ...], engine: bool, drift: bool, form: str, exit_code: bool, **flags: object) -> None:  # noqa: FBT001 - by name
    """Show what differs between two sides: production and this commit, if none is named.

    A side is `production`, a commit, a topology file, an environment (id, name, stack or branch), a run (id, folder,
    `latest`), or `last`: this branch's environment, else its newest run. A prefix says which is meant: commit:, file:,
    env: or run:. With one side, that is compared with this commit.
    """
    if len(sides) > 2:  # noqa: PLR2004 - a comparison has two sides
        raise UsageError(f"{len(sides)} sides were given, and two are compared.")
    options = resolved(flags)
    from understudy.diff.command import Wanted
    from understudy.diff.command import run as work

    first, second = (*sides, None, None)[:2]
    wanted = Wanted(engine=engine, drift=drift, form=form, exit_code=exit_code)
    sys.exit(work(options, Path.cwd(), first, second, wanted))


@cli.command()
@click.argument("run", default="latest")
@click.option("--diff", "diff_file", default="", help="A file of `understudy diff --format json`.", metavar="FILE")
@click.option("--key", default="run", help="Tells several such comments on one pull request apart. [default: run]")
@click.option("--pull-request", type=click.IntRange(1), help="Its number, where the CI does not tell it.")
@printed_as("text", "json")
@declared("runs")
def comment(run: str, diff_file: str, key: str, pull_request: int | None, form: str, **flags: object) -> None:
    """Write a run, and what differs from production, as one comment on the pull request of this CI job.

    The comment is changed in place where it is there already. RUN is a run's id, its folder, or `latest`. The token is
    taken from GITHUB_TOKEN or GITLAB_TOKEN.
    """
    options = resolved(flags)
    from understudy.commenting import Wanted
    from understudy.commenting import run as work

    sys.exit(work(options, Path.cwd(), Wanted(run, diff_file, key, pull_request, form)))


@cli.command()
@click.argument("run", nargs=-1)
@click.option("--merge", is_flag=True, help="Join the runs of all parts of a split run (--shard) in a new run folder.")
@click.option("--output", "-o", default="", metavar="FILE", help="Where it is written; `-` is the standard output.")
@printed_as("html", "markdown", "json")
@declared("runs", "history")
def report(run: tuple[str, ...], merge: bool, output: str, form: str, **flags: object) -> None:  # noqa: FBT001 - by name
    """Write the report of a run anew: its id, its folder, or `latest`, which is meant if none is named.

    The page goes into the run's folder as report.html, if --output does not say otherwise.
    """
    options = resolved(flags)
    if merge:
        from understudy.joining import merge as join

        sys.exit(join(options, Path.cwd(), run, form=form, output=output))
    if len(run) > 1:
        raise UsageError(f"{len(run)} runs were named, and a report is of one.", hint="--merge joins parts of one run.")
    from understudy.reporting import run as work

    sys.exit(work(options, Path.cwd(), run[0] if run else "latest", form=form, output=output))


@cli.command()
@click.argument("test", required=False, default="")
@click.option("--branch", default="", metavar="BRANCH", help="Only runs of this branch.")
@click.option(
    "--last", type=click.IntRange(1, 1000), default=20, metavar="N", help="How many runs are looked at. [default: 20]"
)
@printed_as("text", "json")
@click.option("--export", default="", metavar="FILE", help="Write the file of usual durations that --shard splits by.")
@click.option("--topology", default="", metavar="FILE", help="The Compose file that --export is for.")
@declared("history")
def history(test: str, last: int, **flags: object) -> None:
    """Show recent runs of this repository with the slowest and flakiest tests, or a test run by run.

    TEST is a part of a test's id, or a suite's name.
    """
    own = {name: str(flags.pop(name)) for name in ("branch", "form", "export", "topology")}
    options = resolved(flags)
    from understudy.history.command import Wanted
    from understudy.history.command import run as work

    sys.exit(work(options, Path.cwd(), Wanted(test, runs=last, **own)))


@cli.command(name="list")
@printed_as("text", "json")
@declared(*_TARGET, "lease_dir")
def list_(form: str, **flags: object) -> None:
    """List the environments of this backend."""
    options = resolved(flags)
    from understudy.listing import show

    sys.exit(show(options, form=form))


@cli.command()
@click.argument("environment", shell_complete=known_environments)
@click.argument("services", nargs=-1)
@click.option("--follow", is_flag=True, help="Go on as lines come.")
@printed_as("text", "json")
@declared("aws_accounts", "lease_dir")
def logs(environment: str, services: tuple[str, ...], follow: bool, form: str, **flags: object) -> None:  # noqa: FBT001 - by name
    """Print the logs of an environment's services; as JSON, one object a line."""
    options = resolved(flags)
    from understudy.listing import logs as work

    sys.exit(work(options, environment, services, follow=follow, form=form))


@cli.command()
@printed_as("text", "json")
@declared(*_ON, "lease_dir")
def doctor(form: str, **flags: object) -> None:
    """Look at what Understudy needs on this machine, and say what to do about what is missing or stale.

    Stale are environments whose time is over or whose owner is dead, objects without a lease, and locks of processes
    that are gone. Nothing is started or changed.
    """
    options = resolved(flags)
    from understudy.doctor import main as work
    from understudy.health import examine

    sys.exit(work(form, examine(options), docker=options.target == "docker"))


@cli.command()
@printed_as("shell", "json")
def env(form: str) -> None:
    """Print the shell variables with which plain `pulumi` shares Understudy's backend; use it with eval."""
    from understudy.listing import shell_environment

    click.echo(shell_environment(form))


@cli.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print the script that completes commands, options and environments in a shell.

    For bash: `eval "$(understudy completion bash)"`, in ~/.bashrc or by hand.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"Looked for the completion of {shell}, and this version of click has none.")
    click.echo(kind(cli, {}, "understudy", "_UNDERSTUDY_COMPLETE").source())


cli.add_command(platform)
cli.add_command(prices)
cli.add_command(reap)
cli.add_command(topology)


def main() -> None:
    """The entry point: errors become one message on standard error and an exit code; no traceback."""
    alone()
    gc.set_threshold(_NEW_OBJECTS)
    atexit.register(gc.freeze)  # what a process has imported need not be taken apart before it ends
    try:
        cli(standalone_mode=False)
    except UnderstudyError as error:
        _complain(str(error))
        _tell_as_json(error)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(UsageError.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(InterruptedRunError.exit_code)
    except BrokenPipeError:  # of `list` or `logs`: whoever read has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:  # noqa: BLE001 - the last place: a defect of ours must not show a traceback
        _complain(f"a defect of Understudy itself: {_noted(error)}")
        sys.exit(UnderstudyError.exit_code)


def _tell_as_json(error: UnderstudyError) -> None:
    """Where JSON was asked for, an error is JSON too, for the program that reads it."""
    forms = [after for word, after in pairwise((*sys.argv, "")) if word == "--format"]
    if "json" not in forms and "--format=json" not in sys.argv:
        return
    import json

    message = str(error.args[0]) if error.args else str(error)
    data = {"kind": type(error).__name__, "exit_code": error.exit_code, "message": message, "hint": error.hint}
    with contextlib.suppress(OSError, ValueError):
        click.echo(json.dumps({"error": data}, indent=1))


def _complain(text: str) -> None:
    from understudy.console import printable

    with contextlib.suppress(OSError, ValueError):
        click.echo(f"understudy: {printable(text)}", err=True)


def _noted(error: Exception) -> str:
    """Keep the traceback in a file of its own, and say in one line what happened and where that file is."""
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="understudy-defect-", suffix=".txt", delete=False) as out:
        out.write("".join(traceback.format_exception(error)))
    return f"{type(error).__name__}. What led to it is in {out.name}; please report it with that file."


if __name__ == "__main__":
    main()
