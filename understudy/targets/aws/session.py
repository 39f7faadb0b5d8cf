"""The connection to AWS: who answers, in which account and region, and whether we may work there."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from understudy import __version__
from understudy.aws_failures import Why, asking, failure_of
from understudy.aws_sessions import made_session
from understudy.errors import ToolError
from understudy.s3_client import is_amazon
from understudy.stacks.aws.platform import target_of

if TYPE_CHECKING:
    from boto3 import Session
    from types_boto3_iam import IAMClient
    from types_boto3_sts import STSClient

__all__ = ["ATTEMPTS", "AwsAccess", "AwsSession", "refused_account"]

ATTEMPTS = 6
"""Tries of one request, the first counted: botocore waits up to 20 s between them, at random (its `standard` mode)."""

_CONNECT, _READ = 10, 30
"""Seconds: for a connection, and for the next bytes on one."""

_CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class AwsAccess:
    """Where on AWS to work; what is empty is looked for where the AWS SDK looks, the region in AWS_REGION first.

    `accounts`: those that may be worked in; with none named, every one whose alias does not say production.
    """

    region: str = ""
    accounts: tuple[str, ...] = ()


def refused_account(account: str, accounts: Sequence[str], aliases: Sequence[str] | None) -> str:
    """Why nothing may be made or removed in an account; `""` when it may be.

    An alias with `prod` in it is refused whoever is allowed, and an account without one where nobody is: aws-nuke has
    the same rules for the same reason.

    Args:
        account: its 12 digits.
        accounts: those allowed; none: no list was given.
        aliases: the account's aliases; None: they could not be asked for.
    """
    if accounts and account not in accounts:
        return f"account {account} is not among those allowed ({', '.join(accounts)})"
    if not aliases:
        lack = "the aliases of account {} are unknown" if aliases is None else "account {} has no alias to know it by"
        return "" if account in accounts else f"{lack.format(account)}, and no list allows it"
    named = next((alias for alias in aliases if "prod" in alias.lower()), "")
    return f"account {account} is called {named!r}, which looks like production's" if named else ""


class AwsSession:
    """One set of credentials, one region; clients are made when they are first needed and shared by threads.

    Args:
        access: where to work.
        attempts: tries of one request.
    """

    def __init__(self, access: AwsAccess | None = None, *, attempts: int = ATTEMPTS) -> None:
        self.access = access or AwsAccess()
        self._attempts = attempts
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._made: Session | None = None

    @property
    def region(self) -> str:
        """The region's name.

        Raises:
            ToolError: none is named anywhere, or boto3 is missing.
        """
        region = str(self._session().region_name or "")
        if not region:
            raise ToolError(
                "Looked for an AWS region, and none is named.", hint="Set AWS_REGION, or a region in the profile."
            )
        return region

    def client(self, service: str) -> Any:  # noqa: ANN401 - who asks names the type of the client
        """The boto3 client of a service.

        Raises:
            ToolError: boto3 is missing, or the settings are not usable.
        """
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._client(service)
            return self._clients[service]

    def make_ahead(self, services: Iterable[str]) -> threading.Thread:
        """Begin to make the clients of services on a thread of its own, while something else is waited for.

        What botocore reads of its models for each takes up to 0.07 s of a processor. One that cannot be made is left to
        whoever asks for it.
        """

        def make() -> None:
            with suppress(ToolError):
                for service in services:
                    self.client(service)

        thread = threading.Thread(target=make, name="clients", daemon=True)
        thread.start()
        return thread

    def _client(self, service: str) -> Any:  # noqa: ANN401 - as above
        session = self._session()
        from botocore.config import Config

        config = Config(
            connect_timeout=_CONNECT,
            read_timeout=_READ,
            retries={"mode": "standard", "total_max_attempts": self._attempts},
            max_pool_connections=_CONNECTIONS,
            user_agent_extra=f"understudy/{__version__}",
        )
        with asking(f"Made a client for {service}"):
            made: Any = session.client(service, region_name=self.region, config=config)  # type: ignore[call-overload]  # the name is not literal
            if service == "s3" and not is_amazon(made):
                styled = config.merge(Config(s3={"addressing_style": "path"}))
                made = session.client("s3", region_name=self.region, config=styled)
        return made

    def _session(self) -> Session:
        if self._made is None:
            region = self.access.region or os.environ.get("AWS_REGION", "")  # boto3 knows AWS_DEFAULT_REGION only
            try:
                with asking("Read the AWS settings"):
                    self._made = made_session(region=region)
            except ImportError as error:
                raise ToolError(
                    "Looked for boto3, which drives AWS, and it is not installed.",
                    hint="Install it with `pip install 'understudy[aws]'`.",
                ) from error
        return self._made

    def account(self) -> str:
        """The 12 digits of the account that the credentials are of, asked of STS each time.

        Raises:
            ToolError: STS does not answer, or refuses the credentials.
        """
        return self._caller()[0]

    def identity(self) -> str:
        """`aws:<account>:<region>`, asked of STS each time.

        Raises:
            ToolError: STS does not answer, or refuses the credentials.
        """
        return self._named(self.account())

    def _named(self, account: str) -> str:
        try:
            return target_of(account, self.region)
        except ValueError as error:
            raise ToolError(f"Asked AWS whose the credentials are, and it cannot be told: {error}.") from error

    def clock(self) -> datetime:
        """The moment by the HTTP `Date` of STS's answer (RFC 9110, whole seconds), UTC.

        Raises:
            ToolError: STS does not answer, or without a date.
        """
        said = self._caller()[1]
        try:
            return parsedate_to_datetime(said).astimezone(UTC)
        except ValueError as error:
            raise ToolError(f"Asked AWS for the time, and its answer is dated {said!r}.") from error

    def _caller(self) -> tuple[str, str]:
        sts: STSClient = self.client("sts")
        with asking("Asked AWS whose the credentials are"):
            answer = sts.get_caller_identity()
        return answer["Account"], answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")

    def aliases(self) -> tuple[str, ...] | None:
        """The account's aliases; None: the credentials do not permit to ask.

        Raises:
            ToolError: IAM does not answer.
        """
        from botocore.exceptions import ClientError

        iam: IAMClient = self.client("iam")
        with asking("Asked for the aliases of the AWS account"):
            try:
                return tuple(iam.list_account_aliases()["AccountAliases"])
            except ClientError as error:
                if failure_of(error).why is Why.DENIED:
                    return None
                raise

    def permitted(self) -> str:
        """The identity, held against the allowed accounts and the account's aliases.

        Raises:
            ToolError: the account is refused, or AWS does not say which it is.
        """
        account = self.account()
        reason = refused_account(account, self.access.accounts, self.aliases())
        if reason:
            raise ToolError(
                f"Looked at the AWS account before working in it, and {reason}: nothing was made or removed.",
                hint="Use the credentials of a test account, and name it in `aws_accounts`.",
            )
        return self._named(account)
