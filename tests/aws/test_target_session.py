from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aws.world import ACCOUNT, HERE, REGION, WHOSE, Session, moto, session, target
from botocore import exceptions as botocore

from understudy.errors import ToolError
from understudy.targets.aws.listers import ASKED
from understudy.targets.aws.session import AwsAccess, AwsSession, refused_account
from understudy.targets.interface import Target


@pytest.fixture(autouse=True)
def _moto() -> Iterator[None]:
    with moto():
        yield


@pytest.fixture
def _nothing_said(tmp_path: Any) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


def test_a_target_is_an_account_and_a_region_asked_each_time() -> None:
    aws = session()
    there = target(aws=aws)
    assert isinstance(there, Target)
    assert [there.identity(), there.identity()] == [HERE, HERE]
    assert [call for call, _ in aws.calls] == ["sts:GetCallerIdentity"] * 2


def test_what_a_look_asks_with_is_made_ahead_of_it_and_is_all_of_that() -> None:
    aws = session()
    there = target(aws=aws)
    assert there.claimed() == ()
    needed = {call.partition(":")[0] for call, _ in aws.calls} - {"sts"}  # which was asked before anything else
    assert needed == set(ASKED)

    made: list[str] = []

    class Noted(Session):
        def _client(self, service: str) -> Any:
            made.append(service)
            return super()._client(service)

    ahead = Noted(AwsAccess(REGION))
    target(aws=ahead).foresee_look()
    ahead.client("sts")
    ahead.make_ahead(ASKED).join()
    assert sorted(made) == sorted([*ASKED, "sts"]), "each is made once, whoever asks first"
    assert ahead.calls == []


@pytest.mark.usefixtures("_nothing_said")
def test_what_cannot_be_made_ahead_is_said_to_whoever_asks_for_it() -> None:
    aws = AwsSession()
    aws.make_ahead(["ecs"]).join()
    with pytest.raises(ToolError, match="Looked for an AWS region, and none is named"):
        aws.client("ecs")


def test_the_clock_is_of_aws() -> None:
    assert abs(target().clock() - datetime.now(UTC)) < timedelta(minutes=5)


@pytest.mark.usefixtures("_nothing_said")
def test_the_region_is_looked_for_where_pulumi_looks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolError, match="none is named") as raised:
        AwsSession().identity()
    assert "AWS_REGION" in raised.value.hint
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    assert AwsSession().region == "eu-west-2"
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert AwsSession().region == "eu-west-3"
    assert AwsSession(AwsAccess("eu-west-1")).region == "eu-west-1"


@pytest.mark.usefixtures("_nothing_said")
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolError, match="there are no credentials") as raised:
        AwsSession(AwsAccess(REGION)).identity()
    assert "AWS_PROFILE" in raised.value.hint
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ToolError, match="nobody"):
        AwsSession(AwsAccess(REGION)).identity()


def test_an_endpoint_where_nobody_listens_is_said() -> None:
    def refuse(**_: object) -> None:
        raise botocore.EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    aws = session()
    aws.client("sts").meta.events.register("before-send", refuse)
    with pytest.raises(ToolError, match="does not answer") as raised:
        aws.identity()
    assert "AWS_ENDPOINT_URL" in raised.value.hint


def test_the_endpoint_is_the_one_of_the_aws_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    aws = AwsSession(AwsAccess(REGION))
    assert aws.client("sts").meta.endpoint_url == "http://127.0.0.1:4566"
    assert aws.client("s3").meta.config.s3["addressing_style"] == "path"


@pytest.mark.parametrize(
    ("accounts", "aliases", "told"),
    [
        ((), ("acme-test",), ""),
        ((), (), "no alias"),
        ((ACCOUNT,), (), ""),
        ((ACCOUNT,), None, ""),
        ((ACCOUNT,), ("acme-test",), ""),
        (("999999999999",), ("acme-test",), "not among those allowed"),
        (("999999999999",), None, "not among those allowed"),
        ((), None, "unknown"),
        ((), ("acme-prod",), "production"),
        ((), ("acme", "PRODUCTION-eu"), "production"),
        ((ACCOUNT,), ("acme-prod",), "production"),
    ],
)
def test_accounts_that_are_refused(accounts: tuple[str, ...], aliases: tuple[str, ...] | None, told: str) -> None:
    reason = refused_account(ACCOUNT, accounts, aliases)
    assert (told in reason) if told else not reason


def test_nothing_is_removed_in_an_account_called_production() -> None:
    session().client("iam").create_account_alias(AccountAlias="acme-production")
    aws = session()
    there = target(aws=aws)
    for refused in (there.reach, lambda: there.sweep(WHOSE)):
        with pytest.raises(ToolError, match="acme-production"):
            refused()
    assert {call.partition(":")[0] for call, _ in aws.calls} == {"sts", "iam"}


def test_aliases_that_may_not_be_asked_for_are_unknown() -> None:
    aws = session(accounts=())
    aws.fail = lambda call, _asked: "AccessDenied" if call == "iam:ListAccountAliases" else None
    with pytest.raises(ToolError, match="unknown"):
        aws.permitted()
    listed = session()
    listed.fail = aws.fail
    assert listed.permitted() == HERE
    aws.fail = lambda call, _asked: "Throttling" if call == "iam:ListAccountAliases" else None
    with pytest.raises(ToolError, match="no more requests"):
        aws.permitted()
