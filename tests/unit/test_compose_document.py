"""The Compose document as a whole: names, networks, volumes, profiles, the extension, secrets."""

import re

import pytest

from understudy.stacks.change import Fidelity
from understudy.stacks.clone import secret_token
from understudy.stacks.profile import Profile
from understudy.stacks.serial import canonical_json, topology_data
from understudy.stacks.sources.compose import read
from understudy.stacks.topology import External, NetworkLink, Suite, Topology, TopologyError

WEB = "services:\n  web: {image: x, environment: {A: '${SECRET:-}'}}\n"


def load(text: str, file: str = "compose.yaml", project: str | None = None, **variables: str) -> Topology:
    return read(text, file, variables=variables, read_file={"s.env": b"DB_PASSWORD=hunter22\n"}.get, project=project)


def extended(extension: str, before: str = WEB) -> Topology:
    return load(before + "x-understudy:\n" + "".join(f"  {line}\n" for line in extension.splitlines()))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the document is empty"),
        ("# only a note\n", "the document is empty"),
        ("- a", "a list at its top"),
        ("text", "a text at its top"),
        ("version: '3'", "the document is empty"),
        ("services:", "allowed is a mapping of services"),
        ("services: {}", "no services"),
        ("services: []", "allowed is a mapping"),
        ("services: {web: }", "here stands nothing"),
        ("services: {web: {}}", "neither 'image' nor 'build'"),
        ("services: {'a b': {image: x}}", "'a b'"),
        ("services: {'-a': {image: x}}", "is no service's name"),
        ("services: {web: {image: x, profiles: [debug]}}", "no services that run"),
        ("services: {web: {image: x, scale: 0}}", "no service is left"),
        (
            "services: {a: {image: x, profiles: [p]}, b: {image: x, depends_on: [a]}}",
            "which is not started: it has the profile p",
        ),
        ("services: {a: {image: x, deploy: {replicas: 0}}, b: {image: x, depends_on: [a]}}", "it has no replicas"),
        ("services: {web: {image: x}}\nservices: {}", "stands twice"),
        ("services: {web: {image: '--privileged'}}", "no image reference"),
        ('services: {web: {image: "x\\ny"}}', "no image reference"),
        ("services: {web: {image: ''}}", "neither"),
    ],
)
def test_what_is_no_topology_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(TopologyError, match=re.escape(message)) as caught:
        load(text)
    assert caught.value.where.file == "compose.yaml"
    assert caught.value.where.line >= 1


def test_the_projects_name_has_composes_precedence() -> None:
    text = "name: ${N:-named}\n" + WEB
    assert load(text, project="given", COMPOSE_PROJECT_NAME="env").name == "env"
    assert load(text, project="given").name == "named"
    assert load(WEB, project="A Folder").name == "afolder"
    assert load(text, N="other").name == "other"
    assert load(WEB, "examples/My Shop/compose.yaml").name == "myshop"
    assert load(WEB).name == "project"


def test_the_projects_name_can_be_interpolated() -> None:
    text = "name: shop\nservices: {web: {image: x, hostname: '$COMPOSE_PROJECT_NAME.internal'}}"
    assert load(text).services["web"].hostname == "shop.internal"


def test_a_template_with_anchors_and_merges_is_read_like_its_expansion() -> None:
    short = """
x-base: &base
  image: "shop/app:${TAG:-1}"
  restart: unless-stopped
  environment: &env {LOG: info, PORT: 80}
services:
  a:
    <<: *base
    environment: {<<: *env, LOG: debug}
  b: *base
"""
    long = """
services:
  a: {image: 'shop/app:1', restart: unless-stopped, environment: {LOG: debug, PORT: '80'}}
  b: {image: 'shop/app:1', restart: unless-stopped, environment: {LOG: info, PORT: '80'}}
"""
    assert load(short).services == load(long).services


def test_networks_and_volumes_that_nobody_uses_are_left_out_as_compose_does() -> None:
    found = load(
        "services:\n  web: {image: x, networks: [front], volumes: ['data:/d']}\n"
        "networks:\n  front: {internal: true, driver: overlay, labels: {a: b}}\n  back:\n"
        "volumes:\n  data: {driver_opts: {type: nfs, device: ':/x'}}\n  other:\n"
    )
    assert {name: network.internal for name, network in found.networks.items()} == {"front": True}
    assert found.networks["front"].labels == {"a": "b"}
    assert list(found.volumes) == ["data"]
    assert [(change.path, change.production, change.rule) for change in found.changes] == [
        ("networks.front.driver", "overlay", "compose.yaml:4:27"),
        ("volumes.data.driver_opts", "type=nfs, device=:/x", "compose.yaml:7:10"),
    ]


def test_a_key_that_the_specification_does_not_have_is_refused_as_compose_does() -> None:
    with pytest.raises(TopologyError, match="'nonsense' is not known here"):
        load("nonsense: 1\n" + WEB)


def test_services_with_profiles_are_left_out_and_named() -> None:
    found = load("services:\n  web: {image: x, profiles: []}\n  debug:\n    image: x\n    profiles: [debug]\n")
    assert list(found.services) == ["web"]
    (change,) = found.changes
    assert (change.path, change.fidelity) == ("services.debug", Fidelity.MISSING)
    assert "it has the profile debug" in change.reason


def test_the_extension_in_full() -> None:
    found = extended("""\
secrets: [SECRET]
externals:
  payments: {host: API.payments.example, port: 8080, mock: mocks/./payments}
  mail: {host: smtp.example}
endpoints: ["web:9000"]
profiles:
  default: {replicas: 1, network: closed}
  load: {replicas: 5}
tests:
  integration:
    {command: pytest -q, timeout: 5m, workers: 2, folder: ./tests, python: .venv/bin/python, environment: {A: 1}}
  smoke: {command: [sh, -c, 'echo $$X'], timeout: 30}""")
    assert found.secrets == ("SECRET",)
    assert found.externals == {
        "payments": External("payments", "api.payments.example", 8080, "mocks/payments"),
        "mail": External("mail", "smtp.example"),
    }
    assert found.endpoints == (("web", 9000),)
    assert found.profiles == {"default": Profile(replicas=1), "load": Profile("load", replicas=5)}
    assert found.suites == (
        Suite("integration", ("pytest", "-q"), "tests", ".venv/bin/python", 300.0, 2, {"A": "1"}),
        Suite("smoke", ("sh", "-c", "echo $X"), timeout=30.0),
    )
    assert found.warnings == ()


def test_what_a_suite_needs_has_its_place_and_stands_once() -> None:
    (suite,) = extended("tests: {a: {command: x, needs: [web, 'web:080', web, 'web:80']}}").suites
    assert [(str(need), need.name, need.port) for need in suite.needs] == [("web", "web", None), ("web:80", "web", 80)]
    assert suite.needs[0].where.path == "x-understudy.tests.a.needs[0]"


@pytest.mark.parametrize(
    ("services", "need", "message"),
    [
        (
            "web: {image: x}\n  debug: {image: x, profiles: [debug]}",
            "debug",
            "no such service: it has the profile debug",
        ),
        (
            "web: {image: x, depends_on: {seed: {condition: service_completed_successfully}}}\n  seed: {image: x}",
            "seed:80",
            "a job ends before anyone could reach its ports",
        ),
    ],
)
def test_a_need_that_no_clone_can_have_is_refused_with_its_line(services: str, need: str, message: str) -> None:
    text = f"services:\n  {services}\nx-understudy:\n  tests:\n    a: {{command: x, needs: ['{need}']}}\n"
    with pytest.raises(TopologyError, match=re.escape(message)) as caught:
        load(text)
    assert caught.value.where.line == len(text.splitlines())
    only_compared = read(text, "compose.yaml", variables={}, read_file={}.get, provisioned=False)
    assert str(only_compared.suites[0].needs[0]) == need


@pytest.mark.parametrize(
    ("extension", "message"),
    [
        ("secret: [A]", "'secret' is not known here; allowed are secrets, externals, endpoints, profiles, tests"),
        ("secrets: [SECRET, 'a b']", "is no name of a variable"),
        ("secrets: SECRET", "allowed is a list"),
        ("secrets: [SECRET, NOWHERE]", "'NOWHERE' is neither a variable"),
        ("externals: {pay: {}}", "'host' is missing"),
        ("externals: {pay: {host: 'a b'}}", "no host name"),
        ("externals: {pay: {host: a, port: 70000}}", "70000 is no port"),
        ("externals: {pay: {host: a, mock: /abs}}", "path of one host"),
        ("externals: {pay: {host: a, mock: ../up}}", "leaves the commit's tree"),
        ("externals: {pay: {host: a, mocks: m}}", "allowed are host, port, scheme, mock, allow"),
        ("externals: {web: {host: a}}", "no name for a third party"),
        ("externals: {a: {host: pay.example}, b: {host: PAY.example, port: 81}}", "have the same host 'pay.example'"),
        ("externals: {a: {host: p.example, allow: true}, b: {host: p.example, allow: on}}", "one for each port"),
        ("externals: {a: {host: p.example, mock: m}, b: {host: p.example, port: 81, allow: on}}", "have the same host"),
        ("externals: {pay: {host: a, mock: m, allow: true}}", "a mock and is allowed"),
        ("externals: {pay: {host: a, scheme: ftp}}", "allowed are http, https"),
        ("externals: {pay: {host: 203.0.113.7}}", "is an address"),
        ("externals: {pay: {host: '*.pay.example', allow: true}}", "is no host name"),
        ("externals: {pay: {host: WEB}}", "is the name of service 'web'"),
        ("endpoints: [web]", "allowed is SERVICE:PORT"),
        ("endpoints: ['web:0']", "allowed is SERVICE:PORT"),
        ("endpoints: ['db:1']", "no service of the clone; services are web"),
        ("profiles: {default: {replicas: 0}}", "whole number from 1"),
        ("profiles: {default: {network: ajar}}", "allowed are closed, open"),
        ("profiles: {default: {size: 1}}", "allowed are replicas, network"),
        ("tests: {unit: {}}", "'command' is missing"),
        ("tests: {unit: {command: ''}}", "the command is empty"),
        ("tests: {unit: {command: x, timeout: 0}}", "above 0"),
        ("tests: {unit: {command: x, timeout: 0s}}", "above 0"),
        ("tests: {unit: {command: x, workers: 0}}", "whole number from 1"),
        ("tests: {unit: {command: x, folder: ../..}}", "leaves the commit's tree"),
        ("tests: {unit: {command: x, retry: 2}}", "allowed are command, folder, python, image, runs_on, needs"),
        ("tests: {unit: {command: x, retries: -1}}", "whole number from 0"),
        ("tests: {unit: {command: x, image: ' '}}", "the image is empty"),
        ("tests: {unit: {command: x, runs_on: cloud}}", "allowed are host, network"),
        ("tests: {unit: {command: x, runs_on: network}}", "it has no image: give it one"),
        ("tests: {unit: {command: x, image: t, runs_on: host}}", "it has an image: choose"),
        ("tests: {unit: {command: x, needs: web}}", "allowed is a list"),
        ("tests: {unit: {command: x, needs: ['web:']}}", "allowed is NAME or NAME:PORT"),
        ("tests: {unit: {command: x, needs: ['web:70000']}}", "allowed is NAME or NAME:PORT"),
        (
            "tests: {unit: {command: x, needs: [db]}}",
            "'unit' needs 'db', and that is no service and no mock; services are",
        ),
        ("{externals: {pay: {host: a.b}}, tests: {u: {command: x, needs: [pay]}}}", "that third party has no mock"),
        ("{externals: {pay: {host: a.b, mock: m}}, tests: {u: {command: x, needs: ['pay:1']}}}", "on port 80 alone"),
        ("tests: {'../x': {command: x}}", "no name for a suite"),
    ],
)
def test_the_extension_is_strict(extension: str, message: str) -> None:
    with pytest.raises(TopologyError, match=re.escape(message)) as caught:
        extended(extension)
    assert caught.value.where.line >= 4
    assert caught.value.where.path.startswith("x-understudy")


SECRETS = """
services:
  db: {image: postgres, environment: {POSTGRES_PASSWORD: "${DB_PASSWORD:?no}"}}
  app:
    image: x
    command: serve --dsn postgres://app:${DB_PASSWORD-short}@db/x
    environment: [DB_PASSWORD, "URL=$URL", "MIXED=a-${DB_PASSWORD}-b"]
    healthcheck: {test: "check $DB_PASSWORD"}
x-understudy: {secrets: [DB_PASSWORD]}
"""


@pytest.mark.parametrize("variables", [{}, {"DB_PASSWORD": "hunter22", "URL": "redis://:hunter22@cache"}])
def test_an_interpolated_secret_never_enters_the_topology(variables: dict[str, str]) -> None:
    found = load(SECRETS, **variables)
    token = secret_token("DB_PASSWORD")
    assert found.services["db"].environment == {"POSTGRES_PASSWORD": token}
    app = found.services["app"]
    assert app.command == ("serve", "--dsn", f"postgres://app:{token}@db/x")
    assert app.environment["DB_PASSWORD"] == token
    assert app.environment["MIXED"] == f"a-{token}-b"
    assert app.healthcheck is not None
    assert app.healthcheck.test == ("CMD-SHELL", f"check {token}")
    assert app.environment["URL"] == (f"redis://:{token}@cache" if variables else "")
    assert "hunter22" not in canonical_json(topology_data(found))


@pytest.mark.parametrize(
    "place",
    ["image: 'x:${S}'", "build: {context: ., args: {A: $S}}", "labels: {a: $S}", "user: $S", "volumes: ['./$S:/x']"],
)
def test_a_secret_stands_only_where_it_can_be_made_anew(place: str) -> None:
    image = "" if place.startswith("image") else "image: x, "
    with pytest.raises(TopologyError, match="the secret S is interpolated here"):
        load(f"services: {{web: {{{image}{place}}}}}\nx-understudy: {{secrets: [S]}}", S="hunter22")


@pytest.mark.parametrize("place", ["labels: {a: was-hunter22}", "build: {context: ., args: {A: hunter22}}"])
def test_a_literal_secret_is_refused_where_it_cannot_be_made_anew(place: str) -> None:
    text = f"services:\n  web: {{image: x, environment: {{P: $S}}, {place}}}\nx-understudy: {{secrets: [S]}}"
    with pytest.raises(TopologyError, match="holds the value of secret S") as caught:
        load(text, S="hunter22")
    assert caught.value.where.line == 2


def test_another_versions_secrets_are_secrets_here_too_wherever_they_stand() -> None:
    text = """
services:
  web:
    image: x
    environment: {P: $S, ALIKE: $OTHER}
    labels: {a: $S}
"""
    found = read(text, "c.yaml", variables={"S": "hunter22", "OTHER": "hunter22"}, read_file={}.get, secrets=("S", "T"))
    assert found.services["web"].environment == {"P": secret_token("S"), "ALIKE": secret_token("S")}
    assert found.secrets == ("S", "T")
    assert "hunter22" not in canonical_json(topology_data(found))


def test_links_are_aliases_and_dependencies() -> None:
    found = load("""
services:
  web: {image: x, networks: [a], links: ["db:database", cache]}
  db: {image: x, networks: [a, b]}
  cache: {image: x, networks: [a]}
networks: {a: , b: }
""")
    assert found.services["db"].networks == (NetworkLink("a", ("database",)), NetworkLink("b"))
    assert found.services["cache"].networks == (NetworkLink("a"),)
    assert [d.service for d in found.services["web"].depends_on] == ["db", "cache"]
    with pytest.raises(TopologyError, match="'gone', which is not declared"):
        load("services: {web: {image: x, links: [gone]}}")


def test_a_service_may_be_called_like_the_relay() -> None:
    assert list(load("services: {relay: {image: x}}").services) == ["relay"]


def test_secrets_of_one_value_stay_equal() -> None:
    text = """
services:
  db: {image: postgres, environment: {A: $FIRST, B: $SECOND, C: $THIRD}}
x-understudy: {secrets: [FIRST, SECOND, THIRD]}
"""
    found = load(text, FIRST="same-value", SECOND="same-value", THIRD="other")
    assert found.services["db"].environment == {
        "A": secret_token("FIRST"),
        "B": secret_token("FIRST"),
        "C": secret_token("THIRD"),
    }
    assert found.secret_aliases == {"SECOND": "FIRST"}


def test_a_secret_from_an_environment_file_is_a_literal_for_derivation() -> None:
    text = "services: {db: {image: x, env_file: s.env}}\nx-understudy: {secrets: [DB_PASSWORD]}"
    assert load(text).services["db"].environment == {"DB_PASSWORD": "hunter22"}


def test_a_circle_and_a_deep_name_have_their_place() -> None:
    with pytest.raises(TopologyError, match="in a circle") as caught:
        load("services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a]}\n")
    assert caught.value.where.line in {2, 3}
