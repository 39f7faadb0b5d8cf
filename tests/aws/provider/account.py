"""The account: what one configured provider speaks to - a region, default tags, and clients that are made once."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from understudy.errors import ProvisionError

__all__ = ["PATIENCE", "Account", "Aws", "AwsError", "Clients", "Record"]

Record = Callable[[str, str, Mapping[str, Any]], None]
"""Hears of each call before it is made: its service, its operation as boto3 names it, its parameters."""

GONE = re.compile(r"NotFound|NoSuch|NonExistent|DoesNotExist|^404$")
"""The codes by which the services say that something is not there."""

BUSY = frozenset({"DependencyViolation", "ResourceInUse"})
"""The codes for which the published provider tries a deletion again (terraform-provider-aws, internal/service/ec2
and elbv2): what is in the way may be on its way out."""

PATIENCE = 10.0
"""Seconds for which a deletion is tried again, where the resource declares no `customTimeouts`."""


class AwsError(ProvisionError):
    """A call that AWS refused; `code` is AWS's."""

    def __init__(self, what: str, code: str, message: str) -> None:
        super().__init__(f"{what} failed: {code}: {message}")
        self.code = code

    @property
    def gone(self) -> bool:
        """Whether it says that something is not there."""
        return GONE.search(self.code) is not None


@functools.cache
def _session() -> boto3.session.Session:
    """One for the process: it keeps the models of the services, which take longer to read than to be used."""
    return boto3.session.Session()


class Clients:
    """The clients of a process by service, region and endpoint: making one costs more than what is asked of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[tuple[str, str, str | None], Any] = {}

    def get(self, service: str, region: str, endpoint: str | None) -> Any:
        """The client, made at its first use: to make one is not safe in two threads."""
        with self._lock:
            key = (service, region, endpoint)
            if key not in self._made:
                self._made[key] = _session().client(
                    service,
                    region_name=region,
                    endpoint_url=endpoint,
                    config=Config(retries={"mode": "standard", "total_max_attempts": 4}, max_pool_connections=64),
                )
            return self._made[key]


@dataclass(frozen=True)
class Account:
    """What the configuration of one provider names. `steady`: a service that is to be waited for is waited for."""

    clients: Clients
    region: str
    default_tags: Mapping[str, str] = field(default_factory=dict)
    endpoints: Mapping[str, str] = field(default_factory=dict)
    record: Record = lambda *_: None
    steady: bool = False

    def tags(self, inputs: Mapping[str, Any]) -> dict[str, str]:
        """All tags of a resource: the provider's, and over them its own."""
        return {**self.default_tags, **(inputs.get("tags") or {})}

    def ask(self, service: str, operation: str, region: str = "", /, **parameters: Any) -> dict[str, Any]:
        """Make a call; parameters that are None are left out.

        Raises:
            AwsError: it was refused.
        """
        client = self.clients.get(service, region or self.region, self.endpoints.get(service))
        given = {name: value for name, value in parameters.items() if value is not None}
        self.record(service, operation, given)
        try:
            return dict(getattr(client, operation)(**given) or {})
        except ClientError as error:
            said = error.response["Error"]
            raise AwsError(f"{service}.{operation}", said["Code"], said.get("Message", "")) from error
        except BotoCoreError as error:
            raise AwsError(f"{service}.{operation}", type(error).__name__, str(error)) from error


@dataclass(frozen=True)
class Aws:
    """One call of the engine: where its resource is, and what ends it early."""

    account: Account
    stop: threading.Event
    timeout: float = 0.0
    region: str = ""

    def __call__(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """See Account.ask."""
        return self.account.ask(service, operation, self.region, **parameters)

    def patiently(self, work: Callable[[], object]) -> None:
        """Do it, and again for as long as something is in its way, up to the call's time."""
        left, pause = self.timeout or PATIENCE, 0.05
        while True:
            try:
                work()
            except AwsError as error:
                if error.code not in BUSY or left <= 0 or self.stop.wait(pause):
                    raise
            else:
                return
            left, pause = left - pause, min(pause * 2, 1.0)
