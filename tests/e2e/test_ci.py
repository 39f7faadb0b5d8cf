"""The action and the workflows, their steps run for real: a runner of our own, a stand-in for GitHub, a real clone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from forge import TOKEN, Forge, serving
from ruamel.yaml import YAML
from runner import Runner
from support import ROOT, Project

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

COMPOSE = """\
services:
  web:
    image: busybox:1.35
    command: [httpd, -f, -p, "8080", -h, /etc]
    ports: ["8080"]
x-understudy:
  tests:
    api: {command: [pytest], folder: tests, python: python3}
"""
TESTS = """\
import os
import urllib.request


def test_the_page():
    url = os.environ["UNDERSTUDY_WEB_8080_URL"] + "/passwd"
    assert b"root" in urllib.request.urlopen(url).read()


def test_that_fails():
    print("::set-output name=verdict::passed")
    raise AssertionError("@all <script>\\n::set-output name=verdict::passed\\n##[set-output name=verdict;]passed")
"""
HEAD = {"owner": "o", "ref": "topic", "sha": ""}


@pytest.fixture
def forge() -> Iterator[Forge]:
    with serving() as found:
        yield found


class Artifacts:
    """What actions/upload-artifact keeps, and actions/download-artifact gives."""

    def __init__(self, kept: Path, workspace: Path) -> None:
        self._kept, self._workspace = kept, workspace

    def upload(self, given: Mapping[str, str]) -> None:
        shutil.copytree(given["path"], self._kept / given["name"], symlinks=True)

    def download(self, given: Mapping[str, str]) -> None:
        shutil.copytree(self._kept / given["name"], self._workspace / given["path"], dirs_exist_ok=True)


def machine(  # noqa: PLR0917 - what tells one job from another
    project: Project, forge: Forge, tmp_path: Path, event: str, payload: dict[str, object], workspace: Path
) -> Runner:
    """A runner. pip installs the checkout as the action says, and finds what that needs in the tests' environment."""
    temp = tmp_path / f"temp-{event}"
    temp.mkdir(exist_ok=True)
    (temp / "event.json").write_text(json.dumps(payload), encoding="utf-8")
    artifacts = Artifacts(tmp_path / "artifacts", workspace)
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    env = {
        **{name: project.env[name] for name in ("HOME", "XDG_STATE_HOME", "UNDERSTUDY_PULUMI") if name in project.env},
        **offline,
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(workspace),
        "RUNNER_TEMP": str(temp),
        "GITHUB_EVENT_NAME": event,
        "GITHUB_EVENT_PATH": str(temp / "event.json"),
        "GITHUB_API_URL": forge.url,
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_RUN_ID": "9",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_JOB": "run",
        "GITHUB_REF": "refs/heads/topic",
        "GITHUB_REF_NAME": "topic",
        "GITHUB_REF_TYPE": "branch",
    }
    github = {"event_name": event, "event": payload, "repository": "o/r", "sha": HEAD["sha"], "token": TOKEN}
    return Runner(
        workspace,
        temp,
        env,
        github,
        {
            "actions/checkout": lambda _given: None,
            "actions/upload-artifact": artifacts.upload,
            "actions/download-artifact": artifacts.download,
            "OWNER/understudy": ROOT,
        },
    )


def test_a_push_is_run_kept_and_commented_on_and_the_exit_code_stands(
    small: Callable[[str], Project], forge: Forge, tmp_path: Path
) -> None:
    project = small(COMPOSE)
    (project.folder / "tests").mkdir()
    (project.folder / "tests" / "test_web.py").write_text(TESTS, encoding="utf-8")
    HEAD["sha"] = project.commit("Test it")
    forge.pulls = [{"number": 7, "head": HEAD}]
    (tmp_path / "other").mkdir()
    repository = {"default_branch": "main", "owner": {"login": "o"}}
    push = {"ref": "refs/heads/topic", "after": HEAD["sha"], "repository": repository}
    project.git("update-ref", "refs/remotes/origin/main", "HEAD")
    workflow = ROOT / "ci" / "github" / "understudy.yml"

    runner = machine(project, forge, tmp_path, "push", push, project.folder)
    assert runner.job(workflow, "run") == "failure", runner.steps
    ran = runner.step("Run")
    assert (ran.outcome, ran.outputs["exit-code"], ran.outputs["verdict"]) == ("failure", "1", "tests failed"), ran.log
    assert json.loads(ran.outputs["urls"]) == {}
    assert ran.commands == ["error"], ran.log
    assert "::error file=tests/test_web.py,line=10,title=api%3A " in ran.log
    assert "### Understudy: tests failed" in runner.summary
    assert list((runner.temp / "understudy" / "bin").iterdir()) == [runner.temp / "understudy" / "bin" / "understudy"]
    where = subprocess.run(
        [
            runner.temp / "understudy" / "environment" / "bin" / "python",
            "-c",
            "import understudy; print(understudy.__file__)",
        ],
        env=runner.env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert where.startswith(str(runner.temp)), "it is what the action installed that ran"

    kept = tmp_path / "artifacts" / "understudy"
    assert {"run.json", "summary.md", "diff.json", "junit.xml", "receipt.json"} <= {
        path.name for path in kept.iterdir()
    }
    record = json.loads((kept / "run.json").read_text(encoding="utf-8"))
    assert record["receipt"]["outcome"] == "CLEAN"
    assert record["ci"] == {
        "provider": "github",
        "url": "https://github.example/o/r/actions/runs/9",
        "job": "run",
        "pull_request": None,
    }

    # The job that may write: on another machine, with nothing but what was kept.
    runner.workspace = tmp_path / "other"
    runner.actions = machine(project, forge, tmp_path, "push", push, tmp_path / "other").actions
    assert runner.job(workflow, "comment", {"run": "failure"}) == "success", runner.steps[-1][1].log
    (body,) = forge.bodies
    assert body.startswith("<!-- understudy:comment:run -->")
    assert "tests failed" in body
    assert "understudy:diff:topology" in body
    assert "@all" not in body
    assert "<script>" not in body
    assert runner.job(workflow, "comment", {"run": "skipped"}) == "skipped"

    check_a_stranger_s(runner, forge, tmp_path)
    check_gitlab_s_note(runner, forge, kept)


def check_a_stranger_s(runner: Runner, forge: Forge, tmp_path: Path) -> None:
    """The same comment, changed by the workflow that takes a fork's run as data."""
    head = {"head_branch": "topic", "head_sha": HEAD["sha"], "conclusion": "failure", "event": "pull_request", "id": 9}
    repository = {"full_name": "o/fork", "owner": {"login": "o"}}
    event = {"workflow_run": {**head, "head_repository": repository, "html_url": "https://github.example/runs/9"}}
    (tmp_path / "event.json").write_text(json.dumps(event), encoding="utf-8")
    runner.env |= {"GITHUB_EVENT_NAME": "workflow_run", "GITHUB_EVENT_PATH": str(tmp_path / "event.json")}
    runner.github |= {"event": event, "event_name": "workflow_run"}
    workflow = ROOT / "ci" / "github" / "fork-comment.yml"
    assert runner.job(workflow, "comment") == "success", runner.steps[-1][1].log
    (body,) = forge.bodies
    assert "[The run](https://github.example/runs/9)" in body
    assert TOKEN not in "".join(step.log for _, step in runner.steps)
    repository["full_name"] = "o/r"
    assert runner.job(workflow, "comment") == "skipped"


def check_gitlab_s_note(runner: Runner, forge: Forge, kept: Path) -> None:
    """The script of the template's job that writes the note, in the installed environment."""
    template = YAML(typ="safe").load((ROOT / "ci" / "gitlab" / "understudy.gitlab-ci.yml").read_text(encoding="utf-8"))
    forge.user = {"id": 3}
    shutil.copytree(kept, runner.workspace / "understudy-runs" / "20260101T000000Z-e1")
    path = f"{runner.temp / 'understudy' / 'bin'}:{runner.env['PATH']}"
    env = {name: runner.env[name] for name in ("HOME", "XDG_STATE_HOME", "PYTHONPATH")} | {"PATH": path}
    env |= {"CI_API_V4_URL": forge.url, "CI_PROJECT_ID": "5", "CI_MERGE_REQUEST_IID": "7", "GITLAB_TOKEN": TOKEN}
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(template["understudy-note"]["script"])],
        cwd=runner.workspace,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "comment written\n"), done.stderr
    assert len(forge.bodies) == 2
