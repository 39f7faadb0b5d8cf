"""What kind of service an image's name stands for."""

from __future__ import annotations

from collections.abc import Mapping

from understudy.stacks.topology import Kind

__all__ = ["KINDS", "kind_of_image"]

KINDS: Mapping[str, Kind] = {
    "service": "service",
    "database": "database",
    "cache": "cache",
    "queue": "queue",
    "bucket": "bucket",
    "gateway": "gateway",
    "job": "job",
}

_NAMES: Mapping[Kind, str] = {
    "database": (
        "postgres postgresql postgis timescale timescaledb timescaledb-ha pgvector mysql mysql-server mariadb percona "
        "percona-server mongo mongodb mongodb-community-server azure-sql-edge cockroach cassandra scylla couchdb "
        "clickhouse clickhouse-server neo4j influxdb elasticsearch opensearch"
    ),
    "cache": "redis redis-stack redis-stack-server valkey keydb memcached dragonfly",
    "queue": "rabbitmq nats kafka cp-kafka redpanda activemq activemq-classic activemq-artemis pulsar mosquitto",
    "bucket": "minio seaweedfs garage",
    "gateway": "nginx nginx-unprivileged openresty traefik caddy haproxy envoy kong kong-gateway apisix",
}
_KIND_OF: Mapping[str, Kind] = {name: kind for kind, names in _NAMES.items() for name in names.split()}


def kind_of_image(image: str | None) -> Kind:
    """The kind that the last part of an image's name is known for, whole: `postgres-exporter` is no database."""
    if image is None:
        return "service"
    path = image.partition("@")[0]
    last = path.rpartition("/")[2].partition(":")[0].lower()
    if last == "server" and "/mssql/" in path:  # the published name of SQL Server's image
        return "database"
    return _KIND_OF.get(last, "service")
