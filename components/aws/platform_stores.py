"""What the platform keeps: the bucket of state and results, and the instances that environments may share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from understudy.components.aws.bucket import closed, versioned
from understudy.components.aws.options import child, fixed
from understudy.errors import UsageError
from understudy.stacks import aws_names
from understudy.stacks.aws.platform import PLATFORM, target_of

__all__ = ["PlatformStores", "PlatformStoresArgs"]

_POSTGRES = 5432
_VALKEY = 6379
_ADMIN = "understudy"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformStoresArgs:
    """What it is given: the network, and which instances are wanted."""

    account: str
    region: str
    vpc: pulumi.Input[str]
    cidr: str
    subnets: Sequence[pulumi.Input[str]]
    database: bool
    database_password: pulumi.Input[str] | None
    cache: bool


class PlatformStores(pulumi.ComponentResource):
    """A bucket, subnet groups, and by choice a PostgreSQL instance and a Valkey node. Those with data are protected.

    Example:
        >>> PlatformStores("stores", PlatformStoresArgs(vpc=vpc.id, **rest), opts)  # doctest: +SKIP
    """

    def __init__(self, name: str, args: PlatformStoresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:aws:PlatformStores", name, {}, opts)
        self._name, self._args = name, args
        self.bucket = self._bucket()
        subnets = list(args.subnets)
        self.database_subnets = aws.rds.SubnetGroup(
            f"{name}-database-subnets",
            name=aws_names.subnet_group(PLATFORM, "databases"),
            subnet_ids=subnets,
            opts=fixed(self),
        )
        self.cache_subnets = aws.elasticache.SubnetGroup(
            f"{name}-cache-subnets",
            name=aws_names.subnet_group(PLATFORM, "caches"),
            subnet_ids=subnets,
            opts=fixed(self),
        )
        self.shared: dict[str, pulumi.Input[object]] = {}
        if args.database:
            self.shared["shared_database"] = self._database()
        if args.cache:
            self.shared["shared_cache"] = self._cache()
        self.register_outputs({"bucket": self.bucket.id})

    def _kept(self) -> pulumi.ResourceOptions:
        """What keeps data, and what closes or opens it, is not replaced or deleted, whatever becomes of the stack."""
        return pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)

    def _bucket(self) -> aws.s3.Bucket:
        target = target_of(self._args.account, self._args.region)
        bucket = aws.s3.Bucket(
            f"{self._name}-bucket", bucket=aws_names.bucket(PLATFORM, "state", target), opts=self._kept()
        )
        closed(f"{self._name}-bucket", bucket, self, self._kept())
        versioned(f"{self._name}-bucket", bucket, self, self._kept())
        return bucket

    def _group(self, what: str, port: int) -> aws.ec2.SecurityGroup:
        group = aws.ec2.SecurityGroup(
            f"{self._name}-{what}-group",
            name=aws_names.security_group(PLATFORM, what),
            description=f"The shared {what} of previews",
            vpc_id=self._args.vpc,
            opts=fixed(self),
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-{what}-in",
            security_group_id=group.id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            cidr_ipv4=self._args.cidr,
            opts=child(self),
        )
        return group

    def _database(self) -> pulumi.Input[object]:
        password = self._args.database_password
        if password is None:
            raise UsageError(
                "The platform's shared database has no password for its administrator.",
                hint="`understudy platform up` makes one; in a program of your own give `database_password`.",
            )
        instance = aws.rds.Instance(
            f"{self._name}-database",
            identifier=aws_names.database_instance(PLATFORM, "shared"),
            engine="postgres",
            engine_version="17",
            instance_class="db.t4g.micro",
            allocated_storage=20,
            storage_encrypted=True,
            username=_ADMIN,
            password=password,
            db_name="golden",
            db_subnet_group_name=self.database_subnets.name,
            vpc_security_group_ids=[self._group("database", _POSTGRES).id],
            multi_az=False,
            publicly_accessible=False,
            backup_retention_period=1,
            deletion_protection=True,
            skip_final_snapshot=False,
            final_snapshot_identifier=aws_names.database_instance(PLATFORM, "shared-final"),
            apply_immediately=True,
            opts=pulumi.ResourceOptions.merge(
                self._kept(), pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="40m"))
            ),
        )
        secret = aws.secretsmanager.Secret(
            f"{self._name}-database-admin", name=aws_names.secret(PLATFORM, "database-admin"), opts=self._kept()
        )
        given: pulumi.Output[str] = pulumi.Output.secret(password)
        value = given.apply(lambda text: json.dumps({"username": _ADMIN, "password": text}, sort_keys=True))
        aws.secretsmanager.SecretVersion(
            f"{self._name}-database-admin-value",
            secret_id=secret.id,
            secret_string=value,
            opts=self._kept(),
        )
        return {
            "id": instance.identifier,
            "endpoint": instance.address,
            "port": _POSTGRES,
            "secret_arn": secret.arn,
            "engine": "postgres",
            "template": "golden",
        }

    def _cache(self) -> pulumi.Input[object]:
        """A node with TLS and users; the default user, whom every group needs, may do nothing."""
        nobody = aws.elasticache.User(
            f"{self._name}-cache-nobody",
            user_id=aws_names.cache_user(PLATFORM, "nobody"),
            user_name="default",
            engine="valkey",
            access_string="off -@all",
            no_password_required=True,
            opts=fixed(self),
        )
        users = aws.elasticache.UserGroup(
            f"{self._name}-cache-users",
            user_group_id=aws_names.cache_user(PLATFORM, "previews"),
            engine="valkey",
            user_ids=[nobody.user_id],
            opts=pulumi.ResourceOptions.merge(fixed(self), pulumi.ResourceOptions(ignore_changes=["userIds"])),
        )
        node = aws.elasticache.ReplicationGroup(
            f"{self._name}-cache",
            replication_group_id=aws_names.replication_group(PLATFORM, "shared"),
            description="The shared cache of previews",
            engine="valkey",
            node_type="cache.t4g.micro",
            num_cache_clusters=1,
            automatic_failover_enabled=False,
            transit_encryption_enabled=True,
            at_rest_encryption_enabled=True,
            subnet_group_name=self.cache_subnets.name,
            security_group_ids=[self._group("cache", _VALKEY).id],
            user_group_ids=[users.user_group_id],
            opts=pulumi.ResourceOptions.merge(
                fixed(self), pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="40m"))
            ),
        )
        return {"endpoint": node.primary_endpoint_address, "port": _VALKEY, "user_group_id": users.user_group_id}
