"""Names of production's queues and buckets in configuration, in every form that AWS has for them: the clone's instead.

A URL, an ARN and a host name are sure. A bare name is where its key says so, or where it can hardly be anything else;
what may be a store's name and may be another is left, and said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from understudy.stacks.change import Change, Fidelity
from understudy.stacks.secret_values import shown
from understudy.stacks.topology import Managed, Service

from .plan import BucketPlan, QueuePlan, Source
from .platform import Platform
from .rewrite import changed
from .unwritten import mounted

__all__ = ["StoreName", "named_in_files", "renamed", "store_name"]

_KEYS = {
    "sqs": re.compile(r"QUEUE|SQS|DLQ|DEAD_?LETTER", re.IGNORECASE),
    "s3": re.compile(r"BUCKET|S3|STORAGE|UPLOAD", re.IGNORECASE),
}
_OTHER = re.compile(
    r"(?:TABLE|TOPIC|SERVICE|DATABASE|DB|SCHEMA|HOST|DOMAIN|USER|GROUP|ROLE|CLIENT|APP|APPLICATION|PROJECT|TENANT|INDEX"
    r"|STREAM|COLLECTION|KEYSPACE|NAMESPACE|PREFIX|SUFFIX|PATH|DIR|DIRECTORY|FOLDER|FILE|MODULE|PACKAGE|REALM|REGION"
    r"|LABEL|TAG|METRIC|LOG|IMAGE|CACHE|MODE)S?"
    r"(?:[_.-]?(?:NAME|ID))?$",
    re.IGNORECASE,
)
"""Keys that end with the word for something else, which may have a store's name too."""

_START, _END = r"(?<![A-Za-z0-9_.-])", r"(?![A-Za-z0-9_-]|\.[A-Za-z0-9])"
_DOMAIN = r"(?:amazonaws\.com(?:\.cn)?|api\.aws)"
_S3 = rf"(?:bucket\.vpce-[a-z0-9-]+\.)?s3(?:[.-][a-z0-9-]+){{0,3}}\.{_DOMAIN}"
_COMPOUND = re.compile(r"[A-Za-z0-9][._-][A-Za-z0-9]")
_SEPARATORS = re.compile(r"([,;|\s\"'`()]+)")
_PAIR = re.compile(r"(?P<key>-{0,2}[A-Za-z][\w.-]*=)(?P<value>.*)", re.DOTALL)
_OPTION = re.compile(r"--?[A-Za-z][\w.-]*")
_LITERAL = re.compile(r'(?P<text>"(?:[^"\\]|\\.)*")(?P<colon>\s*:)?')

_PLACE = re.compile(r"[./~]|[^:/]*://")
"""A path of a file system, or a URL that is none of AWS's: a part of it may have a store's name."""

_CHECK = "healthcheck.test"

_Form = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]


@dataclass(frozen=True, slots=True)
class StoreName:
    """How production's store is named in texts, and the clone's in its place.

    `forms` are the sure ones. `rare`: the bare name can hardly be anything else.
    """

    logical: str
    kind: str
    service: str
    old: str
    new: str
    forms: tuple[_Form, ...]
    rare: bool

    def put(self, text: str) -> str:
        """The text with the clone's store in every sure form."""
        for pattern, made in self.forms:
            text = pattern.sub(made, text)
        return text

    @property
    def what(self) -> str:
        """The store in words."""
        return f"{self.kind} {self.old!r}"

    @property
    def bare(self) -> re.Pattern[str]:
        """The name where it stands alone, between other characters than a name's."""
        return re.compile(_START + re.escape(self.old) + _END)


def store_name(
    logical: str, held: Managed, made: QueuePlan | BucketPlan, platform: Platform, taken: Iterable[str]
) -> StoreName:
    """How a managed queue or bucket is named, and its clone.

    Args:
        logical: the name of its service.
        held: production's.
        made: the clone's.
        platform: where the clone stands.
        taken: what else has a name in the topology.
    """
    queue = isinstance(made, QueuePlan)
    forms = _queue_forms(held, made) if isinstance(made, QueuePlan) else _bucket_forms(held, made, platform)
    rare = _COMPOUND.search(held.name) is not None and held.name not in set(taken)
    return StoreName(logical, "queue" if queue else "bucket", held.service, held.name, made.name, tuple(forms), rare)


def _queue_forms(held: Managed, made: QueuePlan) -> Iterator[_Form]:
    """URLs of any endpoint, also the older ones `queue.amazonaws.com`, and ARNs (SQS Developer Guide, identifiers)."""
    given = {held.options.get("url", ""): made.url, held.options.get("arn", ""): made.arn}
    given.pop("", None)
    if given:
        words = "|".join(map(re.escape, sorted(given, key=len, reverse=True)))
        yield re.compile(f"(?:{words}){_END}"), lambda match: given[match[0]]
    accounts = {each for text in given for each in re.findall(r"(?<=[/:])[0-9]{12}(?=[/:])", text)}
    owner, name = "|".join(sorted(accounts)) or "[0-9]{12}", re.escape(held.name) + _END
    host = rf"(?:[a-z0-9-]+\.){{0,3}}(?:sqs|sqs-fips|queue)(?:\.[a-z0-9-]+){{0,2}}\.{_DOMAIN}(?::443)?"
    yield (
        re.compile(rf"(?P<scheme>\bhttps?://)?{_START}(?i:{host})/(?:{owner})/{name}"),
        lambda match: made.url if match["scheme"] else made.url.removeprefix("https://"),
    )
    yield re.compile(rf"arn:aws[a-z-]*:sqs:[a-z0-9*-]*:(?:{owner}):{name}"), lambda _: made.arn
    yield re.compile(rf"(?P<scheme>(?:aws2-)?sqs://){name}"), lambda match: f"{match['scheme']}{made.name}"


def _bucket_forms(held: Managed, made: BucketPlan, platform: Platform) -> Iterator[_Form]:
    """URIs, ARNs, and the hosts that have the bucket in the name or the path (S3 User Guide, Methods for accessing)."""
    name = re.escape(held.name)
    here = f"{platform.region}.{platform.domain}"

    def endpoint(match: re.Match[str]) -> str:
        return f"s3.dualstack.{here}" if ".dualstack." in match[0].lower() else f"s3.{here}"

    yield re.compile(rf"(?P<scheme>\bs3[an]?://){name}{_END}"), lambda match: f"{match['scheme']}{made.name}"
    yield re.compile(rf"arn:aws[a-z-]*:s3:::{name}{_END}"), lambda _: made.arn
    yield (
        re.compile(rf"{_START}{name}\.{_S3}{_END}", re.IGNORECASE),
        lambda match: f"{made.name}.{endpoint(match)}",
    )
    yield (
        re.compile(rf"{_START}(?i:{_S3})(?::443)?/{name}{_END}"),
        lambda match: f"{endpoint(match)}/{made.name}",
    )


def renamed(service: Service, store: StoreName, *, edge: bool) -> tuple[Service, tuple[Change, ...]]:
    """The service with the clone's store wherever it names production's, and a Change also for what is left.

    Args:
        service: whose configuration it is.
        store: the store.
        edge: the service depends on that store.
    """
    left: dict[str, str] = {}

    def value(key: str, text: str) -> str:
        reader = _Reader(store, edge=edge)
        made = reader.value((key,), text)
        left.update({f"environment.{key}": text} if reader.unsure else {})
        return made

    def words(texts: tuple[str, ...]) -> tuple[str, ...]:
        reader = _Reader(store, edge=edge)
        made = reader.words(texts)
        place = next((place for place in ("command", "entrypoint") if getattr(service, place) == texts), _CHECK)
        left.update({place: " ".join(texts)} if reader.unsure else {})
        return made

    reason = f"the clone's own {store.kind} stands in the place of production's"
    after, changes = changed(service, value, words, reason)
    check = service.healthcheck
    if check is not None and check.test is not None and (test := words(check.test)) != check.test:
        after = replace(after, healthcheck=replace(check, test=test))
        path, before, now = f"services.{service.name}.{_CHECK}", " ".join(check.test), " ".join(test)
        changes += (Change(path, shown(before, "secret"), shown(now, "made anew"), reason, rule=service.where.place),)
    return after, (*_left(service, store, left), *changes)


def _left(service: Service, store: StoreName, places: Mapping[str, str]) -> Iterator[Change]:
    """What may name the store and is left, since that is not sure."""
    says = "QUEUE" if store.kind == "queue" else "BUCKET"
    reason = (
        f"it may name production's {store.what}, for which the clone has another, and nothing makes that sure: it is "
        f"left as it is. A URL, an ARN, or a variable whose name says {says}, becomes the clone's"
    )
    for place, text in places.items():
        said = shown(text, "secret")
        yield Change(f"services.{service.name}.{place}", said, said, reason, rule=service.where.place)


@dataclass(slots=True)
class _Reader:
    """Reads the texts of one service for one store; `unsure`: something may have been its name, and was left."""

    store: StoreName
    edge: bool
    unsure: bool = False

    def words(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        """The words of a command, each below the option before it."""
        before = ("", *texts)
        return tuple(
            self.value((option,) if _OPTION.fullmatch(option) else (), text)
            for option, text in zip(before, texts, strict=False)
        )

    def value(self, keys: tuple[str, ...], text: str) -> str:
        """A text below its keys, the innermost last."""
        return self._json(keys, text) if _is_json(text) else self._plain(keys, text)

    def _json(self, keys: tuple[str, ...], text: str) -> str:
        """JSON with each of its texts read by itself, below the key before it; all else of it stays as it is."""
        inner = keys

        def literal(match: re.Match[str]) -> str:
            nonlocal inner
            given, colon = json.loads(match["text"]), match["colon"] or ""
            made = self.value(keys if colon else inner, given)
            inner = (*keys, given) if colon else inner
            return match[0] if made == given else json.dumps(made, ensure_ascii=False) + colon

        return _LITERAL.sub(literal, text)

    def _plain(self, keys: tuple[str, ...], text: str) -> str:
        """A list of words; each may have a key of its own, by `key=` or as the option before it."""
        parts = _SEPARATORS.split(text)
        option: tuple[str, ...] = ()
        for index in range(0, len(parts), 2):
            part = parts[index]
            made = self.store.put(part)
            if made == part and "=" in part and (pair := _PAIR.fullmatch(part)):
                made = pair["key"] + self._word((*keys, pair["key"].strip("-=")), pair["value"])
            elif made == part:
                made = self._word((*keys, *option), part)
            option = (part,) if _OPTION.fullmatch(part) else ()
            parts[index] = made
        return "".join(parts)

    def _word(self, keys: tuple[str, ...], word: str) -> str:
        """One word: the bare name where that is sure."""
        store = self.store
        says, other = _meant(keys, _KEYS[store.service])
        exact = word == store.old or (store.rare and store.kind == "bucket" and word.startswith(f"{store.old}/"))
        if says and (store.rare or not other) and not _PLACE.match(word):
            return store.bare.sub(store.new, word)
        if exact and not other and (store.rare or (self.edge and word == store.old)):
            return store.new + word[len(store.old) :]
        if word == store.old or ((store.rare or says) and store.bare.search(word)):
            self.unsure = True
        return word


def _meant(keys: tuple[str, ...], store: re.Pattern[str]) -> tuple[bool, bool]:
    """Whether the innermost key that says anything says such a store, and whether it says something else."""
    for key in reversed(keys):
        says, other = store.search(key) is not None, _OTHER.search(key) is not None
        if says or other:
            return says, other
    return False, False


def _is_json(text: str) -> bool:
    if text.lstrip()[:1] not in {"{", "["}:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def named_in_files(
    services: Iterable[Service], stores: Iterable[StoreName], sources: Mapping[str, Source]
) -> Iterator[Change]:
    """A Change for each mounted file or folder that names production's stores in a sure form: files are not rewritten.

    Args:
        services: whose files are read.
        stores: the stores.
        sources: path of the commit -> what lies there.
    """
    known = tuple(stores)
    for service in services:
        found: dict[str, list[str]] = {}
        for place, path, text in mounted(service, sources):
            here = [f"{path} names the {store.what}" for store in known if store.put(text) != text]
            found.setdefault(place, []).extend(here)
        for place, each in found.items():
            if each:
                named = "; ".join(each)
                reason = f"{named}: files are not rewritten, and its task may use the clone's stores alone"
                path = f"services.{service.name}.{place}"
                yield Change(path, named, None, reason, Fidelity.MISSING, service.where.place)
