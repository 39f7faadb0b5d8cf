"""What the product makes of an AWS that throttles, fails, hangs, refuses for a while or for good, or is a page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from aws.world import ACCOUNT, HERE, OURS, REGION, WHOSE, Account, Time, tags_of, target
from support import Project, in_process, make_project

from understudy.provider.server import PackageServer
from understudy.targets.aws import session as sessions
from understudy.targets.aws.session import AwsAccess, AwsSession
from understudy.targets.interface import Outcome

from .conftest import Moto, commanded
from .faulty_proxy import HANG, Fault, FaultyProxy, serve_faulty
from .small import SMALL, platform

pytestmark = [pytest.mark.pulumi, pytest.mark.xdist_group("aws")]

ALWAYS = 1_000_000
PAGE = "<!doctype html>\n<html lang=en>\n<title>Blocked by policy</title>\n<p>a & b"


@pytest.fixture(scope="module")
def serving(moto: Moto) -> Iterator[FaultyProxy]:
    """All that is asked in this module, by the product, the engine's provider and the tests, goes through it."""
    with serve_faulty(moto.url) as served, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", served.url)
        yield served


@pytest.fixture
def proxy(serving: FaultyProxy) -> Iterator[FaultyProxy]:
    serving.forget()
    yield serving
    serving.forget()


@pytest.fixture(scope="module")
def aws(serving: FaultyProxy) -> AwsSession:
    """The product's own session, which has the proxy for AWS; for CloudWatch Logs, which hangs, it waits 0.5 s."""
    assert serving.url
    made = AwsSession(AwsAccess(REGION, (ACCOUNT,)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "_READ", 0.5)
        made.client("logs")
    return made


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What botocore waits between the tries of a request is written down, and not waited for."""
    waited: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=waited.append))
    return waited


def test_what_is_throttled_or_in_use_for_a_while_is_asked_again_until_all_is_gone(
    proxy: FaultyProxy, aws: AwsSession, pauses: list[float]
) -> None:
    account = Account()
    made = account.make(OURS, tags_of(), kinds={"security-group", "queue", "log-group", "policy", "role"})
    proxy.throttle("resourcegroupstaggingapi", "GetResources", times=2)
    proxy.throttle("sts", "GetCallerIdentity", times=2)
    proxy.throttle("sqs", "DeleteQueue", times=sessions.ATTEMPTS + 1)  # more than the tries of one request
    proxy.add("iam", "DeleteRole", status=503, code="ServiceUnavailable", times=2)
    proxy.add("ecs", "ListClusters", status=500, page=PAGE)
    proxy.in_use("ec2", "DeleteSecurityGroup", times=3)
    time = Time()

    there = target(time, aws)
    swept = there.sweep(WHOSE)

    assert swept.failed == ()
    assert set(made.items()) <= {(item.kind, item.id) for item in swept.removed}
    receipt = there.receipt(WHOSE, HERE)
    assert (receipt.outcome, receipt.leftovers) == (Outcome.CLEAN, ())
    assert account.there(made) == {}
    assert [(fault.action, fault.times) for fault in proxy.faults if fault.times] == []
    assert len(pauses) > sessions.ATTEMPTS
    assert time.slept, "the sweep itself came back in later passes"


FOR_GOOD = [
    (Fault("iam", "ListRoles", 500, "InternalFailure", "", ALWAYS), "AWS failed: ListRoles: InternalFailure after 6"),
    (Fault("rds", "DescribeDBInstances", times=ALWAYS), "AWS takes no more requests for now: DescribeDBInstances"),
    (Fault("sqs", "ListQueues", 200, times=ALWAYS, page=PAGE), "what answered is not AWS: ListQueues: HTTP 200"),
    (Fault("logs", "DescribeLogGroups", HANG, times=ALWAYS), "AWS does not answer in time: Read timeout"),
]


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize(("fault", "said"), FOR_GOOD, ids=["fails", "throttles", "page", "hangs"])
def test_a_listing_that_goes_on_failing_leaves_all_unknown_and_says_why(
    proxy: FaultyProxy, aws: AwsSession, fault: Fault, said: str
) -> None:
    proxy.faults.append(fault)
    there = target(Time(), aws)
    receipt = there.receipt(WHOSE, HERE)
    assert receipt.outcome is Outcome.UNKNOWN
    assert said in receipt.reason
    [(item, reason)] = there.sweep(WHOSE).failed
    assert (item.kind, said in reason) == ("listing", True)


@pytest.fixture(scope="module")
def project(serving: FaultyProxy, aws_provider: PackageServer, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small environment's project; its commands, and the provider of the tests, have the proxy for AWS."""
    folder = tmp_path_factory.mktemp("faults")
    project = make_project(folder / "small", folder / "state")
    project.env |= commanded(aws_provider) | {"AWS_ENDPOINT_URL": serving.url}
    (project.folder / "compose.yaml").write_text(SMALL, encoding="utf-8")
    (project.folder / "understudy.toml").write_text(platform(), encoding="utf-8")
    project.commit("Begin")
    return project


def test_a_quota_that_is_reached_in_the_middle_ends_the_run_and_all_that_was_made_goes(
    project: Project, proxy: FaultyProxy, moto: Moto
) -> None:
    said = "The maximum number of target groups for the load balancer has been reached"
    proxy.add("elbv2", "CreateTargetGroup", code="TooManyTargetGroups", message=said, times=ALWAYS)
    done = in_process(project, "run", "--target", "aws", "--history", "off")
    assert done.code == 3, done.text
    found = project.record()
    [cause] = found["causes"]
    assert (cause["kind"], cause["phase"], said in cause["message"]) == ("ResourceFailedError", "provision", True)
    assert "A quota of the account is reached" in done.text
    assert found["receipt"]["outcome"] == "CLEAN"
    assert proxy.times("elbv2", "CreateTargetGroup") == 1
    assert not project.leases()
    assert not moto.owned()


@pytest.mark.usefixtures("pauses")
def test_a_destroy_that_nobody_can_look_at_keeps_the_lease_and_the_next_one_ends_it(
    project: Project, proxy: FaultyProxy, moto: Moto
) -> None:
    made = in_process(project, "up", "--target", "aws", "--format", "json")
    assert made.code == 0, made.text
    environment = json.loads(made.out)["environment"]
    proxy.add("iam", "ListRoles", status=500, code="InternalFailure", times=ALWAYS)
    down = in_process(project, "down", "--format", "json")
    assert (down.code, json.loads(down.out)["outcome"]) == (4, "UNKNOWN"), down.text
    assert "AWS failed: ListRoles: InternalFailure" in down.text
    assert [lease["id"] for lease in project.leases()] == [environment]
    proxy.forget()
    again = in_process(project, "down", environment, "--format", "json")
    assert (again.code, json.loads(again.out)["outcome"]) == (0, "CLEAN"), again.text
    assert not project.leases()
    assert not moto.owned()


@pytest.mark.parametrize("command", [("list",), ("reap", "--yes")])
def test_a_page_in_the_place_of_aws_is_a_failed_look_of_a_command(
    project: Project, proxy: FaultyProxy, command: tuple[str, ...]
) -> None:
    proxy.add("sts", "*", status=403, page=PAGE, times=ALWAYS)
    done = in_process(project, *command, "--target", "aws")
    assert done.code == 4, done.text
    assert "what answered is not AWS: GetCallerIdentity: HTTP 403 (Blocked by policy)." in done.err
    assert "look at HTTPS_PROXY, NO_PROXY and AWS_ENDPOINT_URL" in done.err
    assert "defect" not in done.text
