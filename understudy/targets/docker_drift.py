"""What a Docker daemon shows of an environment beside its provider: containers that stopped, their limits, strays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from understudy.engine.interface import Seen
from understudy.provider.check import labels_of
from understudy.provider.settings import ProviderSettings
from understudy.stacks.identity import LABEL
from understudy.targets.interface import ContainerFacts, Noted, Observed, Owned, Stray
from understudy.targets.suite_marks import is_suite

__all__ = ["observed"]

_CONTAINER = "docker:index/container:Container"


def observed(
    seen: Sequence[Seen], facts: Iterable[ContainerFacts], owned: Iterable[Owned], guests: Iterable[Owned]
) -> Observed:
    """What was listed beside what the engine saw. Pure.

    Args:
        seen: the resources, with what their provider shows.
        facts: of the environment's containers.
        owned: what carries the environment's labels.
        guests: strangers' containers on its networks.
    """
    named = {fact.name: fact for fact in facts}
    noted = {
        each.urn: _noted(each, each.now[0], named.get(str(each.now[0].get("name") or _name(each))))
        for each in seen
        if each.type == _CONTAINER and each.now is not None
    }
    return Observed(noted, tuple(_strays(seen, owned, guests)))


def _name(seen: Seen) -> object:
    return seen.outputs.get("name") or seen.inputs.get("name")


def _noted(seen: Seen, inputs: Mapping[str, object], fact: ContainerFacts | None) -> Noted:
    """How a container stands. That one which must run does not is its provider's to say: a job's ends by itself."""
    limits = tuple(_pids(seen, fact))
    state = str(fact.facts["state"]) if fact else ""
    if inputs.get("mustRun", True) is False and seen.inputs.get("mustRun", True) is not False:
        return Noted("stopped", f"{state}, exit code {fact.facts['exit_code']}" if fact else "", limits)
    return Noted("paused" if state == "paused" else "", "", limits)


def _pids(seen: Seen, fact: ContainerFacts | None) -> Iterator[tuple[str, object, object]]:
    """The limit of processes, for which the schema has no property: declared in a label, else the provider's own."""
    if fact is None or "pids_limit" not in fact.facts:
        return
    declared = str(labels_of(seen.inputs).get(LABEL + "pids", ""))
    wanted = int(declared) if declared.isascii() and declared.isdigit() else 0
    wanted = wanted or ProviderSettings.from_environment().pids_limit
    if fact.facts["pids_limit"] != wanted:
        yield "pids limit", wanted, fact.facts["pids_limit"]


def _strays(seen: Sequence[Seen], owned: Iterable[Owned], guests: Iterable[Owned]) -> Iterator[Stray]:
    known = {str(value) for each in seen for value in (each.id, each.outputs.get("name"), each.inputs.get("name"))}
    for item in owned:
        if item.id not in known and item.name not in known and not is_suite(item.labels):
            yield Stray(item.kind.capitalize(), item.name, "it has the environment's labels")
    for item in guests:
        yield Stray(item.kind.capitalize(), item.name, "a stranger's, on a network of the environment")
