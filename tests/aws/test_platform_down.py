"""A platform is made, half or whole, and removed: data stays until told, and what is cut off is gone on with."""

from __future__ import annotations

import contextlib
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
from .small import table

pytestmark = [pytest.mark.pulumi, pytest.mark.xdist_group("aws")]

STACK = f"understudy-platform/{REGION}"
OTHER = "222222222222"
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
    made: dict[str, Any] = field(default_factory=dict)
    """What `up` said of the platform."""

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


@contextlib.contextmanager
def of_another_account(platform: Platform) -> Iterator[None]:
    """The user has the credentials of another account, in which platforms may be as well."""
    role = platform.moto.client("sts").assume_role(RoleArn=f"arn:aws:iam::{OTHER}:role/ci", RoleSessionName="ci")
    given = role["Credentials"]
    names = {"ACCESS_KEY_ID": "AccessKeyId", "SECRET_ACCESS_KEY": "SecretAccessKey", "SESSION_TOKEN": "SessionToken"}
    before = dict(platform.project.env)
    platform.project.env |= {f"AWS_{name}": given[key] for name, key in names.items()}
    platform.project.env |= {"UNDERSTUDY_AWS_ACCOUNTS": OTHER}
    try:
        yield
    finally:
        platform.project.env.clear()
        platform.project.env |= before


@contextlib.contextmanager
def copied(platform: Platform) -> Iterator[None]:
    """The backend has a second stack with all that the first one has."""
    folder = Path(platform.project.env["XDG_STATE_HOME"], "understudy/backend/.pulumi/stacks/understudy-platform")
    text = (folder / f"{REGION}.json").read_text(encoding="utf-8")
    text = text.replace(f"urn:pulumi:{REGION}::", "urn:pulumi:second::").replace(f'/{REGION}"', '/second"')
    (folder / "second.json").write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        for left in folder.glob("second.json*"):
            left.unlink()


@pytest.mark.parametrize("verb", ["up", "show"])
def test_an_option_that_aws_would_refuse_is_refused_before_the_engine(platform: Platform, verb: str) -> None:
    code, said = platform(verb, "--caller", "10.0.0.1/8", "--format", "json")
    assert code == 2, said
    assert "Give it as CIDR: 10.0.0.0/8" in said
    assert not platform.moto.calls


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


@pytest.mark.parametrize("words", [("show",), ("up",), ("down", "--yes", "--delete-data")])
def test_credentials_of_another_account_see_make_and_remove_nothing(half: Platform, words: tuple[str, ...]) -> None:
    before, calls = half.tagged(), len(half.moto.calls)
    with of_another_account(half):
        code, said = half(*words)
    assert code == 2, said
    assert f"{STACK} is of account {ACCOUNT} and region {REGION}, and the credentials are of account {OTHER}" in said
    assert (half.tagged(), len(half.moto.calls)) == (before, calls)


def test_another_stack_s_platform_is_neither_made_beside_one_nor_removed(half: Platform) -> None:
    before, calls = half.tagged(), len(half.moto.calls)
    code, said = half("up", "--aws-platform", "second")
    assert code == 2, said
    assert f"of this backend's stack {STACK}" in said
    assert "nothing was made" in said
    code, said = half("down", "--aws-platform", "second", "--yes")
    assert code == 7, said
    assert f"of this backend's stack {STACK}" in said
    assert "by hand" not in said
    assert (half.tagged(), len(half.moto.calls)) == (before, calls)


def test_what_is_another_s_too_is_removed_by_neither(half: Platform) -> None:
    """By its tag, and where that is of before it said whose an object is, by the states of the backend."""
    ecs, ec2 = half.moto.client("ecs"), half.moto.client("ec2")
    [vpc] = ec2.describe_vpcs(Filters=[{"Name": "tag-key", "Values": [TAG]}])["Vpcs"]
    [said] = [each["Value"] for each in vpc["Tags"] if each["Key"] == TAG]
    [cluster] = ecs.list_clusters()["clusterArns"]

    def tag(of_vpc: str, of_cluster: str) -> None:
        ec2.create_tags(Resources=[vpc["VpcId"]], Tags=[{"Key": TAG, "Value": of_vpc}])
        ecs.tag_resource(resourceArn=cluster, tags=[{"key": TAG, "value": of_cluster}])

    tag("third@bzzzzzzzzzz", PLATFORM)
    before, calls = half.tagged(), len(half.moto.calls)
    try:
        with copied(half):
            code, told = half("down", "--aws-platform", "second", "--yes", "--delete-data")
    finally:
        tag(said, said)
    assert code == 4, told
    third = "of the stack understudy-platform/third in the backend with the id bzzzzzzzzzz"
    unsaid = "ecs cluster cluster/understudy-previews (whose tag says no stack)"
    assert (
        f"are ec2 vpc vpc/{vpc['VpcId']} ({third}) and {unsaid}, which another stack has too: nothing was removed"
        in told
    )
    assert (half.tagged(), len(half.moto.calls)) == (before, calls)


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
    code, said = half("up", "--shared-database", "--format", "json")
    assert code == 0, said
    half.made = json.loads(said[said.index("{\n") :])["platform"]
    return half


def test_a_platform_is_made_again_around_its_data(whole: Platform) -> None:
    made = whole.moto.asked("create_load_balancer", "create_bucket", "create_db_instance")
    assert sorted(operation for operation, _ in made) == [
        *("create_bucket", "create_db_instance", "create_load_balancer", "create_load_balancer")
    ]
    assert whole.moto.client("s3").get_object(Bucket=BUCKET, Key="runs/1/run.json")


def test_a_shared_database_is_wanted_again_or_nothing_is_made(whole: Platform) -> None:
    calls, refused = len(whole.moto.calls), f"{STACK} has a shared database, and --shared-database was not given"
    code, said = whole("up")
    assert code == 2, said
    assert f"{refused}: nothing was made" in said
    code, said = whole("show")
    assert code == 0, said
    assert f"platform {STACK}\n" in said
    assert f"`understudy platform up` would be refused: The platform {refused}" in said
    assert len(whole.moto.calls) == calls


def test_a_platform_that_the_configuration_names_is_shown_and_the_stack_s_left_alone(whole: Platform) -> None:
    calls, file = len(whole.moto.calls), whole.project.folder / "understudy.toml"
    given = {key: value for key, value in whole.made.items() if isinstance(value, str) and value}
    given |= {"vpc_id": "vpc-of-mine", "subnet_ids": whole.made["subnet_ids"]}
    file.write_text(table(given), encoding="utf-8")
    try:
        code, said = whole("show")
        assert code == 0, said
        assert "platform of the table [platform] of understudy.toml" in said
        assert 'vpc_id: "vpc-of-mine"' in said
        assert f"The stack {STACK} is there too" in said
        for words in (("up",), ("down", "--yes", "--delete-data")):
            code, said = whole(*words)
            assert code == 2, said
            assert f"in vpc-of-mine, and the platform of the stack {STACK} is {whole.made['cluster_arn']}" in said
    finally:
        file.unlink()
    assert len(whole.moto.calls) == calls


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
