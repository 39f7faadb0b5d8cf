"""Access: IAM roles, secrets, parameters, and the names that services find each other by."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

from understudy.provider.schema import Rule

from .account import Aws, AwsError
from .declare import Given, Name, Resource, seen, sent
from .tagging import pairs, tags_of

__all__ = ["ACCESS"]


def _tags(given: Given) -> list[dict[str, str]] | None:
    return pairs(given["tagsAll"]) or None


def _document(found: Any) -> str:
    """A policy as IAM gives it: parsed by botocore, or as a text with percent signs."""
    return json.dumps(found) if isinstance(found, dict) else urllib.parse.unquote(found)


# IAM

_ROLE = {
    "name": "RoleName",
    "assumeRolePolicy": "AssumeRolePolicyDocument",
    "description": "Description",
    "path": "Path",
    "permissionsBoundary": "PermissionsBoundary",
    "maxSessionDuration": "MaxSessionDuration",
}


def _make_role(aws: Aws, given: Given) -> str:
    aws("iam", "create_role", **sent(given, _ROLE), Tags=_tags(given))
    return str(given["name"])


def _change_role(aws: Aws, name: str, old: Given, new: Given) -> None:
    if old["assumeRolePolicy"] != new["assumeRolePolicy"]:
        aws("iam", "update_assume_role_policy", RoleName=name, PolicyDocument=new["assumeRolePolicy"])
    if old.get("permissionsBoundary") != new.get("permissionsBoundary"):
        boundary = new.get("permissionsBoundary")
        verb = "put_role_permissions_boundary" if boundary else "delete_role_permissions_boundary"
        aws("iam", verb, RoleName=name, PermissionsBoundary=boundary)
    settings = {"description": "Description", "maxSessionDuration": "MaxSessionDuration"}
    if any(old.get(each) != new.get(each) for each in settings):
        aws("iam", "update_role", RoleName=name, **sent(new, settings))


def _look_role(aws: Aws, name: str, _given: Given) -> dict[str, Any] | None:
    found = aws("iam", "get_role", RoleName=name)["Role"]
    boundary = found.get("PermissionsBoundary") or {}
    return {
        **seen(
            found,
            {"name": "RoleName", "path": "Path", "arn": "Arn", "uniqueId": "RoleId", "description": "Description"},
        ),
        **seen(boundary, {"permissionsBoundary": "PermissionsBoundaryArn"}),
        "assumeRolePolicy": _document(found["AssumeRolePolicyDocument"]),
    }


def _drop_role(aws: Aws, name: str, state: Given) -> None:
    """Without `forceDetachPolicies`, one that still has policies is AWS's DeleteConflict."""
    if state.get("forceDetachPolicies"):
        for policy in aws("iam", "list_attached_role_policies", RoleName=name)["AttachedPolicies"]:
            aws("iam", "detach_role_policy", RoleName=name, PolicyArn=policy["PolicyArn"])
        for inline in aws("iam", "list_role_policies", RoleName=name)["PolicyNames"]:
            aws("iam", "delete_role_policy", RoleName=name, PolicyName=inline)
    aws("iam", "delete_role", RoleName=name)


def _put_policy(aws: Aws, given: Given) -> str:
    aws("iam", "put_role_policy", RoleName=given["role"], PolicyName=given["name"], PolicyDocument=given["policy"])
    return f"{given['role']}:{given['name']}"


def _look_policy(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    role, _, name = object_id.partition(":")
    found = aws("iam", "get_role_policy", RoleName=role, PolicyName=name)
    return {"name": name, "role": role, "policy": _document(found["PolicyDocument"])}


def _drop_policy(aws: Aws, object_id: str, _state: Given) -> None:
    role, _, name = object_id.partition(":")
    aws("iam", "delete_role_policy", RoleName=role, PolicyName=name)


def _attach(aws: Aws, given: Given) -> str:
    aws("iam", "attach_role_policy", RoleName=given["role"], PolicyArn=given["policyArn"])
    return f"{given['role']}/{given['policyArn']}"


def _look_attachment(aws: Aws, _id: str, given: Given) -> dict[str, Any] | None:
    there = aws("iam", "list_attached_role_policies", RoleName=given["role"])["AttachedPolicies"]
    return {} if any(each["PolicyArn"] == given["policyArn"] for each in there) else None


def _detach(aws: Aws, _id: str, state: Given) -> None:
    aws("iam", "detach_role_policy", RoleName=state["role"], PolicyArn=state["policyArn"])


# Secrets Manager and SSM


def _make_secret(aws: Aws, given: Given) -> str:
    names = {"name": "Name", "description": "Description", "kmsKeyId": "KmsKeyId"}
    return str(aws("secretsmanager", "create_secret", **sent(given, names), Tags=_tags(given))["ARN"])


def _change_secret(aws: Aws, arn: str, old: Given, new: Given) -> None:
    if old.get("description") != new.get("description"):
        aws("secretsmanager", "update_secret", SecretId=arn, Description=new.get("description", ""))


def _look_secret(aws: Aws, arn: str, _given: Given) -> dict[str, Any] | None:
    found = aws("secretsmanager", "describe_secret", SecretId=arn)
    if found.get("DeletedDate"):
        return None
    return seen(found, {"name": "Name", "description": "Description", "arn": "ARN"})


def _drop_secret(aws: Aws, arn: str, state: Given) -> None:
    """Without `recoveryWindowInDays: 0` its name stays taken for 30 days, as on AWS."""
    days = state.get("recoveryWindowInDays", 30)
    how = {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
    aws("secretsmanager", "delete_secret", SecretId=arn, **how)


def _make_version(aws: Aws, given: Given) -> str:
    text = given.get("secretString", given.get("secretStringWo"))
    made = aws("secretsmanager", "put_secret_value", SecretId=given["secretId"], SecretString=text)
    return f"{made['ARN']}|{made['VersionId']}"


def _look_version(aws: Aws, object_id: str, given: Given) -> dict[str, Any] | None:
    arn, _, version = object_id.partition("|")
    found = aws("secretsmanager", "get_secret_value", SecretId=arn, VersionId=version)
    shown = {"arn": arn, "versionId": version, "versionStages": found["VersionStages"]}
    return {**shown, **({"secretString": found["SecretString"]} if "secretString" in given else {})}


def _make_parameter(aws: Aws, given: Given, *, over: bool = False) -> str:
    value = given.get("value", given.get("insecureValue", given.get("valueWo")))
    tags = None if over else _tags(given)  # AWS takes tags only with a new parameter
    names = {"name": "Name", "type": "Type", "description": "Description", "keyId": "KeyId"}
    aws("ssm", "put_parameter", **sent(given, names), Value=value, Overwrite=over, Tags=tags)
    return str(given["name"])


def _look_parameter(aws: Aws, name: str, given: Given) -> dict[str, Any] | None:
    found = aws("ssm", "get_parameter", Name=name, WithDecryption=True)["Parameter"]
    shown = seen(found, {"name": "Name", "type": "Type", "version": "Version", "arn": "ARN"})
    declared = next((each for each in ("value", "insecureValue") if each in given), None)
    return {**shown, **({declared: found["Value"]} if declared else {})}


# Cloud Map


def _operated(aws: Aws, answer: dict[str, Any], kind: str) -> str:
    """The object of an operation that AWS finishes later; moto finishes it at once."""
    operation = aws("servicediscovery", "get_operation", OperationId=answer["OperationId"])["Operation"]
    return str(operation["Targets"][kind])


_CALLED = {"name": "Name", "description": "Description"}


def _make_namespace(aws: Aws, given: Given) -> str:
    answer = aws("servicediscovery", "create_http_namespace", **sent(given, _CALLED), Tags=_tags(given))
    return _operated(aws, answer, "NAMESPACE")


def _look_namespace(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    found = aws("servicediscovery", "get_namespace", Id=object_id)["Namespace"]
    return {"name": found["Name"], "arn": found["Arn"], "httpName": found["Properties"]["HttpProperties"]["HttpName"]}


def _drop_namespace(aws: Aws, object_id: str, _state: Given) -> None:
    of_it = [{"Name": "NAMESPACE_ID", "Values": [object_id]}]
    if aws("servicediscovery", "list_services", Filters=of_it)["Services"]:  # moto would delete it, AWS does not
        raise AwsError("servicediscovery.delete_namespace", "ResourceInUse", f"{object_id} has services")
    aws("servicediscovery", "delete_namespace", Id=object_id)


def _make_service(aws: Aws, given: Given) -> str:
    names = {**_CALLED, "namespaceId": "NamespaceId", "type": "Type"}
    return str(aws("servicediscovery", "create_service", **sent(given, names), Tags=_tags(given))["Service"]["Id"])


def _look_service(aws: Aws, object_id: str, _given: Given) -> dict[str, Any] | None:
    found = aws("servicediscovery", "get_service", Id=object_id)["Service"]
    return seen(found, {"name": "Name", "arn": "Arn", "namespaceId": "NamespaceId"})


def _drop_service(aws: Aws, object_id: str, state: Given) -> None:
    if state.get("forceDestroy"):
        for each in aws("servicediscovery", "list_instances", ServiceId=object_id)["Instances"]:
            aws("servicediscovery", "deregister_instance", ServiceId=object_id, InstanceId=each["Id"])
    aws("servicediscovery", "delete_service", Id=object_id)


def _name(words: str, pattern: str) -> Name:
    return Name("name", Rule(words, pattern=pattern))


_IAM_NAME = r"[\w+=,.@-]{1,%d}"

ACCESS = (
    Resource(
        token="aws:iam/role:Role",
        takes=f"{' '.join(_ROLE)} forceDetachPolicies",
        replaces="name path",
        make=_make_role,
        look=_look_role,
        change=_change_role,
        drop=_drop_role,
        name=_name("1 to 64 letters, digits and any of `+=,.@-_`", _IAM_NAME % 64),
        tagging=tags_of("iam"),
        outputs="arn uniqueId",
        texts="assumeRolePolicy",
    ),
    Resource(
        token="aws:iam/rolePolicy:RolePolicy",
        takes="name role policy",
        replaces="name role",
        make=_put_policy,
        look=_look_policy,
        change=lambda aws, _id, _old, new: _put_policy(aws, new),
        drop=_drop_policy,
        name=_name("1 to 128 letters, digits and any of `+=,.@-_`", _IAM_NAME % 128),
        outputs="",
        texts="policy",
    ),
    Resource(
        token="aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        takes="role policyArn",
        make=_attach,
        look=_look_attachment,
        drop=_detach,
        outputs="",
    ),
    Resource(
        token="aws:secretsmanager/secret:Secret",
        takes="name description kmsKeyId recoveryWindowInDays",
        replaces="name",
        make=_make_secret,
        look=_look_secret,
        change=_change_secret,
        drop=_drop_secret,
        name=_name("1 to 512 letters, digits and any of `/_+=.@-`", r"[\w/+=.@-]{1,512}"),
        tagging=tags_of("secretsmanager"),
    ),
    Resource(
        token="aws:secretsmanager/secretVersion:SecretVersion",
        takes="secretId secretString secretStringWo secretStringWoVersion",
        make=_make_version,
        look=_look_version,
        drop=lambda *_: None,  # a secret's current version goes with it
        outputs="arn versionId versionStages",
    ),
    Resource(
        token="aws:ssm/parameter:Parameter",
        takes="name type description keyId value insecureValue valueWo valueWoVersion overwrite",
        replaces="name",
        make=lambda aws, given: _make_parameter(aws, given, over=bool(given.get("overwrite"))),
        look=_look_parameter,
        change=lambda aws, _id, _old, new: _make_parameter(aws, new, over=True),
        drop=lambda aws, name, _state: aws("ssm", "delete_parameter", Name=name),
        name=_name("1 to 1011 letters, digits and any of `.-_/`", r"[\w./-]{1,1011}"),
        tagging=tags_of("ssm", lambda name, _state: name),
        outputs="arn version",
    ),
    Resource(
        token="aws:servicediscovery/httpNamespace:HttpNamespace",
        takes="name description",
        make=_make_namespace,
        look=_look_namespace,
        drop=_drop_namespace,
        name=_name("1 to 1024 printable characters", r"[!-~]{1,1024}"),
        tagging=tags_of("servicediscovery"),
        outputs="arn httpName",
    ),
    Resource(
        token="aws:servicediscovery/service:Service",
        takes="name description namespaceId type forceDestroy",
        settles="description forceDestroy",
        make=_make_service,
        look=_look_service,
        drop=_drop_service,
        name=_name("1 to 63 letters, digits, `-` and `_`", r"[A-Za-z0-9_-]{1,63}"),
        tagging=tags_of("servicediscovery"),
    ),
)
