"""The contract with tests: where an environment answers, as variables and as one JSON document."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from understudy.errors import UsageError
from understudy.stacks.endpoints import variable, variable_name

__all__ = [
    "BOX_VARIABLES",
    "HOST_VARIABLES",
    "RESERVED",
    "Contract",
    "EndpointAddress",
    "box_environment",
    "check_names",
    "host_environment",
]

HOST_VARIABLES = frozenset(
    {
        "CI",
        "COLORTERM",
        "CURL_CA_BUNDLE",
        "HOME",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "LOGNAME",
        "NO_COLOR",
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONUTF8",
        "REQUESTS_CA_BUNDLE",
        "SHELL",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TEMP",
        "TERM",
        "TMP",
        "TMPDIR",
        "TZ",
        "USER",
        "VIRTUAL_ENV",
    }
)
"""The host's variables that a suite gets, with every `LC_*`. No other: a token or passphrase never reaches a test."""

BOX_VARIABLES = frozenset({"CI", "COLORTERM", "NO_COLOR", "PYTHONDONTWRITEBYTECODE", "PYTHONUTF8"})
"""The host's variables that a suite in a container gets: none that names a place or a setting of this machine."""

RESERVED = ("UNDERSTUDY_", "PULUMI_")
"""Prefixes of names that a suite's own `environment` may not set."""

_AUTHORITY = "UNDERSTUDY_CA_FILE"


@dataclass(frozen=True, slots=True)
class EndpointAddress:
    """A port of a service as production knows it, and the host and port where tests reach it."""

    service: str
    port: int
    host: str
    host_port: int
    scheme: str = "tcp"

    @property
    def url(self) -> str:
        """`scheme://host:port`, an IPv6 address in brackets (RFC 3986, section 3.2.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.host_port}"


@dataclass(frozen=True, slots=True)
class Contract:
    """What a suite is told: the environment's id, its endpoints, and the values of secrets made anew (by rule).

    `authority` is the certificate (PEM) that the mocks which speak HTTPS are verified with; empty: none does.
    """

    environment: str
    endpoints: tuple[EndpointAddress, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    authority: str = ""

    def variables(self, document: str, authority: str = "") -> dict[str, str]:
        """The environment variables of the contract; `document` and `authority` are the paths of those files.

        Raises:
            UsageError: two endpoints or secrets come to the same name.
        """
        check_names(((e.service, e.port) for e in self.endpoints), self.secrets)
        values = {"UNDERSTUDY_ENVIRONMENT": self.environment, "UNDERSTUDY_CONTRACT": document}
        for endpoint in self.endpoints:
            stem = variable_name(endpoint.service, endpoint.port)
            values[f"{stem}_HOST"] = endpoint.host
            values[f"{stem}_PORT"] = str(endpoint.host_port)
            values[f"{stem}_URL"] = endpoint.url
        if self.authority:
            values[_AUTHORITY] = authority
        values.update({variable("SECRET", rule): value for rule, value in self.secrets.items()})
        return values

    def document(self, authority: str = "") -> dict[str, object]:
        """The contract as JSON-ready data: `endpoints` by `<service>:<port>`, `secrets` by rule, `ca_file`."""
        return {
            "schema": 1,
            "environment": self.environment,
            "endpoints": {
                f"{e.service}:{e.port}": {
                    "service": e.service,
                    "port": e.port,
                    "scheme": e.scheme,
                    "host": e.host,
                    "host_port": e.host_port,
                    "url": e.url,
                }
                for e in self.endpoints
            },
            "secrets": dict(self.secrets),
            "ca_file": authority if self.authority else None,
        }


def check_names(endpoints: Iterable[tuple[str, int]], rules: Iterable[str]) -> None:
    """Hold that every endpoint (service, port) and every secret's rule has variable names of its own.

    Raises:
        UsageError: two come to the same name.
    """
    taken = dict.fromkeys(("UNDERSTUDY_ENVIRONMENT", "UNDERSTUDY_CONTRACT", _AUTHORITY), "the contract itself")
    wanted = [
        (f"{variable_name(service, port)}_{part}", f"endpoint {service}:{port}")
        for service, port in endpoints
        for part in ("HOST", "PORT", "URL")
    ]
    wanted += [(variable("SECRET", rule), f"secret {rule!r}") for rule in rules]
    for name, owner in wanted:
        if name in taken:
            raise UsageError(
                f"Named the variables of the test contract, and {owner} and {taken[name]} both come to {name}.",
                hint="Rename one of them: names are upper-cased, and every character but A-Z and 0-9 becomes `_`.",
            )
        taken[name] = owner


def host_environment(
    own: Mapping[str, str] | None = None,
    host: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """What a suite's process gets before the contract: the allowed variables of `host`, then the suite's `own`.

    `host` defaults to this process's environment. Output is unbuffered, so that a stopped suite's log is whole.

    Raises:
        UsageError: `own` names a reserved variable.
    """
    given = os.environ if host is None else host
    allowed = {name: value for name, value in given.items() if name in HOST_VARIABLES or name.startswith("LC_")}
    return {"PYTHONUNBUFFERED": "1", **allowed, **_held(own or {})}


def box_environment(
    own: Mapping[str, str] | None = None,
    host: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """As `host_environment`, for a suite in a container: the image says what names places there.

    The user who runs it has no home in the image, so that is `/tmp`.

    Raises:
        UsageError: `own` names a reserved variable.
    """
    given = os.environ if host is None else host
    allowed = {name: value for name, value in given.items() if name in BOX_VARIABLES}
    return {"PYTHONUNBUFFERED": "1", "HOME": "/tmp", **allowed, **_held(own or {})}  # noqa: S108 - the container's own


def _held(own: Mapping[str, str]) -> Mapping[str, str]:
    for name in own:
        if name.upper().startswith(RESERVED):
            raise UsageError(
                f"A suite's environment sets {name!r}, and names beginning with {' or '.join(RESERVED)} are reserved.",
                hint="Take it out of `environment`: tests get endpoints by the contract, and never Pulumi's keys.",
            )
    return own
