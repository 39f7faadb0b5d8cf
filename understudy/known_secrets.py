"""The secrets that a run knows: those it made, and those it was given under the names that secrets usually have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from understudy.blueprint import Blueprint
from understudy.engine.settings import EngineSettings
from understudy.errors import UsageError
from understudy.seed import SEED_VARIABLE
from understudy.stacks.secret_values import literals_of

__all__ = ["known_secrets", "looks_secret"]

_NAME = re.compile(
    r"PASS(WORD|PHRASE|WD)|SECRET|TOKEN|CREDENTIAL|(API|ACCESS|PRIVATE|SIGNING|ENCRYPTION|AUTH)_?KEY|(^|_)PAT($|_)",
    re.IGNORECASE,
)
_NOT = re.compile(r"_(FILE|PATH|DIR|URL|URI|HOST|PORT|NAME|USER|ID|TTL|TYPE|LENGTH|PROVIDER)$", re.IGNORECASE)
"""Ends of names that say where a secret is, or whose; not the secret itself."""

_LEAST = 8


def known_secrets(
    made: Iterable[str], blueprint: Blueprint, settings: EngineSettings, variables: Mapping[str, str]
) -> frozenset[str]:
    """Every value that is to be kept out of what is written.

    Args:
        made: the values that were made anew.
        blueprint: production's values of the secrets that it declares, what `--set`, files and suites give.
        settings: the passphrase of the state.
        variables: the environment of this process.
    """
    literals = literals_of(blueprint.production, blueprint.candidate)
    given = {value for value in (*literals.rules, *_passphrase(settings)) if _telling(value)}
    given.update(_named(variables.items()), _named(_interpolated(blueprint).items()))
    given.update(_named(pair for suite in blueprint.clone.topology.suites for pair in suite.environment.items()))
    if seed := variables.get(SEED_VARIABLE):
        given.add(seed)
    return frozenset(made) | {value for value in given if value not in literals.names}


def looks_secret(name: str, value: str) -> bool:
    """Whether a variable is taken for a secret: by its name, where the value is no plain word, path or token of ours.

    >>> looks_secret("GITHUB_TOKEN", "ghp_16C7e42F292c"), looks_secret("TOKEN_FILE", "/run/secrets/token")
    (True, False)
    """
    return bool(_NAME.search(name)) and not _NOT.search(name) and _telling(value)


def _telling(value: str) -> bool:
    """Whether taking it out everywhere takes a secret out: `password`, `disabled` or a path stand in any text."""
    word = re.fullmatch(r"[A-Z]?[a-z]{,12}|[A-Z]{,12}|\d{,8}", value)
    return len(value) >= _LEAST and not word and not value.startswith(("/", "./", "~/", "${", "$("))


def _named(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    return (value for name, value in pairs if looks_secret(name, value))


def _interpolated(blueprint: Blueprint) -> Mapping[str, str]:
    """What `--set` and `--env-file` gave, which are no part of a commit."""
    try:
        return blueprint.documents.variables(lambda _: None)
    except UsageError:  # who needs them says so
        return {}


def _passphrase(settings: EngineSettings) -> Iterator[str]:
    if settings.passphrase:
        yield settings.passphrase
    if settings.passphrase_file is not None:
        try:
            yield settings.passphrase_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):  # who needs it says so
            return
