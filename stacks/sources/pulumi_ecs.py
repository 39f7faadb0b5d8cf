"""Services of ECS: their task definitions' containers, their secrets by name, their names and their count."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from understudy.stacks.change import Change, Fidelity
from understudy.stacks.topology import Kind, NetworkLink

from .ecs_container import Definition, service_of
from .ecs_task import Together, dependencies, differences, together
from .kinds import kind_of_image
from .pulumi_found import Found
from .pulumi_managed import network_of
from .pulumi_resources import SECRET, Resource, State
from .pulumi_routes import publish

__all__ = ["MAPPERS", "SECRET_TYPE", "host_names"]

SERVICE, TASK = "aws:ecs/service:Service", "aws:ecs/taskDefinition:TaskDefinition"
SECRET_TYPE, PARAMETER = "aws:secretsmanager/secret:Secret", "aws:ssm/parameter:Parameter"
VERSION = "aws:secretsmanager/secretVersion:SecretVersion"
SCALING = "aws:appautoscaling/target:Target"


def _service(resource: Resource, state: State, found: Found) -> None:
    task = state.behind(resource, "taskDefinition", resource.inputs.get("taskDefinition"), TASK)
    if task is None:
        found.leave_out(
            f"services.{resource.name}", "ECS service", f"its task definition is not in the stack ({resource.urn})"
        )
        return
    definitions = _definitions(task, f"services.{resource.name}", found)
    if not definitions:
        return
    main = _main(resource, definitions)
    stand = together(definitions, main)
    network = network_of(resource, state)
    count = _count(resource, state, found)
    names = {d.name: found.free_name(resource.name if d is main else f"{resource.name}-{d.name}") for d in definitions}
    aliases = dict.fromkeys(host_names(resource, state))
    if stand.owner != stand.main:
        aliases = dict.fromkeys((names[main.name], *aliases))
    links = {name: NetworkLink(network) for name in stand.apart} | {stand.owner: NetworkLink(network, tuple(aliases))}
    for definition in sorted(definitions, key=lambda d: d is not main):
        name = names[definition.name]
        secrets = dict(_secrets(definition, name, task, state, found))
        service = service_of(name, definition, secrets, found)
        service = replace(
            service,
            kind=_kind(definition, stand),
            networks=(links[definition.name],) if definition.name in links else (),
            network_of=None if definition.name in links else names[stand.owner],
            replicas=max(1, count),
            depends_on=tuple(dependencies(definition, names)),
        )
        found.add(service, *((resource.urn,) if definition is main else ()))
        for change in differences(definition, names, stand.apart):
            found.record(change)
    found.ahead[names[main.name]] = tuple(names[d.name] for d in definitions if d.name in stand.ahead)
    mode = task.text("networkMode")
    if mode in {"bridge", "none"} and len(definitions) > 1:
        reason = "in a clone the containers of a task share one network; there each has its own"
        found.record(Change(f"services.{names[main.name]}.network_mode", mode, "shared by its task", reason))
    platform = task.get("runtimePlatform")
    if isinstance(platform, Mapping) and platform.get("cpuArchitecture") not in {None, "X86_64"}:
        reason = "a clone runs on the processors of its target, in what the image has for them"
        found.leave_out(f"services.{names[main.name]}.platform", platform["cpuArchitecture"], reason)
    publish(resource, names, names[main.name], state, found)
    used = [found.of_urn[r.urn] for r in _used(resource, task, state) if r.urn in found.of_urn]
    found.depend(names[main.name], *used)


def _kind(definition: Definition, stand: Together) -> Kind:
    """The kind of a container's service: a proxy beside the main container is none that tests come in by."""
    if definition.name in stand.jobs:
        return "job"
    kind = kind_of_image(str(definition.properties["image"]))
    return "service" if kind == "gateway" and definition.name != stand.main else kind


def _count(resource: Resource, state: State, found: Found) -> int:
    """How many production has: what it is scaled down to at least, where it is scaled by load, else what it wants."""
    path = f"services.{resource.name}.replicas"
    scaled = next((target for target in state.of(SCALING) if _scales(target, resource, state)), None)
    if scaled is not None and isinstance(lowest := scaled.get("minCapacity"), int | float):
        count, highest = int(lowest), scaled.get("maxCapacity")
        reason = "nothing scales a clone by load: it has the least that production has"
        text = f"{count} to {highest:g}" if isinstance(highest, int | float) else f"from {count}"
        found.record(Change(path, text, str(max(1, count)), reason, Fidelity.SCALED))
        return count
    wanted = resource.inputs.get("desiredCount")
    if wanted == 0:
        found.leave_out(path, "0", "a clone runs one of each service that it has")
    return int(wanted) if isinstance(wanted, int | float) else 1


def _scales(target: Resource, service: Resource, state: State) -> bool:
    """Whether Application Auto Scaling sets the service's count (its resource id is `service/CLUSTER/SERVICE`)."""
    if target.text("scalableDimension") != "ecs:service:DesiredCount":
        return False
    cluster = (service.text("cluster") or "default").rpartition("/")[2]
    name = service.text("name") or service.name
    return service in state.depended(target, "resourceId") or target.text("resourceId") == f"service/{cluster}/{name}"


def _scaling(target: Resource, state: State, found: Found) -> None:
    """A target is read with its service."""
    if not any(_scales(target, service, state) for service in state.of(SERVICE)):
        found.warn(f"{target.urn}: it scales no service of the stack: left out")


def _definitions(task: Resource, path: str, found: Found) -> tuple[Definition, ...]:
    text = task.get("containerDefinitions")
    if not isinstance(text, str):
        reason = f"its container definitions are one secret of the stack, which is not decrypted ({task.urn})"
        found.leave_out(path, SECRET, reason)
        return ()
    try:
        return tuple(Definition.of(entry, task) for entry in json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        found.leave_out(
            path, "container definitions", f"they are none that ECS takes: {type(error).__name__} ({task.urn})"
        )
        return ()


def _main(resource: Resource, definitions: tuple[Definition, ...]) -> Definition:
    """The container that the service is known by: the one behind its load balancer, else the first essential one."""
    balanced = {b.get("containerName") for b in resource.inputs.get("loadBalancers") or () if isinstance(b, Mapping)}
    ranked = sorted(definitions, key=lambda d: (d.name not in balanced, not d.essential))
    return ranked[0]


def _secrets(
    definition: Definition, name: str, task: Resource, state: State, found: Found
) -> Iterator[tuple[str, str]]:
    """Environment key -> the token of a declared secret, or the plain text of an SSM parameter that is no secret."""
    for entry in definition.given("secrets"):
        key, source = str(entry.get("name")), str(entry.get("valueFrom"))
        resource, arn, field = _behind(source, task, state)
        if resource is not None and resource.type == PARAMETER and resource.text("type") in {"String", "StringList"}:
            value = resource.text("value")
            if value is not None:
                yield key, value
                continue
        parameter = ":secretsmanager:" not in arn if resource is None else resource.type == PARAMETER
        origin = f"{resource.urn if resource else arn}#{field}"
        yield key, found.secret(origin, key, name, store="parameter" if parameter else "secret")


def _behind(source: str, task: Resource, state: State) -> tuple[Resource | None, str, str]:
    """The secret or parameter that `valueFrom` names, its ARN or name, and the key in its JSON (`arn:...:key::`)."""
    parts = source.split(":")
    arn = ":".join(parts[:7]) if source.startswith("arn:") and ":secret:" in source else source
    field = parts[7] if arn != source and len(parts) > 7 else ""  # noqa: PLR2004 - the parts of an ARN, then the key
    found = state.behind(task, "", arn, SECRET_TYPE, PARAMETER, VERSION)
    if found is not None and found.type == VERSION:
        found = state.behind(found, "secretId", found.inputs.get("secretId"), SECRET_TYPE) or found
    return found, arn, field


def host_names(resource: Resource, state: State) -> Iterator[str]:
    """The names under which others call the service: of Service Connect, and of service discovery."""
    connect = resource.inputs.get("serviceConnectConfiguration")
    for service in connect.get("services") or () if isinstance(connect, Mapping) else ():
        aliases = service.get("clientAlias") or service.get("clientAliases") or ()
        for alias in aliases if isinstance(aliases, list) else (aliases,):
            if isinstance(alias, Mapping) and alias.get("dnsName"):
                yield str(alias["dnsName"])
        if service.get("discoveryName"):
            yield str(service["discoveryName"])
    registries = resource.inputs.get("serviceRegistries")
    if isinstance(registries, Mapping):
        kind = "aws:servicediscovery/service:Service"
        registry = state.behind(resource, "serviceRegistries", registries.get("registryArn"), kind)
        if registry is not None and (name := registry.text("name")):
            spaces = [r.text("name") for r in state.depended(registry) if "DnsNamespace" in r.type]
            yield from (f"{name}.{space}" for space in spaces if space)


def _used(resource: Resource, task: Resource, state: State) -> list[Resource]:
    """What the service's program uses: what its task depends on, and what is in the secrets that it is given.

    The version of a secret, not the secret, depends on what its value comes from.
    """
    direct = [*state.depended(resource, "dependencies"), *state.reached(*state.depended(task))]
    secrets = {r.urn for r in direct if r.type == SECRET_TYPE}
    versions = [
        version
        for version in state.of(VERSION)
        if (owner := state.behind(version, "secretId", version.inputs.get("secretId"), SECRET_TYPE))
        and owner.urn in secrets
    ]
    return [*direct, *state.reached(*versions)]


def _secret(resource: Resource, state: State, found: Found) -> None:
    """A secret is read where a container gets it by name."""
    readers = [task for task in state.of(TASK) if resource in state.depended(task, "containerDefinitions")]
    if not readers:
        found.warn(f"{resource.urn}: no container is given this secret: left out")


MAPPERS: Mapping[str, Callable[[Resource, State, Found], None]] = {
    SERVICE: _service,
    SECRET_TYPE: _secret,
    PARAMETER: _secret,
    SCALING: _scaling,
}
