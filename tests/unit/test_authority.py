from __future__ import annotations

import ipaddress
import json
import stat
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from understudy.authority import certificate_of, issue
from understudy.errors import UnderstudyError, UsageError
from understudy.lease import Document, FolderShelf, LeaseStore
from understudy.stacks.clone import Mock
from understudy.stacks.trust import Certificates

PAY = Mock("pay", "api.pay.example", 443, "mocks/pay", "https")
SHIP = Mock("ship", "ship.example", 8443, "mocks/ship", "https")
ENDS = datetime(2030, 1, 2, tzinfo=UTC)


def kept(path: Path) -> Document:
    return Document(FolderShelf(path.parents[1]), "authorities/e1.json")


def issued(path: Path, *mocks: Mock, seed: bytes = b"seed", **fields: Any) -> Certificates:
    given = {"names": ("localhost", "127.0.0.1"), "public": False, "not_after": ENDS, **fields}
    return issue(kept(path), seed, mocks or (PAY,), **given)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "authorities" / "e1.json"


def leaf(store: bytes) -> x509.Certificate:
    _, certificate, others = pkcs12.load_key_and_certificates(store, b"password")
    assert certificate is not None
    assert others == []
    return certificate


def test_it_is_made_once_and_gives_the_same_again(path: Path) -> None:
    first = issued(path)
    before = path.read_bytes()
    assert issued(path) == first
    assert path.read_bytes() == before
    assert first.files["bundle.pem"] == first.files["ca.pem"] == certificate_of(kept(path)).encode()


def test_its_file_is_the_owners_alone_and_holds_no_key_in_the_clear(path: Path) -> None:
    given = issued(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert set(json.loads(path.read_bytes())) == {"schema", "certificate", "trust", "sealed"}
    assert b"PRIVATE KEY" not in path.read_bytes()
    assert "keystores" not in repr(given)


def test_a_mocks_certificate_holds_for_its_host_and_for_the_tests(path: Path) -> None:
    given = issued(path)
    authority = x509.load_pem_x509_certificate(given.files["ca.pem"])
    found = leaf(given.keystores["pay"])
    found.verify_directly_issued_by(authority)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["api.pay.example", "localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]
    assert found.not_valid_after_utc == datetime(2030, 1, 3, tzinfo=UTC)


def test_a_new_third_party_changes_nothing_for_the_others(path: Path) -> None:
    alone = issued(path)
    both = issued(path, PAY, SHIP)
    assert both.files == alone.files
    assert both.keystores["pay"] == alone.keystores["pay"]
    assert issued(path, PAY, SHIP) == both
    moved = issued(path, replace(PAY, host="pay.example"))
    assert moved.files == alone.files
    assert moved.keystores["pay"] != alone.keystores["pay"]


def test_another_bind_address_is_another_certificate_of_the_same_authority(path: Path) -> None:
    here, there = issued(path), issued(path, names=("localhost", "192.0.2.1"))
    assert here.files == there.files
    assert here.keystores != there.keystores


def test_public_authorities_are_trusted_where_the_clone_reaches_out(path: Path) -> None:
    given = issued(path, public=True)
    bundle = given.files["bundle.pem"]
    assert bundle.startswith(given.files["ca.pem"])
    begin = "-----BEGIN CERTIFICATE-----"
    assert bundle.decode().count(begin) == certifi.contents().count(begin) + 1
    assert len(given.files["trust.p12"]) > 100_000
    assert issued(path, public=True) == given
    alone = issued(path)
    assert alone.files["ca.pem"] == given.files["ca.pem"]
    assert len(pkcs12.load_pkcs12(alone.files["trust.p12"], None).additional_certs) == 1


def test_a_preview_keeps_nothing(path: Path) -> None:
    issued(path, write=False)
    assert not path.parent.exists()
    before = issued(path)
    assert issued(path, PAY, SHIP, write=False).keystores["pay"] == before.keystores["pay"]
    assert set(issued(path).keystores) == {"pay"}


def test_another_seed_opens_nothing(path: Path) -> None:
    issued(path)
    with pytest.raises(UsageError, match="another passphrase or seed"):
        issued(path, seed=b"other")
    assert certificate_of(kept(path))


@pytest.mark.parametrize("content", ["", "no json", "[]", "{}", '{"certificate": 1, "sealed": 2, "trust": 3}'])
def test_what_is_no_authority_is_an_error(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content, encoding="utf-8")
    if content:
        with pytest.raises(UnderstudyError, match=r"is none|another passphrase"):
            issued(path)
    if '"certificate"' not in content:
        with pytest.raises(UnderstudyError, match="Read the certificate"):
            certificate_of(kept(path))


def test_a_file_that_cannot_be_read_is_an_error_and_no_new_authority(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(UnderstudyError, match="Read the environment's authority"):
        issued(path)


def test_a_host_that_can_have_no_certificate_is_named(path: Path) -> None:
    with pytest.raises(UsageError, match="Made a certificate for 'a_b"):
        issued(path, replace(PAY, host="a_b.example"))


def test_its_place_is_beside_the_lease_and_an_id_leads_nowhere_else(tmp_path: Path) -> None:
    store = LeaseStore(FolderShelf(tmp_path / "leases"))
    assert str(store.authority("e1")) == str(tmp_path / "leases" / "authorities" / "e1.json")
    with pytest.raises(UnderstudyError, match="no environment"):
        store.authority("../e1")
