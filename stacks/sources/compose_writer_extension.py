"""`x-understudy` of a topology: secrets, third parties, endpoints, profiles and suites, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from understudy.stacks.endpoints import scheme_of
from understudy.stacks.profile import Profile, ServiceProfile
from understudy.stacks.secret_rules import HEX
from understudy.stacks.topology import External, Suite, Topology

__all__ = ["extension", "number"]

Document = dict[str, object]


def extension(topology: Topology) -> Document:
    """The mapping below `x-understudy`; empty where the topology says nothing of it."""
    found: Document = {
        "secrets": _secrets(topology),
        "externals": {name: _external(external) for name, external in topology.externals.items()},
        "endpoints": [f"{service}:{port}" for service, port in topology.endpoints],
        "profiles": {name: _profile(profile) for name, profile in topology.profiles.items()},
        "tests": {suite.name: _suite(suite) for suite in topology.suites},
    }
    return {key: value for key, value in found.items() if value}


def number(value: float) -> str:
    """A number without an exponent."""
    return format(Decimal(repr(float(value))).normalize(), "f")


def _present(given: Mapping[str, object]) -> Document:
    return {key: value for key, value in given.items() if value is not None}


def _secrets(topology: Topology) -> object:
    """A list of names, or a mapping where more is said of one of them."""
    if not topology.secret_rules and not topology.secret_stores:
        return list(topology.secrets)
    found: Document = {}
    for name in topology.secrets:
        rule, store = topology.secret_rules.get(name, HEX), topology.secret_stores.get(name)
        given = {"length": rule.length, "alphabet": rule.alphabet, "format": rule.format, "on_aws": store}
        found[name] = {key: value for key, value in given.items() if value not in {None, ""}} or None
    return found


def _external(external: External) -> Document:
    return _present(
        {
            "host": external.host,
            "port": external.port,
            "scheme": None
            if external.scheme == "http" and scheme_of(external.port, "service") != "https"
            else external.scheme,
            "mock": external.mock,
            "allow": external.allow or None,
        }
    )


def _sizes(profile: Profile | ServiceProfile) -> Document:
    return _present(
        {
            "replicas": profile.replicas,
            "cpus": None if profile.cpus is None else number(profile.cpus),
            "memory": None if profile.memory is None else str(profile.memory),
        }
    )


def _profile(profile: Profile) -> Document:
    found = _sizes(profile) | {
        "network": profile.network,
        "without": list(profile.without),
        "services": {name: _sizes(single) for name, single in profile.services.items()},
    }
    return {key: value for key, value in found.items() if value}


def _suite(suite: Suite) -> Document:
    return _present(
        {
            "command": list(suite.command),
            "folder": suite.folder,
            "timeout": number(suite.timeout) + "s",
            "python": suite.python,
            "image": suite.image,
            "needs": [str(need) for need in suite.needs] or None,
            "retries": suite.retries or None,
            "inputs": None if suite.inputs is None else list(suite.inputs),
            "workers": suite.workers,
            "environment": dict(suite.environment) or None,
        }
    )
