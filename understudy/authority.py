"""The certificate authority of an environment: made once, kept beside its lease, its keys sealed with the seed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from understudy.errors import UnderstudyError, UsageError
from understudy.lease import Document
from understudy.stacks.clone import Mock
from understudy.stacks.trust import AUTHORITY, BUNDLE, TRUST_STORE, Certificates

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

__all__ = ["certificate_of", "issue"]

_PASSWORD = b"password"
"""WireMock's default. It guards nothing, which the file's rights do; so no secret stands in a command line."""

_LONGER = timedelta(days=1)
"""How much longer a mock's certificate is valid than its environment may live: clocks differ."""


@dataclass(slots=True)
class _Kept:
    """The content of an authority's file. `keystores`: host -> (names, PKCS#12); `trust`: bundle's hash -> PKCS#12."""

    certificate: str
    key: str = field(repr=False)
    keystores: dict[str, tuple[tuple[str, ...], str]] = field(default_factory=dict, repr=False)
    trust: dict[str, str] = field(default_factory=dict)


def issue(
    place: Document,
    seed: bytes,
    mocks: Sequence[Mock],
    *,
    names: Sequence[str],
    public: bool,
    not_after: datetime,
    write: bool = True,
) -> Certificates:
    """What the authority at `place` gives for these mocks; it is made if it is not there, and kept if `write`.

    The same for the same arguments, as long as the file is there: nothing is made twice.

    Args:
        place: where the authority is kept.
        seed: the environment's seed; it seals the private keys in the file.
        mocks: those that speak HTTPS.
        names: further names and addresses at which tests reach a mock.
        public: trust the public authorities too.
        not_after: when the environment's life ends at the latest.
        write: False in a preview.

    Raises:
        UsageError: the file was sealed with another seed, or a host can have no certificate.
        UnderstudyError: the file cannot be read or written.
    """
    before = _read(place)
    kept = _opened(place, before, seed) if before else _made()
    wanted = {mock.host: (mock.host, *names) for mock in mocks}
    fresh = not before or {host: each[0] for host, each in kept.keystores.items()} != wanted
    kept.keystores = {host: _keystore(kept, every, not_after) for host, every in wanted.items()}
    bundle = kept.certificate + (_public() if public else "")
    digest = hashlib.sha256(bundle.encode()).hexdigest()
    if digest not in kept.trust:
        kept.trust, fresh = {digest: _trust_store(bundle)}, True
    if fresh and write:
        _write(place, kept, seed)
    files = {
        AUTHORITY: kept.certificate.encode(),
        BUNDLE: bundle.encode(),
        TRUST_STORE: base64.b64decode(kept.trust[digest]),
    }
    return Certificates(files, {mock.name: base64.b64decode(kept.keystores[mock.host][1]) for mock in mocks})


def certificate_of(place: Document) -> str:
    """The certificate of the authority at `place`, as PEM; no seed is needed for it.

    Raises:
        UnderstudyError: it is not there, or cannot be read.
    """
    try:
        return str(json.loads(place.read() or b"")["certificate"])
    except (UnderstudyError, ValueError, KeyError, TypeError) as error:
        raise UnderstudyError(
            f"Read the certificate of the environment's authority, {place}, and it failed: {error}.",
            hint="It lies beside the lease; `understudy up` makes it anew.",
        ) from error


def _read(place: Document) -> bytes:
    try:
        return place.read() or b""
    except UnderstudyError as error:
        raise UnderstudyError(f"Read the environment's authority, and it failed: {error}") from error


def _seal(seed: bytes) -> Fernet:
    from cryptography.fernet import Fernet

    return Fernet(base64.urlsafe_b64encode(hmac.digest(seed, b"the environment's authority", "sha256")))


def _opened(place: Document, data: bytes, seed: bytes) -> _Kept:
    from cryptography.fernet import InvalidToken

    try:
        outer = json.loads(data)
        inner = json.loads(_seal(seed).decrypt(outer["sealed"]))
        keystores = {host: (tuple(names), store) for host, (names, store) in inner["keystores"].items()}
        return _Kept(outer["certificate"], inner["key"], keystores, outer["trust"])
    except InvalidToken as error:
        raise UsageError(
            f"Opened the environment's authority, {place}, and it was sealed with another passphrase or seed.",
            hint="Use the one that the environment was made with, or remove the environment and make it anew.",
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnderstudyError(
            f"Read the environment's authority, {place}, and it is none: {error}.",
            hint="Remove the file: the next `up` makes another authority, and replaces the services.",
        ) from error


def _made() -> _Kept:
    import trustme

    made = trustme.CA(organization_name="Understudy")
    return _Kept(made.cert_pem.bytes().decode(), made.private_key_pem.bytes().decode())


def _write(place: Document, kept: _Kept, seed: bytes) -> None:
    inner = json.dumps({"key": kept.key, "keystores": kept.keystores}).encode()
    sealed = _seal(seed).encrypt(inner).decode()
    outer = {"schema": 1, "certificate": kept.certificate, "trust": kept.trust, "sealed": sealed}
    place.write(json.dumps(outer, indent=1).encode())


def _keystore(kept: _Kept, names: tuple[str, ...], not_after: datetime) -> tuple[tuple[str, ...], str]:
    """The keystore of the host that is the first of these names: the one that there is, or a new one."""
    known = kept.keystores.get(names[0])
    if known is not None and known[0] == names:
        return known
    import trustme
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    authority = trustme.CA.from_pem(kept.certificate.encode(), kept.key.encode())
    try:
        leaf = authority.issue_cert(*names, organization_name="Understudy", not_after=not_after + _LONGER)
    except ValueError as error:
        raise UsageError(
            f"Made a certificate for {names[0]!r}, and it failed: {error}.",
            hint="A certificate takes a host name of letters, digits, dots and dashes.",
        ) from error
    store = pkcs12.serialize_key_and_certificates(
        b"mock",
        serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None),  # type: ignore[arg-type]  # an EC key
        x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()),
        None,
        serialization.BestAvailableEncryption(_PASSWORD),
    )
    return names, base64.b64encode(store).decode()


def _public() -> str:
    """The public authorities, as Mozilla lists them: the container's own list is not at hand before it is made."""
    import certifi

    return "\n" + certifi.contents()


def _trust_store(bundle: str) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12
    from cryptography.utils import CryptographyDeprecationWarning

    with warnings.catch_warnings():  # an old public authority has a serial number that RFC 5280 disallows
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        found = x509.load_pem_x509_certificates(bundle.encode())
    entries = [pkcs12.PKCS12Certificate(one, f"understudy-{number}".encode()) for number, one in enumerate(found)]
    return base64.b64encode(pkcs12.serialize_java_truststore(entries, serialization.NoEncryption())).decode()
