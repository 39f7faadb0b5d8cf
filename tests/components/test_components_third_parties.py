from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from understudy.components.egress_config import inner_config, outer_config
from understudy.errors import UsageError
from understudy.stacks.clone import Clone, Mock
from understudy.stacks.topology import Dependency, External, Network, NetworkLink, Service, Topology
from understudy.stacks.trust import Certificates

Declare = Callable[..., Any]

KEYSTORE = b"\x30private key"
FILES = {"ca.pem": b"the authority", "bundle.pem": b"the authority and others", "trust.p12": b"\x30\x00"}
CERTIFICATES = Certificates(FILES, {"pay": KEYSTORE})


def service(name: str, **fields: Any) -> Service:
    return Service(name, image="x:1", networks=(NetworkLink("back"),), **fields)


def clone(*, scheme: Any = "https", allowed: tuple[External, ...] = ()) -> Clone:
    services = {
        "web": service("web", read_only=True),
        "db": service("db", kind="database"),
        "migrate": service("migrate", kind="job", depends_on=(Dependency("db", "healthy"),)),
    }
    networks = {"back": Network("back", internal=True), "front": Network("front", internal=True)}
    mock = Mock("pay", "api.pay.example", 443, "mocks/pay", scheme)
    return Clone(Topology("shop", services, networks), mocks=(mock,), allowed=allowed, outward=("front",))


def test_a_mock_speaks_https_on_its_port_and_nothing_else(declare: Declare) -> None:
    found = declare(clone(), certificates=CERTIFICATES).container("eabc-pay")
    assert found.inputs["command"] == [
        *("--https-port", "443", "--disable-http"),
        *("--https-keystore", "/var/wiremock/understudy.p12", "--keystore-type", "PKCS12"),
        *("--disable-banner", "--root-dir", "/home/wiremock"),
    ]
    (keystore,) = [u for u in found.inputs["uploads"] if u["file"] == "/var/wiremock/understudy.p12"]
    assert keystore["permissions"] == "0600"
    assert base64.b64decode(keystore["contentBase64"]) == KEYSTORE
    assert found.label("ports") == "443"


def test_its_private_key_is_a_secret_of_the_stack(declare: Declare) -> None:
    found = declare(clone(), certificates=CERTIFICATES).container("eabc-pay")
    key = base64.b64encode(KEYSTORE).decode()
    assert key in json.dumps(found.wire)
    (entry,) = [u for u in found.wire["uploads"] if u["file"].endswith(".p12")]
    assert "4dabf18193072939515e22adb298388d" in entry["contentBase64"], "Pulumi's mark of a secret"


def test_one_without_a_certificate_is_refused(declare: Declare) -> None:
    with pytest.raises(UsageError, match="'pay' speaks HTTPS, and there is no certificate"):
        declare(clone())


def test_every_service_mounts_the_certificates_read_only(declare: Declare) -> None:
    recording = declare(clone(), certificates=CERTIFICATES)
    (volume,) = recording.of("Volume")
    for name in ("web", "db", "migrate"):
        mounted = [
            v for v in recording.container(f"eabc-{name}").inputs["volumes"] if v["containerPath"] == "/understudy"
        ]
        assert mounted == [{"containerPath": "/understudy", "volumeName": volume.inputs["name"], "readOnly": True}]
    for name in ("pay", "relay"):
        assert "volumes" not in recording.container(f"eabc-{name}").inputs


def test_the_certificates_are_there_before_any_service_starts(declare: Declare) -> None:
    recording = declare(clone(), certificates=CERTIFICATES)
    filler = recording.container("eabc-trust")
    for name in ("web", "db", "migrate"):
        assert filler.urn in recording.container(f"eabc-{name}").dependencies
    assert filler.inputs["entrypoints"] == ["true"]
    assert filler.inputs["networkMode"] == "none"
    assert filler.inputs["attach"] is True
    assert filler.label("kind") == "job"
    content = {u["file"]: base64.b64decode(u["contentBase64"]) for u in filler.inputs["uploads"]}
    assert content == {f"/understudy/{name}": data for name, data in FILES.items()}


def test_other_certificates_are_another_volume(declare: Declare) -> None:
    def name(files: dict[str, bytes]) -> str:
        (volume,) = declare(clone(), certificates=Certificates(files, {"pay": KEYSTORE})).of("Volume")
        return str(volume.inputs["name"])

    assert name(FILES) == name(dict(FILES))
    assert name(FILES) != name({**FILES, "bundle.pem": b"x"})


def test_without_https_there_is_neither_volume_nor_container(declare: Declare) -> None:
    recording = declare(clone(scheme="http"))
    assert recording.of("Volume") == []
    assert {c.inputs["name"] for c in recording.of("Container")} == {
        *("eabc-web", "eabc-db", "eabc-migrate", "eabc-pay", "eabc-relay")
    }


ALLOWED = (
    External("mail", "smtp.example", 587, allow=True),
    External("a", "a.example", 443, allow=True, scheme="https"),
    External("b", "b.example", 443, allow=True, scheme="https"),
)


def test_the_egress_relay_has_the_names_inside_and_only_its_other_half_is_outside(declare: Declare) -> None:
    recording = declare(clone(scheme="http", allowed=ALLOWED))
    outside = {n.inputs["name"] for n in recording.of("Network") if not n.inputs.get("internal")}
    assert outside == {"eabc-edge", "eabc-outside"}
    inner, outer = recording.container("eabc-egress"), recording.container("eabc-egress-outer")
    hosts = ["a.example", "b.example", "smtp.example"]
    assert {n["name"]: n.get("aliases", []) for n in inner.inputs["networksAdvanced"]} == {
        "eabc-front": hosts,
        "eabc-outside": [],
    }
    assert [n["name"] for n in outer.inputs["networksAdvanced"]] == ["eabc-outside"]
    assert (inner.label("ports"), outer.label("ports")) == ("443,587", "20001,20002,20003")
    for half in (inner, outer):
        assert "ports" not in half.inputs, "nothing of it is published"
        assert half.inputs["sysctls"]["net.ipv4.ip_forward"] == "0"


def test_services_and_jobs_wait_for_it_and_databases_do_not(declare: Declare) -> None:
    recording = declare(clone(scheme="http", allowed=ALLOWED))
    halves = {recording.container(f"eabc-{name}").urn for name in ("egress", "egress-outer")}
    assert halves <= recording.container("eabc-web").dependencies
    assert halves <= recording.container("eabc-migrate").dependencies
    assert not halves & recording.container("eabc-db").dependencies


def test_nothing_is_allowed_without_a_word(declare: Declare) -> None:
    recording = declare(clone(scheme="http"))
    assert [n.inputs["name"] for n in recording.of("Network") if not n.inputs.get("internal")] == ["eabc-edge"]


def test_a_port_of_one_third_party_is_carried_as_it_is() -> None:
    text = inner_config(ALLOWED, "eabc-egress-outer")
    door = text.partition("frontend port_587")[2]
    assert "ssl_sni" not in door
    assert "server any 0.0.0.0:20001" in door


def test_third_parties_on_one_port_are_told_apart_by_the_server_name() -> None:
    door = inner_config(ALLOWED, "eabc-egress-outer").partition("frontend port_443")[2].partition("frontend")[0]
    assert "reject unless { req.ssl_sni -i a.example b.example }" in door
    assert "use_backend out_2 if { req.ssl_sni -i b.example }" in door
    assert "default_backend out_1" in door


def test_the_outer_half_asks_for_the_real_address_and_keeps_the_port() -> None:
    text = outer_config(ALLOWED)
    assert "do-resolve(txn.address,docker,ipv4) str(smtp.example)" in text
    assert "server any 0.0.0.0:587" in text


@pytest.mark.parametrize("host", ["a b", "a\nb", "*.example", "-a", "", "a)"])
def test_what_is_no_host_name_is_never_written_into_a_configuration(host: str) -> None:
    with pytest.raises(ValueError, match="is no host name"):
        outer_config((External("x", host, 1),))
    with pytest.raises(ValueError, match="is no host name"):
        inner_config((External("x", host, 1), External("y", "y", 1)), "outer")
