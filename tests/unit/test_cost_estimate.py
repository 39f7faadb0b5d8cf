"""An estimate: what has a price is a row, what has none is named, and nothing is guessed."""

from __future__ import annotations

from typing import Any

import pytest

from understudy.report.codec import encode
from understudy.stacks.cost.charges import Declared
from understudy.stacks.cost.estimate import Estimate, estimate, nothing
from understudy.stacks.cost.table import Price, PriceTable, Source, no_prices
from understudy.stacks.cost.words import headline, lines

UNITS = {
    "fargate/vcpu/x86_64": (0.04, "vCPU-hour"),
    "fargate/memory/x86_64": (0.004, "GB-hour"),
    "fargate/vcpu/arm64": (0.03, "vCPU-hour"),
    "fargate/memory/arm64": (0.003, "GB-hour"),
    "fargate/disk": (0.0001, "GB-hour"),
    "ipv4": (0.005, "address-hour"),
    "nat": (0.045, "hour"),
    "lb/application": (0.02, "hour"),
    "rds/postgres/db.t4g.micro/single": (0.016, "hour"),
    "rds/postgres/db.t4g.micro/multi": (0.032, "hour"),
    "rds/storage/gp3/single": (0.146, "GB-month"),
    "elasticache/redis/cache.t4g.micro": (0.016, "hour"),
    "secret": (0.73, "secret-month"),
}
TABLE = PriceTable(
    region="eu-west-1",
    currency="USD",
    dated="2030-01-02",
    sources={
        "page": Source("a page", "https://prices.example", "2030"),
        "other": Source("b", "https://b.example", "2029"),
    },
    prices={name: Price(rate, unit, ("page",)) for name, (rate, unit) in UNITS.items()},
)
SERVICE = {
    "desiredCount": 2,
    "taskDefinition": "web",
    "capacityProviderStrategies": [{"capacityProvider": "FARGATE", "weight": 1}],
}
TASK = {"family": "web", "cpu": "512", "memory": "1024"}


def resource(kind: str, name: str = "it", ids: tuple[str, ...] = (), /, **inputs: Any) -> Declared:
    module, _, kind = kind.rpartition(".")
    return Declared(f"aws:{module}/{kind[0].lower()}{kind[1:]}:{kind}", name, inputs, ids)


def of(*resources: Declared) -> Estimate:
    return estimate(resources, TABLE)


def service(**inputs: Any) -> Declared:
    return resource("ecs.Service", "web", **{**SERVICE, **inputs})


def task(**inputs: Any) -> Declared:
    return resource(
        "ecs.TaskDefinition", "web-task", ("arn:aws:ecs:eu-west-1:1:task-definition/web:7",), **{**TASK, **inputs}
    )


def rows(found: Estimate) -> list[tuple[str, str, float, str, float]]:
    return [(row.name, row.kind, row.quantity, row.unit, row.per_hour) for row in found.rows]


def why(found: Estimate) -> str:
    (line,) = found.not_priced
    return f"{line.name}, {line.kind}: {line.why}"


def test_a_service_costs_what_its_tasks_take() -> None:
    found = of(service(), task())
    assert rows(found) == [
        ("web", "Fargate vCPU", 1.0, "vCPU-hour", 0.04),
        ("web", "Fargate memory", 2.0, "GB-hour", 0.008),
    ]
    assert (found.per_hour, found.per_month, found.at_most) == (0.048, 35.04, False)
    assert (found.region, found.currency, found.dated) == ("eu-west-1", "USD", "2030-01-02")
    assert [source.name for source in found.sources] == ["a page"]
    assert not found.not_priced


@pytest.mark.parametrize(
    "said", ["web", "web:7", "arn:aws:ecs:eu-west-1:1:task-definition/web:7", "arn:x:task-definition/web", "web-task"]
)
def test_a_task_definition_is_named_by_family_revision_arn_or_name(said: str) -> None:
    assert of(service(taskDefinition=said), task()).per_hour == 0.048


def test_sizes_may_be_said_in_words_and_a_machine_may_be_arm() -> None:
    found = of(
        service(desiredCount=1.0),
        task(cpu=".25 vCPU", memory="0.5 GB", runtimePlatform={"cpuArchitecture": "ARM64"}),
    )
    assert [(row.quantity, row.rate) for row in found.rows] == [(0.25, 0.03), (0.5, 0.003)]


def test_windows_and_other_systems_are_not_taken_for_linux() -> None:
    found = of(service(), task(runtimePlatform={"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}))
    assert not found.rows
    assert [line.why.rpartition(" ")[2] for line in found.not_priced] == [
        "fargate/vcpu/windows_server_2022_core",
        "fargate/memory/windows_server_2022_core",
    ]


def test_disk_beyond_what_is_free_and_public_addresses_are_charged() -> None:
    found = of(
        service(networkConfiguration={"assignPublicIp": True}),
        task(ephemeralStorage={"sizeInGib": 50}),
    )
    assert rows(found)[2:] == [
        ("web", "Fargate disk", 60.0, "GB-hour", 0.006),
        ("web", "public IPv4", 2.0, "address-hour", 0.01),
    ]
    assert (
        len(of(service(networkConfiguration={"assignPublicIp": False}), task(ephemeralStorage={"sizeInGib": 20})).rows)
        == 2
    )


@pytest.mark.parametrize(
    ("strategies", "note"),
    [
        ([{"capacityProvider": "FARGATE_SPOT", "weight": 1}], "2 of 2"),
        ([{"capacityProvider": "FARGATE_SPOT", "weight": 3}, {"capacityProvider": "FARGATE", "weight": 1}], "1.5 of 2"),
        (
            [
                {"capacityProvider": "FARGATE", "weight": 1, "base": 1},
                {"capacityProvider": "FARGATE_SPOT", "weight": 1},
            ],
            "0.5 of 2",
        ),
        ([{"capacityProvider": "FARGATE", "base": 1}, {"capacityProvider": "FARGATE_SPOT", "weight": 1}], "1 of 2"),
        ([{"capacityProvider": "FARGATE_SPOT", "base": 2}], "2 of 2"),
    ],
)
def test_spot_costs_at_most_the_price_on_demand_and_its_share_is_said(strategies: list[Any], note: str) -> None:
    found = of(service(capacityProviderStrategies=strategies), task())
    assert (found.per_hour, found.at_most) == (0.048, True)
    assert {row.note for row in found.rows} == {f"Spot has no fixed price: at most the price on demand; {note} tasks"}


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"desiredCount": None}, "the desired count is not known"),
        ({"desiredCount": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}, "the desired count is not known"),
        ({"schedulingStrategy": "DAEMON"}, "one on each instance"),
        ({"capacityProviderStrategies": None}, "not known to run on Fargate"),
        ({"capacityProviderStrategies": None, "launchType": "EC2"}, "not known to run on Fargate"),
        ({"capacityProviderStrategies": [{"capacityProvider": "mine", "weight": 1}]}, "not known to run on Fargate"),
        ({"capacityProviderStrategies": [{"capacityProvider": "FARGATE", "base": 1}]}, "not known to run on Fargate"),
        ({"taskDefinition": "elsewhere:3"}, "none of the stack's"),
    ],
)
def test_a_service_whose_tasks_are_not_known_is_not_priced(inputs: dict[str, Any], reason: str) -> None:
    found = of(service(**inputs), task())
    assert (found.rows, found.per_hour) == ((), 0.0)
    assert reason in why(found)


def test_a_service_by_launch_type_counts_as_on_demand() -> None:
    found = of(service(capacityProviderStrategies=None, launchType="FARGATE"), task())
    assert (found.per_hour, found.at_most) == (0.048, False)


def test_a_task_without_a_service_is_charged_while_it_runs() -> None:
    found = of(task())
    assert not found.rows
    assert [(line.name, line.kind) for line in found.usage_priced] == [("web-task", "task")]


def test_what_a_task_definition_does_not_say_is_not_taken_for_nothing() -> None:
    found = of(
        service(networkConfiguration={"assignPublicIp": "?"}), task(cpu=None, ephemeralStorage={"sizeInGib": "?"})
    )
    assert [row.kind for row in found.rows] == ["Fargate memory"]
    assert [line.kind for line in found.not_priced] == ["Fargate vCPU", "Fargate disk", "public IPv4"]


def test_a_load_balancer_costs_its_hours_and_an_address_in_each_subnet() -> None:
    subnets = ["subnet-1", "subnet-2"]
    found = of(resource("lb.LoadBalancer", "alb", subnets=subnets))
    assert rows(found) == [
        ("alb", "application load balancer", 1, "hour", 0.02),
        ("alb", "public IPv4", 2, "address-hour", 0.01),
    ]
    assert [line.kind for line in found.usage_priced] == ["capacity units"]
    assert len(of(resource("lb.LoadBalancer", internal=True, subnets=subnets)).rows) == 1
    assert "in how many subnets" in why(of(resource("lb.LoadBalancer")))
    assert "has no lb/network" in why(of(resource("lb.LoadBalancer", loadBalancerType="network", internal=True)))


def test_network_that_is_there_by_the_hour() -> None:
    found = of(resource("ec2.NatGateway", "nat", subnetId="subnet-1"), resource("ec2.Eip", "nat-address"))
    assert rows(found) == [
        ("nat", "NAT gateway", 1, "hour", 0.045),
        ("nat-address", "public IPv4", 1, "address-hour", 0.005),
    ]
    assert [line.kind for line in of(resource("ec2.VpcEndpoint")).free] == ["gateway endpoint"]
    interface = resource("ec2.VpcEndpoint", vpcEndpointType="Interface", subnetIds=["a", "b"])
    assert "has no vpc-endpoint/interface" in why(of(interface))
    assert "how many zones" in why(of(resource("ec2.VpcEndpoint", vpcEndpointType="Interface")))


def test_a_database_costs_its_instance_and_its_disk() -> None:
    given = {"engine": "postgres", "instanceClass": "db.t4g.micro", "allocatedStorage": 20, "storageType": "gp3"}
    found = of(resource("rds.Instance", "db", **given))
    assert rows(found) == [
        ("db", "postgres db.t4g.micro", 1, "hour", 0.016),
        ("db", "storage gp3", 20.0, "GB-month", 0.004),
    ]
    both = of(resource("rds.Instance", "db", **given, multiAz=True))
    assert [row.rate for row in both.rows] == [0.032]
    assert "rds/storage/gp3/multi" in why(both)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"instanceClass": "db.r9.huge"}, "has no rds/postgres/db.r9.huge/single"),
        ({"engine": None, "snapshotIdentifier": "of-production"}, "the engine is not known"),
        ({"allocatedStorage": None}, "how much is allocated is not known"),
        ({"storageType": None}, "has no rds/storage/gp2/single"),
        ({"iops": 12000}, "not priced"),
    ],
)
def test_of_a_database_what_is_not_known_is_named_and_the_rest_is_priced(changed: dict[str, Any], reason: str) -> None:
    given = {"engine": "postgres", "instanceClass": "db.t4g.micro", "allocatedStorage": 20, "storageType": "gp3"}
    found = of(resource("rds.Instance", "db", **{**given, **changed}))
    assert found.rows
    assert reason in why(found)


def test_aurora_is_charged_by_instance_or_by_what_it_takes() -> None:
    found = of(
        resource("rds.Cluster", "db", engine="aurora-postgresql"),
        resource("rds.ClusterInstance", "one", engine="aurora-postgresql", instanceClass="db.serverless"),
        resource("rds.ClusterInstance", "two", engine="aurora-postgresql", instanceClass="db.r6g.large"),
    )
    assert [line.name for line in found.usage_priced] == ["db", "one"]
    assert "rds/aurora-postgresql/db.r6g.large/single" in why(found)


def test_caches_cost_by_their_nodes() -> None:
    node = {"nodeType": "cache.t4g.micro"}
    found = of(
        resource("elasticache.Cluster", "one", engine="redis", numCacheNodes=1, **node),
        resource("elasticache.ReplicationGroup", "two", numCacheClusters=2, **node),
        resource("elasticache.ReplicationGroup", "shards", numNodeGroups=3, replicasPerNodeGroup=1, **node),
        resource("elasticache.Cluster", "member", replicationGroupId="two"),
    )
    assert [(row.name, row.quantity) for row in found.rows] == [("one", 1.0), ("two", 2.0), ("shards", 6.0)]
    assert [line.name for line in found.free] == ["member"]
    assert "number of nodes" in why(of(resource("elasticache.ReplicationGroup", **node)))
    assert "node type" in why(of(resource("elasticache.Cluster", engine="redis", numCacheNodes=1)))
    assert "elasticache/valkey/cache.t4g.micro" in why(
        of(resource("elasticache.ReplicationGroup", engine="valkey", numCacheClusters=1, **node))
    )


def test_a_secret_is_charged_by_the_month() -> None:
    assert rows(of(resource("secretsmanager.Secret", "key"))) == [("key", "secret", 1, "secret-month", 0.001)]


def test_each_other_kind_is_by_use_or_free_or_said_to_be_unknown() -> None:
    found = of(
        *(resource(kind) for kind in ("sqs.Queue", "s3.Bucket", "cloudwatch.LogGroup", "elasticache.ServerlessCache")),
        *(
            resource(kind)
            for kind in ("iam.Role", "ec2.SecurityGroup", "lb.TargetGroup", "secretsmanager.SecretVersion")
        ),
        resource("msk.Cluster"),
        Declared("random:index/randomId:RandomId", "suffix", {}),
        Declared("understudy:aws:Service", "web", {}),
        Declared("pulumi:providers:aws", "provider", {}),
    )
    assert [line.kind for line in found.usage_priced] == ["Queue", "Bucket", "LogGroup", "ServerlessCache"]
    assert [line.kind for line in found.free] == ["Role", "SecurityGroup", "TargetGroup", "SecretVersion"]
    assert [line.kind for line in found.not_priced] == ["Cluster", "RandomId"]
    assert found.rows == ()


def test_without_a_table_everything_that_is_charged_is_named() -> None:
    found = estimate([service(), task()], no_prices("eu-north-1"))
    assert (found.per_hour, found.dated, found.rows) == (0.0, "", ())
    assert {line.why for line in found.not_priced} == {"there is no table of prices for eu-north-1"}
    assert headline(found) == (
        "cost: not known, since there is no table of prices for eu-north-1; "
        "`understudy prices refresh --region eu-north-1` writes one"
    )


def test_an_estimate_is_data_and_words() -> None:
    spot = service(capacityProviderStrategies=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}])
    found = of(spot, task(), resource("sqs.Queue", "orders"), resource("msk.Cluster", "bus"), resource("iam.Role"))
    data = encode(found)
    assert data["rows"][0]["rate"] == 0.04
    assert data["not_priced"] == [{"name": "bus", "kind": "Cluster", "why": "no rule says how this kind is charged"}]
    assert data["sources"] == [{"name": "a page", "url": "https://prices.example", "dated": "2030"}]
    assert headline(found) == (
        "cost: 0.0480 USD an hour (35.04 in a month of 730 hours), at most, without 1 charge that has no price, "
        "by the table of prices of eu-west-1 of 2030-01-02"
    )
    note = "Spot has no fixed price: at most the price on demand; 2 of 2 tasks"
    assert list(lines(found)) == [
        f"web: 0.0480 USD an hour: Fargate vCPU 0.0400 (1 vCPU at 0.04), Fargate memory 0.0080 (2 GB at 0.004); {note}",
        "not priced: bus (Cluster): no rule says how this kind is charged",
        "priced by use: orders (Queue): requests and data out are charged",
        "no charge: Role x1, task definition x1",
        (
            "in no sum: the platform, which costs while it is there whether or not an environment is; data transfer; "
            "taxes, discounts and free tiers"
        ),
        "source: a page, 2030: https://prices.example",
    ]


def test_in_words_each_resource_has_its_rows_and_what_is_alike_is_said_once() -> None:
    found = of(
        service(networkConfiguration={"assignPublicIp": True}),
        task(),
        *(resource("secretsmanager.Secret", name) for name in ("key", "token")),
        *(resource("sqs.Queue", name) for name in ("orders", "failed")),
    )
    told = list(lines(found))
    assert told[:3] == [
        (
            "web: 0.0580 USD an hour: Fargate vCPU 0.0400 (1 vCPU at 0.04), Fargate memory 0.0080 (2 GB at 0.004), "
            "public IPv4 0.0100 (2 addresses at 0.005)"
        ),
        "key: 0.0010 USD an hour: secret 0.0010 (1 secret at 0.73 a month)",
        "token: 0.0010 USD an hour: secret 0.0010 (1 secret at 0.73 a month)",
    ]
    assert "priced by use: orders (Queue), failed (Queue): requests and data out are charged" in told
    bare = list(lines(estimate([service(), task()], no_prices("eu-north-1"))))
    assert bare[0] == ("not priced: web (Fargate vCPU, Fargate memory): there is no table of prices for eu-north-1")


def test_a_machine_that_is_there_anyway_costs_nothing_by_the_hour() -> None:
    assert (nothing().per_hour, nothing().rows, nothing().not_priced) == (0.0, (), ())
    assert headline(nothing()) == "cost: containers on this machine cost nothing by the hour"
    assert not list(lines(nothing()))
