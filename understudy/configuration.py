"""The options of a command here: whose `understudy.toml` counts, the checkout's own or production's.

A checkout is a commit's. What it says of sinks would run commands and hand them variables of whoever runs Understudy,
so of those production's word counts; of a commit that is untrusted nothing does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from understudy.build.git import Repository
from understudy.documents import from_commit, suites_file
from understudy.errors import UsageError
from understudy.options import CONFIG_FILE, Options, Origin, Text, find_config, resolve

__all__ = ["configured", "trusted_ref"]

_SINKS = ("export", "export_variable")
"""Options that start programs, and hand them variables."""


def configured(flags: Mapping[str, object], variables: Mapping[str, str], folder: Path) -> Options:
    """The options in `folder`: default < file < environment < flag.

    Raises:
        UsageError: a value is not allowed; there is no production to take the word of; or the checkout names sinks
            that production does not.
    """
    given = resolve(flags, variables, None)
    options = given if given.untrusted else resolve(flags, variables, find_config(folder))
    if options.untrusted:
        repository = Repository.find(folder)
        ref = trusted_ref(given, repository)
        return resolve({**flags, "untrusted": True}, variables, _at(repository, ref, folder))
    if "export" in flags and _names_sinks(options):
        _hold_sinks(options, given, folder)
    return options


def trusted_ref(options: Options, repository: Repository) -> str:
    """Where in git the word stands that counts for an untrusted commit.

    Raises:
        UsageError: nothing here says where production is.
    """
    ref = options.production_ref or repository.default_ref()
    if not ref:
        raise UsageError(
            "An untrusted commit is run as production says, and no default branch is known here.",
            hint=f"Name what stands for production with --production-ref, or {repository.no_default_ref()}.",
        )
    return ref


def _names_sinks(options: Options) -> bool:
    return any(getattr(options, name) and options.origins[name] is Origin.FILE for name in _SINKS)


def _hold_sinks(options: Options, given: Options, folder: Path) -> None:
    """Hold that what the checkout says of sinks is what production says; without a production it is production."""
    try:
        repository = Repository.find(folder)
    except UsageError:
        return
    ref = given.production_ref or repository.default_ref()
    if not ref:
        return
    theirs = resolve({}, {}, _at(repository, ref, folder))
    for name in _SINKS:
        if options.origins[name] is Origin.FILE and not set(getattr(options, name)) <= set(getattr(theirs, name)):
            raise UsageError(
                f"{CONFIG_FILE} of this checkout names under `{name}` what production's, at {ref}, does not: a commit "
                "must not choose what is run with this machine's variables.",
                hint=f"Give it as --{name.replace('_', '-')} or UNDERSTUDY_{name.upper()}, or merge it first.",
            )


def _at(repository: Repository, ref: str, folder: Path) -> Text | None:
    """The `understudy.toml` of `ref` that counts in `folder`; None: there is none.

    Raises:
        UsageError: there is no such commit, or it is no text.
    """
    project = str(PurePosixPath(folder.resolve().relative_to(repository.root.resolve())))
    project = "" if project == "." else project
    reader = from_commit(repository, repository.commit(ref).sha, project)
    name = suites_file(reader, project)
    data = reader(name) if name else None
    try:
        return None if data is None else Text(f"{CONFIG_FILE} of {ref}", data.decode())
    except UnicodeDecodeError as error:
        raise UsageError(f"Read {CONFIG_FILE} of {ref}, and it is no text: {error}.") from error
