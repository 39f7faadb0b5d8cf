"""The CI job that this process runs in, as GitHub Actions and GitLab CI tell it in variables."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from understudy.errors import UsageError
from understudy.files import open_regular

__all__ = ["CiJob", "ci_job", "github_event", "is_of_fork"]

_LARGEST = 25 << 20
"""Bytes; GitHub sends no payload larger than 25 MB ("Webhook events and payloads")."""


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


def is_of_fork(variables: Mapping[str, str], event: Mapping[str, object] | None) -> bool:
    """Whether the branch of the job is, or may be, another repository's: a fork's pull or merge request.

    `event` is the payload of GitHub's event, None where it cannot be read. GitHub: "Webhook events and payloads",
    `pull_request`; a fork that was deleted is null there. GitLab: "Predefined CI/CD variables reference".

    >>> is_of_fork({"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "8", "CI_PROJECT_ID": "7"}, None)
    True
    """
    if variables.get("GITHUB_HEAD_REF"):
        found: object = event
        for key in ("pull_request", "head", "repo", "full_name"):
            found = found.get(key) if isinstance(found, Mapping) else None
        return found != variables.get("GITHUB_REPOSITORY")
    source = variables.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "")
    return bool(source) and source != variables.get("CI_PROJECT_ID")


def github_event(variables: Mapping[str, str]) -> Mapping[str, object]:
    """The payload of the event that started the workflow; empty where there is none.

    Raises:
        UsageError: it cannot be read.
    """
    path = variables.get("GITHUB_EVENT_PATH", "")
    if not path:
        return {}
    try:
        with open_regular(Path(path)) as source:
            data = json.loads(source.read(_LARGEST))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"Read the event in {path} (GITHUB_EVENT_PATH), and it failed: {error}.") from error
    return data if isinstance(data, dict) else {}
