"""ECS: clusters, task definitions and services."""

from __future__ import annotations

import json
from typing import Any

from understudy.provider.schema import Rule

from .account import PATIENCE, Aws, AwsError
from .declare import Given, Name, Resource, seen, sent
from .tagging import pairs, tags_of

__all__ = ["ECS"]

_NAME = Name("name", Rule("1 to 255 letters, digits, `-` and `_`", pattern=r"[a-zA-Z0-9_-]{1,255}"))


def _tags(given: Given) -> list[dict[str, str]] | None:
    return pairs(given["tagsAll"], "key", "value") or None


# Clusters


def _cluster(given: Given) -> dict[str, Any]:
    return sent(given, {"settings": "settings", "serviceConnectDefaults": "serviceConnectDefaults"})


def _make_cluster(aws: Aws, given: Given) -> str:
    answer = aws("ecs", "create_cluster", clusterName=given["name"], **_cluster(given), tags=_tags(given))
    return str(answer["cluster"]["clusterArn"])


def _look_cluster(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    found = aws("ecs", "describe_clusters", clusters=[object_id], include=["SETTINGS"])["clusters"]
    if not found or found[0]["status"] == "INACTIVE":
        return None
    return {"name": found[0]["clusterName"], "arn": object_id}


def _drop_cluster(aws: Aws, object_id: str, _state: Given) -> None:
    listed = aws("ecs", "list_services", cluster=object_id)["serviceArns"][:10]  # a describe takes no more
    there = aws("ecs", "describe_services", cluster=object_id, services=listed)["services"] if listed else []
    if any(each["status"] != "INACTIVE" for each in there):  # moto would delete it, AWS does not
        raise AwsError("ecs.delete_cluster", "ClusterContainsServicesException", f"{object_id} has services")
    aws("ecs", "delete_cluster", cluster=object_id)


def _provide(aws: Aws, given: Given) -> str:
    aws(
        "ecs",
        "put_cluster_capacity_providers",
        cluster=given["clusterName"],
        capacityProviders=given.get("capacityProviders") or [],
        defaultCapacityProviderStrategy=given.get("defaultCapacityProviderStrategies") or [],
    )
    return str(given["clusterName"])


def _look_provided(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    found = aws("ecs", "describe_clusters", clusters=[object_id])["clusters"]
    if not found or found[0]["status"] == "INACTIVE":
        return None
    return {"capacityProviders": found[0].get("capacityProviders") or []}


# Task definitions

_TASK = {
    "family": "family",
    "cpu": "cpu",
    "memory": "memory",
    "networkMode": "networkMode",
    "executionRoleArn": "executionRoleArn",
    "taskRoleArn": "taskRoleArn",
    "requiresCompatibilities": "requiresCompatibilities",
    "runtimePlatform": "runtimePlatform",
}


def _define(aws: Aws, given: Given) -> str:
    volumes = [sent(volume, {"name": "name"}) for volume in given.get("volumes") or ()]
    aws(
        "ecs",
        "register_task_definition",
        **sent(given, _TASK),
        ephemeralStorage=given.get("ephemeralStorage"),
        containerDefinitions=json.loads(given["containerDefinitions"]),
        volumes=volumes or None,
        tags=_tags(given),
    )
    return str(given["family"])


def _look_task(aws: Aws, object_id: str, given: Given) -> dict[str, Any] | None:
    try:
        found = aws("ecs", "describe_task_definition", taskDefinition=given.get("arn") or object_id)["taskDefinition"]
    except AwsError as error:
        if error.code == "ClientException":  # AWS's word for one that is not there
            return None
        raise
    arn = found["taskDefinitionArn"]
    shown = {"arn": arn, "arnWithoutRevision": arn.rpartition(":")[0], "revision": found["revision"]}
    return (
        None
        if found.get("status") == "INACTIVE"
        else {**seen(found, {"family": "family", "networkMode": "networkMode"}), **shown}
    )


def _drop_task(aws: Aws, _id: str, state: Given) -> None:
    if not state.get("skipDestroy"):
        aws("ecs", "deregister_task_definition", taskDefinition=state["arn"])


# Services

_LOOK = 0.25
"""Seconds between two looks at a service that is to be steady."""

_SERVICE = {
    "desiredCount": "desiredCount",
    "taskDefinition": "taskDefinition",
    "platformVersion": "platformVersion",
    "healthCheckGracePeriodSeconds": "healthCheckGracePeriodSeconds",
    "enableExecuteCommand": "enableExecuteCommand",
    "enableEcsManagedTags": "enableECSManagedTags",
    "propagateTags": "propagateTags",
}
_NEW = {
    "name": "serviceName",
    "cluster": "cluster",
    "launchType": "launchType",
    "schedulingStrategy": "schedulingStrategy",
}


def _service(given: Given) -> dict[str, Any]:
    network, connect = given.get("networkConfiguration"), given.get("serviceConnectConfiguration")
    limits = {"deploymentMaximumPercent": "maximumPercent", "deploymentMinimumHealthyPercent": "minimumHealthyPercent"}
    deployment = sent(given, limits)
    if "deploymentCircuitBreaker" in given:
        deployment["deploymentCircuitBreaker"] = given["deploymentCircuitBreaker"]
    made = {
        **sent(given, _SERVICE),
        "deploymentConfiguration": deployment or None,
        "capacityProviderStrategy": given.get("capacityProviderStrategies"),
        "loadBalancers": [
            sent(
                each,
                {
                    "targetGroupArn": "targetGroupArn",
                    "containerName": "containerName",
                    "containerPort": "containerPort",
                },
            )
            for each in given.get("loadBalancers") or ()
        ]
        or None,
    }
    if network:
        made["networkConfiguration"] = {
            "awsvpcConfiguration": {
                "subnets": network["subnets"],
                "securityGroups": network.get("securityGroups") or [],  # AWS takes the VPC's default, moto fails
                "assignPublicIp": "ENABLED" if network.get("assignPublicIp") else "DISABLED",
            }
        }
    if connect:
        made["serviceConnectConfiguration"] = _connect(connect)
    return made


def _connect(declared: Given) -> dict[str, Any]:
    """Service Connect, in whose schema the SDK has some plurals and singulars that are not the API's."""
    services = [
        {
            **sent(
                each,
                {
                    "portName": "portName",
                    "discoveryName": "discoveryName",
                    "ingressPortOverride": "ingressPortOverride",
                },
            ),
            "clientAliases": [
                sent(alias, {"port": "port", "dnsName": "dnsName"})
                for alias in (
                    [each["clientAlias"]]
                    if isinstance(each.get("clientAlias"), dict)
                    else each.get("clientAlias") or ()
                )
            ],
        }
        for each in declared.get("services") or ()
    ]
    made = {**sent(declared, {"enabled": "enabled", "namespace": "namespace"}), "services": services or None}
    return {name: value for name, value in made.items() if value is not None}


def _make_service(aws: Aws, given: Given) -> str:
    asked = {**sent(given, _NEW), **_service(given)}
    made = str(aws("ecs", "create_service", **asked, tags=_tags(given))["service"]["serviceArn"])
    if aws.account.steady and given.get("waitForSteadyState"):
        _steady(aws, str(given.get("cluster")), made)
    return made


def _steady(aws: Aws, cluster: str, arn: str) -> None:
    """As the published provider waits: up to the call's time."""
    left = aws.timeout or PATIENCE
    while True:
        row = aws("ecs", "describe_services", cluster=cluster, services=[arn])["services"][0]
        states = [each["rolloutState"] for each in row["deployments"]]
        if states == ["COMPLETED"] and row["runningCount"] == row["desiredCount"]:
            return
        left -= _LOOK
        if "FAILED" in states or left <= 0 or aws.stop.wait(_LOOK):
            raise AwsError("ecs.create_service", "NotSteady", f"{arn}: its deployments are {', '.join(states)}")


def _change_service(aws: Aws, object_id: str, _old: Given, new: Given) -> None:
    aws("ecs", "update_service", cluster=new.get("cluster"), service=object_id, **_service(new))


def _look_service(aws: Aws, object_id: str, given: Given) -> dict[str, Any] | None:
    found = aws("ecs", "describe_services", cluster=given.get("cluster"), services=[object_id])["services"]
    if not found or found[0]["status"] == "INACTIVE":
        return None
    return {
        **seen(found[0], {"name": "serviceName", "desiredCount": "desiredCount", "taskDefinition": "taskDefinition"}),
        "arn": object_id,
    }


def _drop_service(aws: Aws, object_id: str, state: Given) -> None:
    """As the published provider: without `forceDelete` it is scaled to nothing first."""
    where = {"cluster": state.get("cluster"), "service": object_id}
    if not state.get("forceDelete"):
        aws("ecs", "update_service", **where, desiredCount=0)
    aws("ecs", "delete_service", **where, force=bool(state.get("forceDelete")))


ECS = (
    Resource(
        token="aws:ecs/cluster:Cluster",
        takes="name settings serviceConnectDefaults",
        settles="settings serviceConnectDefaults",
        make=_make_cluster,
        look=_look_cluster,
        change=lambda aws, arn, _old, new: aws("ecs", "update_cluster", cluster=arn, **_cluster(new)),
        drop=_drop_cluster,
        name=_NAME,
        tagging=tags_of("ecs"),
    ),
    Resource(
        token="aws:ecs/clusterCapacityProviders:ClusterCapacityProviders",
        takes="clusterName capacityProviders defaultCapacityProviderStrategies",
        settles="capacityProviders defaultCapacityProviderStrategies",
        make=_provide,
        look=_look_provided,
        change=lambda aws, _id, _old, new: _provide(aws, new),
        drop=lambda aws, _id, state: _provide(aws, {"clusterName": state["clusterName"]}),
        outputs="",
    ),
    Resource(
        token="aws:ecs/taskDefinition:TaskDefinition",
        takes=f"containerDefinitions volumes ephemeralStorage skipDestroy {' '.join(_TASK)}",
        settles="skipDestroy",
        make=_define,
        look=_look_task,
        drop=_drop_task,
        tagging=tags_of("ecs"),
        outputs="arn arnWithoutRevision revision",
        texts="containerDefinitions",
    ),
    Resource(
        token="aws:ecs/service:Service",
        takes=f"{' '.join(_SERVICE)} {' '.join(_NEW)} networkConfiguration loadBalancers capacityProviderStrategies "
        "serviceConnectConfiguration deploymentCircuitBreaker deploymentMaximumPercent deploymentMinimumHealthyPercent "
        "forceDelete waitForSteadyState",
        replaces=" ".join(_NEW),
        make=_make_service,
        look=_look_service,
        change=_change_service,
        drop=_drop_service,
        name=_NAME,
        tagging=tags_of("ecs"),
    ),
)
