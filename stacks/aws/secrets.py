"""Secrets of tasks: each value that a definition may not show is a secret of the environment, referred to by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from understudy.errors import UsageError
from understudy.stacks import aws_names
from understudy.stacks.clone import SECRET_TOKEN
from understudy.stacks.secret_rules import SecretStore
from understudy.stacks.secret_values import token_free
from understudy.stacks.topology import Service

from .plan import SecretPlan

__all__ = ["Vault", "hold_no_tokens"]


class Vault:
    """The secrets of one environment: a value that several tasks have is one of them.

    Args:
        environment: its id.
        stores: what keeps the declared ones, by their names (`Topology.secret_stores`). A value with more in it than
            one declared secret, such as a URL, may be longer than a parameter and is a secret.
    """

    def __init__(self, environment: str, stores: Mapping[str, SecretStore] = MappingProxyType({})) -> None:
        self._environment, self._stores = environment, stores
        self._plans: dict[str, SecretPlan] = {}

    def of(self, template: str, origin: str) -> str:
        """The logical name of the secret with this value: a declared one's own, else `origin`."""
        if template not in self._plans:
            whole = re.fullmatch(SECRET_TOKEN, template)
            logical = whole[1] if whole else origin
            store = self._stores.get(logical, "secret") if whole else "secret"
            named = aws_names.parameter if store == "parameter" else aws_names.secret
            self._plans[template] = SecretPlan(logical, named(self._environment, logical), template, store)
        return self._plans[template].logical

    def split(self, service: Service) -> tuple[dict[str, str], dict[str, str]]:
        """The variables of a service that anybody may see, and variable -> secret of the others."""
        shown: dict[str, str] = {}
        kept: dict[str, str] = {}
        for key, value in service.environment.items():
            if token_free(value):
                shown[key] = value
            else:
                kept[key] = self.of(value, f"{service.name}.{key}")
        return shown, kept

    @property
    def plans(self) -> tuple[SecretPlan, ...]:
        """Every secret so far."""
        return tuple(self._plans.values())


def hold_no_tokens(service: Service) -> None:
    """Hold that no secret stands where a task definition shows it to everybody.

    Raises:
        UsageError: one does.
    """
    check = service.healthcheck
    places: Mapping[str, tuple[str, ...]] = {
        "command": service.command or (),
        "entrypoint": service.entrypoint or (),
        "healthcheck": (check.test if check else None) or (),
    }
    for place, words in places.items():
        if not all(map(token_free, words)):
            raise UsageError(
                f"The {place} of service {service.name!r} holds a secret, and ECS shows a task's {place} to everybody "
                "who may read the task definition.",
                hint=f"Put the secret into a variable, and let a shell in the {place} read it.",
            )
