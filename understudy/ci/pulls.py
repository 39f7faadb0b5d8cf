"""Which pull request a job is about, as GitHub or GitLab themselves tell it: nothing that a commit can write."""

from __future__ import annotations

import re
from collections.abc import Mapping

from understudy.ci.notes import GitHubNotes, GitLabNotes, Notes
from understudy.ci.rest import Rest
from understudy.ci_job import github_event
from understudy.errors import UsageError

__all__ = ["forge_of", "run_url"]

_GITHUB_HINTS = {
    401: "The token in GITHUB_TOKEN is not valid here.",
    403: "The job needs `permissions: pull-requests: write`. A pull request from a fork never gets it: "
    "docs/ci.md has the workflow for those.",
    404: "The token in GITHUB_TOKEN may not see that repository or pull request.",
    422: "GitHub does not take the comment as it is.",
}
_GITLAB_HINTS = {
    401: "GITLAB_TOKEN has to be a project access token with the scope `api`; CI_JOB_TOKEN may not write notes.",
    403: "The token in GITLAB_TOKEN may not write notes: it needs the scope `api` and the role Reporter.",
    404: "The token in GITLAB_TOKEN may not see that project or merge request.",
}


def forge_of(variables: Mapping[str, str], number: int | None = None) -> Notes | None:
    """The comments of the job's pull request, or of that with `number`; None where there is none.

    Raises:
        UsageError: this is no job of GitHub Actions or GitLab CI, or it has no token.
        ApiError: the service was asked and refused, or failed.
    """
    if variables.get("GITHUB_REPOSITORY"):
        return _github(variables, number)
    if variables.get("CI_API_V4_URL"):
        return _gitlab(variables, number)
    raise UsageError(
        "Looked for GITHUB_REPOSITORY and CI_API_V4_URL, and neither is set.",
        hint="A comment is written in a job of GitHub Actions or GitLab CI.",
    )


def run_url(variables: Mapping[str, str]) -> str:
    """Where people see the run that is commented on; of a `workflow_run`, the run that caused it. Empty: not known."""
    url = ""
    if variables.get("GITHUB_EVENT_NAME") == "workflow_run":
        url = _at(github_event(variables), "workflow_run", "html_url")
    return url if re.fullmatch(r"https?://[\w.:/-]+", url, re.ASCII) else ""


def _github(variables: Mapping[str, str], number: int | None) -> Notes | None:
    repository = variables["GITHUB_REPOSITORY"]
    if not re.fullmatch(r"\w[\w-]*/(?!\.{1,2}$)[\w.-]+", repository, re.ASCII):
        raise UsageError(f"GITHUB_REPOSITORY is {repository!r}, which is no OWNER/NAME.")
    headers = {
        "Authorization": f"Bearer {_token(variables, 'GITHUB_TOKEN')}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    api = Rest(variables.get("GITHUB_API_URL") or "https://api.github.com", headers, hints=_GITHUB_HINTS)
    found = number or _number(api, repository, github_event(variables), variables.get("GITHUB_EVENT_NAME", ""))
    return GitHubNotes(api, repository, found) if found else None


def _gitlab(variables: Mapping[str, str], number: int | None) -> Notes | None:
    project, merge_request = variables.get("CI_PROJECT_ID", ""), variables.get("CI_MERGE_REQUEST_IID", "")
    if not number and not merge_request:
        return None
    if not project.isdigit() or not (number or merge_request.isdigit()):
        raise UsageError(
            f"CI_PROJECT_ID is {project!r} and CI_MERGE_REQUEST_IID {merge_request!r}: numbers are wanted."
        )
    headers = {"PRIVATE-TOKEN": _token(variables, "GITLAB_TOKEN")}
    return GitLabNotes(
        Rest(variables["CI_API_V4_URL"], headers, hints=_GITLAB_HINTS), project, number or int(merge_request)
    )


def _token(variables: Mapping[str, str], name: str) -> str:
    token = variables.get(name, "").strip()
    if not token:
        raise UsageError(f"Looked for a token in {name}, and there is none.", hint="docs/ci.md says how it is given.")
    return token


def _number(api: Rest, repository: str, event: Mapping[str, object], name: str) -> int | None:
    """The number of the pull request.

    A `workflow_run` for a pull request from a fork names none: it is looked for by the head that GitHub itself
    names, and counts only while that commit is still its head.
    """
    pull = event.get("pull_request")
    if isinstance(pull, dict) and isinstance(pull.get("number"), int):
        return int(pull["number"])
    if name == "workflow_run":
        owner = _at(event, "workflow_run", "head_repository", "owner", "login")
        branch, sha = _at(event, "workflow_run", "head_branch"), _at(event, "workflow_run", "head_sha")
    else:
        owner = _at(event, "repository", "owner", "login")
        branch, sha = _at(event, "ref").removeprefix("refs/heads/"), _at(event, "after")
    if not (owner and branch and sha):
        return None
    listed = api.get(f"/repos/{repository}/pulls", state="open", head=f"{owner}:{branch}", per_page=100).data
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and _at(each, "head", "sha") == sha and isinstance(each.get("number"), int):
            return int(each["number"])
    return None


def _at(data: object, *keys: str) -> str:
    """The text at a path of keys; empty where there is none."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, str) else ""
