"""A deletion that AWS refuses is refused here, so that a missing setting is seen; with the setting it goes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from provider_driver import ProviderDriver, connected
from pulumi.runtime.proto import provider_pb2
from support import wait_for

from understudy.provider.server import PackageServer
from understudy.provider.values import to_struct

from .conftest import REGION, Moto

pytestmark = pytest.mark.xdist_group("aws")

BUCKET, ROLE, SECRET = "aws:s3/bucket:Bucket", "aws:iam/role:Role", "aws:secretsmanager/secret:Secret"
INSTANCE, GROUP = "aws:rds/instance:Instance", "aws:ec2/securityGroup:SecurityGroup"
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


@pytest.fixture(scope="module")
def driver(aws_provider: PackageServer) -> Iterator[ProviderDriver]:
    with connected(aws_provider.port) as stub:
        stub.Configure(provider_pb2.ConfigureRequest(args=to_struct({"region": REGION})))
        yield ProviderDriver(stub)


def refused(driver: ProviderDriver, token: str, object_id: str, state: dict) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        driver.delete(token, object_id, state)
    return str(caught.value.details())


def test_a_bucket_that_is_not_empty_goes_with_force_destroy_only(driver: ProviderDriver, moto: Moto) -> None:
    name, state = driver.create(BUCKET, {"bucket": "full"})
    s3 = moto.client("s3")
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket=name, Key="a", Body=body)
    s3.delete_object(Bucket=name, Key="a")
    assert "BucketNotEmpty" in refused(driver, BUCKET, name, state)
    driver.delete(BUCKET, name, {**state, "forceDestroy": True})
    assert driver.read(BUCKET, name, {"bucket": name}) is None


def test_a_database_goes_with_a_word_about_its_last_snapshot_only(driver: ProviderDriver, moto: Moto) -> None:
    given = {"identifier": "store", "engine": "postgres", "instanceClass": "db.t4g.micro", "allocatedStorage": 20}
    given |= {"username": "shop", "password": "of-a-test", "deletionProtection": True}
    made, state = driver.create(INSTANCE, given)
    assert "finalSnapshotIdentifier is required when skipFinalSnapshot is false" in refused(
        driver, INSTANCE, made, state
    )
    assert "protect" in refused(driver, INSTANCE, made, {**state, "skipFinalSnapshot": True})
    freed = driver.update(INSTANCE, made, given, {**given, "deletionProtection": False})
    driver.delete(INSTANCE, made, {**freed, "finalSnapshotIdentifier": "last"})
    assert [each["DBSnapshotIdentifier"] for each in moto.client("rds").describe_db_snapshots()["DBSnapshots"]] == [
        "last"
    ]
    assert driver.read(INSTANCE, made, given) is None


def test_a_restored_database_is_not_protected_as_its_origin_was(driver: ProviderDriver, moto: Moto) -> None:
    rds = moto.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="golden", Engine="postgres", DBInstanceClass="db.t4g.micro", DeletionProtection=True
    )
    rds.create_db_snapshot(DBInstanceIdentifier="golden", DBSnapshotIdentifier="golden-1")
    given = {"identifier": "copy", "instanceClass": "db.t4g.micro", "snapshotIdentifier": "golden-1"}
    made, state = driver.create(INSTANCE, {**given, "password": "another-one", "skipFinalSnapshot": True})
    assert not state["deletionProtection"]
    driver.delete(INSTANCE, made, state)


def test_the_name_of_a_secret_stays_taken_without_its_recovery_window_of_0(driver: ProviderDriver) -> None:
    for window, again in ((None, False), (0, True)):
        given = {"name": f"secret-{window}", "recoveryWindowInDays": window}
        made, state = driver.create(SECRET, given)
        driver.delete(SECRET, made, state)
        assert driver.read(SECRET, made, given) is None
        if again:
            driver.create(SECRET, given)
            continue
        with pytest.raises(grpc.RpcError) as caught:
            driver.create(SECRET, given)
        assert "ResourceExists" in str(caught.value.details())  # AWS: InvalidRequest, scheduled for deletion


def test_a_role_with_another_s_policy_goes_with_force_detach_policies_only(driver: ProviderDriver, moto: Moto) -> None:
    name, state = driver.create(ROLE, {"name": "task", "assumeRolePolicy": TRUST})
    iam = moto.client("iam")
    iam.put_role_policy(RoleName=name, PolicyName="by-hand", PolicyDocument=POLICY)
    iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonSQSFullAccess")
    assert "DeleteConflict" in refused(driver, ROLE, name, state)
    driver.delete(ROLE, name, {**state, "forceDetachPolicies": True})
    assert driver.read(ROLE, name, {"name": name}) is None


def test_a_group_that_another_one_names_goes_when_that_one_does_not_any_more(
    driver: ProviderDriver, moto: Moto
) -> None:
    ec2 = moto.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    (one, first), (two, second) = (driver.create(GROUP, {"name": name, "vpcId": vpc}) for name in ("one", "two"))
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": one}]}
    ec2.authorize_security_group_ingress(GroupId=two, IpPermissions=[rule])
    with ThreadPoolExecutor(1) as pool:
        looks = len(moto.asked("describe_security_groups"))
        going = pool.submit(driver.delete, GROUP, one, first)
        wait_for(lambda: len(moto.asked("describe_security_groups")) > looks + 1, 60)  # refused, and tried again
        ec2.revoke_security_group_ingress(GroupId=two, IpPermissions=[rule])
        going.result(timeout=60)
    assert driver.read(GROUP, one, {"name": "one"}) is None
    driver.delete(GROUP, two, second)


def test_a_balancer_that_is_protected_stays(driver: ProviderDriver, moto: Moto) -> None:
    ec2 = moto.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.2.{index}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
            "SubnetId"
        ]
        for index, zone in enumerate("ab")
    ]
    token = "aws:lb/loadBalancer:LoadBalancer"  # noqa: S105 - a type token
    given = {"name": "kept", "subnets": subnets, "enableDeletionProtection": True}
    made, state = driver.create(token, given)
    assert "OperationNotPermitted" in refused(driver, token, made, state)
    driver.delete(token, made, driver.update(token, made, given, {**given, "enableDeletionProtection": False}))


def test_what_still_has_something_in_it_stays(driver: ProviderDriver, moto: Moto) -> None:
    """Each of these moto would delete, and AWS does not."""
    ecs, discovery = moto.client("ecs"), moto.client("servicediscovery")
    cluster, state = driver.create("aws:ecs/cluster:Cluster", {"name": "busy"})
    ecs.register_task_definition(family="busy", containerDefinitions=[{"name": "a", "image": "a", "memory": 64}])
    ecs.create_service(cluster=cluster, serviceName="busy", taskDefinition="busy", desiredCount=1)
    assert "ClusterContainsServices" in refused(driver, "aws:ecs/cluster:Cluster", cluster, state)
    space, state = driver.create("aws:servicediscovery/httpNamespace:HttpNamespace", {"name": "busy"})
    discovery.create_service(Name="web", NamespaceId=space)
    told: Any = refused(driver, "aws:servicediscovery/httpNamespace:HttpNamespace", space, state)
    assert "has services" in told
