"""How load balancers reach a service of ECS: listeners as published ports, rules as routes on the record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from understudy.stacks.change import Change, Fidelity
from understudy.stacks.topology import Port

from .pulumi_found import Found
from .pulumi_resources import Resource, State

__all__ = ["MAPPERS", "publish"]

_BALANCERS = ("aws:lb/", "aws:alb/")
_GROUPS, _LISTENERS, _RULES = (
    tuple(kind + name for kind in _BALANCERS)
    for name in ("targetGroup:TargetGroup", "listener:Listener", "listenerRule:ListenerRule")
)
_CONDITIONS = {"hostHeader": "host", "pathPattern": "path", "httpRequestMethod": "method", "sourceIp": "from"}


def publish(resource: Resource, names: Mapping[str, str], main: str, state: State, found: Found) -> None:
    """Publish the ports on which load balancers listen for a service, and put the routes to it on the record.

    Args:
        resource: the service's.
        names: container -> the service that it became.
        main: the service of the container that is taken where one is named that is not there.
        state: has the target groups, listeners and rules.
        found: has the services, and takes the ports and the record.
    """
    ports: dict[str, list[Port]] = {}
    for balanced in resource.inputs.get("loadBalancers") or ():
        if not isinstance(balanced, Mapping):
            continue
        name = names.get(str(balanced.get("containerName")), main)
        target = int(balanced.get("containerPort") or 80)
        own = ports.setdefault(name, [])
        group = state.behind(resource, "loadBalancers", balanced.get("targetGroupArn"), *_GROUPS)
        listeners = () if group is None else tuple(_listeners(group, name, target, state, found))
        for listener in listeners:
            own.append(Port(target, str(int(listener.get("port") or 80))))
            if listener.get("protocol") in {"HTTPS", "TLS"}:
                reason = "the load balancer ends TLS; tests reach the service itself"
                found.record(Change(f"services.{name}.tls", "HTTPS", "HTTP", reason, Fidelity.CHANGED))
        if not listeners:
            own.append(Port(target))
    for name, own in ports.items():
        service = found.services[name]
        expose = tuple(port for port in service.expose if port.target not in {p.target for p in own})
        found.services[name] = replace(service, ports=tuple(dict.fromkeys(own)), expose=expose)
        reason = "a clone publishes the service itself; rules of hosts and paths are not cloned"
        found.record(Change(f"services.{name}.ports", "load balancer", "service", reason, Fidelity.CHANGED))


def _listeners(group: Resource, name: str, target: int, state: State, found: Found) -> Iterator[Resource]:
    """The listeners that send to a target group, by themselves or by a rule, which goes on the record."""
    for listener in state.of(*_LISTENERS):
        if _forwards(listener, "defaultActions", group, state):
            yield listener
    for rule in state.of(*_RULES):
        if _forwards(rule, "actions", group, state):
            behind = state.behind(rule, "listenerArn", rule.inputs.get("listenerArn"), *_LISTENERS)
            if behind is not None:
                reason = "a clone publishes the service itself, and no route leads to it"
                production = f"port {int(behind.get('port') or 80)}, {_route(rule)}"
                path = f"services.{name}.routes.{rule.name}"
                found.record(Change(path, production, f"{name}:{target}", reason, Fidelity.CHANGED))
                state.memory.setdefault("routes", set()).add(rule.urn)
                yield behind


def _forwards(resource: Resource, key: str, group: Resource, state: State) -> bool:
    """Whether the actions forward to the target group."""
    arn = group.text("arn") or group.id
    named = bool(arn) and arn in json.dumps(resource.inputs.get(key), default=str)
    return named or group in state.depended(resource, key)


def _route(rule: Resource) -> str:
    """A rule's conditions in words: `host shop.example, path /api/* or /v1/*`."""
    words: list[str] = []
    for condition in rule.inputs.get("conditions") or ():
        for key, given in condition.items() if isinstance(condition, Mapping) else ():
            values = given.get("values") if isinstance(given, Mapping) else None
            if isinstance(values, list) and values:
                words.append(f"{_CONDITIONS.get(key, key)} {' or '.join(map(str, values))}")
            elif given:
                words.append(f"{key} {json.dumps(given, default=str, sort_keys=True)}")
    return ", ".join(words) or "whatever is asked"


def _rule(resource: Resource, state: State, found: Found) -> None:
    """A rule is read with the service that it leads to; one that leads to none is left out."""
    if resource.urn not in state.memory.get("routes", ()):
        reason = f"it leads to no service of the stack ({resource.urn})"
        found.leave_out(f"resources.{resource.name}", _route(resource), reason)


MAPPERS: Mapping[str, Callable[[Resource, State, Found], None]] = dict.fromkeys(_RULES, _rule)
