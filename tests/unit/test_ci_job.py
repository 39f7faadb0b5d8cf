from __future__ import annotations

import pytest

from understudy.ci_job import CiJob, ci_job, is_of_fork

GITHUB = {
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "o/r",
    "GITHUB_RUN_ID": "9",
    "GITHUB_JOB": "test",
}
RUN = "https://github.example/o/r/actions/runs/9"
GITLAB = {"CI_JOB_URL": "https://gitlab.example/jobs/1", "CI_JOB_NAME": "test"}


@pytest.mark.parametrize(
    ("variables", "job"),
    [
        ({}, None),
        ({"CI": "true", "GITHUB_RUN_ID": "9"}, None),
        (GITHUB, CiJob("github", RUN, "test")),
        (GITHUB | {"GITHUB_REF": "refs/heads/7"}, CiJob("github", RUN, "test")),
        (GITHUB | {"GITHUB_REF": "refs/pull/7/merge"}, CiJob("github", RUN, "test", 7)),
        (GITHUB | {"GITHUB_REF": "refs/pull/\u0667/merge"}, CiJob("github", RUN, "test")),
        (GITLAB, CiJob("gitlab", GITLAB["CI_JOB_URL"], "test")),
        (GITLAB | {"CI_MERGE_REQUEST_IID": "8"}, CiJob("gitlab", GITLAB["CI_JOB_URL"], "test", 8)),
        (GITLAB | {"CI_MERGE_REQUEST_IID": "8/notes"}, CiJob("gitlab", GITLAB["CI_JOB_URL"], "test")),
    ],
)
def test_the_job_is_what_the_variables_say(variables: dict[str, str], job: CiJob | None) -> None:
    assert ci_job(variables) == job


def pull(repository: object) -> dict[str, object]:
    return {"pull_request": {"head": {"repo": repository}}}


PULL = GITHUB | {"GITHUB_HEAD_REF": "feature"}
MERGE = GITLAB | {"CI_PROJECT_ID": "7"}


@pytest.mark.parametrize(
    ("variables", "event", "fork"),
    [
        ({}, {}, False),
        (GITHUB, {}, False),
        (PULL, pull({"full_name": "o/r", "fork": True}), False),
        (PULL, pull({"full_name": "stranger/r"}), True),
        (PULL, pull(None), True),
        (PULL, {}, True),
        (PULL, None, True),
        (MERGE, None, False),
        (MERGE | {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "7"}, None, False),
        (MERGE | {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "8"}, None, True),
    ],
)
def test_a_branch_is_a_fork_s_where_the_event_does_not_say_that_it_is_not(
    variables: dict[str, str], event: dict[str, object] | None, *, fork: bool
) -> None:
    assert is_of_fork(variables, event) is fork
