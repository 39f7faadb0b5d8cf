"""An environment on AWS from `up` to its receipt, its lease in S3; and one whose command is killed in the middle."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from s3_server import make_bucket
from support import Project, begun, in_process, make_project, wait_for

from understudy import on_aws
from understudy.diff.html import render as html
from understudy.diff.markdown import render as markdown
from understudy.diff.record import DiffRecord
from understudy.diff.text import render as text
from understudy.lease import Lease, LeaseStore
from understudy.provider.server import PackageServer
from understudy.targets.aws.target import AwsTarget

from .conftest import ACCOUNT, REGION, STATE, Moto, commanded
from .small import SMALL, platform

pytestmark = [pytest.mark.pulumi, pytest.mark.xdist_group("aws")]

HUSH = {"AWS_SECRET_ACCESS_KEY": "hush-of-aws-4711", "PULUMI_CONFIG_PASSPHRASE": "hush-of-pulumi-4712"}


@pytest.fixture(scope="module")
def project(moto: Moto, aws_provider: PackageServer, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One service, a queue and a bucket, on a platform that is there already; state and leases are in a bucket."""
    folder = tmp_path_factory.mktemp("life")
    project = make_project(folder / "small", folder / "state")
    backend = f"s3://{STATE}/team?region={REGION}&endpoint={moto.url}&s3ForcePathStyle=true"
    project.env |= commanded(aws_provider) | HUSH | {"PULUMI_BACKEND_URL": backend}
    make_bucket(moto.url, STATE)
    (project.folder / "compose.yaml").write_text(SMALL, encoding="utf-8")
    (project.folder / "understudy.toml").write_text(platform(), encoding="utf-8")
    project.commit("Begin")
    return project


def leases(project: Project) -> list[Lease]:
    return list(LeaseStore.beside(project.env["PULUMI_BACKEND_URL"]).list()[0])


def say(moto: Moto, environment: str, line: str) -> None:
    """What ECS would write into the log of `web`."""
    logs, where = moto.client("logs"), f"/understudy/{environment}"
    logs.create_log_stream(logGroupName=where, logStreamName="understudy/web/0123")
    event = {"timestamp": int(time.time() * 1000), "message": line}
    logs.put_log_events(logGroupName=where, logStreamName="understudy/web/0123", logEvents=[event])


def asked(moto: Moto) -> set[str]:
    """What the provider asked of AWS since this was last asked."""
    found = {operation for _, operation, _ in moto.calls}
    moto.calls.clear()
    return found


def noted(monkeypatch: pytest.MonkeyPatch, order: list[str], owner: object, name: str) -> None:
    """Have calls of a function written down."""
    real = getattr(owner, name)

    def call(*given: Any) -> Any:
        order.append(name)
        return real(*given)

    monkeypatch.setattr(owner, name, call)


def test_an_environment_from_up_to_its_receipt(project: Project, moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    looks = ((AwsTarget, name) for name in ("foresee_look", "claimed", "inventory"))
    for owner, name in (*looks, (on_aws, "platform_at"), (on_aws, "read_ahead")):
        noted(monkeypatch, order, owner, name)
    made = in_process(project, "up", "--target", "aws", "--format", "json")
    assert made.code == 0, made.text
    assert order[:5] == ["foresee_look", "platform_at", "claimed", "inventory", "read_ahead"]
    monkeypatch.undo()
    up = json.loads(made.out)
    environment = str(up["environment"])
    assert [each["url"] for each in up["endpoints"]] == [f"http://{environment}.preview.internal:80"]
    assert "nothing of it answers" in made.err
    assert {"create_service", "create_queue", "create_rule"} <= asked(moto)

    hold_told(moto, environment)
    again = in_process(project, "up", "--target", "aws")
    assert again.code == 0, again.text
    assert asked(moto) == {"get_caller_identity"}

    listed = json.loads(in_process(project, "list", "--target", "aws", "--format", "json").out)
    [shown] = listed["environments"]
    assert (shown["id"], shown["state"], shown["target"]) == (environment, "kept", f"aws:{ACCOUNT}:{REGION}")
    assert (listed["without_lease"], listed["problem"]) == ([], "")

    say(moto, environment, "hello")
    logs = in_process(project, "logs", environment, "web")
    assert (logs.code, logs.out.endswith(" hello\n")) == (0, True), logs.text
    assert in_process(project, "logs", environment, "nobody").code == 7
    longer = json.loads(in_process(project, "extend", environment, "10m", "--format", "json").out)
    assert longer["expires"] > shown["expires"]
    hold_previews(project, moto)
    tested = in_process(project, "test")
    assert tested.code == 7, tested.text
    found: Any = project.record()
    [cause] = found["causes"]
    assert (cause["kind"], cause["phase"]) == ("NotTestedError", "ready")
    assert [lease.state for lease in leases(project)] == ["kept"]
    hold_drift(project, moto, environment)

    down = in_process(project, "down", "--format", "json")
    assert (down.code, json.loads(down.out)["outcome"]) == (0, "CLEAN"), down.text
    assert_gone(project, moto, environment)


def hold_told(moto: Moto, environment: str) -> None:
    """The clone's queue hears of the objects of the clone's bucket, and of no other key than production's does."""
    s3, sqs, bucket = moto.client("s3"), moto.client("sqs"), bucket_of(moto, environment)
    url = sqs.get_queue_url(QueueName=f"{environment}-jobs")["QueueUrl"]
    sqs.purge_queue(QueueUrl=url)
    for key in ("in/1", "out/1"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
        s3.delete_object(Bucket=bucket, Key=key)
    [message] = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert json.loads(message["Body"])["Records"][0]["s3"]["object"]["key"] == "in%2F1"
    policy = json.loads(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"])
    [statement] = policy["Statement"]
    assert statement["Condition"]["ArnEquals"] == {"aws:SourceArn": [f"arn:aws:s3:::{bucket}"]}
    asked(moto)


def hold_previews(project: Project, moto: Moto) -> None:
    """A preview on the living stack says what `up` would do, of the same commit nothing, and changes nothing."""
    asked(moto)
    same = in_process(project, "diff", "last", "--engine", "--exit-code", "--format", "json")
    assert same.code == 0, same.text
    found = json.loads(same.out)["preview"]
    assert (found["living"], set(found["counts"])) == (True, {"same"})
    compose = project.folder / "compose.yaml"
    compose.write_text(SMALL.replace("web:1", "web:2"), encoding="utf-8")
    other = in_process(project, "diff", "last", "--engine", "--dirty", "--exit-code", "--format", "json")
    compose.write_text(SMALL, encoding="utf-8")
    assert other.code == 1, other.text
    found = json.loads(other.out)
    assert [each["path"] for each in found["differences"]] == ["services.web.image"]
    steps = {each["type"].rpartition(":")[2]: each["op"] for each in found["preview"]["steps"] if each["op"] != "same"}
    assert steps == {"TaskDefinition": "replace", "Service": "update"}
    assert asked(moto) == {"get_caller_identity"}


def hold_drift(project: Project, moto: Moto, environment: str) -> None:
    """What somebody changed by hand is seen and nothing else, no secret is shown, and looking changes nothing."""
    asked(moto)
    before = kept_state(moto)
    none = in_process(project, "diff", "--drift", "--exit-code", environment)
    assert none.code == 0, none.text
    assert re.search(r"\nNo drift: \d\d resources as provisioned\.\n", none.out)

    bucket = _HASH.sub("", bucket_of(moto, environment)).replace(environment, "E")
    change_by_hand(moto, environment)
    seen = in_process(project, "diff", "--drift", "--exit-code", "--format", "json")
    assert seen.code == 1, seen.text
    record = DiffRecord.from_json(seen.out)
    drift = {(each.kind, _HASH.sub("", each.name).replace(environment, "E")): each for each in record.drift}
    assert {key: each.state for key, each in drift.items() if each.kind != "security-group-rule"} == {
        ("ecs.Service", "E-web"): "changed",
        ("task-definition", "E-web:2"): "added",
        ("sqs.Queue", "E-jobs"): "changed",
        ("s3.Bucket", bucket): "gone",
        ("s3.BucketPublicAccessBlock", bucket): "gone",
        ("s3.BucketNotification", bucket): "gone",
        ("secretsmanager.SecretVersion", "E-secrets-api-token-value"): "changed",
        ("role-policy", "more of E-web"): "added",
    }
    [rule] = [each for each in drift.values() if each.kind == "security-group-rule"]
    assert (rule.state, rule.detail) == ("added", "it lets tcp 22 in from 0.0.0.0/0")
    service = drift["ecs.Service", "E-web"]
    assert service.service == "web"
    changed = {each.path: (each.provisioned, each.actual) for each in service.properties}
    assert changed.keys() == {
        "desiredCount",
        "taskDefinition",
        "containerDefinitions[web].image",
        "containerDefinitions[web].environment.MORE",
    }
    assert changed["desiredCount"] == ("1", "3")
    assert changed["containerDefinitions[web].image"] == ("registry.example/web:1", "registry.example/web:9")
    queue = {each.path: (each.provisioned, each.actual) for each in drift["sqs.Queue", "E-jobs"].properties}
    assert queue == {
        "visibilityTimeoutSeconds": ("30", "1"),
        "messageRetentionSeconds": ("345600", "60"),
        "tags.dev.understudy.project": ("small", None),
    }
    for shown in (none.text, seen.text, text(record), markdown(record), html(record)):
        assert "hush" not in shown
    assert kept_state(moto) == before
    assert not [name for name in asked(moto) if not name.startswith(("describe_", "get_", "head_", "list_"))]


_HASH = re.compile(r"-0[a-z2-7]{9}\b")
"""The mark in a name that was rewritten."""


def kept_state(moto: Moto) -> dict[str, bytes]:
    """All that Pulumi keeps in the bucket."""
    s3 = moto.client("s3")
    keys = [row["Key"] for row in s3.list_objects_v2(Bucket=STATE, Prefix="team/.pulumi/")["Contents"]]
    return {key: s3.get_object(Bucket=STATE, Key=key)["Body"].read() for key in keys}


def change_by_hand(moto: Moto, environment: str) -> None:
    """Another definition and count, a rule, a policy, a secret's value, a queue's settings and tag; a bucket goes."""
    web, ecs, ec2 = f"{environment}-web", moto.client("ecs"), moto.client("ec2")
    found = ecs.describe_task_definition(taskDefinition=web, include=["TAGS"])
    container = found["taskDefinition"]["containerDefinitions"][0]
    container |= {
        "image": "registry.example/web:9",
        "environment": [*container["environment"], {"name": "MORE", "value": "hush"}],
    }
    given = ("family", "cpu", "memory", "networkMode", "executionRoleArn", "taskRoleArn", "runtimePlatform")
    same = {key: found["taskDefinition"][key] for key in (*given, "requiresCompatibilities", "containerDefinitions")}
    made = ecs.register_task_definition(**same, tags=found["tags"])["taskDefinition"]["taskDefinitionArn"]
    ecs.update_service(cluster="platform", service=web, desiredCount=3, taskDefinition=made)
    named = [{"Name": "group-name", "Values": [f"{environment}-tasks"]}]
    [group] = ec2.describe_security_groups(Filters=named)["SecurityGroups"]
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[rule])
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    moto.client("iam").put_role_policy(RoleName=web, PolicyName="more", PolicyDocument=json.dumps(allow))
    secrets, sqs = moto.client("secretsmanager"), moto.client("sqs")
    [secret] = secrets.list_secrets()["SecretList"]
    secrets.put_secret_value(SecretId=secret["ARN"], SecretString="hush of another")
    queue = sqs.get_queue_url(QueueName=f"{environment}-jobs")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1", "MessageRetentionPeriod": "60"})
    sqs.untag_queue(QueueUrl=queue, TagKeys=["dev.understudy.project"])
    moto.client("s3").delete_bucket(Bucket=bucket_of(moto, environment))


def bucket_of(moto: Moto, environment: str) -> str:
    """The bucket of the service `files`."""
    names = [row["Name"] for row in moto.client("s3").list_buckets()["Buckets"]]
    return next(name for name in names if name.startswith(f"{environment}-files-"))


def assert_gone(project: Project, moto: Moto, environment: str) -> None:
    """Nothing of it is in the account, nothing of its state in the bucket, and the receipt is there."""
    assert not leases(project)
    assert not moto.owned()
    there = moto.client("s3").list_objects_v2(Bucket=STATE, Prefix="team/")["Contents"]
    assert [row["Key"] for row in there if environment in row["Key"]] == [
        f"team/.understudy/leases/receipts/{environment}.json"
    ]
    proven = in_process(project, "receipt", environment)
    assert proven.code == 0, proven.text


def test_a_run_killed_with_its_group_is_ended_by_the_watchdog_with_what_that_was_handed(
    project: Project, moto: Moto
) -> None:
    with moto.held("create_service"):
        process = project.start("run", "--target", "aws", "--progress", "json", "--history", "off")
        begun(process, "provision", subject="service web")
        wait_for(lambda: "create_service" in asked(moto), what="the provider, which waits with the service")
        [lease] = leases(project)
        environment = lease.id
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    words: set[bytes] = set()

    def over() -> bool:
        words.update(command_lines())
        return not leases(project)

    wait_for(over, limit=240, what="the watchdog's work")
    assert any(b"understudy.ending" in line and environment.encode() in line for line in words)
    assert_gone(project, moto, environment)
    log = Path(project.env["XDG_STATE_HOME"]) / "understudy" / "watchdog" / "log"
    wait_for(lambda: f"CLEAN {environment}".encode() in log.read_bytes(), what="its last command's words")
    assert b"ResourceFailedError" not in log.read_bytes()  # the engine met nothing that was gone already
    bucket = moto.client("s3")
    kept = [
        bucket.get_object(Bucket=STATE, Key=row["Key"])["Body"].read()
        for row in bucket.list_objects_v2(Bucket=STATE)["Contents"]
    ]
    for secret in HUSH.values():
        assert not [text for text in (*words, *kept, log.read_bytes()) if secret.encode() in text]


def command_lines() -> set[bytes]:
    """The command lines of all processes."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.add(path.read_bytes())
        except OSError:
            continue
    return found
