"""Services of ECS in the export of a Pulumi stack, with the load balancer and the scaling around them."""

from __future__ import annotations

import json

from pulumi_shop import aws
from pulumi_stack import SECRET, Stack

from understudy.stacks.clone import secret_token
from understudy.stacks.topology import (
    Dependency,
    HealthCheck,
    Mount,
    Network,
    NetworkLink,
    Port,
    Resources,
    Service,
    Ulimit,
)


def test_services_of_ecs_have_their_containers_secrets_ports_and_names() -> None:
    stack, _ = aws()
    topology = stack.read()
    web = topology.services["web"]
    assert web == Service(
        "web",
        image="shop/web:1",
        command=("serve",),
        environment={
            "DB_HOST": "shop-db.abc.us-east-1.rds.amazonaws.com",
            "BUCKET": "shop-invoices",
            "PGPASSWORD": secret_token("PGPASSWORD"),
            "REGION": "eu",
            "API_TOKEN": secret_token("API_TOKEN"),
        },
        ports=(Port(8000, "443"),),
        expose=(Port(9000),),
        networks=(NetworkLink("main", ("web.shop",)),),
        healthcheck=HealthCheck(("CMD-SHELL", "true"), 10.0, retries=2),
        replicas=3,
        resources=Resources(cpus=0.5, memory=256 << 20),
        mounts=(Mount("volume", "/scratch", "scratch"),),
        ulimits=(Ulimit("nofile", 1, 2),),
        depends_on=(Dependency("db"), Dependency("invoices")),
    )
    log = topology.services["web-log"]
    assert (log.network_of, log.networks, log.depends_on) == ("web", (), (Dependency("web", "healthy"),))
    worker = topology.services["worker"]
    assert worker.environment == {"DB_PASSWORD": secret_token("PGPASSWORD")}
    assert {dependency.service for dependency in worker.depends_on} == {"db", "orders", "cache", "dead"}
    assert topology.secrets == ("PGPASSWORD", "API_TOKEN")
    assert topology.networks == {"main": Network("main")}
    changes = {change.path for change in topology.changes}
    assert {
        "services.web.ports",
        "services.web.tls",
        "services.web.firelensConfiguration",
        "networks.db-access",
    } <= changes


def test_rules_of_a_load_balancer_publish_the_service_that_they_lead_to_and_are_on_the_record() -> None:
    stack, _ = aws()
    task = [{"name": "api", "image": "shop/api:1", "portMappings": [{"containerPort": 8080}]}]
    group = stack.add("aws:lb/targetGroup:TargetGroup", "api", {}, outputs={"arn": "arn:aws:group-api"})
    behind = {"listenerArn": "arn:aws:https", "actions": [{"type": "forward", "targetGroupArn": "arn:aws:group-api"}]}
    conditions = [{"hostHeader": {"values": ["shop.example"]}}, {"pathPattern": {"values": ["/api/*", "/v1/*"]}}]
    rule = "aws:lb/listenerRule:ListenerRule"
    stack.add(rule, "to-api", {**behind, "conditions": conditions}, depends={"actions": [group]})
    lost = stack.add(rule, "to-nobody", {"listenerArn": "arn:aws:https", "actions": [{"type": "fixed-response"}]})
    given = {"containerDefinitions": json.dumps(task)}
    stack.add("aws:ecs/taskDefinition:TaskDefinition", "api-task", given, outputs={"arn": "arn:aws:api-task"})
    balanced = [{"targetGroupArn": "arn:aws:group-api", "containerName": "api", "containerPort": 8080}]
    stack.add("aws:ecs/service:Service", "api", {"taskDefinition": "arn:aws:api-task", "loadBalancers": balanced})
    topology = stack.read()
    changes = {change.path: change for change in topology.changes}
    assert topology.services["api"].ports == (Port(8080, "443"),)
    route = changes["services.api.routes.to-api"]
    assert (route.production, route.clone) == ("port 443, host shop.example, path /api/* or /v1/*", "api:8080")
    assert changes["resources.to-nobody"].clone is None
    assert lost in changes["resources.to-nobody"].reason
    assert "resources.to-api" not in changes


def test_a_service_that_is_scaled_by_load_has_the_least_that_production_has() -> None:
    stack, urn = aws()
    target = {"scalableDimension": "ecs:service:DesiredCount", "minCapacity": 2, "maxCapacity": 9}
    kind = "aws:appautoscaling/target:Target"
    stack.add(kind, "web", {**target, "resourceId": "service/main/x"}, depends={"resourceId": [urn["web"]]})
    stack.add(kind, "worker", {**target, "resourceId": "service/default/worker", "minCapacity": 0})
    stray = stack.add(kind, "stray", {**target, "resourceId": "service/other/worker"})
    topology = stack.read()
    assert [topology.services[name].replicas for name in ("web", "worker")] == [2, 1]
    changes = {change.path: (change.production, change.clone) for change in topology.changes}
    assert changes["services.web.replicas"] == ("2 to 9", "2")
    assert changes["services.worker.replicas"] == ("0 to 9", "1")
    assert [warning for warning in topology.warnings if stray in warning]


def test_container_definitions_that_are_a_secret_are_on_the_record() -> None:
    stack = Stack()
    stack.container("other")
    task = stack.add("aws:ecs/taskDefinition:TaskDefinition", "task", {"containerDefinitions": SECRET})
    stack.add("aws:ecs/service:Service", "web", {"taskDefinition": "x"}, depends={"taskDefinition": [task]})
    (change,) = stack.read().changes
    assert (change.path, change.production) == ("services.web", "(secret)")
