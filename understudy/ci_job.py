"""The CI job that this process runs in, as GitHub Actions and GitLab CI tell it in variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CiJob", "ci_job"]


@dataclass(frozen=True, slots=True)
class CiJob:
    """A job: whose it is (`github`, `gitlab`), the URL where people see its run, its name, its pull request's number.

    `pull_request` is None where the job is not about one; GitLab calls it a merge request.
    """

    provider: str
    url: str
    job: str
    pull_request: int | None = None


def ci_job(variables: Mapping[str, str]) -> CiJob | None:
    """The job that the process's environment tells of; None outside CI.

    The variables are those of GitHub's "Default environment variables" and GitLab's "Predefined CI/CD variables".

    >>> ci_job({"CI_JOB_URL": "https://ci.example/1", "CI_JOB_NAME": "test", "CI_MERGE_REQUEST_IID": "7"})
    CiJob(provider='gitlab', url='https://ci.example/1', job='test', pull_request=7)
    """
    if {"GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"} <= variables.keys():
        parts = (variables["GITHUB_SERVER_URL"], variables["GITHUB_REPOSITORY"], "actions/runs")
        url = "/".join((*parts, variables["GITHUB_RUN_ID"]))
        found = re.fullmatch(r"refs/pull/(\d{1,9})/\w+", variables.get("GITHUB_REF", ""), re.ASCII)
        return CiJob("github", url, variables.get("GITHUB_JOB", ""), int(found[1]) if found else None)
    if variables.get("CI_JOB_URL"):
        number = variables.get("CI_MERGE_REQUEST_IID", "")
        pull = int(number) if re.fullmatch(r"\d{1,9}", number, re.ASCII) else None
        return CiJob("gitlab", variables["CI_JOB_URL"], variables.get("CI_JOB_NAME", ""), pull)
    return None
