"""What an environment on AWS declares: of the example and of every kind, within the schema, owned, easy to destroy."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws.plans import (
    ENV,
    PLATFORM,
    declare,
    everything,
    everything_plan,
    planned,
    private,
    shop_plan,
)
from aws.plans import SOURCES as FOUND
from aws.strict import arguments, findings
from recording import SECRET, Recording

from understudy.stacks import aws_names
from understudy.stacks.identity import ownership_labels
from understudy.stacks.secret_rules import secret_value
from understudy.stacks.trust import Certificates

UNTAGGED = {  # AWS tags none of them
    "aws:iam/rolePolicy:RolePolicy",
    "aws:secretsmanager/secretVersion:SecretVersion",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "aws:s3/bucketVersioning:BucketVersioning",
    "aws:s3/bucketNotification:BucketNotification",
    "aws:sqs/queuePolicy:QueuePolicy",
    "aws:elasticache/userGroupAssociation:UserGroupAssociation",
}


@pytest.fixture(scope="module")
def shop() -> Recording:
    return declare(shop_plan())


@pytest.fixture(scope="module")
def every() -> Recording:
    return declare(everything_plan())


@pytest.fixture(scope="module")
def shared() -> Recording:
    return declare(everything_plan("db", "cache"))


@pytest.fixture(params=["shop", "every", "shared"])
def declared(request: pytest.FixtureRequest) -> Recording:
    found: Recording = request.getfixturevalue(request.param)
    return found


def aws(recording: Recording) -> list[Any]:
    return [resource for resource in recording.resources if resource.type.startswith("aws:")]


def by_name(recording: Recording, kind: str, module: str) -> dict[str, Any]:
    return {resource.inputs["name"]: resource for resource in recording.of(kind, module)}


def services(recording: Recording) -> dict[str, Any]:
    return by_name(recording, "Service", "aws:ecs")


def containers(recording: Recording, family: str) -> dict[str, Any]:
    (task,) = [t for t in recording.of("TaskDefinition", "aws:ecs") if t.inputs["family"] == family]
    return {each["name"]: each for each in json.loads(task.inputs["containerDefinitions"])}


def test_every_input_is_of_the_published_schema(declared: Recording) -> None:
    assert findings(declared.resources) == []


def test_one_provider_tags_everything_and_touches_one_account(declared: Recording) -> None:
    (provider,) = [r for r in declared.resources if r.type == "pulumi:providers:aws"]
    assert provider.inputs["region"] == "eu-west-1"
    assert json.loads(provider.inputs["allowedAccountIds"]) == ["123456789012"]
    assert json.loads(provider.inputs["defaultTags"]) == {"tags": ownership_labels(ENV)}
    assert all(resource.provider.startswith(f"{provider.urn}::") for resource in aws(declared))
    for service in declared.of("Service", "aws:ecs"):
        assert service.inputs["propagateTags"] == "SERVICE"
        assert service.inputs["enableEcsManagedTags"] is True


def test_every_resource_can_carry_the_tags(declared: Recording) -> None:
    for resource in aws(declared):
        assert resource.type in UNTAGGED or isinstance(vars(arguments(resource.type)).get("tags"), property), (
            resource.type
        )


def test_nothing_is_kept_when_an_environment_is_destroyed(declared: Recording) -> None:
    assert not any(resource.protect or resource.retain_on_delete for resource in declared.resources)
    for service in declared.of("Service", "aws:ecs"):
        assert service.inputs["forceDelete"] is True
        assert service.inputs["waitForSteadyState"] is True
        assert service.timeouts == {"create": "15m", "update": "15m", "delete": "10m"}
        assert service.delete_before_replace
    for group in declared.of("TargetGroup", "aws:lb"):
        assert group.inputs["deregistrationDelay"] == 5
    for secret in declared.of("Secret", "aws:secretsmanager"):
        assert secret.inputs["recoveryWindowInDays"] == 0
    for bucket in declared.of("Bucket", "aws:s3"):
        assert bucket.inputs["forceDestroy"] is True
    for role in declared.of("Role", "aws:iam"):
        assert role.inputs["forceDetachPolicies"] is True
        assert role.inputs["path"] == "/understudy/"
        assert role.inputs["permissionsBoundary"] == "arn:boundary"
    (logs,) = declared.of("LogGroup", "aws:cloudwatch")
    assert (logs.inputs["name"], logs.inputs["retentionInDays"]) == ("/understudy/eabcdefghij", 3)
    (group,) = declared.of("SecurityGroup", "aws:ec2")
    assert group.inputs["revokeRulesOnDelete"] is True


def test_a_service_waits_for_its_rule_its_role_and_what_it_depends_on(shop: Recording) -> None:
    names = {resource.urn: resource.name for resource in shop.resources}

    def waits(service: str) -> set[str]:
        (found,) = [s for s in shop.of("Service", "aws:ecs") if s.inputs["name"] == f"eabcdefghij-{service}"]
        return {names[urn] for urn in found.dependencies}

    gateway = {"shop-in-rule", "shop-gateway-task-policy", "shop-catalog-service", "shop-orders-service"}
    assert gateway <= waits("gateway")
    assert {"shop-db-service", "shop-migrate-service", "shop-payments-service"} <= waits("catalog")
    assert "shop-gateway-service" not in waits("catalog")
    assert {"shop-logs-group", "shop-network-between-in", "shop-network-between-out"} <= waits("db")


def test_the_example_answers_under_productions_names(shop: Recording) -> None:
    found = {
        alias["dnsName"]: (service.inputs["name"], alias["port"])
        for service in shop.of("Service", "aws:ecs")
        for each in service.inputs["serviceConnectConfiguration"].get("services", [])
        for alias in each["clientAlias"]
    }
    assert found == {
        "gateway": ("eabcdefghij-gateway", 80),
        "catalog": ("eabcdefghij-catalog", 8000),
        "orders": ("eabcdefghij-orders", 8000),
        "db.shop.internal": ("eabcdefghij-db", 5432),
        "queue.shop.internal": ("eabcdefghij-queue", 6379),
        "api.payments.example": ("eabcdefghij-payments", 443),
    }
    spaces = {s.inputs["serviceConnectConfiguration"]["namespace"] for s in shop.of("Service", "aws:ecs")}
    assert spaces == {"arn:shop-network-namespace"}
    (namespace,) = shop.of("HttpNamespace", "aws:servicediscovery")
    assert namespace.inputs["name"] == "eabcdefghij"


def test_the_example_has_one_way_in(shop: Recording) -> None:
    (rule,) = shop.of("ListenerRule", "aws:lb")
    assert rule.inputs["conditions"] == [{"hostHeader": {"values": ["eabcdefghij.preview.internal"]}}]
    assert rule.inputs["listenerArn"] == "arn:listener"
    assert 1 <= rule.inputs["priority"] <= 49999
    (group,) = shop.of("TargetGroup", "aws:lb")
    assert group.inputs["targetType"] == "ip"
    balanced = [s for s in shop.of("Service", "aws:ecs") if "loadBalancers" in s.inputs]
    assert [s.inputs["loadBalancers"] for s in balanced] == [
        [{"containerName": "gateway", "containerPort": 80, "targetGroupArn": "arn:shop-in-targets"}]
    ]
    url = "http://eabcdefghij.preview.internal"
    assert shop.result == {"gateway:80": {"host": "eabcdefghij.preview.internal", "port": 80, "url": url}}


def test_a_service_that_changes_its_kind_stays_the_same_resource(shop: Recording) -> None:
    (db,) = [resource for resource in shop.resources if resource.type == "understudy:aws:Database"]
    others = ("Service", "Cache", "Broker", "ObjectStore", "Gateway", "Job", "Mock")
    assert set(db.aliases) == {f"understudy:aws:{kind}" for kind in others}


def test_files_of_the_commit_come_from_the_environments_bucket(shop: Recording) -> None:
    objects = {o.inputs["key"]: o for o in aws(shop) if "key" in o.inputs}
    nginx = next(o for key, o in objects.items() if key.startswith("gateway/") and key.endswith("nginx.conf"))
    assert "proxy_pass" in nginx.inputs["content"]
    store = next(o for key, o in objects.items() if key.endswith("understudy.p12"))
    assert SECRET in store.wire["contentBase64"]
    found = containers(shop, "eabcdefghij-gateway")
    names = list(found)
    assert [name.split("-")[1] for name in names[:2]] == ["seed", "files"]
    assert found["gateway"]["dependsOn"] == [{"condition": "SUCCESS", "containerName": names[1]}]
    mounted = {"containerPath": "/etc/nginx", "readOnly": False, "sourceVolume": "files-1"}
    assert mounted in found["gateway"]["mountPoints"]
    assert "/etc/nginx/. /understudy-seed/" in found[names[0]]["command"][0]
    assert nginx.inputs["key"].rpartition("/1/")[0] in found[names[1]]["command"][0]


def test_a_jobs_task_stays_when_the_job_has_ended_well(shop: Recording) -> None:
    found = containers(shop, "eabcdefghij-migrate")
    job, keeper = list(found.values())[-2:]
    assert (job["name"], job["essential"], job["startTimeout"]) == ("migrate", False, 120)
    assert keeper["essential"] is True
    assert keeper["dependsOn"] == [{"condition": "SUCCESS", "containerName": "migrate"}]


def test_secrets_are_referred_to_and_shown_nowhere(shop: Recording) -> None:
    value = secret_value(b"seed", "DB_PASSWORD")
    (version,) = shop.of("SecretVersion", "aws:secretsmanager")
    assert version.inputs["secretString"] == value
    assert SECRET in version.wire["secretString"]
    main = containers(shop, "eabcdefghij-db")["db"]
    arn = "arn:shop-secrets-db-password-0scuayxotd"
    assert main["secrets"] == [{"name": "POSTGRES_PASSWORD", "valueFrom": arn}]
    for resource in shop.resources:
        if resource is not version:
            assert value not in json.dumps(resource.inputs)


def test_what_production_keeps_as_a_parameter_is_one_that_only_its_value_s_reader_sees(every: Recording) -> None:
    (parameter,) = every.of("Parameter", "aws:ssm")
    given = {key: parameter.inputs[key] for key in ("name", "type", "value")}
    value = secret_value(b"seed", "TOKEN")
    assert given == {"name": aws_names.parameter(ENV.id, "TOKEN"), "type": "SecureString", "value": value}
    assert SECRET in json.dumps(parameter.wire["value"])
    told = {each["name"]: each["valueFrom"] for each in containers(every, "eabcdefghij-full")["full"]["secrets"]}
    assert told["TOKEN"] == f"arn:{parameter.name}"
    for resource in every.resources:
        if resource is not parameter:
            assert value not in json.dumps(resource.inputs)


def test_roles_may_do_no_more_than_their_tasks_need(every: Recording) -> None:
    policies = {p.name: json.loads(p.inputs["policy"])["Statement"] for p in every.of("RolePolicy", "aws:iam")}
    found = {name: {r for s in statements for r in s["Resource"]} for name, statements in policies.items()}
    bucket = "arn:aws:s3:::eabcdefghij-uploads-abxrrz6z"
    files = "arn:aws:s3:::eabcdefghij-understudy-files-0i7guye7mc-abxrrz6z"
    assert found["shop-full-task-policy"] == {
        "arn:aws:sqs:eu-west-1:123456789012:eabcdefghij-orders.fifo",
        "arn:aws:sqs:eu-west-1:123456789012:eabcdefghij-arrivals",
        bucket,
        f"{bucket}/*",
        files,
        *(f"{files}/{each}/*" for each in ("full", "beside", "fill")),
    }
    assert found["shop-db-task-policy"] >= {f"{files}/db/*"}
    assert not any(r.endswith(f"{files}/*") for resources in found.values() for r in resources)
    assert all("*" not in action for s in policies.values() for each in s for action in each["Action"])


def test_queues_and_buckets_are_the_clones_own(every: Recording) -> None:
    queues = by_name(every, "Queue", "aws:sqs")
    assert set(queues) == {"eabcdefghij-orders.fifo", "eabcdefghij-failed.fifo", "eabcdefghij-arrivals"}
    orders = queues["eabcdefghij-orders.fifo"].inputs
    assert (orders["visibilityTimeoutSeconds"], orders["delaySeconds"], orders["fifoQueue"]) == (45, 2, True)
    assert json.loads(orders["redrivePolicy"]) == {"deadLetterTargetArn": "arn:shop-failed-queue", "maxReceiveCount": 3}
    buckets = {b.inputs["bucket"] for b in every.of("Bucket", "aws:s3")}
    assert "eabcdefghij-uploads-abxrrz6z" in buckets
    assert len(every.of("BucketPublicAccessBlock", "aws:s3")) == len(buckets) == 2
    (versioned,) = every.of("BucketVersioning", "aws:s3")
    assert versioned.inputs["versioningConfiguration"] == {"status": "Enabled"}


def test_a_bucket_tells_a_queue_of_its_objects_and_nobody_else_may_send_to_it(every: Recording) -> None:
    (notification,) = every.of("BucketNotification", "aws:s3")
    told = {"queueArn": "arn:shop-arrivals-queue", "events": ["s3:ObjectCreated:*"], "filterSuffix": ".pdf"}
    (uploads,) = [b for b in every.of("Bucket", "aws:s3") if "uploads" in b.inputs["bucket"]]
    assert notification.inputs["queues"] == [told]
    (policy,) = every.of("QueuePolicy", "aws:sqs")
    assert json.loads(policy.inputs["policy"])["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": "arn:shop-arrivals-queue",
            "Condition": {
                "ArnEquals": {"aws:SourceArn": ["arn:aws:s3:::eabcdefghij-uploads-abxrrz6z"]},
                "StringEquals": {"aws:SourceAccount": "123456789012"},
            },
        }
    ]
    assert notification.dependencies >= {policy.urn, uploads.urn}, "S3 asks the queue as it is told"


def test_a_database_on_the_shared_instance_is_a_job_and_a_task_that_drops_it(shared: Recording) -> None:
    made = containers(shared, "eabcdefghij-db")["db"]
    assert {s["name"]: s["valueFrom"] for s in made["secrets"]} == {
        "PGUSER": "arn:admin:username::",
        "PGPASSWORD": "arn:admin:password::",
        "ROLE_PASSWORD": "arn:shop-secrets-db-0z45lzazgm",
    }
    told = {e["name"]: e["value"] for e in made["environment"]}
    assert (told["PGHOST"], told["PGPORT"], told["TEMPLATE"]) == ("shared.rds.example", "5433", "golden")
    errands = [t.inputs for t in shared.of("TaskDefinition", "aws:ecs") if "errand" in t.inputs["family"]]
    database, cache = (e["containerDefinitions"] for e in sorted(errands, key=lambda e: e["family"], reverse=True))
    assert "DROP DATABASE" in database
    assert "UNLINK" in cache
    assert SECRET not in database + cache


def test_what_takes_away_is_there_before_what_makes_and_while_that_is_what_it_needs(shared: Recording) -> None:
    errands = [t for t in shared.of("TaskDefinition", "aws:ecs") if "errand" in t.inputs["family"]]
    kinds = ("LogGroup", "aws:cloudwatch"), ("UserGroupAssociation", "aws:elasticache")
    needed = {each.urn for kind, module in kinds for each in shared.of(kind, module)}
    rules = {each.urn for each in shared.resources if each.type.startswith("aws:vpc/securityGroup")}
    assert len(errands) == 2
    assert rules
    for errand in errands:
        assert errand.dependencies >= needed | rules
    for each in shared.of("Service", "aws:ecs"):
        assert each.dependencies >= {errand.urn for errand in errands}


def test_a_user_of_the_shared_cache_has_keys_of_its_own(shared: Recording) -> None:
    (user,) = shared.of("User", "aws:elasticache")
    assert user.inputs["accessString"] == "on ~eabcdefghij-cache:* &eabcdefghij-cache:* +@all -@admin -@dangerous"
    assert SECRET in json.dumps(user.wire["passwords"])


def test_tasks_behind_nat_have_no_public_address_and_roles_no_boundary_unless_given() -> None:
    certificates = Certificates({"ca.pem": b"a"}, {"payments": b"p"})
    found = declare(planned(everything(), sources=FOUND, certificates=certificates, platform=private(PLATFORM)))
    for service in found.of("Service", "aws:ecs"):
        assert service.inputs["networkConfiguration"]["assignPublicIp"] is False
    assert all("permissionsBoundary" not in role.inputs for role in found.of("Role", "aws:iam"))


def test_only_what_may_move_is_on_spot() -> None:
    found = services(declare(everything_plan(spot=True)))
    kinds = {
        name.removeprefix("eabcdefghij-"): s.inputs["capacityProviderStrategies"][0]["capacityProvider"]
        for name, s in found.items()
    }
    assert {name for name, kind in kinds.items() if kind == "FARGATE_SPOT"} == {"web", "full", "payments"}
