"""Identity: the ids, names, labels and clocks of an environment, within every platform's limits."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal

__all__ = [
    "CACHE_LABEL",
    "LABEL",
    "OWNERSHIP",
    "PROTECT",
    "RESERVED_LABELS",
    "Environment",
    "Whose",
    "environment_id",
    "environment_key",
    "format_time",
    "name",
    "ownership_labels",
    "parse_time",
]

LABEL = "dev.understudy."
"""The reserved namespace of every label that Understudy sets."""

RESERVED_LABELS = ("com.docker.compose.", LABEL)
"""Namespaces of labels that are never copied from production: others act on them, or we do."""

OWNERSHIP = tuple(LABEL + key for key in ("environment", "backend", "target", "project", "not-after"))
"""The labels that an object must carry, all of them, before Understudy deletes it."""

PROTECT = LABEL + "protect"
"""The label by which an object is kept from every removal by label: any value but `false`."""

CACHE_LABEL = LABEL + "cache"
"""The label of images that Understudy built: a cache, not part of any environment."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_SAFE = re.compile(r"[^a-z0-9]+")
_MARK_LENGTH = 10
_LIKE_A_MARK = re.compile(r"(?:^|-)0[a-z2-7]{9}$|(?:^|-)s3alias$")


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose an object is: the environment's id, and the id of the backend that has its lease and state.

    Two backends come to the same environment's id for the same repository, topology and key; their own ids differ.
    """

    environment: str
    backend: str


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment: its id, where it runs, what it is of, its last moment (aware, UTC), its backend's id."""

    id: str
    target: str
    project: str
    not_after: datetime
    backend: str

    @property
    def whose(self) -> Whose:
        """What tells its objects from those of any other."""
        return Whose(self.id, self.backend)


def environment_id(repository: str, topology: str, key: str) -> str:
    """The id of an environment: `e` and 10 base-32 characters of SHA-256 over its three parts.

    50 bits: 10,000 live environments collide with a probability of about 5e-8 (birthday bound). The parts are
    hashed with their lengths, so no two triples share a text.
    """
    digest = hashlib.sha256()
    for part in (repository, topology, key):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return "e" + base64.b32encode(digest.digest()).decode().lower()[:10]


def name(environment: str, logical: str, limit: int = 63) -> str:
    """A physical name: the environment's id, a dash, and the logical name within `limit` characters.

    Lower-case letters, digits and single dashes, beginning with a letter and never ending with a dash: that is
    within the alphabets of DNS labels (RFC 1035, 63), Docker objects and AWS names. A logical name that had to
    be shortened or rewritten ends with a mark: `0` and 9 base-32 characters of its own hash (45 bits: 10,000 such
    names collide with a probability of about 1.4e-6). Base 32 has no `0`, and a name that already ends like a
    mark, or like a bucket's reserved ending, is marked too: so distinct names stay distinct.

    Raises:
        ValueError: `limit` leaves no room for the id, a dash and the mark.
    """
    room = limit - len(environment) - 1
    if room < _MARK_LENGTH:
        raise ValueError(f"a limit of {limit} leaves no room beside the id {environment!r}")
    plain = _SAFE.sub("-", logical.lower()).strip("-")
    if plain and plain == logical and len(plain) <= room and not _LIKE_A_MARK.search(plain):
        return f"{environment}-{plain}"
    digest = hashlib.sha256(logical.encode("utf-8", "surrogatepass")).digest()
    mark = "0" + base64.b32encode(digest).decode().lower()[: _MARK_LENGTH - 1]
    head = plain[: room - _MARK_LENGTH - 1].strip("-") if room > _MARK_LENGTH + 1 else ""
    return f"{environment}-{head}-{mark}" if head else f"{environment}-{mark}"


def environment_key(
    verb: Literal["run", "up", "pulumi"],
    *,
    name: str = "",
    variables: Mapping[str, str] = MappingProxyType({}),
    commit: str = "",
    random: str = "",
    branch: str = "",
    project: str = "",
    stack: str = "",
    shard: str = "",
) -> str:
    """The key of an environment, from facts that are given: which environment is meant, as text for its id.

    Args:
        verb: `run`: one for each CI job, or outside CI for each run; `up`: one for each branch; `pulumi`: one for
            each stack of the user's own project.
        name: what `--name` says; it comes before all else.
        variables: the process's environment. GitHub's GITHUB_RUN_ID, GITHUB_RUN_ATTEMPT and GITHUB_JOB and
            GitLab's CI_PIPELINE_ID and CI_JOB_ID count, for `run` only.
        commit: the commit's id.
        random: text that no other run has; it has to be kept in the lease.
        branch: the branch's name.
        project: the Pulumi project's name.
        stack: the Pulumi stack's name.
        shard: `i/n` of a run that is one part of several; parts of one job, such as the legs of a GitHub matrix, have
            all else in common.

    Raises:
        ValueError: a fact that the verb needs is missing.
    """
    if verb == "run" and shard:
        whole = _key("name", name) if name else _run_key(variables, commit, random)
        return _key("shard", shard.replace("/", "-of-"), whole)
    if name:
        return _key("name", name)
    if verb == "pulumi":
        return _key("pulumi", project, stack)
    return _key("branch", branch) if verb == "up" else _run_key(variables, commit, random)


def _run_key(variables: Mapping[str, str], commit: str, random: str) -> str:
    """The key of a run without a name."""
    if run := variables.get("GITHUB_RUN_ID"):
        return _key("github", run, variables.get("GITHUB_RUN_ATTEMPT") or "1", variables.get("GITHUB_JOB") or "job")
    if job := variables.get("CI_JOB_ID"):
        return _key("gitlab", variables.get("CI_PIPELINE_ID") or "pipeline", job)
    return _key("commit", commit, random)


def _key(kind: str, *parts: str) -> str:
    """`kind:a/b/c`; only the last part may hold a slash, so that no two lists of parts share a text."""
    if not all(parts) or any("/" in part for part in parts[:-1]):
        raise ValueError(f"the key of an environment by {kind} cannot be made of {parts}")
    return f"{kind}:{'/'.join(parts)}"


def ownership_labels(environment: Environment) -> dict[str, str]:
    """All labels of OWNERSHIP with their values for this environment."""
    return {
        LABEL + "environment": environment.id,
        LABEL + "backend": environment.backend,
        LABEL + "target": environment.target,
        LABEL + "project": environment.project,
        LABEL + "not-after": format_time(environment.not_after),
    }


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC with seconds and a Z.

    Raises:
        ValueError: the moment is naive.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a zone is no moment")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """The reverse of `format_time`; only a Z is taken.

    Raises:
        ValueError: the text is not RFC 3339 with a Z.
    """
    if not _TIME.fullmatch(text):
        raise ValueError(f"{text!r} is not RFC 3339 in UTC with seconds and a Z")
    return datetime.fromisoformat(text)
