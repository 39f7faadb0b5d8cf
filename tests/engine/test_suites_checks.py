"""What is held before anything is provisioned: folders, commands and interpreters that are really asked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from understudy.errors import UsageError
from understudy.stacks.topology import Suite
from understudy.suites.interpreter import check_suites

PYTEST = ("pytest", "-q")


def check(project: Path, *command: str, **options: Any) -> object:
    return check_suites([Suite("api", command, **options)], project)


@pytest.mark.parametrize(
    ("command", "options", "words"),
    [
        (("no-such-program-here",), {}, "no such executable on PATH"),
        (("./no-such-script",), {}, "no such executable in '.' of the commit"),
        ((".venv/bin/pytest",), {}, "`python: path/to/venv/bin/python`"),
        ((), {}, "has no command"),
        (PYTEST, {"folder": "nowhere"}, "no such folder"),
        (PYTEST, {"folder": "../.."}, "outside the project"),
        (PYTEST, {"folder": "/etc"}, "outside the project"),
        (PYTEST, {"folder": "link"}, "outside the project"),
        (PYTEST, {"python": "venv/bin/python"}, "is no executable"),
        (PYTEST, {"python": "python9.99"}, "not on PATH"),
        (("python9.99", "-m", "pytest"), {}, "not on PATH"),
        (PYTEST, {"python": "/bin/false"}, "Asked /bin/false"),
        (PYTEST, {"environment": {"PULUMI_ACCESS_TOKEN": "x"}}, "reserved"),
    ],
)
def test_what_could_not_start_is_refused(
    tmp_path: Path, command: tuple[str, ...], options: dict[str, Any], words: str
) -> None:
    (tmp_path / "link").symlink_to("/etc")

    with pytest.raises(UsageError) as refused:
        check(tmp_path, *command, **options)

    assert words in str(refused.value)
    assert "api" in str(refused.value) or "PULUMI_ACCESS_TOKEN" in str(refused.value)
    assert refused.value.exit_code == 2


def test_an_interpreter_without_pytest_is_named_with_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pytest'] = None\n")
    environment = {"PYTHONPATH": str(tmp_path)}

    with pytest.raises(UsageError) as refused:
        check(tmp_path, *PYTEST, python=sys.executable, environment=environment)

    assert f"{sys.executable} -m pip install pytest" in str(refused.value)


def test_an_old_interpreter_is_refused(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text('#!/bin/sh\necho \'{"version": [3, 6], "pytest": true, "xdist": true}\'\n')
    old.chmod(0o755)

    with pytest.raises(UsageError, match=r"is Python 3\.6"):
        check(tmp_path, *PYTEST, python="./python")


def test_names_that_are_given_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="different names"):
        check_suites([Suite("a", PYTEST), Suite("a", PYTEST)], tmp_path)


def test_a_path_of_an_interpreter_is_the_users_not_the_commits(tmp_path: Path) -> None:
    origin, project = tmp_path / "origin", tmp_path / "tree" / "project"
    (origin / "venv").mkdir(parents=True)
    project.mkdir(parents=True)
    (origin / "venv" / "python").symlink_to(sys.executable)

    (found,) = check_suites([Suite("a", PYTEST, python="venv/python")], project, origin)

    assert found.interpreter == str(origin / "venv" / "python")


def test_the_active_virtual_environment_comes_before_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    active = tmp_path / "bin" / "python"
    active.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    active.chmod(0o755)

    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path))
    (in_active,) = check_suites([Suite("a", PYTEST)], tmp_path)
    monkeypatch.delenv("VIRTUAL_ENV")
    (in_ours,) = check_suites([Suite("a", PYTEST)], tmp_path)

    assert (in_active.interpreter, in_ours.interpreter) == (str(active), sys.executable)
    assert in_ours.xdist


def test_a_folder_may_leave_the_project_but_not_the_tree(tmp_path: Path) -> None:
    (tmp_path / "tree" / "deploy").mkdir(parents=True)
    (tmp_path / "tree" / "tests").mkdir()

    (found,) = check_suites([Suite("a", ("true",), "../tests")], tmp_path / "tree" / "deploy", tree=tmp_path / "tree")

    assert found.folder == (tmp_path / "tree" / "tests").resolve()


def test_files_of_the_commit_do_not_pose_as_modules(tmp_path: Path) -> None:
    for name in ("pytest", "json", "importlib"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the commit was executed')\n")

    (found,) = check_suites([Suite("a", PYTEST, python=sys.executable)], tmp_path)

    assert found.interpreter == sys.executable
