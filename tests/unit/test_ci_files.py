"""The action, the workflows and the template, held against their published schemas, actionlint and our own rules."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
ACTION = ROOT / "action.yml"
WORKFLOWS = sorted((ROOT / "ci" / "github").glob("*.yml"))
GITLAB = ROOT / "ci" / "gitlab" / "understudy.gitlab-ci.yml"
OURS = "OWNER/understudy@" + "0" * 40
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


def load(path: Path) -> dict[str, Any]:
    found = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def jobs() -> Iterator[tuple[Path, str, dict[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in load(path)["jobs"].items():
            yield path, name, job


def steps() -> list[tuple[str, dict[str, Any]]]:
    found = [(ACTION.name, step) for step in load(ACTION)["runs"]["steps"]]
    return found + [(f"{path.name}:{name}", step) for path, name, job in jobs() for step in job["steps"]]


def check(schema: str, *paths: Path, more: tuple[str, ...] = ()) -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        f"vendor.{schema}",
        *more,
        *map(str, paths),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_they_fit_their_published_schemas() -> None:
    check("github-actions", ACTION)
    check("github-workflows", *WORKFLOWS)
    check("gitlab-ci", GITLAB, more=("--data-transform", "gitlab-ci"))


def test_actionlint_finds_nothing() -> None:
    place = ROOT / "scripts" / "setup_actionlint.py"
    sys.path.insert(0, str(place.parent))
    try:
        spec = importlib.util.spec_from_file_location("setup_actionlint", place)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(place.parent))
    command = module.command_path()
    if not command.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no actionlint; `make setup` builds it with Go")
    ours = 'label "understudy" is unknown'
    done = subprocess.run(
        [command, "-no-color", "-ignore", ours, *WORKFLOWS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_foreign_actions_are_pinned_by_commit_with_their_version_beside() -> None:
    for path in (ACTION, *WORKFLOWS):
        for line in path.read_text(encoding="utf-8").splitlines():
            if found := re.match(r"[\s-]*uses: (.*)", line):
                assert found[1] == OURS or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", found[1]), line


def test_no_script_holds_an_expression() -> None:
    """Whatever an expression gives would be read as a part of the script: values come as variables."""
    for where, step in steps():
        assert "${{" not in step.get("run", ""), where
        assert "${{" not in str(step.get("shell", "")), where


PLACEHOLDER = re.compile(
    r"\b(OWNER|REPO|ORG|YOUR\w*|CHANGE_?ME|FILL\w*|PLACEHOLDER)\b|<[a-z][a-z -]*>|\b0{7,}\b|example\.(com|org|net)"
)


def test_what_a_user_has_to_fill_in_is_one_thing_and_both_init_and_docs_say_so() -> None:
    from understudy.init import command

    texts = {path: path.read_text("utf-8") for path in (ACTION, *WORKFLOWS, GITLAB, ROOT / "ci" / "constraints.txt")}
    for path, text in texts.items():
        assert PLACEHOLDER.findall(text.replace(OURS, "")) == [], path
    used = [path.name for path, text in texts.items() if OURS in text]
    assert used == [path.name for path in WORKFLOWS]
    assert "OWNER/understudy@0000" in command._NOTES["github"]
    assert "UNDERSTUDY_SOURCE" in command._NOTES["gitlab"]
    docs = (ROOT / "docs" / "ci.md").read_text("utf-8")
    assert "in place of `OWNER/understudy@000...`" in docs
    assert "UNDERSTUDY_SOURCE" in docs
    assert PLACEHOLDER.findall(docs.replace(OURS, "").replace("OWNER/understudy@000...", "")) == []


def closure(*roots: str) -> dict[str, str]:
    """What these distributions need, as it is installed: name -> version."""
    found: dict[str, str] = {}
    waiting = list(roots)
    while waiting:
        name = canonicalize_name(waiting.pop())
        with suppress(PackageNotFoundError):  # of another platform
            if name not in found:
                found[name] = version(name)
                needs = map(Requirement, requires(name) or ())
                waiting += [each.name for each in needs if each.marker is None or each.marker.evaluate({"extra": ""})]
    return found


def test_all_that_the_action_installs_is_pinned_to_what_was_tested() -> None:
    lines = (ROOT / "ci" / "constraints.txt").read_text("utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    wanted = closure("understudy", "hatchling")
    del wanted["understudy"]
    listed = "\n".join(f"{name}=={there}" for name, there in sorted(wanted.items()))
    assert pinned == wanted, f"ci/constraints.txt has to be:\n{listed}"
    (step,) = (step for step in load(ACTION)["runs"]["steps"] if step["name"] == "Install Understudy")
    assert "PIP_CONSTRAINT=ci/constraints.txt PIP_BUILD_CONSTRAINT=ci/constraints.txt" in step["run"]


def test_every_job_has_its_rights_and_a_time_limit() -> None:
    for path, name, job in jobs():
        assert load(path)["permissions"] == {}, path
        assert "permissions" in job, f"{path.name}:{name}"
        assert 0 < job["timeout-minutes"] <= 30, f"{path.name}:{name}"


def test_no_job_both_runs_a_commit_and_may_write() -> None:
    for path, name, job in jobs():
        uses = [step.get("uses", "") for step in job["steps"]]
        checks_out = any(each.startswith("actions/checkout@") for each in uses)
        writes = {right for right, how in job["permissions"].items() if how == "write"}
        assert not (checks_out and writes), f"{path.name}:{name}"
        assert writes <= {"pull-requests"}
        if checks_out:
            assert job["permissions"] == {"contents": "read"}


def test_a_checkout_leaves_no_credentials() -> None:
    found = [step for _, step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert found
    assert {step["with"]["persist-credentials"] for step in found} == {False}


def test_no_workflow_of_strangers_has_rights() -> None:
    for path in WORKFLOWS:
        triggers = load(path)["on"]
        assert "pull_request_target" not in triggers
        if "workflow_run" in triggers:
            assert "actions/checkout" not in path.read_text(encoding="utf-8")


def test_only_the_comment_gets_a_token() -> None:
    for where, step in steps():
        given = " ".join(map(str, step.get("env", {}).values()))
        assert ("token" in given.lower()) == (where == ACTION.name and step["name"] == "Comment"), step


def test_a_runner_of_one_s_own_runs_no_stranger_s_code() -> None:
    for path, name, job in jobs():
        if "self-hosted" in job["runs-on"] and "pull_request" in load(path)["on"]:
            assert job["if"] == "github.event.pull_request.head.repo.full_name == github.repository", name


def test_a_fork_s_commit_is_untrusted() -> None:
    runs = [
        step
        for path, _, job in jobs()
        if "pull_request" in load(path)["on"] and "self-hosted" not in job["runs-on"]
        for step in job["steps"]
        if step.get("uses") == OURS and step.get("with", {}).get("command", "run") == "run"
    ]
    wanted = {"UNDERSTUDY_UNTRUSTED": "${{ github.event.pull_request.head.repo.fork == true }}"}
    assert [step["env"] for step in runs] == [wanted]


def test_what_they_call_exists() -> None:
    from understudy.cli import cli

    texts = [step.get("run", "") for _, step in steps()]
    texts += [line for job in load(GITLAB).values() if isinstance(job, dict) for line in job.get("script", [])]
    called = {
        word
        for text in texts
        for word in re.findall(r"(?:^|[;|&]|do|then|\$\()\s*understudy ([a-z]+)", text, re.MULTILINE)
    }
    assert called == {"run", "comment", "env", "test", "down", "reap", "up", "diff"}
    assert called <= set(cli.commands)


def test_expressions_name_what_is_declared() -> None:
    action = load(ACTION)
    text = ACTION.read_text(encoding="utf-8")
    named = set(
        re.findall(r"inputs\.([\w-]+)", " ".join(EXPRESSION.findall(text)) + " ".join(re.findall(r"if: (.*)", text)))
    )
    assert named == set(action["inputs"])
    for _, step in steps():
        if step.get("uses") == OURS:
            assert set(step.get("with", {})) <= set(action["inputs"])


def test_the_package_brings_them() -> None:
    assert (ROOT / "understudy" / "ci_files" / "github" / "understudy.yml").read_bytes() == WORKFLOWS[-1].read_bytes()


def test_no_module_is_taken_from_the_folder_of_a_commit() -> None:
    found = re.findall(r"\S+ (?=-m (?:venv|pip)\b)", ACTION.read_text("utf-8") + GITLAB.read_text("utf-8"))
    assert len(found) == 4
    assert set(found) == {"-P "}, "`python -m venv` runs a venv.py that lies in the current folder (`-P`, Python 3.11)"


def test_no_job_with_a_token_of_gitlab_sees_what_an_earlier_job_left() -> None:
    for name in ("understudy-note", "understudy-down", "understudy-reap"):
        assert load(GITLAB)[name]["variables"]["GIT_STRATEGY"] == "empty"
