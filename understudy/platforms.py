"""The platform stack of an account and region: made by the engine, and shown."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from understudy.aws_failures import asking
from understudy.console import make_console, printable
from understudy.engine.interface import PreviewResult, Program, StackRef
from understudy.errors import ToolError, UsageError
from understudy.interrupts import Interrupts
from understudy.on_aws import CONFIG, aws_of, platform_at, platform_ref
from understudy.options import CONFIG_FILE, Options
from understudy.platform_holds import hold_alone, hold_data, hold_place, hold_table, owner
from understudy.platform_state import State, outputs_in, rules_in, state_of
from understudy.platform_wanted import Wanted, checked
from understudy.progress import Phase
from understudy.provision import engine_progress
from understudy.seed import environment_seed
from understudy.session import Session, open_session
from understudy.stacks.aws.platform import Platform, platform_of
from understudy.targets.aws.session import AwsSession
from understudy.targets.choose import AWS

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

    from understudy.components.aws.platform import PlatformArgs

__all__ = ["NAME", "opened", "ref_of", "show", "up"]

NAME = "understudy"
"""The logical name of the platform in its stack."""


def up(options: Options, folder: Path, wanted: Wanted, *, form: str) -> int:
    """Make or update the platform, and print what environments find there; returns 0.

    Raises:
        UsageError: what is wanted cannot be; the platform is another account's; another stack's is there.
        ToolError: AWS does not answer, or it is an account in which nothing may be made.
        EngineError: it could not be made; what was made stays in its stack, and `up` goes on with it.
    """
    with opened(options, folder, form) as (session, interrupts):
        ref, here, fit = ref_of(session), session.target.identity(), _checked(session, wanted)
        state = state_of(session.engine, ref)
        hold_table(options, ref, state, "made")
        hold_place(ref, state, here, "made")
        args = _args(session, fit, state, owner(session, ref, state, write=True))
        _hold(session, ref, state, args)
        with session.phase(Phase.PROVISION):
            session.engine.up(
                ref,
                _program(args),
                config=CONFIG,
                listener=engine_progress(session.listener, NAME),
                parallel=options.parallel,
                stop=interrupts.stop,
            )
        made = _made(session, ref)
    _print(form, _name(ref), made)
    return 0


def show(options: Options, folder: Path, wanted: Wanted, *, form: str) -> int:
    """Print the platform that environments stand on and what `up` would change, by a preview. Returns 0.

    Nothing is changed. Where the configuration names a platform by its ids, that is shown, and `up` has no say in it.

    Raises:
        UsageError: what is wanted cannot be, or the platform is another account's.
        ToolError: AWS does not answer, or it is an account in which nothing may be made.
        EngineError: the stack cannot be read, or the preview failed.
    """
    with opened(options, folder, form) as (session, _):
        ref, here, fit = ref_of(session), session.target.identity(), _checked(session, wanted)
        state = state_of(session.engine, ref)
        if options.platform is not None:
            _print_table(form, platform_at(options, session.engine, here), ref, there=bool(state))
            return 0
        hold_place(ref, state, here, "shown")
        args = _args(session, fit, state, owner(session, ref, state, write=False))
        refused = _refused(session, ref, state, args)
        preview = None if refused else session.engine.preview(ref, _program(args), config=CONFIG)
    there = outputs_in(state)
    made = None if there is None else platform_of(there, f"the stack {_name(ref)}")
    _print(form, _name(ref), made, preview=preview, refused=refused)
    return 0


def _hold(session: Session, ref: StackRef, state: State, args: PlatformArgs) -> None:
    hold_data(ref, state, shared_database=args.shared_database)
    hold_alone(session, ref, state, args.owner)


def _refused(session: Session, ref: StackRef, state: State, args: PlatformArgs) -> str:
    """Why `up` would make nothing; `""`: it would."""
    try:
        _hold(session, ref, state, args)
    except UsageError as error:
        return str(error)
    return ""


@contextmanager
def opened(options: Options, folder: Path, form: str) -> Iterator[tuple[Session, Interrupts]]:
    """A session on AWS, whatever the option `target` says: platforms are nowhere else."""
    out = sys.stderr if form == "json" else sys.stdout
    with (
        make_console(options.progress, out) as console,
        Interrupts(console.note) as interrupts,
        open_session(replace(options, target=AWS), folder, console, interrupts.stop) as session,
    ):
        yield session, interrupts


def ref_of(session: Session) -> StackRef:
    """The stack of the platform that a command means."""
    return platform_ref(session.options, aws_of(session).region)


def _checked(session: Session, wanted: Wanted) -> Wanted:
    aws = aws_of(session)
    return checked(wanted, aws.account(), aws.region)


def _args(session: Session, wanted: Wanted, state: State, own: str) -> PlatformArgs:
    from understudy.components.aws.platform import PlatformArgs

    aws = aws_of(session)
    password = None
    if wanted.shared_database:
        seed = environment_seed(session.settings, ref_of(session).qualified)
        password = hmac.new(seed, b"shared database", hashlib.sha256).hexdigest()
    return PlatformArgs(
        account=aws.account(),
        region=aws.region,
        zones=zones(aws),
        private=wanted.private,
        internal=wanted.internal,
        certificate_arn=wanted.certificate,
        host_suffix=wanted.host_suffix,
        callers=wanted.callers or ("0.0.0.0/0",),
        permissions_boundary=wanted.permissions_boundary,
        shared_database=wanted.shared_database,
        database_password=password,
        shared_cache=wanted.shared_cache,
        owner=own,
        rules=rules_in(state),
    )


def zones(aws: AwsSession) -> tuple[str, str]:
    """The first two availability zones of the region, by name; a load balancer needs two.

    Raises:
        UsageError: there are fewer.
        ToolError: AWS does not answer.
    """
    ec2: EC2Client = aws.client("ec2")
    with asking("Looked for the availability zones of the region"):
        found = ec2.describe_availability_zones(
            Filters=[
                {"Name": "state", "Values": ["available"]},
                {"Name": "zone-type", "Values": ["availability-zone"]},
            ]
        )["AvailabilityZones"]
    names = sorted(zone["ZoneName"] for zone in found)
    if len(names) < 2:  # noqa: PLR2004 - as the docstring says
        raise UsageError(
            f"Looked for two availability zones in {aws.region}, and there is {', '.join(names) or 'none'}."
        )
    return names[0], names[1]


def _program(args: PlatformArgs) -> Program:
    def program() -> None:
        import pulumi

        from understudy.components.aws.platform import Platform as Component

        for key, value in Component(NAME, args).outputs.items():
            pulumi.export(key, value)

    return program


def _made(session: Session, ref: StackRef) -> Platform:
    outputs = outputs_in(state_of(session.engine, ref))
    if outputs is None:
        raise ToolError(f"Made the platform {_name(ref)}, and its stack has no outputs.")
    return platform_of(outputs, f"the stack {_name(ref)}")


def _name(ref: StackRef) -> str:
    return f"{ref.project}/{ref.name}"


def _said(preview: PreviewResult) -> str:
    told = ", ".join(f"{op} {count}" for op, count in sorted(preview.changes.items()))
    return f"`understudy platform up` with the same options would: {told or 'change nothing'}."


def _print(
    form: str, name: str, platform: Platform | None, *, preview: PreviewResult | None = None, refused: str = ""
) -> None:
    if form == "json":
        more = {"up": dict(preview.changes)} if preview else {"refused": refused} if refused else {}
        found = None if platform is None else platform.outputs()
        click.echo(json.dumps({"stack": name, "platform": found, **more}, indent=1))
        return
    if platform is None:
        click.echo(f"There is no platform {name}.")
    else:
        click.echo(f"platform {name}")
        _echo(platform)
    if preview is not None:
        click.echo(_said(preview))
    if refused:
        click.echo(f"`understudy platform up` would be refused: {refused}")


def _print_table(form: str, platform: Platform, ref: StackRef, *, there: bool) -> None:
    """The platform that the configuration names; `there`: the stack that no environment stands on then is there too."""
    origin = f"the table [platform] of {CONFIG_FILE}"
    beside = _name(ref) if there else None
    if form == "json":
        told = {"stack": None, "table": CONFIG_FILE, "beside": beside, "platform": platform.outputs()}
        click.echo(json.dumps(told, indent=1))
        return
    click.echo(f"platform of {origin}")
    _echo(platform)
    if beside:
        click.echo(f"The stack {beside} is there too; no environment stands on it while there is the table.")


def _echo(platform: Platform) -> None:
    for key, value in platform.outputs().items():
        click.echo(f"  {key}: {printable(json.dumps(value))}")
    click.echo(f"Environments answer at <environment>.{platform.host_suffix}: point *.{platform.host_suffix} at")
    click.echo(f"  {printable(platform.alb_dns_name)}")
