"""What production's queues and buckets name of each other: who hears of the objects of a bucket, and what cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .change import Change, Fidelity
from .topology import Managed, Service, TopologyError

__all__ = ["ABSENT", "Notification", "heard", "notifications", "without_redrive"]

ABSENT = "it is no queue of the topology"


@dataclass(frozen=True, slots=True)
class Notification:
    """A queue, by its name in production or in a plan, that hears of events; if they are given, of such keys alone."""

    queue: str
    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""


def notifications(service: Service) -> tuple[Notification, ...]:
    """Who hears of the objects of a managed bucket.

    Raises:
        TopologyError: its option `notify` is no JSON list of mappings with `queue` and `events`.
    """
    text = _options(service).get("notify", "[]")
    try:
        listed = json.loads(text)
        found = tuple(
            Notification(each["queue"], tuple(each["events"]), each.get("prefix") or "", each.get("suffix") or "")
            for each in listed
            if isinstance(each["events"], list)
        )
        texts = (text for each in found for text in (each.queue, each.prefix, each.suffix, *each.events))
        whole = len(found) == len(listed) and all(isinstance(each, str) for each in texts)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        whole, found = False, ()
    if not whole:
        said = f"the managed bucket {service.name!r} has the option notify {text[:100]!r}"
        raise TopologyError(f"{said}; a list in JSON is expected, of mappings with queue and events", service.where)
    return found


def heard(
    service: Service, hindered: Callable[[Notification], str]
) -> tuple[tuple[Notification, ...], tuple[Change, ...]]:
    """The notifications of a bucket that a clone can have, and the Change of those that it cannot.

    Args:
        service: the managed bucket.
        hindered: why a notification cannot be; empty: it can.

    Raises:
        TopologyError: see `notifications`.
    """
    every = notifications(service)
    why = {each: hindered(each) for each in every}
    kept = tuple(each for each in every if not why[each])
    lost = dict.fromkeys(f"{each.queue!r}: {why[each]}" for each in every if why[each])
    if not lost:
        return kept, ()
    reason = f"these queues hear nothing of its objects: {'; '.join(lost)}"
    path = f"services.{service.name}.managed.options.notify"
    return kept, (Change(path, _told(every), _told(kept), reason, Fidelity.MISSING, service.where.place),)


def _told(those: tuple[Notification, ...]) -> str | None:
    names = dict.fromkeys(each.queue for each in those)
    return f"tells {', '.join(names)}" if names else None


def without_redrive(service: Service, why: str) -> Iterator[Change]:
    """The Changes of a queue whose messages go to no dead-letter queue."""
    options = _options(service)
    reason = f"what was received too often stays in it, since its dead-letter queue cannot be had: {why}"
    for key in ("dead_letter", "max_receive"):
        if key in options:
            path = f"services.{service.name}.managed.options.{key}"
            yield Change(path, options[key], None, reason, Fidelity.MISSING, service.where.place)


def _options(service: Service) -> dict[str, str]:
    held = service.managed or Managed("sqs", "")
    return dict(held.options)
