"""Trust: the services of a clone whose mocks speak HTTPS are told where the authority's certificate lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from .clone import Change, Clone, Fidelity, recorded
from .secret_values import shown
from .topology import Service, TopologyError

__all__ = ["AUTHORITY", "BUNDLE", "FOLDER", "TRUST_STORE", "VARIABLES", "Certificates", "trust", "trusting"]

FOLDER = "/understudy"
"""Where the certificates lie in every container of a service, read-only."""

AUTHORITY = "ca.pem"
"""The certificate of the environment's authority alone: for what adds to its own list."""

BUNDLE = "bundle.pem"
"""What takes the place of a system's list: the authority's, and the public ones where the clone reaches out."""

TRUST_STORE = "trust.p12"
"""The bundle as a Java trust store (PKCS#12 without a password)."""

VARIABLES: Mapping[str, str] = {
    "SSL_CERT_FILE": BUNDLE,
    "REQUESTS_CA_BUNDLE": BUNDLE,
    "CURL_CA_BUNDLE": BUNDLE,
    "AWS_CA_BUNDLE": BUNDLE,
    "GIT_SSL_CAINFO": BUNDLE,
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": BUNDLE,
    "NODE_EXTRA_CA_CERTS": AUTHORITY,
    "DENO_CERT": AUTHORITY,
}
"""Variable -> the file in FOLDER that it names: OpenSSL, Go, Ruby and .NET; Requests; curl; AWS's SDKs; git; gRPC.

The last two name files that Node and Deno add to their own lists.
"""


@dataclass(frozen=True, slots=True)
class Certificates:
    """What an environment's authority gives.

    Attributes:
        files: name -> content, public: what lies in FOLDER of every container of a service.
        keystores: mock -> its certificate and private key as PKCS#12, of the password `password`. A secret.
    """

    files: Mapping[str, bytes]
    keystores: Mapping[str, bytes] = field(repr=False)


_JAVA = "JAVA_TOOL_OPTIONS"
_JAVA_STORE = "-Djavax.net.ssl.trustStore"
_JAVA_OPTIONS = f"{_JAVA_STORE}={FOLDER}/{TRUST_STORE} {_JAVA_STORE}Type=PKCS12"
_REASON = "clients in the container trust the authority that the mocks' certificates are from"


def trust(clone: Clone) -> Clone:
    """Name the authority's certificate by the usual variables in each service, if a mock speaks HTTPS.

    A variable that production sets itself stays as it is; a Java Virtual Machine's options are added to.

    Raises:
        TopologyError: a service mounts something where the certificates lie.
    """
    if not clone.speaks_https:
        return clone
    services: dict[str, Service] = {}
    changes: list[Change] = []
    for name, service in clone.topology.services.items():
        if any(f"{mount.target}/".startswith(f"{FOLDER}/") for mount in service.mounts):
            raise TopologyError(
                f"service {name!r} mounts something at {FOLDER}, where a clone with HTTPS mocks has the certificates "
                "of its authority; choose another place",
                service.where,
            )
        path = f"services.{name}"
        changes.append(Change(f"{path}.mounts.{FOLDER}", None, "the authority's certificate, read-only", _REASON))
        changes += _untrusting(service)
        added = trusting(service.environment)
        changes += [
            Change(f"{path}.environment.{key}", _shown(service, key), shown(value, "made anew"), _REASON)
            for key, value in added.items()
        ]
        services[name] = replace(service, environment={**service.environment, **added})
    return recorded(replace(clone, topology=replace(clone.topology, services=services)), *changes)


def trusting(own: Mapping[str, str]) -> dict[str, str]:
    """The variables that a container gets beside its own: those that it does not set, and Java's, which hold several.

    They name files in FOLDER.
    """
    added = {key: f"{FOLDER}/{file}" for key, file in VARIABLES.items() if key not in own}
    if _JAVA_STORE not in own.get(_JAVA, ""):
        added[_JAVA] = f"{own.get(_JAVA, '')} {_JAVA_OPTIONS}".strip()
    return added


def _untrusting(service: Service) -> Iterator[Change]:
    """A Change for each variable by which production names certificates of its own, which stay."""
    for key, value in service.environment.items():
        if key in VARIABLES or (key == _JAVA and _JAVA_STORE in value):
            yield Change(
                f"services.{service.name}.trust.{key}",
                "trusts the third party",
                None,
                f"production sets {key} itself, and that stays: what reads it does not trust the mocks, unless its "
                f"file holds {FOLDER}/{AUTHORITY} too",
                Fidelity.MISSING,
            )


def _shown(service: Service, key: str) -> str | None:
    value = service.environment.get(key)
    return None if value is None else shown(value, "secret")
