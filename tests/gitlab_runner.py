"""The part of GitLab's runner with the shell executor, as far as our template needs it: rules, script, artifacts."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from runner import Expression, checkout

__all__ = ["GitLabRunner", "Job"]


@dataclass(frozen=True)
class Job:
    """How a job ended: `success`, `failed`, `manual`, which waits for somebody, or `skipped`; and what it printed."""

    outcome: str
    log: str = ""


@dataclass
class GitLabRunner:
    """One machine. `builds` has the project's folder, the same for every job; `kept` the artifacts of each job."""

    template: Path
    origin: Path
    builds: Path
    env: Mapping[str, str]
    kept: dict[str, Path] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        """CI_PROJECT_DIR."""
        return self.builds / "project"

    def job(
        self, name: str, sha: str, variables: Mapping[str, str], *, play: bool = False, prepare: bool = True
    ) -> Job:
        """Run one job of a pipeline.

        Args:
            name: the job.
            sha: the commit of the pipeline.
            variables: the pipeline's.
            play: whether somebody starts it who need not.
            prepare: False: what all jobs begin with was done before, and `env` has what it makes.
        """
        template = YAML(typ="safe").load(self.template.read_text(encoding="utf-8"))
        job = (
            {**template[template[name]["extends"]], **template[name]} if "extends" in template[name] else template[name]
        )
        given = {**self.env, **template["variables"], **job.get("variables", {}), **variables}
        rule = next((each for each in job["rules"] if self._holds(each.get("if", ""), given)), {"when": "never"})
        when = rule.get("when", "on_success")
        if when == "never" or (when == "manual" and not play):
            return Job("manual" if when == "manual" else "skipped")
        self._begin(sha, empty=given.get("GIT_STRATEGY") == "empty")
        for need in job.get("needs", ()):
            shutil.copytree(self.kept[need["job"]], self.project, dirs_exist_ok=True, symlinks=True)
        lines = [*(job["before_script"] if prepare else ()), *job["script"]]
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", "\n".join(lines)],
            cwd=self.project,
            env={**given, "CI_PROJECT_DIR": str(self.project), "CI_JOB_NAME": name, "CI_COMMIT_SHA": sha},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=240,
            check=False,
        )
        if artifacts := job.get("artifacts"):
            assert artifacts["when"] == "always"
            self._keep(name, artifacts["paths"])
        return Job("failed" if done.returncode else "success", done.stdout)

    @staticmethod
    def _holds(condition: str, variables: Mapping[str, str]) -> bool:
        """`$NAME`, `"text"`, `==`, `!=`, `&&` and `||`, as GitHub's expressions have them."""
        text = re.sub(r'"([^"]*)"', r"'\1'", condition.replace("$", "variables."))
        return not text or bool(Expression(text, {"variables": variables}, failed=False).value())

    def _begin(self, sha: str, *, empty: bool) -> None:
        shutil.rmtree(self.project, ignore_errors=True)
        self.project.mkdir(parents=True)
        if not empty:
            checkout(self.origin, self.project, sha)

    def _keep(self, name: str, paths: list[str]) -> None:
        self.kept[name] = self.builds / f"artifacts-{len(self.kept)}"
        self.kept[name].mkdir()
        for path in (found for pattern in paths for found in self.project.glob(pattern.rstrip("/"))):
            shutil.copytree(path, self.kept[name] / path.relative_to(self.project), symlinks=True)


def job_variables(source: str, **more: Any) -> dict[str, str]:
    """What a pipeline of this source gives each of its jobs."""
    return {"CI_PIPELINE_SOURCE": source, "CI": "true", "GITLAB_CI": "true", "CI_DEFAULT_BRANCH": "main", **more}
