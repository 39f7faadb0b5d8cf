"""The action, the workflows and the template, their steps run for real: runners of our own, a stand-in for the forges.

One repository, one state folder and one installed Understudy for all of them, as on a runner that is kept.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from forge import TOKEN, Forge, serving
from gitlab_runner import GitLabRunner, job_variables
from runner import Runner, checkout
from support import ROOT, Project, labelled, make_project

from understudy.lease import LeaseStore

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images, pytest.mark.xdist_group("ci")]

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
PASSES = """\
import os
import urllib.request


def test_the_page():
    url = os.environ["UNDERSTUDY_WEB_8080_URL"] + "/passwd"
    assert b"root" in urllib.request.urlopen(url).read()
"""
FAILS = """

def test_that_fails():
    print("::set-output name=verdict::passed")
    raise AssertionError("@all <script>\\n::set-output name=verdict::passed\\n##[set-output name=verdict;]passed")
"""
WORKFLOWS = ROOT / "ci" / "github"


@dataclass
class Site:
    """A repository on a forge, and a machine that keeps its state between jobs."""

    project: Project
    forge: Forge
    folder: Path
    commits: dict[str, str] = field(default_factory=dict)
    machines: int = 0

    @property
    def env(self) -> dict[str, str]:
        """What a machine has: pip finds what Understudy needs in the tests' environment, and no index."""
        kept = ("HOME", "XDG_STATE_HOME", "UNDERSTUDY_PULUMI", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM")
        return {
            **{name: self.project.env[name] for name in kept if name in self.project.env},
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",
            "PYTHONPATH": sysconfig.get_path("purelib"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "CI": "true",
        }

    def runner(self, event: str, payload: dict[str, Any], *, installed: bool = True) -> Runner:
        """A GitHub runner with an empty workspace; `installed`: what the action did in an earlier job is there."""
        self.machines += 1
        workspace = self.folder / f"workspace-{self.machines}"
        temp = self.folder / "temp" if installed else self.folder / f"temp-{self.machines}"
        workspace.mkdir()
        temp.mkdir(exist_ok=True)
        place = self.folder / f"event-{self.machines}.json"
        place.write_text(json.dumps(payload), encoding="utf-8")
        env = self.env | {
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(workspace),
            "RUNNER_TEMP": str(temp),
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(place),
            "GITHUB_API_URL": self.forge.url,
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_REPOSITORY": "o/r",
            "GITHUB_RUN_ID": "9",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_JOB": "run",
            "GITHUB_REF": "refs/heads/topic" if event == "push" else "refs/pull/7/merge",
        }
        kept = self.folder / "artifacts"

        def take(given: Mapping[str, str]) -> None:
            assert given["persist-credentials"] == "false"
            assert given["fetch-depth"] == "0"
            checkout(self.project.root, workspace, given["ref"])

        def upload(given: Mapping[str, str]) -> None:
            shutil.rmtree(kept / given["name"], ignore_errors=True)
            shutil.copytree(given["path"], kept / given["name"], symlinks=True)

        def download(given: Mapping[str, str]) -> None:
            shutil.copytree(kept / given["name"], workspace / given["path"])

        actions = {
            "actions/checkout": take,
            "actions/upload-artifact": upload,
            "actions/download-artifact": download,
            "OWNER/understudy": ROOT,
        }
        sha = payload.get("after", "")
        github = {"event_name": event, "event": payload, "repository": "o/r", "sha": sha, "token": TOKEN}
        return Runner(workspace, temp, env, github, actions)

    def pull_request(self, action: str, sha: str, head: str = "o/r") -> dict[str, Any]:
        """The event of a pull request of a branch, or of a fork's."""
        of = {"sha": sha, "ref": "topic", "repo": {"full_name": head, "fork": head != "o/r", "owner": {"login": "o"}}}
        return {"action": action, "number": 7, "pull_request": {"number": 7, "head": of}, "repository": REPOSITORY}

    def gitlab(self) -> GitLabRunner:
        """A GitLab runner of the same machine."""
        env = self.env | {"UNDERSTUDY_SOURCE": str(ROOT), "CI_API_V4_URL": self.forge.url, "CI_PROJECT_ID": "5"}
        return GitLabRunner(ROOT / "ci/gitlab/understudy.gitlab-ci.yml", self.project.root, self.folder / "builds", env)

    @property
    def leases(self) -> list[str]:
        """The environments that are there."""
        return [str(lease["id"]) for lease in self.project.leases()]


REPOSITORY = {"default_branch": "main", "full_name": "o/r", "owner": {"login": "o"}}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("ci")
    project = make_project(folder / "repository", folder / "state")
    (project.folder / "compose.yaml").write_text(COMPOSE, encoding="utf-8")
    (project.folder / "tests").mkdir()
    test = project.folder / "tests" / "test_web.py"
    test.write_text(PASSES, encoding="utf-8")
    asked = project.understudy("init", "--yes", "--ci", "none")
    assert asked.code == 0, asked.text
    commits = {"main": project.commit("Describe production")}
    project.git("checkout", "-q", "-b", "topic")
    test.write_text(PASSES + FAILS, encoding="utf-8")
    commits["topic"] = project.commit("Test it")
    with serving() as forge:
        found = Site(project, forge, folder, commits)
        try:
            yield found
        finally:
            left = found.leases
            for name in left:
                project.understudy("down", name)
            assert left == []


@pytest.fixture(autouse=True)
def _nothing_said(site: Site) -> None:
    site.forge.comments.clear()
    site.forge.pulls = [{"number": 7, "head": {"owner": "o", "ref": "topic", "sha": site.commits["topic"]}}]


def test_a_push_is_run_kept_and_commented_on_and_the_exit_code_stands(site: Site) -> None:
    workflow = WORKFLOWS / "understudy.yml"
    push = {"ref": "refs/heads/topic", "after": site.commits["topic"], "repository": REPOSITORY}
    runner = site.runner("push", push)
    assert runner.job(workflow, "run") == "failure", runner.steps
    ran = runner.step("Run")
    assert (ran.outcome, ran.outputs["exit-code"], ran.outputs["verdict"]) == ("failure", "1", "tests failed"), ran.log
    assert json.loads(ran.outputs["urls"]) == {}
    assert ran.commands == ["error"], ran.log
    assert "::error file=tests/test_web.py,line=10,title=api%3A " in ran.log
    assert "### Understudy: tests failed" in runner.summary
    home = runner.temp / "understudy"
    assert list((home / "bin").iterdir()) == [home / "bin" / "understudy"]
    asked = [home / "environment" / "bin" / "python", "-c", "import understudy; print(understudy.__file__)"]
    where = subprocess.run(asked, env=runner.env, cwd=site.folder, capture_output=True, text=True, check=True).stdout
    assert where.startswith(str(runner.temp)), "it is what the action installed that ran"

    kept = site.folder / "artifacts" / "understudy"
    assert {"run.json", "summary.md", "diff.json", "junit.xml", "receipt.json"} <= {
        path.name for path in kept.iterdir()
    }
    record = json.loads((kept / "run.json").read_text(encoding="utf-8"))
    assert record["receipt"]["outcome"] == "CLEAN"
    url = "https://github.example/o/r/actions/runs/9"
    assert record["ci"] == {"provider": "github", "url": url, "job": "run", "pull_request": None}

    # The job that may write: on another machine, with nothing but what was kept.
    other = site.runner("push", push)
    assert other.job(workflow, "comment", {"run": "failure"}) == "success", other.told
    (body,) = site.forge.bodies
    assert body.startswith("<!-- understudy:comment:run -->")
    assert "tests failed" in body
    assert "understudy:diff:topology" in body
    assert "@all" not in body
    assert "<script>" not in body
    assert other.job(workflow, "comment", {"run": "skipped"}) == "skipped"

    # The same comment, changed by the workflow that takes a fork's run as data.
    stranger = {"head_branch": "topic", "head_sha": site.commits["topic"], "conclusion": "failure", "id": 9}
    repository = {"full_name": "o/fork", "owner": {"login": "o"}}
    told = {"event": "pull_request", "head_repository": repository, "html_url": "https://github.example/runs/9"}
    event = {"action": "completed", "workflow_run": {**stranger, **told}, "repository": REPOSITORY}
    third = site.runner("workflow_run", event)
    assert third.job(WORKFLOWS / "fork-comment.yml", "comment") == "success", third.told
    (body,) = site.forge.bodies
    assert "[The run](https://github.example/runs/9)" in body
    assert TOKEN not in "".join(step.log for each in (runner, other, third) for _, step in each.steps)
    repository["full_name"] = "o/r"
    assert third.job(WORKFLOWS / "fork-comment.yml", "comment") == "skipped"


def test_a_pull_request_whose_tests_pass_is_green_and_says_so(site: Site) -> None:
    workflow = WORKFLOWS / "understudy.yml"
    sha = site.commits["main"]
    opened = site.runner("pull_request", site.pull_request("opened", sha))
    assert opened.job(workflow, "run") == "success", opened.told
    ran = opened.step("Run")
    assert (ran.outputs["exit-code"], ran.outputs["verdict"], ran.commands) == ("0", "passed", []), ran.log
    assert "### Understudy: passed" in opened.summary
    assert not (Path(ran.outputs["run-folder"]) / "defect.txt").exists()
    assert labelled("environment", ran.outputs["environment"]) == []
    other = site.runner("pull_request", site.pull_request("opened", sha))
    assert other.job(workflow, "comment", {"run": "success"}) == "success", other.told
    (body,) = site.forge.bodies
    assert "### Understudy: passed" in body
    # A fork's commit is a stranger's: its suite would run on the host, and is refused before anything is made.
    stranger = site.runner("pull_request", site.pull_request("synchronize", sha, "o/fork"))
    assert stranger.job(workflow, "run") == "failure"
    assert stranger.step("Run").outputs == {}
    assert "an untrusted commit's tests run in containers only" in stranger.told
    # What is pushed to a branch ran for the push already.
    assert site.runner("pull_request", site.pull_request("synchronize", sha)).job(workflow, "run") == "skipped"
    assert site.runner("pull_request", site.pull_request("closed", sha)).job(workflow, "run") == "not started"


def test_an_environment_of_pulumi_s_stays_until_its_pull_request_closes(site: Site) -> None:
    sha = site.commits["main"]
    up = site.runner("pull_request", site.pull_request("opened", sha), installed=False)
    assert up.job(WORKFLOWS / "pulumi.yml", "up") == "success", up.told
    assert "created" in up.step("Update the environment").log
    assert "### Understudy: passed" in up.summary
    (environment,) = site.leases
    strangers = site.runner("pull_request", site.pull_request("opened", sha, "o/fork"))
    assert strangers.job(WORKFLOWS / "pulumi.yml", "up") == "skipped"

    hourly = site.runner("schedule", {"schedule": "17 * * * *"})
    assert hourly.job(WORKFLOWS / "reap.yml", "reap") == "success", hourly.told
    assert site.leases == [environment], "its time is not over"

    closed = site.runner("pull_request", site.pull_request("closed", sha))
    assert closed.job(WORKFLOWS / "down.yml", "down") == "success", closed.told
    assert "receipt: CLEAN" in closed.step("Destroy the environment").log
    assert site.leases == labelled("environment", environment) == []
    assert closed.job(WORKFLOWS / "down.yml", "down") == "success", "there is none any more"
    assert closed.job(WORKFLOWS / "pulumi.yml", "up") == "not started"


def test_gitlab_s_jobs(site: Site) -> None:
    runner = site.gitlab()
    sha = site.commits["topic"]
    request = {"CI_MERGE_REQUEST_IID": "7", "CI_COMMIT_REF_NAME": "topic", "CI_JOB_URL": "https://gitlab.example/1"}
    pipeline = job_variables("merge_request_event", **request)
    token = pipeline | {"GITLAB_TOKEN": TOKEN}
    branch = job_variables("push", CI_COMMIT_BRANCH="topic", CI_OPEN_MERGE_REQUESTS="o/r!7")
    assert runner.job("understudy", sha, branch).outcome == "skipped", "the merge request's pipeline runs it"
    assert runner.job("understudy-note", sha, pipeline).outcome == "skipped", "there is no token"
    assert runner.job("understudy-up", sha, pipeline).outcome == "skipped", "nobody wants one to stay"

    ran = runner.job("understudy", sha, pipeline)
    assert ran.outcome == "failed", ran.log
    (kept,) = runner.kept["understudy"].glob("understudy-runs/20*")
    assert {"run.json", "diff.json", "junit.xml", "receipt.json"} <= {path.name for path in kept.iterdir()}
    record = json.loads((kept / "run.json").read_text(encoding="utf-8"))
    assert (record["exit_code"], record["receipt"]["outcome"]) == (1, "CLEAN")
    assert record["production_ref"] == "origin/main"
    assert record["ci"]["pull_request"] == 7
    installed = runner.builds / "installed"
    (runner.project / ".understudy").rename(installed)
    (installed / "command" / "understudy").unlink()
    (installed / "command" / "understudy").symlink_to(installed / "bin" / "understudy")
    runner.env = runner.env | {"PATH": f"{installed / 'command'}:{runner.env['PATH']}"}

    site.forge.user = {"id": 3}
    noted = runner.job("understudy-note", sha, token, prepare=False)
    assert (noted.outcome, noted.log) == ("success", "comment written\n")
    assert len(site.forge.bodies) == 1
    site.forge.user = None

    stays = pipeline | {"UNDERSTUDY_KEEP": "true"}
    up = runner.job("understudy-up", sha, stays, prepare=False)
    assert up.outcome == "success", up.log
    (environment,) = site.leases
    hourly = job_variables("schedule")
    assert runner.job("understudy", sha, hourly).outcome == "skipped"
    assert runner.job("understudy-reap", sha, hourly).outcome == "skipped", "that schedule is for something else"
    hourly |= {"UNDERSTUDY_REAP": "true"}
    assert runner.job("understudy-reap", sha, hourly, prepare=False).outcome == "success"
    assert site.leases == [environment]
    expire(site, environment)
    reaped = runner.job("understudy-reap", sha, hourly, prepare=False)
    assert reaped.outcome == "success", reaped.log
    assert site.leases == labelled("environment", environment) == [], reaped.log

    assert runner.job("understudy-down", sha, stays, prepare=False).outcome == "manual"
    down = runner.job("understudy-down", sha, stays, play=True, prepare=False)
    assert down.outcome == "success", "there is none any more"


def expire(site: Site, environment: str) -> None:
    """Let an environment's time be over."""
    store = LeaseStore.beside(f"file://{site.project.env['XDG_STATE_HOME']}/understudy/backend")
    lease = store.read(environment)
    store.update(lease, expires=lease.created)
