"""The fidelity report: every property is in it once, each difference has its reason, and nothing in it is markup."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.report.fidelity_text import cell, fidelity_lines, fidelity_markdown
from understudy.stacks.clone import Clone, Fidelity
from understudy.stacks.derive import derive
from understudy.stacks.fidelity import UNRECORDED, Finding, fidelity, fidelity_report
from understudy.stacks.hardening import Hardening
from understudy.stacks.profile import Profile, ServiceProfile
from understudy.stacks.sources.compose import read
from understudy.stacks.topology import (
    Build,
    Dependency,
    FileMount,
    HealthCheck,
    Logging,
    Mount,
    Network,
    NetworkLink,
    Port,
    Resources,
    Restart,
    Service,
    Topology,
    Ulimit,
    Volume,
)

SERVICES = st.builds(
    Service,
    st.just("web"),
    kind=st.sampled_from(["service", "job", "database"]),
    image=st.sampled_from(["x", "y:2"]),
    build=st.sampled_from([None, Build("."), Build(".", args={"A": "1"})]),
    command=st.sampled_from([None, ("a",), ()]),
    environment=st.dictionaries(st.sampled_from("AB"), st.sampled_from(["1", "of-production"])),
    ports=st.lists(st.sampled_from([Port(80), Port(80, "8080"), Port(53, "53", "udp")]), unique=True).map(tuple),
    mounts=st.sampled_from(
        [(), (Mount("volume", "/d", "data"),), (Mount("bind", "/c", "c"), Mount("volume", "/anon"))]
    ),
    networks=st.sampled_from([(), (NetworkLink("front"),), (NetworkLink("front", ("w",)), NetworkLink("back"))]),
    hostname=st.sampled_from([None, "web.internal"]),
    depends_on=st.sampled_from([(), (Dependency("db", "healthy"),)]),
    healthcheck=st.sampled_from([None, HealthCheck(("CMD", "t"), 1.00049, 1.0)]),
    replicas=st.integers(1, 3),
    resources=st.sampled_from([Resources(), Resources(2.0, 1024 * 1024 * 100 + 1, 100, memory_swap=2**28)]),
    restart=st.sampled_from([Restart(), Restart("always")]),
    labels=st.sampled_from([{}, {"a": "b", "com.docker.compose.x": "y"}]),
    container_name=st.sampled_from([None, "web1"]),
    stop_grace_period=st.sampled_from([None, 1.5]),
    privileged=st.booleans(),
    logging=st.sampled_from([None, Logging("json-file", {"max-size": "1m"})]),
    files=st.sampled_from([(), (FileMount("config", "c", "/c.conf", content="1"),)]),
    ulimits=st.sampled_from([(), (Ulimit("nofile", 1, 2),)]),
    extra_hosts=st.sampled_from([(), (("h", "10.0.0.1"),)]),
)
NETWORKS = st.fixed_dictionaries(
    {n: st.builds(Network, st.just(n), st.booleans(), external=st.booleans()) for n in ("front", "back")}
)
VOLUMES = st.fixed_dictionaries(
    {
        "data": st.builds(
            Volume, st.just("data"), external=st.booleans(), options=st.sampled_from([{}, {"device": "/srv"}])
        )
    }
)
TOPOLOGIES = st.builds(
    lambda web, networks, volumes, secrets: Topology(
        "t",
        {"web": web, "db": Service("db", image="postgres", expose=(Port(5432),))},
        networks,
        volumes,
        secrets=secrets,
    ),
    SERVICES,
    NETWORKS,
    VOLUMES,
    st.sampled_from([(), ("A",)]),
)
PROFILES = st.sampled_from(
    [
        Profile(),
        Profile(replicas=1, cpus=0.5, memory=64 * 2**20, network="open"),
        Profile(without=("db",), services={"web": ServiceProfile(2, 1.0, 2**24)}),
    ]
)


def made(production: Topology, candidate: Topology, profile: Profile) -> Clone:
    return derive(
        production, candidate, commit="c" * 40, profile=profile, unchanged_builds={}, hardening=Hardening(pids=4096)
    )


@settings(max_examples=60)
@given(TOPOLOGIES, TOPOLOGIES, PROFILES)
def test_every_difference_has_been_recorded_by_a_step(
    production: Topology, candidate: Topology, profile: Profile
) -> None:
    clone = made(production, candidate, profile)
    findings = fidelity_report(production, clone)
    assert [finding for finding in findings if finding.reason == UNRECORDED] == []
    for finding in findings:
        assert finding.reason or (finding.fidelity is Fidelity.FAITHFUL and finding.production == finding.clone)


@settings(max_examples=60)
@given(TOPOLOGIES, TOPOLOGIES, PROFILES)
def test_every_change_is_in_it_once_and_no_property_twice(
    production: Topology, candidate: Topology, profile: Profile
) -> None:
    clone = made(production, candidate, profile)
    findings = fidelity_report(production, clone)
    paths = [f"{finding.subject}.{finding.property}".rstrip(".") for finding in findings]
    assert len(paths) == len(set(paths))
    assert {change.path for change in clone.changes} <= set(paths)


@given(TOPOLOGIES, PROFILES)
def test_every_property_that_production_declares_is_in_it(production: Topology, profile: Profile) -> None:
    findings = fidelity_report(production, made(production, production, profile))
    named = {finding.property.partition(".")[0] for finding in findings if finding.subject == "services.web"}
    web, plain = production.services["web"], Service("web", image="x")
    given_ = {f.name for f in fields(web) if getattr(web, f.name) != getattr(plain, f.name) and getattr(web, f.name)}
    assert given_ - {"where"} <= named


TEXT = """\
services:
  web.one:
    image: x
    environment: {PASSWORD: of-production, URL: "pg://app:of-production@web"}
    volumes: [/anon]
  web: {image: x, scale: 3}
x-understudy:
  secrets: [PASSWORD]
  externals: {pay: {host: pay.example, mock: mocks/pay}}
"""


def report() -> tuple[Finding, ...]:
    production = read(TEXT, "compose.yaml", variables={}, read_file={}.get)
    return fidelity_report(production, made(production, production, Profile(replicas=1)))


def test_findings_belong_to_what_they_are_of_and_each_has_a_verdict() -> None:
    findings = report()
    assert fidelity(findings) == {
        "services.web.one": Fidelity.CHANGED,
        "services.web": Fidelity.SCALED,
        "networks.default": Fidelity.CHANGED,
        "externals.pay": Fidelity.MOCKED,
        "volumes.(web.one:/anon)": Fidelity.MISSING,
    }
    found = {(f.subject, f.property): f for f in findings}
    assert found["services.web", "replicas"].fidelity is Fidelity.SCALED
    assert found["services.web.one", "environment.PASSWORD"].rule == "compose.yaml:8:13"
    assert found["volumes.(web.one:/anon)", "data"].fidelity is Fidelity.MISSING
    assert found["externals.pay", ""].fidelity is Fidelity.MOCKED


def test_no_secret_is_in_it_in_any_form() -> None:
    findings = report()
    assert "of-production" not in repr(findings) + fidelity_markdown(findings) + "\n".join(fidelity_lines(findings))


def test_what_no_step_recorded_is_told_as_a_defect() -> None:
    production = Topology("t", {"web": Service("web", image="x")})
    clone = Clone(replace(production, services={"web": Service("web", image="y")}))
    (finding,) = (f for f in fidelity_report(production, clone) if f.fidelity is not Fidelity.FAITHFUL)
    assert (finding.property, finding.production, finding.clone, finding.reason) == ("image", "x", "y", UNRECORDED)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("a\nb", r"a\\x0ab"),
        ("<script>&", "&lt;script&gt;&amp;"),
        ("[x](http://y) `z` @team", r"\[x\]\(http\://y\) \`z\` \@team"),
        ("\x1b[2J", r"\\x1b\[2J"),
        ("\u202e", "\N{MIDDLE DOT}"),
        ("x" * 500, "x" * 157 + "..."),
    ],
)
def test_a_cell_of_the_page_holds_no_markup(text: str, shown: str) -> None:
    assert cell(text) == shown


@given(st.text())
def test_a_cell_is_one_line_with_no_open_bar(text: str) -> None:
    made = cell(text)
    assert len(made.splitlines()) <= 1
    assert "|" not in made.replace(r"\|", "")
    assert "<" not in made


def test_the_page_and_the_lines_name_every_difference() -> None:
    findings = report()
    page, lines = fidelity_markdown(findings), list(fidelity_lines(findings))
    assert "| services.web | scaled | 2 |" in page
    assert "services.web: scaled" in lines
    assert "  scaled   replicas: 3 -> 1" in lines
    assert not any("image:" in line for line in lines)
    assert "| image | faithful | x | x |" in page


def test_what_is_alike_in_several_services_is_told_once_and_what_is_their_own_stands_out() -> None:
    why = "clients in the container trust the authority that the mocks' certificates are from"
    shared = [
        Finding(f"services.{name}", f"environment.{key}", Fidelity.CHANGED, None, "/understudy/bundle.pem", why)
        for name in ("web", "db", "worker")
        for key in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "A_VERY_LONG_NAME_OF_A_VARIABLE_OF_CERTIFICATES")
    ]
    own = Finding("services.db", "ports.1/tcp", Fidelity.CHANGED, "1:1", "relay:1", "one relay", "c.yaml:1:2")
    lines = list(fidelity_lines([*shared, own]))
    text = " ".join(" ".join(lines).split())
    assert [line for line in lines if not line.startswith(" ")] == [
        "services.web: changed",
        "services.db: changed",
        "services.worker: changed",
        "alike in services.web, db, worker:",
    ]
    assert text.count("SSL_CERT_FILE") == text.count(why) == 1
    assert lines.index("           one relay [c.yaml:1:2]") < lines.index("alike in services.web, db, worker:")
    assert max(map(len, lines)) <= 80
    page = fidelity_markdown([*shared, own])
    assert page.count("SSL\\_CERT\\_FILE") == 1
    assert "## Alike in services.web, db, worker" in page
    assert "## services.db" in page
    assert "## services.web" not in page
    assert "| services.db | changed | 4 | 0 |" in page


@given(st.text(), st.integers(40, 120))
def test_no_line_for_a_terminal_is_wider_than_it_or_steers_it(text: str, width: int) -> None:
    lines = list(fidelity_lines([Finding(text, text, Fidelity.CHANGED, text, None, text, text)], width=width))
    assert all(len(line) <= width and line.isprintable() for line in lines)
