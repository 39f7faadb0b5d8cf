"""Options, declared once: name, flag, variable, default and help; each value keeps where it came from."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import IntEnum
from pathlib import Path
from typing import Any

from understudy import option_values as values
from understudy.errors import UsageError
from understudy.files import is_git_data

__all__ = [
    "CONFIG_FILE",
    "PLATFORM",
    "OptionSpec",
    "Options",
    "Origin",
    "Text",
    "find_config",
    "resolve",
    "specs",
]

CONFIG_FILE = "understudy.toml"

SUITES = "tests"
"""The table of that file that holds no options, but suites: those of a commit are read from the commit's own file."""

PLATFORM = "platform"
"""The table of that file that holds the ids of a platform on AWS that is there already."""


@dataclass(frozen=True, slots=True)
class Text:
    """What a file of options holds that lies in git, and what to call it in messages."""

    name: str
    text: str

    def __str__(self) -> str:
        return self.name


class Origin(IntEnum):
    """Where a value came from; a later one wins."""

    DEFAULT = 0
    FILE = 1
    ENVIRONMENT = 2
    FLAG = 3


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """How one option is given: on the command line, as a variable, in the file."""

    name: str
    flag: str
    variable: str
    parse: Callable[[object], Any]
    help: str
    default: object
    switch: bool
    several: bool = False

    @property
    def metavar(self) -> str:
        """The placeholder in help texts."""
        return "NAME=VALUE" if self.parse is values.assignments else self.name.rsplit("_", 1)[-1].upper()


def _option(default: object, parse: Callable[[object], Any], text: str, flag: str = "") -> Any:  # noqa: ANN401 - a field of any type
    return field(default=default, metadata={"parse": parse, "help": text, "flag": flag})


@dataclass(frozen=True)
class Options:
    """Every option of Understudy with its value; `origins` says where each came from."""

    file: tuple[str, ...] = _option(
        (),
        values.several,
        "A Compose file; several are merged (default: that of this folder and its override file).",
        "-f",
    )
    env_file: tuple[str, ...] = _option((), values.several, "A file of variables in the place of .env; several count.")
    set: tuple[str, ...] = _option((), values.assignments, "A variable, NAME=VALUE, above all others; several count.")
    compose_profile: tuple[str, ...] = _option(
        (), values.several, "A profile of Compose that is active; several count."
    )
    allow: tuple[str, ...] = _option((), values.several, "Clone what is refused otherwise, by name; several count.")
    commit: str = _option("HEAD", values.text, "The commit to clone.")
    dirty: bool = _option(False, values.switch, "Take the folder as it lies instead of a commit.")
    production_ref: str = _option("", values.text, "Where production's topology is read (default: the default branch).")
    from_stack: str = _option("", values.text, "The Pulumi stack that is production: [ORG/]PROJECT/STACK.")
    from_export: str = _option("", values.text, "A file of `pulumi stack export` that is production.")
    from_docker: bool = _option(False, values.switch, "What runs on the Docker host is production.")
    from_aws: bool = _option(
        False, values.switch, "What runs in the AWS account and region of the usual variables is production."
    )
    project: str = _option("", values.text, "With --from-docker: only the Compose project of this name.")
    label: str = _option(
        "",
        values.text,
        "With --from-docker or --from-aws: only containers with this label, or what has this tag; KEY or KEY=VALUE.",
    )
    untrusted: bool = _option(
        False, values.switch, "The commit is a stranger's: production says what is run, mocked, allowed and sent where."
    )
    profile: str = _option("default", values.text, "The profile of x-understudy that scales the clone.")
    name: str = _option(
        "", values.text, "The environment's name; without one it follows from the CI run or the branch."
    )
    ttl: float = _option(3600.0, values.seconds, "How long an environment that is kept may live.")
    max_ttl: float = _option(86400.0, values.seconds, "The age that no extension passes.")
    idle_ttl: float = _option(
        0.0, values.limit, "How long an environment that is kept may be used by nobody; 0: as long as it may live."
    )
    bind: str = _option("127.0.0.1", values.text, "The address on which endpoints are published.")
    ready_timeout: float = _option(180.0, values.seconds, "How long a service may take to get ready.")
    parallel: int = _option(64, values.positive, "How many resources are worked on at once.")
    workers: int | None = _option(
        None,
        values.positive,
        "The most test processes of all suites together (default: one a core, or what suites declare).",
    )
    fail_fast: bool = _option(
        True, values.switch, "Stop everything at the first failed test, or as --max-failures says."
    )
    max_failures: int = _option(
        1, values.positive, "How many tests may fail, in all suites together, before all is stopped."
    )
    order: str = _option(
        "history",
        values.one_of("history", "given"),
        "Tests that failed last time and long ones first, or as they come.",
    )
    shard: str = _option("", values.part, "Run one part of the tests: i/n, or `auto` for what the CI says of this job.")
    shards: int = _option(
        1, values.parts, "Split the tests over this many clones of the commit, side by side on one target."
    )
    durations: str = _option("", values.text, "The file of usual durations that --shard and --shards split by.")
    history: str = _option("", values.text, "Where runs are remembered: a file, a postgresql:// URL, or `off`.")
    reuse: bool = _option(
        False, values.switch, "Take over what suites came to that passed with nothing changed since; they do not run."
    )
    runs: str = _option(".", values.text, "The folder in which understudy-runs/ collects each run's evidence.")
    export: tuple[str, ...] = _option(
        (), values.sinks, "Where a run's folder is sent: s3://BUCKET/PREFIX, or a command; several count."
    )
    export_variable: tuple[str, ...] = _option(
        (), values.several, "A variable, by name, that a command of --export gets too; several count."
    )
    export_retries: int = _option(4, values.count, "How often what fails is tried again while exporting.")
    export_timeout: float = _option(600.0, values.seconds, "How long each export may take.")
    keep_on_failure: bool = _option(
        False, values.switch, "Keep the environment of a run that fails, for as long as --ttl."
    )
    progress: str = _option("auto", values.one_of("auto", "live", "plain", "json"), "How progress is shown.")
    relay_image: str = _option("haproxy:2.6", values.text, "The image of the relay that publishes endpoints.")
    mock_image: str = _option("wiremock/wiremock:3.13.1", values.text, "The image of the mocks.")
    memory_limit: int = _option(
        4 * 1024**3, values.size, "Memory of a container that production does not limit, such as 4g; 0: no limit."
    )
    cpu_limit: float = _option(
        4.0, values.amount, "Processors of a container that production does not limit; 0: no limit."
    )
    docker_provider: str = _option(
        "embedded", values.one_of("embedded", "official"), "Which Pulumi provider serves the Docker resources."
    )
    target: str = _option("docker", values.one_of("docker", "aws"), "Where the clone runs: on Docker, or on AWS.")
    aws_region: str = _option("", values.region, "With --target aws: the region (default: that of the AWS variables).")
    aws_accounts: tuple[str, ...] = _option(
        (), values.accounts, "With --target aws: the only account in which anything is made or removed; several count."
    )
    aws_platform: str = _option(
        "", values.text, "With --target aws: the platform's stack (default: that of the region's name)."
    )
    aws_spot: bool = _option(
        False,
        values.switch,
        "With --target aws: run services, gateways and mocks on Fargate Spot, which AWS may take back.",
    )
    lease_dir: str = _option(
        "", values.text, "The folder where leases lie, where the backend is neither file:// nor s3://."
    )
    lock_timeout: float = _option(
        60.0,
        values.seconds_or_none,
        "How long to wait for another command that works on the environment; 0: not at all.",
    )
    on_newer: str = _option(
        "supersede",
        values.one_of("supersede", "queue", "parallel"),
        "What a run does about those of other commits of its branch: end older ones, wait, or go on beside them.",
    )
    max_environments: int = _option(0, values.count, "The most environments at once on the target; 0: no limit.")
    min_free_memory: int = _option(
        0, values.size, "Memory that the Docker host must have left, such as 2g; 0: no limit."
    )
    min_free_disk: int = _option(0, values.size, "Disk that the Docker host must have left, such as 10g; 0: no limit.")
    on_limit: str = _option(
        "refuse",
        values.one_of("queue", "refuse"),
        "What is done where a limit leaves no room: wait for it, or do not run.",
    )
    queue_timeout: float = _option(
        3600.0, values.seconds, "How long a run waits in a queue, for its branch or for room."
    )
    max_hourly_cost: float = _option(
        0.0,
        values.amount,
        "The most that an environment on AWS may be estimated to cost, dollars an hour; 0: no limit.",
    )
    image_budget: float = _option(10.0, values.amount, "Gigabytes of built images that are kept.")
    platform: Mapping[str, object] | None = None
    """What the table `[platform]` of the file holds: a platform that is there already; None: there is no such table."""
    origins: Mapping[str, Origin] = field(default_factory=dict)

    @property
    def stop_after(self) -> int | None:
        """Failed tests after which everything is stopped; None: nothing is. Of two that disagree the nearer counts."""
        nearer = self.origins.get("max_failures", Origin.DEFAULT) > self.origins.get("fail_fast", Origin.DEFAULT)
        return self.max_failures if self.fail_fast or nearer else None


def specs() -> tuple[OptionSpec, ...]:
    """Every option, in the order of declaration."""
    return tuple(
        OptionSpec(
            name=item.name,
            flag=item.metadata["flag"],
            variable="UNDERSTUDY_" + item.name.upper(),
            parse=item.metadata["parse"],
            help=item.metadata["help"],
            default=item.default,
            switch=isinstance(item.default, bool),
            several=isinstance(item.default, tuple),
        )
        for item in fields(Options)
        if "parse" in item.metadata
    )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def find_config(start: Path) -> Path | None:
    """The nearest `understudy.toml` from `start` upwards, not past the root of a git repository."""
    for folder in (start, *start.parents):
        if (folder / CONFIG_FILE).is_file():
            return folder / CONFIG_FILE
        if (folder / ".git").exists() or is_git_data(folder):
            return None
    return None


def resolve(
    flags: Mapping[str, object],
    variables: Mapping[str, str],
    config: Path | Text | None,
    *,
    said: Callable[[str], str] = _flag,
) -> Options:
    """Lay the sources over each other: default < file < environment < flag.

    Args:
        flags: option name -> value, only those that were given.
        variables: the process's environment; `UNDERSTUDY_<NAME>` counts.
        config: a TOML file, or what it holds, whose top-level keys are option names; or None.
        said: an option's name -> how it was given in `flags`, for messages.

    Raises:
        UsageError: a value is not allowed, a key is not known, the file cannot be read.
    """
    by_name = {spec.name: spec for spec in specs()}
    given: dict[str, tuple[object, Origin, str]] = {}
    loaded = _load(config)
    for key, value in loaded.items():
        if key == SUITES or (key == PLATFORM and isinstance(value, dict)):
            continue
        if key not in by_name:
            raise UsageError(f"Read {config}: there is no option {key!r}.", hint=f"Options are {', '.join(by_name)}.")
        given[key] = (value, Origin.FILE, f"{key} in {config}")
    for spec in by_name.values():
        if spec.variable in variables:
            given[spec.name] = (variables[spec.variable], Origin.ENVIRONMENT, spec.variable)
        said_by_flag = flags.get(spec.name)
        if said_by_flag is not None and said_by_flag != ():
            given[spec.name] = (said_by_flag, Origin.FLAG, said(spec.name))
    found: dict[str, Any] = {}
    for key, (value, _, place) in given.items():
        try:
            found[key] = by_name[key].parse(value)
        except ValueError as error:
            said_value = ", ".join(map(repr, value)) if isinstance(value, tuple) else repr(value)
            raise UsageError(f"Read {place}: {said_value} is not {error}.") from error
    origins = {key: given[key][1] if key in given else Origin.DEFAULT for key in by_name}
    table = loaded.get(PLATFORM)
    return Options(**found, platform=table if isinstance(table, dict) else None, origins=origins)


def _load(config: Path | Text | None) -> dict[str, object]:
    if config is None:
        return {}
    try:
        return tomllib.loads(config.text if isinstance(config, Text) else config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"Read {config}, and it is no TOML: {error}.") from error
