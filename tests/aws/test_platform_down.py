"""A platform is made, half or whole, and removed: data stays until told, and what is cut off is gone on with."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aws.policies import actions, allowed
from click.testing import CliRunner
from support import Project, make_project, wait_for

from understudy.cli import cli
from understudy.errors import UnderstudyError
from understudy.processes import stat
from understudy.provider.server import PackageServer
from understudy.stacks import aws_names
from understudy.stacks.aws.platform import PLATFORM, TAG, target_of
from understudy.targets.aws.platform import _LOOKS
from understudy.targets.aws.session import AwsSession

from .conftest import ACCOUNT, REGION, Moto
from .provider.account import AwsError
from .provider.package import AwsPackage

pytestmark = [pytest.mark.pulumi, pytest.mark.xdist_group("aws")]

STACK = f"understudy-platform/{REGION}"
BUCKET = aws_names.bucket(PLATFORM, "state", target_of(ACCOUNT, REGION))

LATEST = {
    *("create_db_instance", "create_internet_gateway", "create_listener", "create_cluster", "create_role"),
    *("put_bucket_versioning", "put_public_access_block", "put_secret_value"),
}
"""What is made of a platform only once something else is there, and what the tests look for."""


@dataclass
class Platform:
    """The commands of one user on one account; those in this process cost no interpreter of their own."""

    project: Project
    moto: Moto
    held: str = ""
    """The operation of AWS that is held up until `going`, once it was asked for."""
    own: set[tuple[str, str]] = field(default_factory=set)
    """What the commands in this process asked of AWS themselves."""
    failing: str = ""
    """The operation of AWS that is refused, once all of `LATEST` were asked for."""
    asked: threading.Event = field(default_factory=threading.Event)
    going: threading.Event = field(default_factory=threading.Event)

    def hear(self, service: str, operation: str, given: Any) -> None:
        self.moto.calls.append((service, operation, dict(given)))
        if operation == self.failing:
            wait_for(
                lambda: {name for _, name, _ in list(self.moto.calls)} >= LATEST, limit=240, what="all but what fails"
            )
            raise AwsError(f"{service}.{operation}", "LimitExceededException", "no registry today")
        if operation == self.held:
            self.asked.set()
            assert self.going.wait(300)

    def heard(self, client: Callable[[AwsSession, str], Any]) -> Callable[[AwsSession, str], Any]:
        """Clients of the commands themselves, in this process, that write down what they ask."""

        def make(session: AwsSession, service: str) -> Any:
            made = client(session, service)

            def hear(model: Any, **_: object) -> None:
                self.own.add((service, model.name))

            made.meta.events.register("before-parameter-build", hear)
            return made

        return make

    def __call__(self, *words: str) -> tuple[int, str]:
        """The exit code, and what was said."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.project.env.items():
                patch.setenv(name, value)
            patch.chdir(self.project.folder)
            done = CliRunner().invoke(cli, ["platform", *words])
        if isinstance(done.exception, UnderstudyError):
            return done.exception.exit_code, done.output + str(done.exception)
        return done.exit_code, done.output + ("" if done.exception is None else repr(done.exception))

    def removed(self, *words: str) -> dict[str, Any]:
        """What `down --yes` says as JSON."""
        code, said = self("down", "--yes", "--format", "json", *words)
        assert code == 0, said
        found: dict[str, Any] = json.loads(said[said.index("{\n") :])
        return found

    def tagged(self) -> set[str]:
        """What the account has of the platform, by services' own listings."""
        ec2, s3, elb = (self.moto.client(each) for each in ("ec2", "s3", "elbv2"))
        own = [{"Name": "tag-key", "Values": [TAG]}]
        found = {row["VpcId"].partition("-")[0] for row in ec2.describe_vpcs(Filters=own)["Vpcs"]}
        found |= {row["SubnetId"].partition("-")[0] for row in ec2.describe_subnets(Filters=own)["Subnets"]}
        found |= {row["GroupName"] for row in ec2.describe_security_groups(Filters=own)["SecurityGroups"]}
        found |= {row["Name"] for row in s3.list_buckets()["Buckets"]}
        found |= {row["DBInstanceIdentifier"] for row in self.moto.client("rds").describe_db_instances()["DBInstances"]}
        found |= {row["Name"] for row in self.moto.client("secretsmanager").list_secrets()["SecretList"]}
        return found | {f"balancer {row['LoadBalancerName']}" for row in elb.describe_load_balancers()["LoadBalancers"]}


@pytest.fixture(scope="module")
def platform(moto: Moto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("platform")
    made = Platform(make_project(folder / "shop", folder / "state"), moto)
    with PackageServer(AwsPackage(made.hear), threads=64) as provider, pytest.MonkeyPatch.context() as patch:
        patch.setattr(AwsSession, "_client", made.heard(AwsSession._client))
        made.project.env |= {"PULUMI_DEBUG_PROVIDERS": f"aws:{provider.port}", "UNDERSTUDY_AWS_ACCOUNTS": ACCOUNT}
        yield made


@pytest.fixture(scope="module")
def half(platform: Platform) -> Platform:
    """One that was not made to its end, with a database that has data and a bucket that has some."""

    platform.failing = "create_repository"
    code, said = platform("up", "--shared-database")
    platform.failing = ""
    assert (code, "no registry today" in said) == (3, True), said
    s3 = platform.moto.client("s3")
    s3.put_object(Bucket=BUCKET, Key="runs/1/run.json", Body=b"{}")
    s3.create_multipart_upload(Bucket=BUCKET, Key="runs/2/unfinished")
    return platform


def types(parts: list[dict[str, str]]) -> set[str]:
    return {part["type"].rpartition(":")[2] for part in parts}


KEPT = {"Bucket", "BucketPublicAccessBlock", "BucketVersioning", "Instance", "Secret", "SecretVersion"}
UNDER = {"Vpc", "Subnet", "SubnetGroup", "SecurityGroup"}
"""What a database stands on."""


def test_none_is_said_so(platform: Platform) -> None:
    code, said = platform("down", "--yes")
    assert code == 7, said
    assert f"Looked for the platform {STACK}, and there is none" in said


def test_it_stays_while_an_environment_is_there_whoever_made_it(half: Platform) -> None:
    before = half.tagged()
    sqs = half.moto.client("sqs")
    url = sqs.create_queue(QueueName="jobs", tags={"dev.understudy.environment": "eaaaaaaaaaa"})["QueueUrl"]
    try:
        code, said = half("down", "--yes", "--delete-data")
    finally:
        sqs.delete_queue(QueueUrl=url)
    assert code == 4, said
    assert "there are eaaaaaaaaaa: nothing was removed" in said
    assert half.tagged() == before


def test_without_yes_it_says_what_would_go_and_changes_nothing(half: Platform) -> None:
    before, calls = half.tagged(), len(half.moto.calls)
    code, said = half("down")
    assert code == 0, said
    assert f"of {STACK}; --yes does it." in said
    assert f"s3 bucket {BUCKET}" in said[said.index("What keeps data stays") :]
    assert "lb loadBalancer" in said[: said.index("What keeps data stays")]
    code, said = half("down", "--delete-data")
    assert f"s3 bucket {BUCKET}" in said
    assert "stays" not in said
    assert (half.tagged(), len(half.moto.calls)) == (before, calls)


def test_what_keeps_data_stays_with_what_it_stands_on_and_twice_is_once(half: Platform) -> None:
    told = half.removed()
    assert types(told["removed"]) >= {"LoadBalancer", "Listener", "Cluster", "InternetGateway", "Role"}
    assert types(told["stays"]) == KEPT | UNDER
    assert not {"LoadBalancer", "Cluster"} & types(told["stays"])
    assert "balancer" not in str(half.tagged())
    s3 = half.moto.client("s3")
    assert s3.get_object(Bucket=BUCKET, Key="runs/1/run.json")["Body"].read() == b"{}"
    assert s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]["BlockPublicPolicy"]
    calls = len(half.moto.calls)
    again = half.removed()
    assert (again["removed"], again["stays"]) == ([], told["stays"])
    assert len(half.moto.calls) == calls


@pytest.fixture(scope="module")
def whole(half: Platform) -> Platform:
    """One that was made again around the data of the one that was removed."""
    code, said = half("up", "--shared-database")
    assert code == 0, said
    return half


def test_a_platform_is_made_again_around_its_data(whole: Platform) -> None:
    made = whole.moto.asked("create_load_balancer", "create_bucket", "create_db_instance")
    assert sorted(operation for operation, _ in made) == [
        *("create_bucket", "create_db_instance", "create_load_balancer", "create_load_balancer")
    ]
    assert whole.moto.client("s3").get_object(Bucket=BUCKET, Key="runs/1/run.json")


def descendants(pid: int) -> list[int]:
    """The processes that a process has begun, and theirs."""
    known = {int(each.name): stat(int(each.name)) for each in Path("/proc").iterdir() if each.name.isdigit()}
    found, ahead = [], [pid]
    while ahead:
        parent = ahead.pop()
        found.append(parent)
        ahead += [child for child, fields in known.items() if fields[1:2] == [str(parent)]]
    return found


def test_one_that_was_killed_is_gone_on_with_until_nothing_is_left(whole: Platform) -> None:
    whole.held = "delete_load_balancer"
    killed = whole.project.start("platform", "down", "--yes", "--delete-data")
    assert whole.asked.wait(300)
    for pid in descendants(killed.pid):
        os.kill(pid, signal.SIGKILL)
    killed.communicate()
    whole.going.set()
    whole.held = ""
    wait_for(lambda: "balancer" not in str(whole.tagged()), what="the deletion that was held")
    assert BUCKET in whole.tagged()

    code, said = whole("down", "--yes", "--delete-data")
    assert code == 0, said
    assert "broke the lock of" in said
    assert "Removed" in said
    assert not whole.tagged()
    code, said = whole("down", "--yes")
    assert code == 7, said
    assert f"nothing of one on aws:{ACCOUNT}:{REGION}" in said


def test_the_page_s_policy_is_what_the_commands_asked_beside_the_engine(whole: Platform) -> None:
    """After the others of this module; kinds that this platform had none of are looked at too."""
    asked = actions(whole.own | {(look.service, look.operation) for look in _LOOKS.values()})
    own = ("UnderstudyLooksAtThePlatform", "UnderstudyDeletesItsBucket", "UnderstudyDeletesItsDatabase")
    assert allowed("platform", *own) == asked - allowed("sweep", "UnderstudyLooks")
