from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from aws.world import OTHER, OURS, Account, moto, session, tags_of
from s3_server import serve_moto

from understudy.errors import UsageError
from understudy.targets.aws.emulated import control_plane_only
from understudy.targets.aws.registry import hold_repository, registry_login
from understudy.targets.aws.room import Room, room_of

IN = {"security-group", "target-group", "listener-rule"}
REPOSITORY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/previews"


@pytest.fixture
def account() -> Iterator[Account]:
    with moto():
        yield Account()


def test_room_is_what_the_load_balancer_has_and_which_priorities_are_taken(account: Account) -> None:
    listener = account.listener
    balancer = listener.replace(":listener/", ":loadbalancer/").rpartition("/")[0]
    assert room_of(session(), balancer, listener) == Room(0, 0, frozenset(), {})
    account.make(OURS, tags_of(), 7, IN)
    account.make(OTHER, tags_of(OTHER), 11, IN)
    found = room_of(session(), balancer, listener)
    assert (found.target_groups, found.rules, found.priorities) == (2, 2, {7, 11})
    assert found.hosts == {f"{OURS}.preview.internal": 7, f"{OTHER}.preview.internal": 11}


@pytest.mark.usefixtures("account")
def test_the_registry_gives_a_user_and_a_token_which_are_shown_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    user, token = registry_login(session(), REPOSITORY)
    assert user == "AWS"
    assert token
    assert base64.b64encode(token.encode()).decode() not in capsys.readouterr().out


@pytest.mark.parametrize(
    "name",
    [
        *("", "previews", "ghcr.io/me/previews", "123456789012.dkr.ecr.eu-west-1.amazonaws.com", "127.0.0.1:5000/me"),
        *(f"{REPOSITORY}:latest", f"{REPOSITORY}@sha256:{'1' * 64}", f"https://{REPOSITORY}", f"{REPOSITORY} --all"),
    ],
)
def test_what_is_no_repository_of_ecr_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no repository of Amazon ECR"):
        hold_repository(name, "eu-west-1")


def test_a_repository_is_of_the_platforms_region() -> None:
    for good in (REPOSITORY, f"{REPOSITORY}/shop", REPOSITORY.replace(".com/", ".com.cn/")):
        hold_repository(good, "eu-west-1")
    with pytest.raises(UsageError, match="of eu-west-1, and the platform is of eu-west-2"):
        hold_repository(REPOSITORY, "eu-west-2")


def test_moto_is_known_by_its_own_answer_and_asked_only_where_an_endpoint_is_named() -> None:
    assert control_plane_only({}) == ""
    with serve_moto() as url:
        said = control_plane_only({"AWS_ENDPOINT_URL": url + "/"})
    assert said == f"the endpoint {url} is moto, which answers AWS's calls and runs no task"
    assert control_plane_only({"AWS_ENDPOINT_URL": url}) == ""  # nobody is there any more
    assert control_plane_only({"AWS_ENDPOINT_URL": "file:///etc/passwd"}) == ""
