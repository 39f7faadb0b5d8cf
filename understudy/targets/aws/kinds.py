"""What a kind of AWS object is to us: how it is found beside the tagging API, looked at again, and removed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from understudy.aws_failures import Why, failure_of
from understudy.targets.aws.session import AwsSession
from understudy.targets.interface import Owned

__all__ = ["Kind", "Together", "batches", "each", "labels_of", "may_be_ours"]

_NAMED = re.compile(r"e[a-z2-7]{10}[-_]")
"""How the name of everything of an environment begins (`stacks.identity.environment_id`)."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Together:
    """The last step of a removal, taken for at most `size` objects by one request.

    `end` takes their ids and gives those that AWS did not take, each with its reason.
    """

    size: int
    end: Callable[[AwsSession, Sequence[str]], Mapping[str, str]]


@dataclass(frozen=True)
class Kind:
    """One kind of object.

    `arn` matches the end of its ARNs after the account; the group that matches is its id, without one the whole ARN is.
    `candidates` gives ids that may be ours, beside those that the tagging API knows: of an environment, or of all.
    `look` describes ids again, with their tags; what is gone is left out. `remove` begins a removal, which `look` sees
    the end of; `together` comes after it. `everywhere`: it belongs to the account, and is listed in every region.
    """

    name: str
    service: str
    arn: str
    candidates: Callable[[AwsSession, str | None], Iterable[str]]
    look: Callable[[AwsSession, Sequence[str]], Iterable[Owned]]
    remove: Callable[[AwsSession, Owned], None]
    everywhere: bool = False
    together: Together | None = None

    def id_of(self, arn: str) -> str | None:
        """The id of an object of this kind by its ARN; None: it is of another."""
        parts = arn.split(":", 5)
        if len(parts) < 6 or parts[2] != self.service:  # noqa: PLR2004 - arn:partition:service:region:account:rest
            return None
        found = re.fullmatch(self.arn, parts[5])
        if found is None:
            return None
        return found[found.lastindex] if found.lastindex else arn


def labels_of(tags: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    """Tags as labels, from any service's spelling: `Key` and `Value`, `key` and `value`."""
    return {str(tag.get("Key", tag.get("key"))): str(tag.get("Value", tag.get("value", ""))) for tag in tags or ()}


def may_be_ours(name: str, environment: str | None) -> bool:
    """Whether a name is one that an environment's object has; it says what to look at, never whose it is."""
    return bool(_NAMED.match(name)) and (environment is None or name.startswith(environment))


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in their order, at most `size` at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))


def each(ask: Callable[[str], R], ids: Iterable[str]) -> Iterator[R]:
    """What AWS answers about each id, asked one by one: in a batch, one that is gone would fail them all.

    Raises:
        botocore.exceptions.ClientError: AWS refused, for another reason than that it is gone.
    """
    from botocore.exceptions import ClientError

    for ident in ids:
        try:
            yield ask(ident)
        except ClientError as error:
            if failure_of(error).why is not Why.GONE:
                raise
