from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from understudy.stacks.clone import Change, Clone, Fidelity, Mock
from understudy.stacks.derive import derive, profile_named
from understudy.stacks.endpoints import mock_endpoint
from understudy.stacks.fidelity import fidelity, fidelity_report
from understudy.stacks.ground import ON_AWS, ON_DOCKER, Ground
from understudy.stacks.sources.compose import read
from understudy.stacks.topology import External, Service, Topology, TopologyError


def clone_of(text: str, profile: str = "default", ground: Ground = ON_DOCKER) -> Clone:
    topology = read(text, "compose.yaml", variables={}, read_file=lambda _path: None)
    chosen = profile_named(topology, profile)
    return derive(topology, topology, commit="c" * 12, profile=chosen, unchanged_builds={}, ground=ground)


def with_externals(externals: str, service: str = "image: x", **fields: Any) -> Clone:
    return clone_of(
        f"services: {{web: {{{service}}}, db: {{image: 'postgres:15'}}}}\n"
        f"x-understudy: {{externals: {{{externals}}}, profiles: {{open: {{network: open}}}}}}",
        **fields,
    )


def change(clone: Clone, path: str) -> Change:
    (found,) = [each for each in clone.changes if each.path == path]
    return found


def verdicts(clone: Clone) -> dict[str, Fidelity]:
    found = fidelity(fidelity_report(clone.topology, clone))
    return {subject.rpartition(".")[2]: verdict for subject, verdict in found.items()}


def changed(clone: Clone, service: str, kind: str = "environment") -> dict[str, tuple[str | None, str | None]]:
    prefix = f"services.{service}.{kind}."
    found = [each for each in clone.changes if each.path.startswith(prefix)]
    return {each.path.removeprefix(prefix): (each.production, each.clone) for each in found}


@pytest.mark.parametrize(
    ("given", "port", "scheme"),
    [
        ("", 80, "http"),
        (", port: 443", 443, "https"),
        (", port: 8443", 8443, "https"),
        (", scheme: https", 443, "https"),
        (", scheme: https, port: 4000", 4000, "https"),
        (", scheme: http, port: 443", 443, "http"),
        (", port: 8080", 8080, "http"),
    ],
)
def test_a_mock_speaks_what_the_third_party_speaks(given: str, port: int, scheme: str) -> None:
    clone = with_externals(f"pay: {{host: pay.example, mock: m{given}}}")
    (mock,) = clone.mocks
    assert mock == Mock("pay", "pay.example", port, "m", scheme)
    assert mock_endpoint(mock) in clone.endpoints
    assert mock_endpoint(mock).scheme == scheme
    assert clone.speaks_https is (scheme == "https")
    assert scheme.upper() in change(clone, "externals.pay").reason


def test_every_service_trusts_the_authority_and_each_variable_is_a_change() -> None:
    clone = with_externals("pay: {host: pay.example, port: 443, mock: m}")
    for name, service in clone.topology.services.items():
        found = changed(clone, name)
        assert {key: value for key, (_, value) in found.items()} == service.environment
        assert {production for production, _ in found.values()} == {None}
        assert change(clone, f"services.{name}.mounts./understudy").clone is not None
    before = {name: replace(service, environment={}) for name, service in clone.topology.services.items()}
    production = replace(clone.topology, services=before)
    assert not [each for each in fidelity_report(production, clone) if "a defect" in each.reason]
    assert clone.topology.services["web"].environment == {
        "SSL_CERT_FILE": "/understudy/bundle.pem",
        "REQUESTS_CA_BUNDLE": "/understudy/bundle.pem",
        "CURL_CA_BUNDLE": "/understudy/bundle.pem",
        "AWS_CA_BUNDLE": "/understudy/bundle.pem",
        "GIT_SSL_CAINFO": "/understudy/bundle.pem",
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": "/understudy/bundle.pem",
        "NODE_EXTRA_CA_CERTS": "/understudy/ca.pem",
        "DENO_CERT": "/understudy/ca.pem",
        "JAVA_TOOL_OPTIONS": "-Djavax.net.ssl.trustStore=/understudy/trust.p12 -Djavax.net.ssl.trustStoreType=PKCS12",
    }


@pytest.mark.parametrize("external", ["", "pay: {host: pay.example, mock: m}", "pay: {host: pay.example, port: 443}"])
def test_without_an_https_mock_nothing_is_trusted(external: str) -> None:
    clone = with_externals(external)
    assert clone.topology.services["web"].environment == {}
    assert "/understudy" not in str(clone.changes)


def test_what_production_sets_itself_stays_and_what_that_means_is_on_the_record() -> None:
    service = "image: x, environment: {SSL_CERT_FILE: /own.pem, JAVA_TOOL_OPTIONS: -Xmx64m}"
    clone = with_externals("pay: {host: pay.example, port: 443, mock: m}", service)
    environment = clone.topology.services["web"].environment
    assert environment["SSL_CERT_FILE"] == "/own.pem"
    assert environment["JAVA_TOOL_OPTIONS"].startswith("-Xmx64m -Djavax.net.ssl.trustStore=/understudy/trust.p12 ")
    assert changed(clone, "web")["JAVA_TOOL_OPTIONS"] == ("-Xmx64m", environment["JAVA_TOOL_OPTIONS"])
    assert "SSL_CERT_FILE" not in changed(clone, "web")
    assert change(clone, "services.web.trust.SSL_CERT_FILE").fidelity is Fidelity.MISSING
    assert verdicts(clone)["web"] is Fidelity.MISSING


def test_a_trust_store_of_productions_own_stays() -> None:
    own = "-Djavax.net.ssl.trustStore=/own.jks"
    clone = with_externals(
        "pay: {host: pay.example, port: 443, mock: m}", f"image: x, environment: {{JAVA_TOOL_OPTIONS: '{own}'}}"
    )
    assert clone.topology.services["web"].environment["JAVA_TOOL_OPTIONS"] == own
    assert change(clone, "services.web.trust.JAVA_TOOL_OPTIONS").clone is None


def test_a_mount_where_the_certificates_lie_is_refused() -> None:
    with pytest.raises(TopologyError, match="mounts something at /understudy"):
        with_externals("pay: {host: pay.example, port: 443, mock: m}", "image: x, volumes: ['/understudy/own']")


def test_an_allowed_third_party_is_reached_through_the_relay() -> None:
    clone = with_externals("mail: {host: SMTP.example, port: 587, allow: true}, other: {host: other.example}")
    assert [(external.host, external.port) for external in clone.allowed] == [("smtp.example", 587)]
    assert clone.reaches_out
    found = change(clone, "externals.mail")
    assert (found.production, found.clone) == ("smtp.example:587", "smtp.example:587 by the egress relay")
    assert re.fullmatch(r"compose.yaml:2:\d+", found.rule)
    assert verdicts(clone)["mail"] is Fidelity.FAITHFUL
    assert verdicts(clone)["other"] is Fidelity.MISSING


def test_the_relay_answers_where_production_reaches_the_outside() -> None:
    clone = clone_of("""
services: {web: {image: x, networks: [front, back]}}
networks: {front: {}, back: {internal: true}}
x-understudy: {externals: {mail: {host: smtp.example, port: 587, allow: true}}}
""")
    assert clone.outward == ("front",)
    assert all(network.internal for network in clone.topology.networks.values())


def test_on_aws_what_a_security_group_lets_out_is_reached_at_any_address() -> None:
    service = (
        "image: x, environment: {A: 'https://a.example', B: 'smtp://b.example:587', C_HOST: c.example, D: 'ftp://d'}"
    )
    externals = "mail: {host: smtp.example, port: 587, allow: true}, sms: {host: sms.example, port: 443}"
    clone = with_externals(externals, service, ground=ON_AWS)
    path = "services.web.externals."
    found = {each.path.removeprefix(path): each for each in clone.changes if each.path.startswith(path)}
    assert {host: (each.clone, each.fidelity) for host, each in found.items()} == {
        "a.example": ("a.example:443", Fidelity.FAITHFUL),
        "b.example": ("b.example:587", Fidelity.FAITHFUL),
        "c.example": (None, Fidelity.MISSING),
        "d": (None, Fidelity.MISSING),
    }
    assert "the real one is reached, as every address is at this port" in found["a.example"].reason
    assert "it cannot be reached but at port 443, 587: " in found["c.example"].reason
    assert "it cannot be reached: " in found["d"].reason
    assert change(clone, "externals.sms").clone == "sms.example:443"
    assert "relay" not in change(clone, "externals.mail").reason
    on_docker = with_externals(externals, service)
    assert {each.clone for each in on_docker.changes if each.path.startswith(path)} == {None}
    assert change(on_docker, "externals.sms").clone is None


def test_on_aws_the_host_of_a_bucket_that_the_clone_has_is_no_third_party() -> None:
    text = (
        "services:\n  web: {image: x, environment: {A: 'https://files.s3.eu-west-1.amazonaws.com/x', "
        "B: 'https://other.s3.amazonaws.com'}}\n"
        "  files: {image: m, x-understudy: {kind: bucket, managed: {service: s3, name: files}}}\n"
    )
    found = [each.path for each in clone_of(text, ground=ON_AWS).changes if ".externals." in each.path]
    assert found == ["services.web.externals.other.s3.amazonaws.com"]


def test_on_aws_nothing_has_to_tell_apart_those_that_share_a_port() -> None:
    two = "a: {host: a.example, port: 25, allow: true}, b: {host: b.example, port: 25, allow: true}"
    with pytest.raises(TopologyError, match="both allowed on port 25"):
        with_externals(two)
    assert len(with_externals(two, ground=ON_AWS).allowed) == 2


def test_an_open_clone_needs_no_relay() -> None:
    clone = with_externals("mail: {host: smtp.example, port: 587, allow: true}", profile="open")
    assert clone.allowed == ()
    assert clone.reaches_out
    assert verdicts(clone)["mail"] is Fidelity.FAITHFUL


def test_a_host_may_be_allowed_on_several_ports() -> None:
    clone = with_externals("a: {host: a.example, allow: on, port: 80}, b: {host: a.example, allow: on, port: 443}")
    assert [external.port for external in clone.allowed] == [80, 443]


def test_two_that_are_allowed_on_one_port_have_both_to_speak_tls() -> None:
    pair = "a: {host: a.example, port: 443, allow: on}, b: {host: b.example, port: 443, allow: on"
    assert len(with_externals(f"{pair}}}").allowed) == 2
    with pytest.raises(TopologyError, match="'a' and 'b' are both allowed on port 443"):
        with_externals(f"{pair}, scheme: http}}")


@pytest.mark.parametrize("service", ["hostname: pay.example", "networks: {default: {aliases: [PAY.example]}}"])
def test_a_name_of_the_clones_own_is_no_third_party(service: str) -> None:
    with pytest.raises(TopologyError, match=r"is .* name of|is the name of"):
        with_externals("pay: {host: pay.example}", f"image: x, {service}")


# ---- what is called and not listed


def missing(clone: Clone) -> dict[str, str | None]:
    return {each.path: each.production for each in clone.changes if ".externals." in each.path}


CALLING = """
services:
  web:
    image: registry.example/team/web:1.2.3
    environment:
      DATABASE_URL: postgres://app:secret@db:5432/app
      CACHE_URL: redis://cache.internal.example/0
      SMTP_HOST: smtp.example
      SMTP_PORT: 587
      MAIL_FROM: orders@shop.example
      PAYMENTS_URL: https://api.payments.example
      REPORTS_URL: https://reports.example/v2
      OWN: http://web.shop_default:80
    command: [serve, --oidc-url, "https://login.example/realms/shop"]
    healthcheck: {test: [CMD, curl, -f, "http://localhost:80/"]}
  worker:
    image: x
    environment: {REPORTS: "https://reports.example/v2", AGAIN: "reports.example:443"}
  db: {image: 'postgres:15'}
  cache: {image: redis, networks: {default: {aliases: [cache.internal.example]}}}
networks: {default: {}}
x-understudy:
  externals: {payments: {host: api.payments.example, port: 443, mock: mocks/payments}}
  profiles: {open: {network: open}}
"""


def test_what_nobody_listed_is_on_the_record_with_its_places_and_what_to_do() -> None:
    clone = clone_of(CALLING)
    assert missing(clone) == {
        "services.web.externals.smtp.example": "smtp.example:587",
        "services.web.externals.reports.example": "reports.example:443",
        "services.web.externals.login.example": "login.example:443",
        "services.worker.externals.reports.example": "reports.example:443",
    }
    found = change(clone, "services.worker.externals.reports.example")
    assert (found.clone, found.fidelity) == (None, Fidelity.MISSING)
    assert found.reason == (
        "called in environment.AGAIN, environment.REPORTS, it cannot be reached: it is no service of the clone and has "
        "no entry under x-understudy, externals; give it one with a mock, or with `allow: true`"
    )
    assert re.fullmatch(r"compose.yaml:\d+:\d+", found.rule)
    assert verdicts(clone)["worker"] is Fidelity.MISSING


def test_an_open_clone_reaches_what_nobody_listed() -> None:
    assert missing(clone_of(CALLING, "open")) == {}


@pytest.mark.parametrize(
    ("external", "url", "lost"),
    [
        ("port: 443, mock: m", "https://pay.example", False),
        ("port: 443, allow: true", "https://pay.example/x", False),
        ("port: 443", "https://pay.example", False),  # its own Change says that it cannot be reached
        ("port: 443, mock: m", "https://pay.example:8443", True),
        ("port: 443, allow: true", "http://pay.example", True),
    ],
)
def test_an_entry_is_for_its_port(external: str, url: str, lost: bool) -> None:  # noqa: FBT001 - a parameter of pytest's
    clone = with_externals(f"pay: {{host: pay.example, {external}}}", f"image: x, environment: {{PAY: '{url}'}}")
    assert bool(missing(clone)) is lost
    if lost:
        assert "is for port 443" in change(clone, "services.web.externals.pay.example").reason


def test_a_service_that_the_clone_leaves_out_is_no_third_party() -> None:
    clone = clone_of("""
services:
  web: {image: x, environment: {METRICS: "http://metrics:9090", DEBUG: "http://debug:1"}}
  metrics: {image: x}
  debug: {image: x, profiles: [debug]}
x-understudy: {profiles: {default: {without: [metrics]}}}
""")
    assert missing(clone) == {}


@pytest.mark.parametrize(
    ("external", "kept"),
    [
        (External("pay", "pay.example", mock="m"), False),
        (External("pay", "pay.example", allow=True), False),
        (External("pay", "pay.example"), True),
        (None, True),
    ],
)
def test_a_fixed_address_leads_past_no_mock_and_no_relay(external: External | None, kept: bool) -> None:  # noqa: FBT001 - a parameter of pytest's
    fixed = (("pay.example", "198.51.100.9"), ("docker", "host-gateway"))
    web = Service("web", image="x", extra_hosts=fixed)
    topology = Topology("shop", {"web": web}, externals={} if external is None else {"pay": external})
    clone = derive(topology, topology, commit="c" * 12, profile=profile_named(topology), unchanged_builds={})
    assert clone.topology.services["web"].extra_hosts == (fixed if kept else fixed[1:])
    assert ("services.web.externals.pay.example" in missing(clone)) is (external is None)
    if not kept:
        (gone,) = [each for each in clone.changes if ".extra_hosts" in each.path]
        assert (gone.production, gone.clone) == ("198.51.100.9", None)
    reasons = [finding.reason for finding in fidelity_report(topology, clone)]
    assert not [reason for reason in reasons if "a defect" in reason]
