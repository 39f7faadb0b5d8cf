"""The AWS package: its configuration, its names and tags, over the declarations of its types."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from understudy.errors import UsageError
from understudy.provider.check import chosen_name
from understudy.provider.diff import Change, Difference, diff
from understudy.provider.instance import Instance
from understudy.provider.package import Kind
from understudy.provider.schema import Table
from understudy.provider.shape import Failure, shape
from understudy.provider.values import has_unknown

from .access import ACCESS
from .account import Account, Aws, Clients, Record
from .balancer import BALANCER
from .clusters import CLUSTERS
from .data import DATA
from .declare import Resource
from .ecs import ECS
from .groups import GROUPS
from .network import NETWORK
from .registry import REGISTRY
from .stores import STORES

__all__ = ["RESOURCES", "VERSION", "AwsPackage"]

VERSION = "7.51.1"
"""The version of pulumi_aws whose schema this is."""

RESOURCES: tuple[Resource, ...] = (*NETWORK, *GROUPS, *BALANCER, *ECS, *STORES, *CLUSTERS, *DATA, *ACCESS, *REGISTRY)

_TAKES = frozenset(
    [
        "region",
        "defaultTags",
        "allowedAccountIds",
        "endpoints",
        "accessKey",
        "secretKey",
        "skipCredentialsValidation",
        "skipMetadataApiCheck",
        "skipRegionValidation",
        "skipRequestingAccountId",
        "s3UsePathStyle",
        "version",
        "pluginDownloadURL",
        "__internal",
    ]
)


class AwsPackage:
    """See understudy.provider.package.Package.

    Args:
        record: hears of every call that is made to AWS.
        steady: wait for services to be steady where they ask for it. Moto starts no task, so that none ever is.
        asked: is filled, for each type of resource, with the calls that were made for one: service and operation.
    """

    title = "The AWS provider of the tests"
    otherwise = "Declare it in tests/aws/provider."
    version = VERSION

    def __init__(
        self,
        record: Record = lambda *_: None,
        asked: dict[str, set[tuple[str, str]]] | None = None,
        *,
        steady: bool = False,
    ) -> None:
        self.kinds: tuple[Kind[Aws], ...] = RESOURCES
        self._by_token = {resource.token: resource for resource in RESOURCES}
        self._record = record
        self._asked = {} if asked is None else asked
        self._steady = steady
        self._clients = Clients()
        self._accounts: dict[Instance, Account] = {}

    def check_config(self, config: Mapping[str, Any]) -> tuple[Failure, ...]:
        """What this provider does not heed is refused."""
        return tuple(
            Failure(key, f"is not heeded by the provider of the tests; it takes: {', '.join(sorted(_TAKES))}")
            for key in config
            if key not in _TAKES
        )

    def configure(self, instance: Instance, config: Mapping[str, Any]) -> None:
        """Take region, default tags, endpoints and allowed accounts; the engine gives all but texts as JSON.

        Raises:
            UsageError: there is no region, or the account is none of those allowed.
            AwsError: STS does not answer.
        """
        region = config.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        if not region:
            raise UsageError("The AWS provider was configured without a region.")
        endpoints = {name: url for each in _parsed(config, "endpoints") or () for name, url in each.items()}
        tags = (_parsed(config, "defaultTags") or {}).get("tags") or {}
        account = Account(self._clients, region, tags, endpoints, self._record, self._steady)
        allowed = _parsed(config, "allowedAccountIds") or ()
        if allowed and (here := account.ask("sts", "get_caller_identity")["Account"]) not in allowed:
            raise UsageError(f"AWS account ID not allowed: {here}; allowed: {', '.join(allowed)}.")
        self._accounts[instance] = account

    def check(
        self, table: Table, logical: str, seed: bytes, inputs: dict[str, Any], olds: Mapping[str, Any]
    ) -> tuple[dict[str, Any], tuple[Failure, ...]]:
        """A name is chosen once and kept; small letters, as some names have no others."""
        name = self._by_token[table.token].name
        if name is not None and inputs.get(name.property) in (None, ""):
            fifo = ".fifo" if inputs.get("fifoQueue") is True else ""
            inputs[name.property] = olds.get(name.property) or chosen_name(logical, seed).lower() + fifo
        return inputs, tuple(shape(table.inputs, inputs))

    def diff(
        self, instance: Instance, table: Table, old: Mapping[str, Any], state: Mapping[str, Any], new: Mapping[str, Any]
    ) -> tuple[tuple[Difference, ...], bool]:
        """Texts that mean the same are no difference; default tags that changed are one of `tagsAll`.

        A successor waits for its predecessor's end where both have the same name.
        """
        resource = self._by_token[table.token]
        found = list(diff(table, self._meant(resource, old), self._meant(resource, new)))
        if resource.tagging is not None and not has_unknown(new.get("tags")):
            wanted = self._accounts[instance].tags(new)
            if "tagsAll" in state and state["tagsAll"] != wanted:
                found.append(Difference("tagsAll", Change.UPDATE, replace=False))
        name = resource.name
        return tuple(found), name is not None and old.get(name.property) == new.get(name.property)

    def call(
        self,
        instance: Instance,
        urn: str,
        stop: threading.Event,
        timeout: float,
        _abandoned: Callable[[], bool],
    ) -> Aws:
        """See Package.call."""
        kind = urn.split("::")[2].rpartition("$")[2]
        return Aws(replace(self._accounts[instance], record=partial(self._hear, kind)), stop, timeout)

    def _hear(self, kind: str, service: str, operation: str, given: Mapping[str, Any]) -> None:
        self._asked.setdefault(kind, set()).add((service, operation))
        self._record(service, operation, given)

    def _meant(self, resource: Resource, values: Mapping[str, Any]) -> dict[str, Any]:
        texts = {name: values[name] for name in resource.texts.split() if isinstance(values.get(name), str)}
        return {**values, **{name: json.dumps(json.loads(text), sort_keys=True) for name, text in texts.items()}}


def _parsed(config: Mapping[str, Any], key: str) -> Any:
    value = config.get(key)
    return json.loads(value) if isinstance(value, str) else value
