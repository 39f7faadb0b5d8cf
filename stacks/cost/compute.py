"""Fargate: processors, memory, disk beyond the free part and public addresses of a service's tasks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from .charges import Charge, Charges, Declared, How, Remark, World, choice, number, text, units

__all__ = ["SERVICE", "TASK", "names_of_task", "service", "task"]

SERVICE = "aws:ecs/service:Service"
TASK = "aws:ecs/taskDefinition:TaskDefinition"

FREE_DISK = 20
"""GB of disk that each task has without a charge (AWS Fargate pricing)."""

_UNIT = 1024
"""Units of one processor, and MiB of one GB (Amazon ECS API Reference, RegisterTaskDefinition)."""

_SPOT = "FARGATE_SPOT"
_SPOT_NOTE = "Spot has no fixed price: at most the price on demand"


def names_of_task(definition: Declared) -> Iterable[str]:
    """What a service may name a task definition by: its name here, its family, its ids."""
    return (definition.name, text(definition.inputs.get("family")), *definition.ids)


def service(declared: Declared, world: World) -> Charges:
    """What the tasks of an ECS service are charged for."""
    inputs = declared.inputs
    count, known = number(inputs.get("desiredCount")), "desired count"
    if text(inputs.get("schedulingStrategy")) == "DAEMON":
        count, known = None, "count of tasks, one on each instance,"
    if count is None:
        yield Remark(How.UNKNOWN, "tasks", f"the {known} is not known from the inputs")
        return
    spot = _on_spot(inputs, count)
    if spot is None:
        yield Remark(How.UNKNOWN, "tasks", "they are not known to run on Fargate")
        return
    definition = _definition(inputs.get("taskDefinition"), world)
    if definition is None:
        yield Remark(How.UNKNOWN, "tasks", "the task definition that it names is none of the stack's")
    else:
        yield from _tasks(definition.inputs, count, spot)
    yield from _addresses(inputs.get("networkConfiguration"), count)


def task(declared: Declared, world: World) -> Charges:
    """A task definition is priced with the service that runs it; without one it is run when a command asks."""
    served = any(
        each.type == SERVICE and _definition(each.inputs.get("taskDefinition"), world) is declared
        for each in world.resources
    )
    if served:
        yield Remark(How.FREE, "task definition", "its tasks are priced with the service")
    else:
        yield Remark(How.USAGE, "task", "it is charged for as long as a command runs it")


def _definition(said: object, world: World) -> Declared | None:
    """The task definition of a family, `family:revision`, ARN, or whatever else it is named by."""
    called = text(said)
    family = re.sub(r":[0-9]+$", "", called.rpartition("task-definition/")[2])
    found = world.named.get(called) or world.named.get(family)
    return found if found is not None and found.type == TASK else None


def _on_spot(inputs: Mapping[str, object], count: float) -> float | None:
    """How many of the tasks are on Fargate Spot: of each strategy its base first, the rest by weight.

    None: they are not known to run on Fargate, or nothing says where the rest runs (Amazon ECS API Reference,
    CapacityProviderStrategyItem).
    """
    strategies = inputs.get("capacityProviderStrategies")
    if not isinstance(strategies, (list, tuple)) or not strategies:
        return 0.0 if text(inputs.get("launchType")) == "FARGATE" else None
    bases: dict[str, float] = {}
    weights: dict[str, float] = {}
    rest = count
    for each in strategies:
        provider = text(each.get("capacityProvider")) if isinstance(each, Mapping) else ""
        if provider not in {"FARGATE", _SPOT}:
            return None
        bases[provider] = min(number(each.get("base")) or 0.0, rest)
        weights[provider] = number(each.get("weight")) or 0.0
        rest -= bases[provider]
    total = sum(weights.values())
    if rest and not total:
        return None
    return bases.get(_SPOT, 0.0) + (rest * weights.get(_SPOT, 0.0) / total if total else 0.0)


def _tasks(inputs: Mapping[str, object], count: float, spot: float) -> Charges:
    platform = inputs.get("runtimePlatform")
    platform = platform if isinstance(platform, Mapping) else {}
    system = text(platform.get("operatingSystemFamily")) or "LINUX"
    kind = (text(platform.get("cpuArchitecture")) or "X86_64").lower() if system == "LINUX" else system.lower()
    note = f"{_SPOT_NOTE}; {spot:g} of {count:g} tasks" if spot else ""
    for what, price, each in (
        ("vCPU", "vcpu", units(inputs.get("cpu"), "vcpu", _UNIT)),
        ("memory", "memory", units(inputs.get("memory"), "gb", _UNIT)),
    ):
        if each is None:
            yield Remark(How.UNKNOWN, f"Fargate {what}", f"the task definition names no {what} of the task")
        else:
            yield Charge(f"Fargate {what}", f"fargate/{price}/{kind}", each * count, bool(spot), note)
    disk = inputs.get("ephemeralStorage")
    size = number(disk.get("sizeInGib")) if isinstance(disk, Mapping) else FREE_DISK
    if size is None:
        yield Remark(How.UNKNOWN, "Fargate disk", "the size of its disk is not known")
    elif size > FREE_DISK:
        yield Charge("Fargate disk", "fargate/disk", (size - FREE_DISK) * count)


def _addresses(network: object, count: float) -> Charges:
    given = network.get("assignPublicIp") if isinstance(network, Mapping) else None
    public = choice(given, default=False)
    if public is None:
        yield Remark(How.UNKNOWN, "public IPv4", "whether tasks have a public address is not known")
    elif public:
        yield Charge("public IPv4", "ipv4", count)
