"""A declaration: what one type of resource is in terms of AWS's calls; everything else is the same for all."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from understudy.provider.schema import Rule, Table
from understudy.provider.status import NotReadyError

from .account import Aws, AwsError
from .schema import table
from .tagging import Tagging

__all__ = ["Given", "Name", "Resource", "seen", "sent"]

Given = Mapping[str, Any]
"""Properties by the SDK's names; `tagsAll` holds the tags to set."""


def sent(given: Given, fields: Mapping[str, str]) -> dict[str, Any]:
    """Properties under the API's names, those that are not given left out."""
    return {theirs: given[ours] for ours, theirs in fields.items() if given.get(ours) is not None}


def seen(answer: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    """An answer under the SDK's names."""
    return {ours: answer[theirs] for ours, theirs in fields.items() if answer.get(theirs) is not None}


@dataclass(frozen=True)
class Name:
    """The property that names a resource in its account; where the program gives none, one is chosen."""

    property: str
    rule: Rule


def _nothing(_aws: Aws, _id: str, _old: Given, _new: Given) -> None:
    """The change of a resource on which only tags and settings of the provider itself change in place."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One type.

    Attributes:
        token: Its type token.
        takes: The properties that are heeded, as words; any other is refused.
        replaces: Those whose change makes a new resource, as words; "*": all that are not `settles`.
        settles: With "*", those that change in place.
        make: Creates it, and gives its id.
        look: What there is now, under the SDK's names; None, or AWS's word for it, when it is gone.
        drop: Deletes it. It is given the state.
        change: Changes it in place: old and new inputs.
        name: What names it.
        tagging: How it is tagged; None: it has no tags.
        outputs: What only AWS knows, as words.
        texts: Properties that are JSON, as words: what means the same is no difference.
    """

    token: str
    takes: str
    make: Callable[[Aws, Given], str]
    look: Callable[[Aws, str, Given], dict[str, Any] | None]
    drop: Callable[[Aws, str, Given], object]
    replaces: str = "*"
    settles: str = ""
    change: Callable[[Aws, str, Given, Given], object] = field(default=_nothing)
    name: Name | None = None
    tagging: Tagging | None = None
    outputs: str = "arn"
    texts: str = ""

    @functools.cached_property
    def table(self) -> Table:
        """See Kind."""
        takes = {*self.takes.split(), *(["tags"] if self.tagging else [])}
        fixed = takes - {*self.settles.split(), "tags"} if self.replaces == "*" else set(self.replaces.split())
        rules = {self.name.property: self.name.rule} if self.name else {}
        outputs = (*self.outputs.split(), *(["tagsAll"] if self.tagging else []))
        return replace(table(self.token, takes, fixed, rules), outputs=outputs)

    def create(self, aws: Aws, inputs: Given) -> tuple[str, dict[str, Any]]:
        """See Kind.create; what was made and cannot be looked at is recorded, as it may exist."""
        aws = replace(aws, region=inputs.get("region", ""))
        made = self.make(aws, {**inputs, "tagsAll": aws.account.tags(inputs) if self.tagging else {}})
        try:
            return made, self._state(aws, made, inputs) or _vanished(self.token, made)
        except AwsError as error:
            raise NotReadyError(str(error), made, dict(inputs)) from error

    def read(self, aws: Aws, object_id: str, inputs: Given) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """See Kind.read; an input that AWS shows otherwise is what AWS shows."""
        aws = replace(aws, region=inputs.get("region", ""))
        state = self._state(aws, object_id, inputs)
        if state is None:
            return None
        now = {name: state.get(name, value) for name, value in inputs.items()}
        if self.tagging:
            ours, defaults = inputs.get("tags") or {}, aws.account.default_tags
            shown = state["tagsAll"].items()
            now["tags"] = {key: value for key, value in shown if key in ours or defaults.get(key) != value}
        return now, state

    def update(self, aws: Aws, object_id: str, old: Given, new: Given) -> dict[str, Any]:
        """See Kind.update: the resource itself first, then its tags."""
        aws = replace(aws, region=new.get("region", ""))
        if any(old.get(name) != new.get(name) for name in {*old, *new} - {"tags"}):
            self.change(aws, object_id, old, new)
        state = self._state(aws, object_id, new) or _vanished(self.token, object_id)
        if self.tagging:
            wanted, shown = aws.account.tags(new), state["tagsAll"]
            self.tagging.set(aws, object_id, state, wanted, tuple(shown.keys() - wanted.keys()))
            state["tagsAll"] = wanted
        return state

    def delete(self, aws: Aws, object_id: str, state: Given) -> None:
        """See Kind.delete."""
        aws = replace(aws, region=state.get("region", ""))
        try:
            aws.patiently(lambda: self.drop(aws, object_id, state))
        except AwsError as error:
            if not error.gone:
                raise

    def _state(self, aws: Aws, object_id: str, inputs: Given) -> dict[str, Any] | None:
        try:
            found = self.look(aws, object_id, inputs)
            if found is None:
                return None
            state = {**inputs, **found}
            if self.tagging:
                state["tagsAll"] = self.tagging.get(aws, object_id, state)
        except AwsError as error:
            if error.gone:
                return None
            raise
        return state


def _vanished(token: str, object_id: str) -> dict[str, Any]:
    raise AwsError(f"Looking at {token} {object_id}", "NotFound", "it was just made or changed")
