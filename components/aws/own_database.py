"""A database with an instance of its own: of RDS, empty or from a snapshot, or the clone of an Aurora cluster."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from understudy.components.aws.options import fixed
from understudy.components.secrets import fill
from understudy.stacks.aws.plan import DatabasePlan
from understudy.stacks.secret_rules import Seed

__all__ = ["OwnDatabase", "OwnDatabaseArgs"]

_SERVERLESS = "db.serverless"
_LEAST, _MOST = 0.5, 2.0
"""Units of Aurora Serverless: the least that every version has, and no more than a test needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDatabaseArgs:
    """What a database is given: its plan, the id of the environment's security group, the seed of its password."""

    plan: DatabasePlan
    group: pulumi.Input[str]
    seed: Seed


class OwnDatabase(pulumi.ComponentResource):
    """An instance, or a cluster with one member; nothing of it outlives the environment, and nobody outside reaches it.

    `address` is its endpoint's host name, `last` the resource that is there once it answers. An update keeps the
    snapshot that it was made from: another one would be another database.

    Example:
        >>> OwnDatabase("shop-db", OwnDatabaseArgs(plan=db, group=group.id, seed=seed), opts)  # doctest: +SKIP
    """

    def __init__(self, name: str, args: OwnDatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("understudy:aws:OwnDatabase", name, {}, opts)
        self._name, self._args = name, args
        self._password = pulumi.Output.secret(fill(args.plan.password, args.seed))
        self.last: pulumi.Resource
        self.address: pulumi.Output[str]
        if args.plan.cluster:
            self._clone()
        else:
            self._instance()
        self.register_outputs({"address": self.address})

    def _options(self) -> pulumi.ResourceOptions:
        slow = pulumi.ResourceOptions(
            custom_timeouts=pulumi.CustomTimeouts(create="60m", update="60m", delete="30m"),
            ignore_changes=["snapshotIdentifier"] if self._args.plan.form == "snapshot" else None,
        )
        return pulumi.ResourceOptions.merge(fixed(self), slow)

    def _instance(self) -> None:
        """Of a snapshot's copy engine, disk, users and encryption are the snapshot's."""
        plan, restored = self._args.plan, self._args.plan.form == "snapshot"
        made = aws.rds.Instance(
            f"{self._name}-instance",
            identifier=plan.name,
            snapshot_identifier=plan.source if restored else None,
            engine=None if restored else plan.engine,
            engine_version=None if restored else plan.version,
            instance_class=plan.instance_class,
            allocated_storage=None if restored else plan.storage,
            storage_type=None if restored else plan.disk,
            storage_encrypted=None if restored else True,
            username=None if restored else plan.user,
            db_name=None if restored else plan.database or None,
            password=self._password,
            port=plan.port,
            db_subnet_group_name=plan.subnet_group,
            vpc_security_group_ids=[self._args.group],
            multi_az=False,
            publicly_accessible=False,
            backup_retention_period=0,
            delete_automated_backups=True,
            deletion_protection=False,  # a copy may have its original's
            skip_final_snapshot=True,
            performance_insights_enabled=False,
            apply_immediately=True,
            opts=self._options(),
        )
        self.last, self.address = made, made.address

    def _clone(self) -> None:
        plan = self._args.plan
        capacity = aws.rds.ClusterServerlessv2ScalingConfigurationArgs(min_capacity=_LEAST, max_capacity=_MOST)
        cluster = aws.rds.Cluster(
            f"{self._name}-cluster",
            cluster_identifier=plan.cluster,
            engine=plan.engine,
            restore_to_point_in_time=aws.rds.ClusterRestoreToPointInTimeArgs(
                source_cluster_identifier=plan.source, restore_type="copy-on-write", use_latest_restorable_time=True
            ),
            master_password=self._password,
            port=plan.port,
            db_subnet_group_name=plan.subnet_group,
            vpc_security_group_ids=[self._args.group],
            serverlessv2_scaling_configuration=capacity if plan.instance_class == _SERVERLESS else None,
            backup_retention_period=1,  # Aurora has no less
            delete_automated_backups=True,
            deletion_protection=False,
            skip_final_snapshot=True,
            apply_immediately=True,
            opts=self._options(),
        )
        self.last = aws.rds.ClusterInstance(
            f"{self._name}-member",
            identifier=plan.name,
            cluster_identifier=cluster.cluster_identifier,
            engine=aws.rds.EngineType(plan.engine),
            instance_class=plan.instance_class,
            publicly_accessible=False,
            performance_insights_enabled=False,
            apply_immediately=True,
            opts=self._options(),
        )
        self.address = cluster.endpoint
