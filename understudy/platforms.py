"""The platform stack of an account and region: made by the engine, and shown."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from understudy.aws_failures import asking
from understudy.console import make_console, printable
from understudy.engine.interface import PreviewResult, Program, StackRef
from understudy.errors import ToolError, UsageError
from understudy.interrupts import Interrupts
from understudy.on_aws import CONFIG, aws_of, outputs_of, platform_ref
from understudy.options import Options
from understudy.progress import Phase
from understudy.provision import engine_progress
from understudy.seed import environment_seed
from understudy.session import Session, open_session
from understudy.stacks.aws.platform import HOST_SUFFIX, Platform, platform_of
from understudy.targets.aws.session import AwsSession
from understudy.targets.choose import AWS

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

    from understudy.components.aws.platform import PlatformArgs

__all__ = ["NAME", "Wanted", "opened", "ref_of", "show", "up"]

NAME = "understudy"
"""The logical name of the platform in its stack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a platform is to be: see PlatformArgs in components/aws/platform.py."""

    private: bool = False
    internal: bool = False
    certificate: str = ""
    host_suffix: str = HOST_SUFFIX
    callers: tuple[str, ...] = ()
    permissions_boundary: str = ""
    shared_database: bool = False
    shared_cache: bool = False


def up(options: Options, folder: Path, wanted: Wanted, *, form: str) -> int:
    """Make or update the platform, and print what environments find there; returns 0.

    Raises:
        ToolError: AWS does not answer, or it is an account in which nothing may be made.
        EngineError: it could not be made; what was made stays in its stack, and `up` goes on with it.
    """
    with opened(options, folder, form) as (session, interrupts):
        ref = ref_of(session)
        with session.phase(Phase.PROVISION):
            session.engine.up(
                ref,
                _program(_args(session, wanted)),
                config=CONFIG,
                listener=engine_progress(session.listener, NAME),
                parallel=options.parallel,
                stop=interrupts.stop,
            )
        made = _made(session, ref)
    _print(made, ref, form)
    return 0


def show(options: Options, folder: Path, wanted: Wanted, *, form: str) -> int:
    """Print the platform that is there and what `up` would change, by a preview; nothing is changed. Returns 0."""
    with opened(options, folder, form) as (session, _):
        ref = ref_of(session)
        there = outputs_of(session.engine, ref)
        preview = session.engine.preview(ref, _program(_args(session, wanted)), config=CONFIG)
    if there is not None:
        _print(platform_of(there, f"the stack {ref.project}/{ref.name}"), ref, form, preview)
    elif form == "json":
        click.echo(json.dumps({"stack": f"{ref.project}/{ref.name}", "platform": None, "up": dict(preview.changes)}))
    else:
        click.echo(f"There is no platform {ref.project}/{ref.name}. {_said(preview)}")
    return 0


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


def _args(session: Session, wanted: Wanted) -> PlatformArgs:
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
    outputs = outputs_of(session.engine, ref)
    if outputs is None:
        raise ToolError(f"Made the platform {ref.project}/{ref.name}, and its stack has no outputs.")
    return platform_of(outputs, f"the stack {ref.project}/{ref.name}")


def _said(preview: PreviewResult) -> str:
    told = ", ".join(f"{op} {count}" for op, count in sorted(preview.changes.items()))
    return f"`understudy platform up` with the same options would: {told or 'change nothing'}."


def _print(platform: Platform, ref: StackRef, form: str, preview: PreviewResult | None = None) -> None:
    name = f"{ref.project}/{ref.name}"
    if form == "json":
        more = {} if preview is None else {"up": dict(preview.changes)}
        click.echo(json.dumps({"stack": name, "platform": platform.outputs(), **more}, indent=1))
        return
    click.echo(f"platform {name}")
    for key, value in platform.outputs().items():
        click.echo(f"  {key}: {printable(json.dumps(value))}")
    click.echo(f"Environments answer at <environment>.{platform.host_suffix}: point *.{platform.host_suffix} at")
    click.echo(f"  {printable(platform.alb_dns_name)}")
    if preview is not None:
        click.echo(_said(preview))
