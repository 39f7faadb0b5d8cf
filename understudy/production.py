"""Production from where it runs: the options that name it, what reads it, and the topology that it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from understudy.errors import UsageError
from understudy.options import Options, Origin
from understudy.stacks.topology import Topology, TopologyError

__all__ = ["Production", "Source", "read_source", "source_of"]

_LARGEST = 256 * 1024 * 1024
"""Bytes of an export; a stack of ten thousand resources has about a tenth of it."""

_SOURCES = ("from_stack", "from_export", "from_docker", "from_aws")
_PARTS = ("project", "label")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Source:
    """Where production runs: a Pulumi stack, an export of one, a Docker host or an AWS account, or a part of those."""

    stack: str = ""
    export: str = ""
    docker: bool = False
    aws: bool = False
    project: str = ""
    label: str = ""

    def __post_init__(self) -> None:
        """Hold that one thing is named.

        Raises:
            UsageError: several are, or a part of a Docker host and not the host.
        """
        named = [
            flag
            for flag, given in (
                ("--from-stack", self.stack),
                ("--from-export", self.export),
                ("--from-docker", self.docker),
                ("--from-aws", self.aws),
            )
            if given
        ]
        if len(named) > 1:
            raise UsageError(
                f"{' and '.join(named)} were given, and production is one of them.", hint="Drop the others."
            )
        if self.project and not self.docker:
            raise UsageError("--project is a part of a Docker host.", hint="Give --from-docker with it.")
        if self.label and not (self.docker or self.aws):
            raise UsageError(
                "--label is for a part of a Docker host or of an AWS account.",
                hint="Give --from-docker or --from-aws with it.",
            )
        if self.project and self.label:
            raise UsageError("--project and --label were both given.", hint="A project is a label too: drop one.")

    @property
    def name(self) -> str:
        """What stood for production, for records; empty where nothing is named."""
        if self.stack:
            return f"stack {self.stack}"
        if self.export:
            return f"export {self.export}"
        part = f" project {self.project}" if self.project else f" label {self.label}" if self.label else ""
        host = "docker host" if self.docker else "aws account" if self.aws else ""
        return f"{host}{part}" if host else ""


@dataclass(frozen=True, slots=True)
class Production:
    """What was read, what stood for it, and what `stacks.align` needs to know of the source.

    `given` is what the source says, `topology` what a Compose file that says so is read as, `evidence` by what each
    edge is known that the source does not say outright. `account` is that of AWS in which it was read; empty: in none.
    """

    given: Topology
    topology: Topology
    name: str
    references: Mapping[str, str] = field(default_factory=dict)
    unsaid: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    account: str = ""


def source_of(options: Options) -> Source | None:
    """The source that the options name; None: production is a file in git. What a flag names wins over a file's word.

    Raises:
        UsageError: they name several in one place, or one beside `--production-ref`.
    """
    origin = {key: options.origins.get(key, Origin.DEFAULT) for key in (*_SOURCES, *_PARTS, "production_ref")}
    given = [key for key in _SOURCES if getattr(options, key)]
    first = max((origin[key] for key in given), default=Origin.DEFAULT)
    reference = origin["production_ref"] if options.production_ref else Origin.DEFAULT
    if given and reference > first:
        return None
    stack, export, docker, aws = (key in given and origin[key] is first for key in _SOURCES)
    parted = {"project": docker, "label": docker or aws}
    source = Source(
        options.from_stack if stack else "",
        options.from_export if export else "",
        docker,
        aws,
        **{key: getattr(options, key) if parted[key] or origin[key] >= first else "" for key in _PARTS},
    )
    if not given:
        return None
    if reference is first:
        raise UsageError(
            f"{source.name} and --production-ref {options.production_ref} were both named as production.",
            hint="Drop one of them.",
        )
    return source


def read_source(source: Source, folder: Path, say: Say) -> Production:
    """The topology of a source. Nothing of production is written.

    Args:
        source: where it is.
        folder: that of the project: binds below it are the project's own files. An export is named from it.
        say: is told in one sentence what takes long.

    Raises:
        UsageError: the source's name is none, or what it holds is no topology.
        ToolError: Docker, AWS or Pulumi do not answer.
        EngineError: the stack cannot be read.
    """
    try:
        if source.aws:
            found = _of_aws(source)
        else:
            found = _of_docker(source) if source.docker else _of_pulumi(source, folder, say)
        return replace(found, topology=_as_compose_has_it(found.given))
    except TopologyError as error:
        raise UsageError(f"Read production from the {source.name}, and it is no topology: {error}.") from error


def _as_compose_has_it(given: Topology) -> Topology:
    """What the topology's Compose file says: a commit's topology was read by the same rules, and is put beside it."""
    from understudy.stacks.sources import compose
    from understudy.stacks.sources.compose_writer import write

    file = given.where.file or "production"
    read = compose.read(write(given), file, variables={}, read_file=lambda _: None, provisioned=False)
    changes = (replace(change, rule="") for change in read.changes)
    warnings = (*given.warnings, *(text for text in read.warnings if text not in given.warnings))
    return replace(read, changes=(*given.changes, *changes), warnings=warnings, where=given.where)


def _of_pulumi(source: Source, folder: Path, say: Say) -> Production:
    from understudy.stacks.sources import pulumi_state

    text = _of_stack(source, say) if source.stack else _of_file(folder / source.export)
    topology = pulumi_state.read(text, source.stack or source.export, folder=str(folder.resolve()))
    return Production(topology, topology, source.name, _names(topology), ("expose",))


def _of_docker(source: Source) -> Production:
    from understudy.stacks.sources import docker_host
    from understudy.targets.docker_client import client
    from understudy.targets.docker_reading import read_host

    data = read_host(client(), project=source.project, label=source.label)
    topology = docker_host.read(data)
    return Production(topology, topology, source.name, docker_host.references(data))


def _of_aws(source: Source) -> Production:
    from understudy.production_aws import read_account
    from understudy.stacks.sources import aws_account

    data = read_account(source.label)
    found = aws_account.read(data)
    name = source.name.replace("aws account", f"aws account {data.account} in {data.region}", 1)
    references = _names(found.topology)
    return Production(found.topology, found.topology, name, references, (), found.evidence, data.account)


def _names(topology: Topology) -> dict[str, str]:
    """Service -> its image's name without a digest."""
    return {name: service.image.partition("@")[0] for name, service in topology.services.items() if service.image}


def _of_stack(source: Source, say: Say) -> str:
    from understudy.engine.production_export import export_production
    from understudy.engine.pulumi_cli import ensure

    return export_production(source.stack, ensure(say).path)


def _of_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise UsageError(f"Read the export {path}, and it has more than {_LARGEST:,} bytes.")
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"Read the export {path}, and it failed: {error}.", hint="`pulumi stack export --file FILE` writes one."
        ) from error
