"""Making an environment on AWS: its platform, what holds before anything is made, its images and its program."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from understudy.blueprint import Blueprint
from understudy.build.images import BuiltImage, ImageBuilder
from understudy.build.tree import CommitTree
from understudy.components.aws.ahead import read_ahead
from understudy.engine.interface import Engine, StackRef
from understudy.errors import NotFoundError, UsageError
from understudy.lease import Lease
from understudy.options import CONFIG_FILE, Options
from understudy.platform_state import outputs_in, state_of
from understudy.preparation import certificates_for, environment_of, image_refs, keep_changes
from understudy.prices.estimating import of_plan
from understudy.progress import Phase, Progress, State
from understudy.seed import environment_seed
from understudy.session import Session
from understudy.stacks.aws.databases import Original
from understudy.stacks.aws.errands import errands_of
from understudy.stacks.aws.inside import inside as names_inside
from understudy.stacks.aws.limits import hold_room, priority
from understudy.stacks.aws.make import AwsOptions, make_plan
from understudy.stacks.aws.plan import AwsPlan
from understudy.stacks.aws.platform import Platform, platform_of
from understudy.stacks.aws.suites import size_of
from understudy.stacks.builds import build_after_all
from understudy.stacks.clone import Clone, targeted
from understudy.stacks.cost.estimate import Estimate
from understudy.stacks.cost.limit import doubts, hold_cost
from understudy.stacks.secret_rules import Seed
from understudy.suites.contract import EndpointAddress

if TYPE_CHECKING:
    from understudy.suites.tasks import Tasks
    from understudy.targets.aws.session import AwsSession
    from understudy.targets.aws.target import AwsTarget

__all__ = [
    "CONFIG",
    "PROJECT",
    "Made",
    "Site",
    "aws_of",
    "hold",
    "hold_on",
    "hold_suites",
    "inside",
    "pinned",
    "platform_at",
    "platform_ref",
    "to_build",
]

PROJECT = "understudy-platform"
"""The Pulumi project of platforms; a stack of it is a platform, by default that of the region of its name."""

CONFIG: Mapping[str, str] = {"pulumi:disable-default-providers": '["aws"]'}
"""A stack's configuration by which the engine refuses a resource of AWS that has no provider of its own."""


@dataclass(frozen=True, slots=True)
class Made:
    """What the engine is handed: the plan, the program that declares it, and what that costs."""

    plan: AwsPlan
    estimate: Estimate
    program: Callable[[], None]


def platform_ref(options: Options, region: str) -> StackRef:
    """The stack of the platform that is meant."""
    return StackRef(PROJECT, options.aws_platform or region)


def platform_at(options: Options, engine: Engine, target: str) -> Platform:
    """The platform on which environments of this target stand: as `understudy.toml` says it, or its stack.

    Args:
        options: what they say of it.
        engine: of the backend that has its stack.
        target: the identity of the target.

    Raises:
        NotFoundError: there is no such stack.
        UsageError: what is said of it is not usable, or it is another account's or region's.
        EngineError: the stack cannot be read.
    """
    if options.platform is not None:
        found = platform_of(options.platform, f"the table [platform] of {CONFIG_FILE}")
    else:
        ref = platform_ref(options, target.rpartition(":")[2])
        outputs = outputs_in(state_of(engine, ref))
        if outputs is None:
            raise NotFoundError(
                f"Looked for the platform of {target}, the stack {ref.project}/{ref.name}, and there is none.",
                hint="`understudy platform up` makes it, once for an account and region; or name the ids of what is "
                f"there under [platform] in {CONFIG_FILE}.",
            )
        found = platform_of(outputs, f"the stack {ref.project}/{ref.name}")
    if found.target != target:
        raise UsageError(
            f"The platform is of {found.target}, and the credentials are of {target}: nothing was made.",
            hint="Use the credentials of its account, and --aws-region for its region.",
        )
    return found


def pinned(clone: Clone) -> Clone:
    """The clone as AWS runs it: what production builds is built here, unless its image has a registry's name."""
    reason = "its name says no registry that Fargate could pull it from"
    local = {image: reason for image in clone.unchanged_builds.values() if not _has_registry(image)}
    return build_after_all(clone, local)


def _has_registry(image: str) -> bool:
    """Whether a reference names its registry, by the rule of Docker's own references."""
    first, slash, _ = image.partition("/")
    return bool(slash) and ("." in first or ":" in first)


def _platform(session: Session) -> Platform:
    """The platform of the command at work, read once."""
    if session.platform is None:
        session.platform = platform_at(session.options, session.engine, session.target.identity())
    return session.platform


def hold(session: Session, blueprint: Blueprint) -> Platform:
    """Hold that an environment can be made here, before anything is; returns its platform.

    Raises:
        UsageError: as `hold_on`.
        NotFoundError: there is no platform.
        ToolError: AWS does not answer.
    """
    platform = _platform(session)
    hold_on(platform, session.options, blueprint)
    return platform


def hold_on(platform: Platform, options: Options, blueprint: Blueprint) -> None:
    """Hold that an environment can be made on a platform, as far as that is known without asking AWS.

    Raises:
        UsageError: an option is of Docker only, the account is production's, or no registry can take what is built.
    """
    if blueprint.trusted_sha:
        raise UsageError(
            "An untrusted commit has no way out on Docker, and on AWS its tasks reach any address by HTTPS.",
            hint="Run it with --target docker.",
        )
    account = blueprint.production_account
    if account and account == platform.account and account not in options.aws_accounts:
        raise UsageError(
            f"Production was read in account {account}, and the clone would be made in the same: nothing was made.",
            hint=f"Say `--aws-accounts {account}` if that is meant, or clone what `topology import` writes elsewhere.",
        )
    if options.reuse:
        raise UsageError(
            "--reuse knows an environment by the digests that a Docker daemon has, and on AWS there is none.",
            hint="Leave --reuse out.",
        )
    built = sorted(to_build(blueprint.clone))
    if built and not platform.registry:
        raise UsageError(
            f"The images of {', '.join(built)} would have to be built, and the platform has no registry to push them "
            "to: nothing was made.",
            hint="Name an image for each that Fargate can pull, or a `registry` under [platform]; a platform that "
            "`understudy platform up` makes has one.",
        )
    if built:
        from understudy.targets.aws.registry import hold_repository

        hold_repository(platform.registry, platform.region)


def to_build(clone: Clone) -> set[str]:
    """The services whose images have to be built: none of a database that is no container on AWS."""
    services = [each for each in clone.topology.services.values() if each.build is not None and each.on_aws is None]
    return {each.name for each in services} - set(clone.unchanged_builds)


def aws_of(session: Session) -> AwsSession:
    """The connection to AWS of a command whose target is there."""
    return _target(session).session


def _target(session: Session) -> AwsTarget:
    from understudy.targets.aws.target import AwsTarget

    if not isinstance(session.target, AwsTarget):
        raise TypeError(f"{type(session.target).__name__} is not on AWS")
    return session.target


def inside(session: Session, blueprint: Blueprint, lease: Lease) -> Tasks | None:
    """Where suites run that run inside the environment; None: none does.

    Raises:
        UsageError: two services would answer under one name and port.
        UnderstudyError: the platform, or the certificates of the environment's authority, cannot be read.
    """
    clone = blueprint.clone
    if not any(suite.runs_on == "network" for suite in clone.topology.suites):
        return None
    from understudy.components.aws.sources import sources
    from understudy.suites.tasks import Tasks

    platform = _platform(session)
    found = names_inside(clone, platform, lease.id, sources(clone, str(Path(lease.tree) / blueprint.folder)))
    certificates = certificates_for(
        blueprint, session.options, store=session.store, lease=lease, settings=session.settings, write=False
    )
    return Tasks(
        aws=aws_of(session),
        environment=environment_of(blueprint, lease),
        platform=platform,
        services=frozenset(clone.topology.services),
        endpoints=tuple(EndpointAddress(e.service, e.port, host, e.port, e.scheme) for e, host in found),
        certificates={} if certificates is None else certificates.files,
        tool_image=AwsOptions().tool_image,
    )


def hold_suites(blueprint: Blueprint, tree: Path) -> None:
    """Hold that the suites which run inside can be brought their files, and that Fargate has tasks as large as theirs.

    Raises:
        UsageError: it cannot be.
    """
    from understudy.targets.aws.suite_files import tree_files

    suites = [suite for suite in blueprint.clone.topology.suites if suite.runs_on == "network"]
    for suite in suites:
        size_of(suite.workers, f"Suite {suite.name!r}")
    if suites:
        tree_files(tree)


@dataclass(frozen=True, slots=True)
class Site:
    """Where one environment is made: the command at work, what is made of which files, and where it stands."""

    session: Session
    blueprint: Blueprint
    lease: Lease
    tree: CommitTree
    platform: Platform
    priority: int
    """Of its rule on the platform's listener."""
    originals: Mapping[str, Original]
    """Service -> what its database is made from, where that has an instance of its own."""

    @classmethod
    def of(cls, session: Session, blueprint: Blueprint, lease: Lease, tree: CommitTree) -> Site:
        """The site, with the priority that the environment's rule has already, or one that is free.

        Raises:
            UsageError: as `hold`.
            LimitError: the platform's load balancer has no room.
            ToolError: AWS does not answer.
        """
        from understudy.targets.aws.originals import originals
        from understudy.targets.aws.room import room_of

        platform = hold(session, blueprint)
        room = room_of(aws_of(session), platform.alb_arn, platform.listener_arn)
        own = room.hosts.get(platform.host(lease.id))
        if own is None:
            hold_room(room.target_groups, room.rules)
            own = priority(lease.id, room.priorities)
        found = originals(aws_of(session), blueprint.clone.topology.services.values())
        return cls(session, blueprint, lease, tree, platform, own, found)

    def build(self, logs: Path, stop: threading.Event) -> Mapping[str, BuiltImage]:
        """Build what the platform's registry has not, and push it there; the references have the digests there.

        Docker is asked only where an image is to be built.

        Raises:
            ProvisionError: a build or a push failed.
            ToolError: Docker does not answer, or AWS gives no token.
            InterruptedRunError: `stop` was set.
        """
        clone, session = self.blueprint.clone, self.session
        if not to_build(clone):
            return {}
        from understudy.build.pushing import Registry, delivered
        from understudy.targets.aws.registry import registry_login
        from understudy.targets.docker_client import client

        builder = ImageBuilder(client(), session.settings.state, logs, stop=stop, listener=session.listener)
        repository = self.platform.registry
        registry = Registry(client(), repository, partial(registry_login, aws_of(session), repository), stop)
        return delivered(
            builder,
            registry,
            clone.topology,
            self.tree,
            self.blueprint.folder,
            skip=frozenset(clone.topology.services) - to_build(clone),
            listener=session.listener,
        )

    def made(self, images: Mapping[str, BuiltImage]) -> Made:
        """The plan of the environment with these images, noted beside its tree and lease, and its program.

        Raises:
            UsageError: Fargate cannot do it.
        """
        made = self._made({name: image.reference for name, image in images.items()}, keep=True)
        keep_changes(self.tree.root, targeted(self.blueprint.clone, made.plan.changes).changes)
        self._give_back_besides(made.plan)
        return made

    def _give_back_besides(self, plan: AwsPlan) -> None:
        """Take away what a former commit had on shared instances, and this one has not: the update forgets of it.

        Raises:
            LeftoversError: it failed.
            ToolError: AWS does not answer.
        """
        _target(self.session).give_back(self.lease.whose, besides=errands_of(plan).items())

    def held(self, *, keep: bool) -> Made:
        """The environment before anything is built, held to be possible and to cost no more than is allowed.

        What is to be built has a tag of no image. `keep`: an authority that is new is kept beside the lease.

        Raises:
            UsageError: Fargate cannot do it.
            LimitError: it would cost more.
        """
        limit = self.session.options.max_hourly_cost
        unbuilt = dict.fromkeys(to_build(self.blueprint.clone), f"{self.platform.registry}:built-by-the-update")
        made = self._made(unbuilt, keep=keep)
        hold_cost(made.estimate, limit)
        for doubt in doubts(made.estimate, limit):
            self.session.listener(Progress(Phase.BUILD, State.WARNING, detail=doubt))
        return made

    def _made(self, built: Mapping[str, str], *, keep: bool) -> Made:
        """`keep`: an authority that is new is kept beside the lease."""
        from understudy.components.aws.sources import sources

        blueprint, session = self.blueprint, self.session
        clone, options = blueprint.clone, session.options
        plan = make_plan(
            clone,
            environment_of(blueprint, self.lease),
            self.platform,
            {name: ref.reference for name, ref in image_refs(blueprint, built).items()},
            sources=sources(clone, str(self.tree.root / blueprint.folder)),
            options=AwsOptions(mock_image=options.mock_image, priority=self.priority, spot=options.aws_spot),
            certificates=certificates_for(
                blueprint, options, store=session.store, lease=self.lease, settings=session.settings, write=keep
            ),
            originals=self.originals,
        )
        if self.lease.plain and (owed := errands_of(plan)):
            raise UsageError(
                f"`pulumi destroy` runs no code of ours, so that {', '.join(owed.values())} would stay there.",
                hint="Use `understudy up`, or take `on_aws: {form: shared}` away.",
            )
        seed = Seed(environment_seed(session.settings, self.lease.id), clone.topology.secret_rules)
        read_ahead()  # not before: until here the command computes itself; from here on it waits for the engine

        def program() -> None:
            read_ahead().join()
            from understudy.components.aws.environment import AwsEnvironmentArgs
            from understudy.declaration_aws import declare_aws

            commit = blueprint.commit
            args = AwsEnvironmentArgs(plan=plan, seed=seed, commit=commit.sha, branch=commit.branch)
            declare_aws(args, changes=len(clone.changes))

        return Made(plan, of_plan(plan, session.settings.state), program)
