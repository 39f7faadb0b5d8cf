"""What differs between two sides, property by property, with the reason where a clone's record has one. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .clone import Change, Clone, Fidelity
from .compare import SECTIONS, Row, compare
from .topology import Topology

__all__ = ["Compared", "Difference", "differences", "withheld"]

COMMIT = "changed by commit "
"""How the reasons of what a commit itself changes begin (stacks/commit_changes.py)."""

_WITHHELD = "(withheld: the key looks like a secret's)"
_SECRET_WORDS = frozenset(
    ("PASS", "PASSWORD", "PASSWD", "PASSPHRASE", "PWD", "SECRET", "SECRETS", "TOKEN", "APIKEY", "CREDENTIALS", "DSN")
)
_SECRET_PAIRS = re.compile(r"(?:^|_)(?:API|ACCESS|PRIVATE|SIGNING|ENCRYPTION|SECRET|AUTH)_KEY(?:_|$)")
_HARMLESS_ENDS = frozenset(("FILE", "PATH", "TTL", "LENGTH", "EXPIRY", "LIFETIME", "SECONDS", "NAME", "HOST", "PORT"))
_KEYED = re.compile(r"(?:^|\.)(?:environment|build\.args|labels|tags|logging\.options|options)\.(?P<key>.+)$")
_SHOWN_ALREADY = re.compile(r"\((?:secret|made anew|withheld)\b[^)]*\)")
_IN_URL = re.compile(r"(://[^\s/@:]*:)(?!\()[^\s@/]+(?=@)")
_IN_WORDS = re.compile(
    r"(?i)\b((?:[a-z0-9]+[_-])*(?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key)(?:=|:\s+|\",\s*\"))(?!\()[^\s\",;&]+"
)


@dataclass(frozen=True, slots=True)
class Compared:
    """One side: what is declared (`clone` None), or the clone that is provisioned of it.

    `files` are the ids of the contents that a topology only names: `services.web.build.files` -> a git object's id.
    """

    topology: Topology
    clone: Clone | None = None
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """One property that differs: both values as text (None: absent), and why, where that is on record.

    `subject` is what it is a property of (`services.web`, `volumes.data`, `endpoints`), the beginning of `path`;
    `cause` is `commit` for what the commit itself changes, `clone` for what is so in every clone, else empty.
    """

    path: str
    before: str | None
    after: str | None
    reason: str = ""
    fidelity: Fidelity | None = None
    rule: str = ""
    cause: str = ""
    subject: str = ""


def differences(before: Compared, after: Compared, *, derived: bool = False) -> tuple[Difference, ...]:
    """Every difference, in the order of the document of `before`.

    Args:
        before: what was.
        after: what is.
        derived: the clone of `after` was derived from the very topology of `before`. Its Changes are then the
            differences; what else differs follows without a reason, so that nothing is lost.
    """
    subjects = _subjects(before.topology, after.topology)
    rows = [*_rows(before, after), *_files(before.files, after.files)]
    changes = after.clone.changes if after.clone is not None else ()
    if derived:
        found = [_recorded(change) for change in changes if _differs(change)]
        found += [_plain(row) for row in rows if not any(_covers(change.path, row.path) for change in changes)]
    else:
        found = [_explained(row, changes) for row in rows]
    return tuple(_ordered([_presentable(each, subjects) for each in found], subjects))


def _rows(before: Compared, after: Compared) -> Iterator[Row]:
    yield from (row for row in compare(before.topology, after.topology) if not row.same)
    if before.clone is not None and after.clone is not None:
        yield from _unequal(_offered(before.clone), _offered(after.clone))
        yield from _pinned(before.clone, after.clone)


def _offered(clone: Clone) -> dict[str, str]:
    """What a clone has beside its topology: mocks, what it reaches, endpoints, the way out."""
    made = {f"externals.{m.name}.mock at": f"{m.folder} as {m.scheme}://{m.host}:{m.port}" for m in clone.mocks}
    made |= {f"externals.{e.name}.reached": f"{e.host}:{e.port}" for e in clone.allowed}
    made |= {f"endpoints.{e.service}:{e.port}": e.scheme for e in clone.endpoints}
    return made | {"profile.network": "open" if clone.open_network else "closed"}


def _pinned(before: Clone, after: Clone) -> Iterator[Row]:
    """Images whose tags named others, of those that both sides had looked for; what was not looked for says nothing."""
    for name, digest in before.pinned.items():
        other = after.pinned.get(name, digest)
        if other != digest:
            yield Row(f"services.{name}.image.digest", digest, other, same=False)


def _unequal(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Row]:
    for path in dict.fromkeys((*before, *after)):
        if before.get(path) != after.get(path):
            yield Row(path, before.get(path), after.get(path), same=False)


def _files(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Row]:
    """Contents that both sides name and that differ; what only one names is a difference of its topology already."""
    for path in before:
        if path in after and before[path] != after[path]:
            yield Row(path, f"git {before[path][:12]}", f"git {after[path][:12]}", same=False)


def _differs(change: Change) -> bool:
    return change.fidelity is not Fidelity.FAITHFUL or change.production != change.clone


def _covers(path: str, other: str) -> bool:
    """Whether one of the paths is, or lies above, the other; the content of files is nobody's but its own."""
    if other.endswith(".files"):
        return path == other
    return f"{path}.".startswith(f"{other}.") or f"{other}.".startswith(f"{path}.")


def _recorded(change: Change) -> Difference:
    cause = "commit" if change.reason.startswith(COMMIT) else "clone"
    return Difference(change.path, change.production, change.clone, change.reason, change.fidelity, change.rule, cause)


def _plain(row: Row) -> Difference:
    cause = "commit" if row.path.endswith(".files") else ""
    reason = "the commit has other files there" if cause else ""
    return Difference(row.path, row.left, row.right, reason, cause=cause)


def _explained(row: Row, changes: Sequence[Change]) -> Difference:
    """A row with the reason that the clone's record has for the very value that it ends with."""
    for change in changes:
        if change.path == row.path and change.clone == row.right and not change.reason.startswith(COMMIT):
            return Difference(row.path, row.left, row.right, change.reason, change.fidelity, change.rule)
    return Difference(row.path, row.left, row.right)


def _subjects(*topologies: Topology) -> Mapping[str, int]:
    """Every service, network, volume and third party as the beginning of its paths -> its place in the order."""
    named = (
        f"{section}.{name}" for section in SECTIONS for topology in topologies for name in getattr(topology, section)
    )
    return {subject: place for place, subject in enumerate(dict.fromkeys(named))}


def _presentable(found: Difference, subjects: Mapping[str, int]) -> Difference:
    """With its subject, and without what looks like a secret. A name may have dots: the longest that fits counts."""
    fitting = [subject for subject in subjects if f"{found.path}.".startswith(f"{subject}.")]
    return replace(
        found,
        subject=max(fitting, key=len, default=found.path.partition(".")[0]),
        before=withheld(found.path, found.before),
        after=withheld(found.path, found.after),
    )


def _ordered(found: Sequence[Difference], subjects: Mapping[str, int]) -> Sequence[Difference]:
    """By subject, services first in the order of the document; within one as they were found."""
    return sorted(found, key=lambda each: subjects.get(each.subject, len(subjects)))


def withheld(path: str, text: str | None) -> str | None:
    """A value without what looks like a secret that nobody declared: a difference may be shown to strangers.

    Withheld are the value of a key such as `DB_PASSWORD`, the password in a URL, and what follows `password=` and the
    like in a text. What derivation withheld or named already stays as it is.
    """
    if text is None:
        return None
    keyed = _KEYED.search(path)
    if keyed and _secretive(keyed["key"]) and _SHOWN_ALREADY.fullmatch(text) is None:
        return _WITHHELD
    return _IN_WORDS.sub(r"\1(withheld)", _IN_URL.sub(r"\1(withheld)", text))


def _secretive(key: str) -> bool:
    name = re.sub(r"[^A-Z0-9]+", "_", key.upper())
    words = name.split("_")
    if words[-1] in _HARMLESS_ENDS:
        return False
    return bool(_SECRET_WORDS & set(words)) or _SECRET_PAIRS.search(name) is not None
