"""The key of a suite: another for any other input, the same for what cannot matter; and what is never reused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from repositories import Repo

from understudy.build.contents import contents
from understudy.build.git import Repository
from understudy.build.keys import Origin
from understudy.errors import UnderstudyError
from understudy.options import Options
from understudy.reuse import gather as gathering
from understudy.reuse.gather import gather, read_by, surroundings
from understudy.reuse.key import Inputs, key_of, not_kept, refusal
from understudy.stacks.clone import Change, Clone, Fidelity, Mock
from understudy.stacks.topology import Build, External, Need, Service, Suite, Topology
from understudy.suites.interpreter import PreparedSuite
from understudy.suites.results import Attempt, Case, Outcome, SuiteResult, SuiteStatus

SUITE = Suite("api", ("pytest", "-q"), "tests/api", environment={"A": "1"})
CLONE = Clone(Topology("shop", {"web": Service("web", image="w:1", environment={"URL": "http://db"})}, suites=(SUITE,)))
INPUTS = Inputs(
    SUITE,
    CLONE,
    images={"web": "sha256:1"},
    files={"services.web.mounts./www.files": "a"},
    read={"": "b"},
    pointers=(),
    variables={"TZ": "UTC"},
    interpreter={"path": "/p", "packages": "c"},
    run={"understudy": "1", "workers": None},
)


def of_clone(**fields: Any) -> Inputs:
    return replace(INPUTS, clone=replace(CLONE, topology=replace(CLONE.topology, **fields)))


def of_suite(**fields: Any) -> Inputs:
    return replace(INPUTS, suite=replace(SUITE, **fields))


OTHERS = {
    "command": of_suite(command=("pytest",)),
    "folder": of_suite(folder="tests"),
    "interpreter's name": of_suite(python="python3"),
    "timeout": of_suite(timeout=1.0),
    "retries": of_suite(retries=1),
    "suite's workers": of_suite(workers=2),
    "suite's variables": of_suite(environment={"A": "2"}),
    "container": of_suite(image="i", runs_on="network"),
    "needs": of_suite(needs=(Need("web"),)),
    "inputs": of_suite(inputs=()),
    "image": replace(INPUTS, images={"web": "sha256:2"}),
    "image of another thing": replace(INPUTS, images={"web": "sha256:1", "(mocks)": "sha256:1"}),
    "mounted file": replace(INPUTS, files={"services.web.mounts./www.files": "z"}),
    "further file": replace(INPUTS, files={**INPUTS.files, "externals.pay.mock.files": "a"}),
    "tests": replace(INPUTS, read={"": "z"}),
    "pointer": replace(INPUTS, pointers=("big.bin",)),
    "host's variable": replace(INPUTS, variables={"TZ": "CET"}),
    "packages": replace(INPUTS, interpreter={"path": "/p", "packages": "z"}),
    "interpreter": replace(INPUTS, interpreter={"path": "/q", "packages": "c"}),
    "version": replace(INPUTS, run={"understudy": "2", "workers": None}),
    "workers": replace(INPUTS, run={"understudy": "1", "workers": 1}),
    "configuration": of_clone(services={"web": Service("web", image="w:1", environment={"URL": "http://other"})}),
    "further service": of_clone(services={**CLONE.topology.services, "db": Service("db", image="w:1")}),
    "third party": of_clone(externals={"pay": External("pay", "pay.example", 80, mock="m")}),
    "mock": replace(INPUTS, clone=replace(CLONE, mocks=(Mock("pay", "pay.example", 80, "m"),))),
}


@pytest.mark.parametrize("other", OTHERS)
def test_every_input_changes_the_key(other: str) -> None:
    assert key_of(OTHERS[other]) != key_of(INPUTS)


def test_all_of_these_keys_differ() -> None:
    assert len({key_of(each) for each in OTHERS.values()}) == len(OTHERS)


def test_what_cannot_be_noticed_does_not_change_the_key() -> None:
    change = Change("services.web.image", "w:0", "w:1", "it was built", Fidelity.CHANGED)
    clone = replace(CLONE, changes=(change,), unchanged_builds={"web": "w:1"}, pinned={"web": "w@sha256:1"})
    other = Suite("ui", ("pytest",))
    clone = replace(clone, topology=replace(clone.topology, suites=(SUITE, other), warnings=("x",), changes=(change,)))
    assert key_of(replace(INPUTS, clone=clone)) == key_of(INPUTS)


ALLOWED = replace(CLONE, allowed=(External("pay", "pay.example", 443, allow=True),))
RIGHTS = replace(CLONE, topology=replace(CLONE.topology, allowed=("services.web.privileged",)))


@pytest.mark.parametrize(
    ("clone", "suite", "flags", "why"),
    [
        (CLONE, SUITE, {"dirty": True}, "working folder"),
        (CLONE, SUITE, {"shard": True}, "one part"),
        (replace(CLONE, open_network=True), SUITE, {}, "reaches the outside"),
        (ALLOWED, SUITE, {}, "third parties, which change unseen: pay"),
        (RIGHTS, SUITE, {}, "services.web.privileged"),
        (CLONE, replace(SUITE, command=("make", "check")), {}, "not pytest"),
    ],
)
def test_what_may_change_unseen_is_refused(clone: Clone, suite: Suite, flags: dict[str, bool], why: str) -> None:
    assert why in refusal(clone, suite, **{"dirty": False, "shard": False, **flags})


def test_any_command_in_a_container_has_a_key() -> None:
    assert not refusal(CLONE, SUITE, dirty=False, shard=False)
    boxed = replace(SUITE, command=("make",), image="i", runs_on="network")
    assert not refusal(CLONE, boxed, dirty=False, shard=False)


def result(*cases: Case, status: SuiteStatus = SuiteStatus.PASSED, attempts: int = 1) -> SuiteResult:
    return SuiteResult("api", status, "", ("pytest",), 0, 0.0, 1.0, 1, cases, attempts=attempts)


def test_only_a_steady_pass_is_kept() -> None:
    good = Case("t", Outcome.PASSED)
    assert not not_kept(result(good, Case("s", Outcome.SKIPPED), Case("x", Outcome.XFAILED)))
    assert not_kept(result(good, status=SuiteStatus.STOPPED))
    assert not_kept(result(good, status=SuiteStatus.FAILED))
    assert not_kept(result(good, Case("f", Outcome.FLAKY)))
    assert not_kept(result(good, Case("n", Outcome.NOT_RUN)))
    assert not_kept(result(replace(good, earlier=(Attempt(Outcome.FAILED),))))
    assert not_kept(result(good, attempts=2))


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "repository")


FILES: dict[str, str | bytes] = {
    "shop/compose.yaml": "services: {}\n",
    "shop/tests/api/test_a.py": "",
    "shop/tests/ui/test_u.py": "",
    "shop/mocks/pay/mappings/a.json": "{}",
    "shop/web/Dockerfile": "FROM x\n",
    "shared/data.json": "{}",
}


def reads(repo: Repo, **fields: Any) -> dict[str, str]:
    sha = repo.commit()
    return read_by(replace(SUITE, **fields), Origin(Repository.find(repo.folder), sha, "shop"))


CONFIGURATIONS = ("conftest.py", "shop/conftest.py", "shop/tests/pytest.ini", "shop/pyproject.toml", ".gitattributes")


@pytest.mark.parametrize("changed", ["shop/tests/api/test_a.py", "shop/tests/api/new.py", *CONFIGURATIONS])
def test_a_suite_with_inputs_reads_its_folder_and_what_configures_it(repo: Repo, changed: str) -> None:
    repo.commit(FILES)
    before = reads(repo, inputs=())
    repo.write({changed: "# other\n"})
    assert reads(repo, inputs=()) != before


def test_a_suite_with_inputs_reads_no_more_than_it_says(repo: Repo) -> None:
    repo.commit(FILES)
    alone, more, all_of_it = reads(repo, inputs=()), reads(repo, inputs=("tests/ui",)), reads(repo)
    repo.write({"shop/tests/ui/test_u.py": "# other\n"})
    assert reads(repo, inputs=()) == alone
    assert reads(repo, inputs=("tests/ui",)) != more
    assert reads(repo) != all_of_it
    with pytest.raises(UnderstudyError, match="tests/none, which its tests read, is not in the commit"):
        reads(repo, inputs=("tests/none",))


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Reference -> id of the images that the daemon has."""
    images = {"r:1": "sha256:aa", "m:1": "sha256:bb", "w:1": "sha256:cc"}
    monkeypatch.setattr(gathering, "client", lambda: None)
    monkeypatch.setattr(gathering, "daemon_platform", lambda _: "linux/amd64")
    monkeypatch.setattr(gathering, "present", lambda _, given: {name: images[name] for name in given if name in images})
    return images


def key_at(repo: Repo, clone: Clone, **options: Any) -> str:
    sha = repo.commit()
    origin = Origin(Repository.find(repo.folder), sha, "shop")
    blueprint: Any = SimpleNamespace(clone=clone)
    tree: Any = SimpleNamespace(pointers=())
    boxed = replace(SUITE, image="web", runs_on="network", inputs=())
    shared = surroundings(blueprint, Options(relay_image="r:1", mock_image="m:1", **options), origin)
    return key_of(gather(PreparedSuite(boxed, repo.folder), shared, blueprint, tree, origin))


MOCKED = replace(
    CLONE,
    topology=replace(CLONE.topology, externals={"pay": External("pay", "pay.example", 80, mock="mocks/pay")}),
    mocks=(Mock("pay", "pay.example", 80, "mocks/pay"),),
)


def test_a_changed_mock_or_image_runs_again_and_a_readme_does_not(repo: Repo, daemon: dict[str, str]) -> None:
    repo.commit(FILES)
    first = key_at(repo, MOCKED)
    repo.write({"shop/README.md": "# Shop\n"})
    assert key_at(repo, MOCKED) == first
    repo.write({"shop/mocks/pay/mappings/a.json": '{"request": {}}'})
    mocked = key_at(repo, MOCKED)
    assert mocked != first
    assert key_at(repo, MOCKED, profile="large") != mocked
    for image in ("r:1", "m:1", "w:1"):
        known, daemon[image] = daemon[image], "sha256:other"
        assert key_at(repo, MOCKED) != mocked, image
        daemon[image] = known
    assert key_at(repo, MOCKED) == mocked


def test_an_image_that_is_not_here_makes_no_key(repo: Repo, daemon: dict[str, str]) -> None:  # noqa: ARG001 - it has none of the build
    repo.commit(FILES)
    built = replace(CLONE, topology=replace(CLONE.topology, services={"web": Service("web", build=Build("web"))}))
    with pytest.raises(UnderstudyError, match="no image is here yet for web"):
        key_at(repo, built)
    assert "services.web.build.files" in contents(built, Origin(Repository.find(repo.folder), repo.commit(), "shop"))
