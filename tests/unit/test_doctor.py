from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import ROOT

from understudy import doctor
from understudy.doctor import TESTED, TESTED_ON_AWS, Check, examine, main, render
from understudy.targets.docker_client import client

REQUIREMENTS = ("requirements-dev.txt", "tests/aws/e2e/requirements.txt")

NOWHERE = "tcp://127.0.0.1:1"
"""A port that nobody listens on; of a missing unix socket docker-py leaves its own end open."""


@pytest.fixture(autouse=True)
def _bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without Docker, git and Pulumi."""
    client.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    monkeypatch.delenv("UNDERSTUDY_PULUMI", raising=False)
    yield
    client.cache_clear()


def script(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "bin").mkdir(exist_ok=True)
    path = tmp_path / "bin" / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def found() -> dict[str, Check]:
    return {check.name: check for check in examine()}


def test_what_is_missing_is_named_with_what_to_do() -> None:
    checks = found()
    assert checks["python"].ok
    assert checks["git"].ok is False
    assert checks["git"].hint == "Install git."
    assert checks["docker"].ok is False
    assert NOWHERE in checks["docker"].detail
    assert checks["docker"].hint
    assert checks["docker CLI"].ok is False
    assert "network" not in checks
    assert checks["pulumi"].ok is None
    assert "make setup" in checks["pulumi"].hint


def test_tools_are_shown_with_their_versions(tmp_path: Path) -> None:
    script(tmp_path, "git", "echo git version 2.99.1")
    script(tmp_path, "pulumi", "echo v3.200.0")
    script(
        tmp_path,
        "docker",
        "case $1 in buildx) echo github.com/docker/buildx v0.30.1 abc;; *) echo Docker version 29.0.0, build x;; esac",
    )
    checks = found()
    assert checks["git"].detail == "2.99.1"
    assert checks["pulumi"].ok
    assert checks["pulumi"].detail == f"3.200.0 at {tmp_path}/bin/pulumi (PATH)"
    assert checks["docker CLI"].ok
    assert checks["docker CLI"].detail == "29.0.0, github.com/docker/buildx v0.30.1"


def test_without_buildx_the_classic_builder_is_a_note(tmp_path: Path) -> None:
    script(tmp_path, "docker", '[ "$1" = --version ] && echo "Docker version 20.10.24, build x"')
    check = found()["docker CLI"]
    assert check.ok is None
    assert check.detail == "20.10.24, classic builder"


def test_a_pulumi_that_was_not_tested_is_a_note(tmp_path: Path) -> None:
    script(tmp_path, "pulumi", "echo v3.260.0")
    check = found()["pulumi"]
    assert check.ok is None
    assert "3.200.0" in check.hint


def test_a_broken_named_pulumi_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_PULUMI", str(tmp_path / "none"))
    check = found()["pulumi"]
    assert check.ok is False
    assert "UNDERSTUDY_PULUMI" in check.detail


def test_a_tool_that_fails_is_quoted(tmp_path: Path) -> None:
    script(tmp_path, "git", "echo 'dyld: broken' >&2; exit 3")
    assert found()["git"].detail == "`git --version` failed: dyld: broken"


def test_a_tool_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, "git", "exec /bin/sleep 30")
    monkeypatch.setattr(doctor, "LIMIT", 0.2)
    assert "did not answer within 0.2 s" in found()["git"].detail


def test_a_state_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    check = found()["state"]
    assert check.ok is False
    assert "XDG_STATE_HOME" in check.hint


def test_the_text_names_every_check_its_hint_and_the_tested_versions() -> None:
    text = render([Check("one", True, "1.0"), Check("two", None, "half", "Do this."), Check("three", False, "gone")])
    lines = text.splitlines()
    assert [line.split() for line in lines[:4]] == [
        ["ok", "one", "1.0"],
        ["note", "two", "half"],
        ["Do", "this."],
        ["MISSING", "three", "gone"],
    ]
    assert all(f"{name} {version}" in lines[-1] for name, version in TESTED.items())


def test_on_aws_it_names_the_emulators_as_they_are_pinned_and_what_was_not_run() -> None:
    last = render([], docker=False).splitlines()[-1]
    pinned = "".join((ROOT / name).read_text(encoding="utf-8") for name in REQUIREMENTS).replace("moto[server]", "moto")
    for name, version in TESTED_ON_AWS.items():
        assert f"{name} {version}" in last
        if name in {"pulumi_aws", "moto", "ministack"}:
            assert f"\n{name.replace('_', '-')}=={version}\n" in pinned
    assert "plugin of pulumi_aws was not run" in last
    assert "docker" not in last


def test_what_a_tool_says_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in render([Check("git", True, "2.0\x1b[2J\r\nok docker", "\x1b[0m")])


def test_the_exit_code_says_whether_something_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main() == 2
    assert "MISSING" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "examine", lambda **_: [Check("one", True, ""), Check("two", None, "")])
    assert main() == 0
